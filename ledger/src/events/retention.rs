//! Owns how much of the outbox is kept: for those who need it, for those who may, and never more than the quota.

/// Events that are kept whether a subscriber needs them or not, unless configured otherwise: about a year of blocks.
pub const DEFAULT_RETAINED_EVENTS: u64 = 100_000;

/// Most events that are kept for the slowest subscriber, unless configured otherwise.
pub const DEFAULT_EVENT_QUOTA: u64 = 1_000_000;

/// Most bytes of events that are kept, unless configured otherwise: 1 GiB.
pub const DEFAULT_EVENT_QUOTA_BYTES: u64 = 1 << 30;

/// The outbox is trimmed when that takes away at least one part in so many: now and then, so that a commit is not slower
/// for it. By as much it may lie above its quota.
const TRIMMED_PART: u64 = 32;

/// What is kept of the outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// Events that are kept in any case.
    pub(crate) retained: u64,
    /// Most events that are kept.
    pub(crate) quota: u64,
    /// Most bytes of events that are kept.
    pub(crate) quota_bytes: u64,
}

impl Retention {
    /// The oldest sequence that stays, of those from `oldest` up to but without `next`; `oldest` if it is not worth
    /// trimming. `slowest` is what the last of the lossless subscribers needs.
    pub(crate) fn keep_from(
        &self,
        oldest: u64,
        next: u64,
        slowest: impl FnOnce() -> Option<u64>,
    ) -> u64 {
        let retained = next.saturating_sub(self.retained.min(self.quota));
        if retained <= oldest + (next - oldest) / TRIMMED_PART {
            return oldest;
        }
        let needed = slowest().map_or(retained, |slowest| slowest.min(retained));
        let keep_from = needed.max(next.saturating_sub(self.quota));
        match keep_from > oldest + (next - oldest) / TRIMMED_PART {
            true => keep_from,
            false => oldest,
        }
    }

    /// How many bytes must go, if there are more than the quota.
    pub(crate) fn surplus_bytes(&self, bytes: u64) -> u64 {
        match bytes > self.quota_bytes {
            true => bytes - (self.quota_bytes - self.quota_bytes / TRIMMED_PART),
            false => 0,
        }
    }
}
