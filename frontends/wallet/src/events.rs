//! Owns what is told of wallets as it happens: payments, balances and warnings that come and go.
//! Promises each change once and in order, numbered without gaps over all wallets of a run, and that who is too slow is told how
//! many it missed.
//! Refuses to keep anything for those who are not there: a subscriber begins now. See [`MAX_EVENTS`].

use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::balance::WorldBalance;
use crate::payment::PaymentState;
use crate::safe::Warning;

/// Events that are kept for subscribers which have not taken them yet.
pub const MAX_EVENTS: usize = 4_096;

/// Something that happened to a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalletEvent {
    /// The wallet's name; empty for the one without.
    pub wallet: String,
    /// Its number, from 0 at the node's start, over all wallets: a gap is what was missed.
    pub sequence: u64,
    /// What happened.
    pub kind: WalletEventKind,
}

/// What happened to a wallet. States and balances are those of the best world; several steps of it that were looked at in one
/// go are one step here.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WalletEventKind {
    /// It is open. Warnings that stand follow as [`WalletEventKind::WarningAppeared`].
    Loaded,
    /// It is not open any more.
    Unloaded,
    /// A transaction of ours that was not known.
    PaymentAppeared {
        /// The transaction.
        txid: Txid,
        /// What becomes of it.
        state: PaymentState,
    },
    /// A transaction of ours stands otherwise than before. That it gets deeper is not told.
    PaymentChanged {
        /// The transaction.
        txid: Txid,
        /// How it stood.
        before: PaymentState,
        /// How it stands.
        state: PaymentState,
    },
    /// A transaction is not remembered any more: by hand, or because it was refused when it was sent.
    PaymentForgotten {
        /// The transaction.
        txid: Txid,
    },
    /// The balance is another one.
    BalanceChanged {
        /// What it was.
        before: WorldBalance,
        /// What it is.
        balance: WorldBalance,
        /// The best block that it is of.
        best: BlockHash,
        /// That block's height.
        height: u32,
    },
    /// A rival branch, close behind the best one, would take coins away or has spent a receipt otherwise.
    WarningAppeared(Arc<Warning>),
    /// The same branch, or one grown from it, would change something else now, or stands elsewhere.
    WarningChanged {
        /// What was warned of.
        before: Arc<Warning>,
        /// What is.
        warning: Arc<Warning>,
    },
    /// A branch that was warned of is no danger any more.
    WarningCleared {
        /// What was warned of.
        warning: Arc<Warning>,
        /// Why it is over.
        why: Cleared,
    },
}

/// Why a warning is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cleared {
    /// The branch is the best one now: what was warned of has come.
    Won,
    /// It is too far behind.
    FellBehind,
    /// It is no live branch any more.
    Gone,
    /// It would change nothing any more.
    Harmless,
}

impl Cleared {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Cleared::Won => "won",
            Cleared::FellBehind => "fell behind",
            Cleared::Gone => "gone",
            Cleared::Harmless => "harmless",
        }
    }
}

/// A subscriber was too slow: so many events are lost to it. It goes on with the oldest that is kept, and asks the wallets
/// ([`Wallet::view`](crate::Wallet::view)) how things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{count} events of wallets were missed; ask the wallets how they stand")]
pub struct MissedEvents {
    /// How many.
    pub count: u64,
}

/// The events of all wallets from the subscription on.
pub struct WalletEvents(broadcast::Receiver<Arc<WalletEvent>>);

impl WalletEvents {
    /// The next one, when there is one; `None` when the wallets are gone.
    pub async fn next(&mut self) -> Option<Result<Arc<WalletEvent>, MissedEvents>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(count)) => Some(Err(MissedEvents { count })),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next one that is there already; `None` if none is.
    pub fn try_next(&mut self) -> Option<Result<Arc<WalletEvent>, MissedEvents>> {
        match self.0.try_recv() {
            Ok(event) => Some(Ok(event)),
            Err(TryRecvError::Lagged(count)) => Some(Err(MissedEvents { count })),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// Tells subscribers what happens. Clones share it.
#[derive(Clone)]
pub(crate) struct Announcer(Arc<Shared>);

struct Shared {
    /// The next sequence. Held while events are sent, so that their order is that of their numbers.
    next: Mutex<u64>,
    sender: broadcast::Sender<Arc<WalletEvent>>,
}

impl Announcer {
    pub(crate) fn new() -> Announcer {
        Announcer(Arc::new(Shared {
            next: Mutex::new(0),
            sender: broadcast::Sender::new(MAX_EVENTS),
        }))
    }

    pub(crate) fn subscribe(&self) -> WalletEvents {
        WalletEvents(self.0.sender.subscribe())
    }

    /// Tells what happened to a wallet, all of it in one go.
    pub(crate) fn tell(&self, wallet: &str, kinds: impl IntoIterator<Item = WalletEventKind>) {
        let mut next = self.0.next.lock();
        for kind in kinds {
            log(wallet, &kind);
            let event = WalletEvent {
                wallet: wallet.to_owned(),
                sequence: *next,
                kind,
            };
            *next += 1;
            // Nobody listens, perhaps.
            let _ = self.0.sender.send(Arc::new(event));
        }
    }
}

/// What operators are to see without asking: warnings, in the log.
fn log(wallet: &str, kind: &WalletEventKind) {
    match kind {
        WalletEventKind::WarningAppeared(warning) => tracing::warn!(
            wallet,
            branch = %warning.tip,
            height = warning.height,
            behind = warning.behind,
            lost = %warning.lost_amount,
            payments = warning.payments.len(),
            double_spend = warning.has_double_spend(),
            "a rival branch would take coins or payments away"
        ),
        WalletEventKind::WarningCleared { warning, why } => tracing::info!(
            wallet,
            branch = %warning.tip,
            why = why.word(),
            "the warning of a rival branch is over"
        ),
        _ => {}
    }
}
