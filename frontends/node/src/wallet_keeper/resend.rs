//! Owns when peers are told again of payments that wait here, and may wait nowhere else any more.
//! Promises that it is seldom and left to chance, for each wallet by itself: nobody is to see by it whose payments they are, nor
//! which wallets lie on one node.
//! Refuses to tell of what is about as young as the last block, which could not have had it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;

use everett_wallet::Wallet;
use tracing::{info, warn};

use crate::handle::Handle;

/// How long it is from one time to the next at least, in seconds.
const RESEND_AFTER: u64 = 12 * 60 * 60;
/// How much longer it may be, in seconds.
const RESEND_SPREAD: u64 = 24 * 60 * 60;
/// How much older than the last block a payment is that is told of, in seconds.
const OLDER_BY: u64 = 5 * 60;

/// When it is done next for a wallet.
struct Resend {
    /// Seconds since 1970.
    next: u64,
}

impl Resend {
    /// `now`: seconds since 1970.
    fn new(now: u64) -> Resend {
        // Its keys are left to chance.
        let chance = RandomState::new().hash_one(now);
        Resend {
            next: now.saturating_add(RESEND_AFTER + chance % RESEND_SPREAD),
        }
    }

    /// Whether it is time; the next time is settled then.
    fn is_due(&mut self, now: u64) -> bool {
        let due = now >= self.next;
        if due {
            *self = Resend::new(now);
        }
        due
    }
}

/// When it is done next for each open wallet, by name.
#[derive(Default)]
pub(super) struct Resends(BTreeMap<String, Resend>);

impl Resends {
    /// Those of the open wallets whose time it is. One that is new here has its first time settled, and one that is not open any
    /// more is forgotten.
    fn due<'a>(&mut self, open: impl Iterator<Item = &'a str>, now: u64) -> Vec<&'a str> {
        let mut before = mem::take(&mut self.0);
        let mut due = Vec::new();
        for name in open {
            let known = before.remove_entry(name);
            let (key, mut resend) = known.unwrap_or_else(|| (name.to_owned(), Resend::new(now)));
            if resend.is_due(now) {
                due.push(name);
            }
            self.0.insert(key, resend);
        }
        due
    }

    /// Has peers told of what waits in those of the open wallets whose time it is. A time that comes during the first download is
    /// let pass: else all of them would tell as soon as that is over.
    pub(super) fn tell_again(&mut self, handle: &Handle, open: &[Wallet]) {
        let names = open.iter().map(Wallet::name);
        let due = self.due(names, handle.ledger().clock().now());
        if due.is_empty() || handle.initial_download() {
            return;
        }
        let due = |wallet: &&Wallet| due.contains(&wallet.name());
        tell_of(handle, open.iter().filter(due));
    }
}

/// Has peers told of all that wallets know of and that waits.
fn tell_of<'a>(handle: &Handle, wallets: impl Iterator<Item = &'a Wallet>) {
    let Some(peers) = handle.peers() else {
        return;
    };
    let last = u64::from(handle.ledger().best().header().time);
    for wallet in wallets {
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

    #[test]
    fn each_wallet_has_a_time_of_its_own_that_is_forgotten_when_it_is_unloaded() {
        const LATEST: u64 = 36 * 3_600;
        let names: Vec<String> = (0..100).map(|number| format!("w{number}")).collect();
        let all = || names.iter().map(String::as_str);
        let mut resends = Resends::default();
        assert_eq!(resends.due(all(), 0), Vec::<&str>::new());
        let times: Vec<u64> = resends.0.values().map(|resend| resend.next).collect();
        assert_eq!(times.len(), names.len());
        assert!(times.iter().any(|time| *time != times[0]));
        // The first of them alone.
        let first = times.iter().copied().min().unwrap_or_default();
        let due = resends.due(all(), first);
        assert_eq!(
            due.len(),
            times.iter().filter(|time| **time == first).count()
        );
        assert!(due.iter().all(|name| resends.0[*name].next > first));
        // All of the others; but who was away begins anew.
        assert_eq!(resends.due(all().skip(1), first).len(), 0);
        assert_eq!(resends.0.len(), names.len() - 1);
        let due = resends.due(all(), LATEST + LATEST);
        assert_eq!(due, all().skip(1).collect::<Vec<_>>());
    }
}
