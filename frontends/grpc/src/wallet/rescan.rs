//! Owns the scans of blocks for wallets as clients ask for them, and the stream that tells how far one is.
//! Promises that a scan ends when nobody waits for it any more; what it found stays, and one that an import asked for is done by
//! the node in the background then.

use everett_node::{CallError, Handle, StopSignal};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_wallet::{ScanTurn, Wallet, WalletError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tonic::Code;

use super::asking::Asking;
use super::fault::locked;
use crate::deadline::Patience;
use crate::fault::Fault;
use crate::responses::Responses;

/// Messages that wait for a client to read; of more, the latest is left out.
const QUEUE: usize = 64;

/// Does what a wallet's new keys ask for, those that may have been paid since a height, as long as somebody waits for it.
/// `None`: they ask for nothing.
pub(crate) fn pay_since(
    asking: &Asking<'_>,
    turn: &ScanTurn,
    from: Option<u32>,
) -> Result<(), Fault> {
    let Some(from) = from else {
        return Ok(());
    };
    let patience = &asking.reading.patience;
    let stop = asking.handle.stop_signal();
    let done = turn.pay_since(from, &mut |_, _| patience.lasts() && !stop.is_given());
    done.map_err(|error| match error {
        WalletError::ScanLeft { height } if !stop.is_given() => Fault::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the keys are taken up; the blocks that they may be paid in are looked into further in the background (GetWallet \
             tells how far that is)",
        )
        .with("height", height),
        other => why(other, stop),
    })
}

/// Why a scan was not done to its end.
fn why(error: WalletError, stop: &StopSignal) -> Fault {
    match error {
        WalletError::ScanLeft { .. } if stop.is_given() => CallError::ShuttingDown.into(),
        other => other.into(),
    }
}

pub(crate) fn abort(
    _: &Asking<'_>,
    wallet: &Wallet,
    _: v1::AbortRescanRequest,
) -> Result<v1::AbortRescanResponse, Fault> {
    Ok(v1::AbortRescanResponse {
        aborted: wallet.abort_scan()?,
    })
}

/// What a stream is to do.
pub(crate) struct Scan {
    pub(crate) handle: Handle,
    pub(crate) turn: ScanTurn,
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
    match request.to_height {
        Some(to) if to < from => Err(Fault::field("to_height", "it lies before from_height")),
        Some(to) if to > tip => {
            let wrong = format!("{to}; the best block is at {tip}");
            Err(Fault::field("to_height", wrong))
        }
        _ => Ok(()),
    }
}

/// Takes the turn for a scan.
pub(crate) fn turn(wallet: &Wallet) -> Result<ScanTurn, Fault> {
    let turn = wallet.scan_turn()?;
    // Addresses behind those that are watched would not be looked for.
    match wallet.view()?.keyring().needs_unlocking() {
        true => Err(locked()),
        false => Ok(turn),
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
            turn,
            from,
            to,
            patience,
        } = scan;
        let stop = handle.stop_signal().clone();
        let stopped = stop.clone();
        let progress = sender.clone();
        let done = handle.read(move |_| {
            let mut last_height = from;
            let looked = turn.run(from, to, &mut |height, last| {
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
            Ok(Err(error)) => Some(self::why(error, &stopped)),
            Err(error) => Some(error.into()),
        };
        drop(sender);
        // The last word is always said: `None` for an end in order.
        let _ = told.send(why);
    });
    Responses::new(messages, end, place)
}
