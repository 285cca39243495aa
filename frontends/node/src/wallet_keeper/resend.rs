//! Owns when peers are told again of payments that wait here, and may wait nowhere else any more.
//! Promises that it is seldom and left to chance: nobody is to see by it whose payments they are.
//! Refuses to tell of what is about as young as the last block, which could not have had it.

use std::hash::{BuildHasher, RandomState};

use everett_wallet::Wallets;
use tracing::{info, warn};

use crate::handle::Handle;

/// How long it is from one time to the next at least, in seconds.
const RESEND_AFTER: u64 = 12 * 60 * 60;
/// How much longer it may be, in seconds.
const RESEND_SPREAD: u64 = 24 * 60 * 60;
/// How much older than the last block a payment is that is told of, in seconds.
const OLDER_BY: u64 = 5 * 60;

/// When it is done next.
pub(super) struct Resend {
    /// Seconds since 1970.
    next: u64,
}

impl Resend {
    /// `now`: seconds since 1970.
    pub(super) fn new(now: u64) -> Resend {
        // Its keys are left to chance.
        let chance = RandomState::new().hash_one(now);
        Resend {
            next: now.saturating_add(RESEND_AFTER + chance % RESEND_SPREAD),
        }
    }

    /// Whether it is time; the next time is settled then.
    pub(super) fn is_due(&mut self, now: u64) -> bool {
        let due = now >= self.next;
        if due {
            *self = Resend::new(now);
        }
        due
    }
}

/// Has peers told of all that the wallets know of and that waits.
pub(super) fn tell_again(handle: &Handle, wallets: &Wallets) {
    let Some(peers) = handle.peers() else {
        return;
    };
    let last = u64::from(handle.ledger().best().header().time);
    for wallet in wallets.list() {
        let waiting = match wallet.waiting_since(last.saturating_sub(OLDER_BY)) {
            Ok(waiting) => waiting,
            Err(error) => {
                warn!(wallet = wallet.name(), %error, "peers are not told again of payments that wait");
                continue;
            }
        };
        for txid in &waiting {
            // Until somebody takes it.
            handle.mempool().set_unbroadcast(txid, true);
            peers.announce_transaction(txid);
        }
        if !waiting.is_empty() {
            info!(
                wallet = wallet.name(),
                "resubmit {} unconfirmed transactions",
                waiting.len()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_every_twelve_to_thirty_six_hours() {
        for now in 0..100 {
            let mut resend = Resend::new(now);
            let next = resend.next;
            assert!((now + 12 * 3_600..now + 36 * 3_600).contains(&next));
            assert!(!resend.is_due(next - 1));
            assert_eq!(resend.next, next);
            assert!(resend.is_due(next));
            assert!(!resend.is_due(next + 12 * 3_600 - 1));
        }
    }
}
