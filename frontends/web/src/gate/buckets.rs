//! Owns the counting of what each address may do.
//! Promises a bounded table: when it is full, the address that was silent longest is forgotten.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use std::sync::Mutex;

/// Addresses that are remembered at once.
const MAX_ADDRESSES: usize = 4_096;

/// A bucket for each address: it holds so many tokens and gets a new one every so often.
pub(super) struct Buckets {
    size: u32,
    every: Duration,
    /// When each address's bucket will be full again; those that are full are not kept.
    full_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Buckets {
    /// Buckets of `size` tokens that get a new one every `every`.
    pub(super) fn new(size: u32, every: Duration) -> Buckets {
        Buckets {
            size,
            every,
            full_at: Mutex::default(),
        }
    }

    /// Takes a token, or tells after how long there is one.
    pub(super) fn take(&self, who: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.lock();
        let full = full_at.get(&who).map_or(now, |full| (*full).max(now));
        self.enough(full, now)?;
        if full_at.len() >= MAX_ADDRESSES && !full_at.contains_key(&who) {
            make_room(&mut full_at, now);
        }
        full_at.insert(who, full + self.every);
        Ok(())
    }

    /// Whether there is a token, or after how long there is one.
    pub(super) fn peek(&self, who: IpAddr, now: Instant) -> Result<(), Duration> {
        let full = self.lock().get(&who).copied().unwrap_or(now).max(now);
        self.enough(full, now)
    }

    /// A bucket that is full at `full` lacks a token for each interval until then.
    fn enough(&self, full: Instant, now: Instant) -> Result<(), Duration> {
        let last_token = self.every * (self.size - 1);
        match full.saturating_duration_since(now).checked_sub(last_token) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Instant>> {
        // A panic while it was held cannot leave it half changed.
        self.full_at
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn make_room(full_at: &mut HashMap<IpAddr, Instant>, now: Instant) {
    full_at.retain(|_, full| *full > now);
    if full_at.len() >= MAX_ADDRESSES {
        let emptiest_last = full_at.iter().min_by_key(|(_, full)| **full);
        if let Some(who) = emptiest_last.map(|(who, _)| *who) {
            full_at.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let buckets = Buckets::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let who = address(1);
        for _ in 0..3 {
            assert_eq!(buckets.take(who, start), Ok(()));
        }
        assert_eq!(buckets.peek(who, start), Err(Duration::from_secs(10)));
        let later = start + Duration::from_secs(4);
        assert_eq!(buckets.take(who, later), Err(Duration::from_secs(6)));
        assert_eq!(buckets.take(address(2), later), Ok(()));
        let later = start + Duration::from_secs(10);
        assert_eq!(buckets.take(who, later), Ok(()));
        assert_eq!(buckets.take(who, later), Err(Duration::from_secs(10)));
        let much_later = start + Duration::from_secs(100);
        for _ in 0..3 {
            assert_eq!(buckets.take(who, much_later), Ok(()));
        }
        assert!(buckets.take(who, much_later).is_err());
    }

    #[test]
    fn the_table_does_not_grow_beyond_its_bound_and_keeps_who_took_most() {
        let buckets = Buckets::new(2, Duration::from_secs(10));
        let now = Instant::now();
        let greedy = address(0);
        let _ = buckets.take(greedy, now);
        let _ = buckets.take(greedy, now);
        for number in 1..3 * MAX_ADDRESSES as u32 {
            assert_eq!(buckets.take(address(number), now), Ok(()));
        }
        assert_eq!(buckets.lock().len(), MAX_ADDRESSES);
        assert!(buckets.take(greedy, now).is_err());
    }
}
