//! Owns which blocks go before others of the same work because somebody said so.
//! Promises Bitcoin Core's rule, in which a later call does not always go before an earlier one: ranks count down from -1,
//! and begin anew with the first call after the best tip has more work than it had at the last one.
//! Refuses to survive a restart. One entry for each block that was named, which the tree holds anyway.

use bitcoin::Work;

use super::ById;
use crate::id::BlockId;

/// Where a block stands among those that were named. The greater one goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank {
    /// How many calls since the last beginning, its own among them.
    since: u32,
    /// All calls up to its own. Bitcoin Core leaves equals to where they lie in memory; here the later call goes first.
    call: u64,
}

#[derive(Default)]
pub(super) struct Precious {
    ranks: ById<Rank>,
    calls: u64,
    /// What the last call got, and the work that the best tip had at it.
    last: Option<(u32, Work)>,
}

impl Precious {
    pub(super) fn rank(&self, id: BlockId) -> Option<Rank> {
        self.ranks.get(&id).copied()
    }

    pub(super) fn prefer(&mut self, id: BlockId, best: Work) {
        let since = match self.last {
            Some((since, work)) if best <= work => since.saturating_add(1),
            _ => 1,
        };
        self.last = Some((since, best));
        self.calls += 1;
        let call = self.calls;
        self.ranks.insert(id, Rank { since, call });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(of: u8) -> Work {
        let mut bytes = [0; 32];
        bytes[31] = of;
        Work::from_be_bytes(bytes)
    }

    #[test]
    fn calls_count_until_the_best_tip_has_more_work_than_at_the_last_one() {
        let mut precious = Precious::default();
        let [a, b, c, d] = [1, 2, 3, 4].map(BlockId);
        assert_eq!(precious.rank(a), None);
        precious.prefer(a, work(10));
        precious.prefer(b, work(9));
        assert!(precious.rank(b) > precious.rank(a));
        assert!(precious.rank(a) > precious.rank(c));
        // More work than at the last call, though not more than before: it begins anew.
        precious.prefer(c, work(10));
        assert!(precious.rank(b) > precious.rank(c));
        // What Bitcoin Core leaves open goes by the call.
        assert!(precious.rank(c) > precious.rank(a));
        precious.prefer(d, work(10));
        precious.prefer(a, work(10));
        assert!(precious.rank(a) > precious.rank(b));
    }
}
