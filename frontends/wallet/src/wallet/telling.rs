//! Owns how an open wallet catches up and tells what changed on the way.
//! Promises that what happened is told once and in order, whoever asks for what first.
//! Refuses to let a question fail because something cannot be told: it is told with the next change.

use std::sync::atomic::Ordering;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::{Wallet, rivals};
use crate::book::Book;
use crate::error::WalletError;
use crate::events::WalletEventKind;
use crate::picture::Picture;
use crate::spenders::Spenders;
use crate::view::View;

impl Wallet {
    pub(super) fn changed(&self) {
        self.inner.untold.store(true, Ordering::Release);
        self.revise();
    }

    pub(super) fn revise(&self) {
        self.inner.revision.send_modify(|revision| *revision += 1);
    }

    /// Looks at everything that is new in the ledger and in the mempool, and tells subscribers what changed.
    ///
    /// # Errors
    ///
    /// Blocks that were pruned before they were looked into, what the disk does.
    pub fn catch_up(&self) -> Result<(), WalletError> {
        self.catch_up_while(&|| true)
    }

    /// The same, as long as it `goes_on`.
    ///
    /// # Errors
    ///
    /// As there, and [`WalletError::ScanLeft`].
    pub(super) fn catch_up_while(&self, goes_on: &dyn Fn() -> bool) -> Result<(), WalletError> {
        let inner = &*self.inner;
        let is_up_to_date = |book: &Book| book.is_up_to_date(&inner.ledger, &inner.mempool);
        if !inner.untold.load(Ordering::Acquire) && is_up_to_date(&inner.book.read()) {
            return Ok(());
        }
        let mut told = inner.told.lock();
        let mut book = inner.book.write();
        if !is_up_to_date(&book) {
            let (event, tips) = (book.event, book.tips.clone());
            let looked = book.catch_up(&inner.ledger, &inner.mempool, goes_on);
            // What was seen before it failed is not seen as new again.
            if !matches!(looked, Ok(false)) {
                self.changed();
            }
            looked?;
            // A branch may have grown that has nothing of ours, and has become a danger.
            if book.event != event || book.tips != tips {
                inner.untold.store(true, Ordering::Release);
            }
        }
        // What is changed from here on is looked at the next time.
        // Of one that is not among the open ones nothing is told.
        if inner.untold.swap(false, Ordering::AcqRel)
            && let Some(before) = told.as_ref()
        {
            let next = self.news(before, RwLockWriteGuard::downgrade(book));
            match next {
                Ok((next, events)) => {
                    inner.silenced.store(false, Ordering::Release);
                    *told = Some(next);
                    inner.announcer.tell(&inner.name, events);
                }
                // The question that made it look is answered all the same. The next look at something new tries again.
                Err(error) => {
                    if !inner.silenced.swap(true, Ordering::AcqRel) {
                        tracing::warn!(wallet = inner.name, %error, "what happened cannot be told yet");
                    }
                }
            }
        }
        Ok(())
    }

    /// How it stands now, and what has happened. The worlds are those that the book knows.
    fn news(
        &self,
        before: &Picture,
        book: RwLockReadGuard<'_, Book>,
    ) -> Result<(Picture, Vec<WalletEventKind>), WalletError> {
        let inner = &*self.inner;
        let best = inner.ledger.world(&book.best)?;
        let rivals = rivals(&inner.ledger, &best);
        let view = View {
            spenders: Spenders::default(),
            book,
            best,
            rivals,
            ledger: &inner.ledger,
            mempool: &inner.mempool,
            spends_pending: inner.spend_pending_change,
        };
        before.next(&view, inner.warn_blocks)
    }

    /// How it stands before anything of it is told.
    pub(crate) fn picture(&self) -> Result<Picture, WalletError> {
        Picture::first(&self.view()?)
    }

    /// Tells that it is open, and from then on what has changed since `first`. Nothing can be in the way of that.
    pub(crate) fn tell(&self, first: Picture) {
        let mut told = self.inner.told.lock();
        self.inner
            .announcer
            .tell(&self.inner.name, [WalletEventKind::Loaded]);
        *told = Some(first);
        self.inner.untold.store(true, Ordering::Release);
    }

    /// Tells that it is not open any more, and nothing of it after that; no scan begins for it any more.
    pub(crate) fn hush(&self) {
        self.shut_turns();
        let mut told = self.inner.told.lock();
        if told.take().is_some() {
            self.inner
                .announcer
                .tell(&self.inner.name, [WalletEventKind::Unloaded]);
        }
    }
}
