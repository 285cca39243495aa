//! Owns the scans of blocks for wallets: one at a time for each; and the stream that tells how far one is.
//! Promises that a scan ends when nobody waits for it any more; what it found stays.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use everett_node::Handle;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_wallet::{Wallet, WalletError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tonic::Code;

use super::asking::Asking;
use crate::deadline::Patience;
use crate::fault::Fault;
use crate::responses::Responses;

/// Messages that wait for a client to read; of more, the latest is left out.
const QUEUE: usize = 64;

/// The wallets for which blocks are looked into, or that must not be disturbed.
#[derive(Default)]
pub(crate) struct Scans(Mutex<BTreeSet<String>>);

impl Scans {
    /// Begins one.
    pub(crate) fn begin(self: &Arc<Scans>, wallet: &str) -> Result<Turn, Fault> {
        // Whoever panicked while holding the lock left a whole set behind.
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match busy.insert(wallet.to_owned()) {
            true => Ok(Turn {
                scans: self.clone(),
                wallet: wallet.to_owned(),
            }),
            false => Err(Fault::new(
                Code::FailedPrecondition,
                ErrorReason::WalletScanning,
                "blocks are being looked into for this wallet; wait until that is done, or end it",
            )
            .with("wallet", wallet)),
        }
    }
}

/// A scan, until it is dropped.
pub(crate) struct Turn {
    scans: Arc<Scans>,
    wallet: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = self.scans.0.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.wallet);
    }
}

/// Looks into the blocks of every live world from a height on, for as long as somebody waits for it.
pub(crate) fn run(
    asking: &Asking<'_>,
    wallet: &Wallet,
    from: u32,
    to: Option<u32>,
) -> Result<(), Fault> {
    let patience = &asking.reading.patience;
    let stop = asking.handle.stop_signal();
    let goes_on = &mut |_, _| patience.lasts() && !stop.is_given();
    Ok(wallet.rescan(from, to, goes_on)?)
}

/// What a stream is to do.
pub(crate) struct Scan {
    pub(crate) handle: Handle,
    pub(crate) wallet: Wallet,
    pub(crate) turn: Turn,
    pub(crate) from: u32,
    pub(crate) to: Option<u32>,
    pub(crate) patience: Patience,
}

/// Checks the heights of a request.
pub(crate) fn check(handle: &Handle, request: &v1::RescanWalletRequest) -> Result<(), Fault> {
    let from = request.from_height;
    let tip = handle.ledger().best().height();
    if from > tip {
        let wrong = format!("{from}; the best block is at {tip}");
        return Err(Fault::field("from_height", wrong));
    }
    if request.to_height.is_some_and(|to| to < from) {
        return Err(Fault::field("to_height", "it lies before from_height"));
    }
    let pruned = handle.ledger().pruned_below();
    match from < pruned {
        true => Err(Fault::new(
            Code::NotFound,
            ErrorReason::BlockUnknown,
            format!("blocks below height {pruned} are pruned: begin there"),
        )
        .with("height", pruned)),
        false => Ok(()),
    }
}

/// Begins to look, and to tell.
pub(crate) fn begin(
    scan: Scan,
    place: OwnedSemaphorePermit,
) -> Responses<v1::RescanWalletResponse> {
    let (sender, messages) = mpsc::channel(QUEUE);
    let (told, end) = oneshot::channel();
    tokio::spawn(async move {
        let Scan {
            handle,
            wallet,
            turn,
            from,
            to,
            patience,
        } = scan;
        let stop = handle.stop_signal().clone();
        let progress = sender.clone();
        let done = handle.read(move |_| {
            let _turn = turn;
            let mut last_height = from;
            let looked = wallet.rescan(from, to, &mut |height, last| {
                last_height = last;
                let message = v1::RescanWalletResponse {
                    height,
                    last_height: last,
                    done: false,
                };
                // Who does not read misses a step.
                let _ = progress.try_send(message);
                patience.lasts() && !progress.is_closed() && !stop.is_given()
            });
            looked.map(|()| last_height)
        });
        let why = match done.await {
            Ok(Ok(last_height)) => {
                let message = v1::RescanWalletResponse {
                    height: last_height,
                    last_height,
                    done: true,
                };
                // The client may be gone.
                let _ = sender.send(message).await;
                None
            }
            Ok(Err(WalletError::ScanAborted { .. })) => Some(Fault::deadline_exceeded()),
            Ok(Err(error)) => Some(error.into()),
            Err(error) => Some(error.into()),
        };
        drop(sender);
        // The last word is always said: `None` for an end in order.
        let _ = told.send(why);
    });
    Responses::new(messages, end, place)
}
