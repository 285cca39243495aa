//! Owns one client's stream of what happens to wallets.
//! Promises that a client which does not read costs a bounded queue for a bounded time, and that one which is too slow is told at
//! once how much it missed, whatever it asked for.
//! Refuses to keep events for anyone: a client that comes back asks the wallets first.

use std::time::SystemTime;

use everett_ledger::Ledger;
use everett_node::{CallError, StopSignal};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_wallet::{Cleared, MissedEvents, WalletEvent, WalletEventKind, WalletEvents};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tonic::Code;

use crate::config::StreamLimits;
use crate::convert;
use crate::convert::wallet as wallet_convert;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::responses::Responses;

/// Events that wait for a client to read; more wait with the wallets, as far as those keep them.
const QUEUE: usize = 64;

/// What a client wants to be told.
pub(crate) struct Wish {
    /// `None`: of all wallets.
    pub(crate) wallet: Option<String>,
    /// Empty: all.
    pub(crate) kinds: Vec<v1::WalletEventKind>,
}

impl Wish {
    /// The kinds of a request.
    pub(crate) fn kinds(asked: &[i32]) -> Result<Vec<v1::WalletEventKind>, Fault> {
        let kinds = asked.iter().enumerate().map(|(index, kind)| {
            let known = v1::WalletEventKind::try_from(*kind).ok();
            let known = known.filter(|kind| *kind != v1::WalletEventKind::Unspecified);
            known.ok_or_else(|| Fault::field(format!("kinds[{index}]"), "no kind of event"))
        });
        kinds.collect()
    }

    fn wants(&self, event: &WalletEvent) -> bool {
        let named = self.wallet.as_ref();
        named.is_none_or(|name| *name == event.wallet)
            && (self.kinds.is_empty() || self.kinds.contains(&kind(&event.kind)))
    }
}

/// Begins to send.
pub(crate) fn begin(
    ledger: Ledger,
    events: WalletEvents,
    wish: Wish,
    limits: StreamLimits,
    deadline: Deadline,
    stop: StopSignal,
    place: OwnedSemaphorePermit,
) -> Responses<v1::StreamWalletEventsResponse> {
    let (sender, messages) = mpsc::channel(QUEUE);
    let (told, end) = oneshot::channel();
    tokio::spawn(async move {
        let why = tokio::select! {
            why = send(&ledger, events, &wish, &limits, &sender) => why,
            () = deadline.over() => Some(Fault::deadline_exceeded()),
            () = stop.wait() => Some(CallError::ShuttingDown.into()),
        };
        if let Some(why) = why {
            // The client may be gone.
            let _ = told.send(Some(why));
        }
    });
    Responses::new(messages, end, place)
}

/// Sends until the wallets end, or the client; `None` for a client that has gone.
async fn send(
    ledger: &Ledger,
    mut events: WalletEvents,
    wish: &Wish,
    limits: &StreamLimits,
    sender: &mpsc::Sender<v1::StreamWalletEventsResponse>,
) -> Option<Fault> {
    let patience = limits.slow_consumer;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = sender.closed() => return None,
        };
        let message = match event {
            Some(Ok(event)) if wish.wants(&event) => tell(ledger, &event),
            Some(Ok(_)) => continue,
            Some(Err(gone)) => missed(gone),
            None => return Some(CallError::ShuttingDown.into()),
        };
        match tokio::time::timeout(patience, sender.send(message)).await {
            Ok(sent) => sent.ok()?,
            Err(_) => {
                let text = format!(
                    "nothing was read from this stream for {} s; ask the wallets how they stand, and begin again",
                    patience.as_secs()
                );
                let code = Code::ResourceExhausted;
                return Some(Fault::new(code, ErrorReason::SlowConsumer, text));
            }
        }
    }
}

/// Tells of events that are lost to a client.
fn missed(gone: MissedEvents) -> v1::StreamWalletEventsResponse {
    v1::StreamWalletEventsResponse {
        kind: v1::WalletEventKind::Missed.into(),
        time: Some(SystemTime::now().into()),
        missed: gone.count,
        ..Default::default()
    }
}

fn kind(kind: &WalletEventKind) -> v1::WalletEventKind {
    match kind {
        WalletEventKind::Loaded => v1::WalletEventKind::Loaded,
        WalletEventKind::Unloaded => v1::WalletEventKind::Unloaded,
        WalletEventKind::PaymentAppeared { .. } => v1::WalletEventKind::PaymentAppeared,
        WalletEventKind::PaymentChanged { .. } => v1::WalletEventKind::PaymentChanged,
        WalletEventKind::PaymentForgotten { .. } => v1::WalletEventKind::PaymentForgotten,
        WalletEventKind::BalanceChanged { .. } => v1::WalletEventKind::BalanceChanged,
        WalletEventKind::WarningAppeared(_) => v1::WalletEventKind::WarningAppeared,
        WalletEventKind::WarningChanged { .. } => v1::WalletEventKind::WarningChanged,
        WalletEventKind::WarningCleared { .. } => v1::WalletEventKind::WarningCleared,
        _ => v1::WalletEventKind::Unspecified,
    }
}

fn tell(ledger: &Ledger, event: &WalletEvent) -> v1::StreamWalletEventsResponse {
    let mut message = v1::StreamWalletEventsResponse {
        kind: kind(&event.kind).into(),
        wallet: event.wallet.clone(),
        sequence: event.sequence,
        time: Some(SystemTime::now().into()),
        ..Default::default()
    };
    match &event.kind {
        WalletEventKind::PaymentAppeared { txid, state } => {
            message.txid = txid.to_string();
            message.state = Some(wallet_convert::payment_state(state));
        }
        WalletEventKind::PaymentChanged {
            txid,
            before,
            state,
        } => {
            message.txid = txid.to_string();
            message.state = Some(wallet_convert::payment_state(state));
            message.state_before = Some(wallet_convert::payment_state(before));
        }
        WalletEventKind::PaymentForgotten { txid } => message.txid = txid.to_string(),
        WalletEventKind::BalanceChanged {
            before,
            balance,
            best,
            ..
        } => {
            let info = ledger.block_info(best);
            let is_best = ledger.best().hash() == *best;
            message.balance = Some(v1::WalletBalance {
                world: info.map(|info| convert::world(&info, is_best)),
                ..wallet_convert::balance(balance)
            });
            message.balance_before = Some(wallet_convert::balance(before));
        }
        WalletEventKind::WarningAppeared(warning)
        | WalletEventKind::WarningChanged { warning, .. } => {
            message.warning = Some(wallet_convert::warning(ledger, warning));
        }
        WalletEventKind::WarningCleared { warning, why } => {
            message.warning = Some(wallet_convert::warning(ledger, warning));
            message.warning_end = end(*why).into();
        }
        _ => {}
    }
    message
}

fn end(why: Cleared) -> v1::WarningEnd {
    match why {
        Cleared::Won => v1::WarningEnd::Won,
        Cleared::FellBehind => v1::WarningEnd::FellBehind,
        Cleared::Gone => v1::WarningEnd::Gone,
        Cleared::Harmless => v1::WarningEnd::Harmless,
    }
}

#[cfg(test)]
mod tests;
