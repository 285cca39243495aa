//! Owns how many lines the log gets of what strangers can repeat as fast as they like.
//! Promises a limit a minute, and that the next line says how many were left out. Refuses to know what they say.

use std::time::Duration;

/// Lines in one minute.
const LINES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// A limit on lines of one kind.
#[derive(Default, Debug)]
pub(crate) struct Throttle {
    since: Duration,
    written: u32,
    left_out: u64,
}

impl Throttle {
    /// Whether a line may be written at `now`, and how many were not since the last one that was.
    pub(crate) fn pass(&mut self, now: Duration) -> Option<u64> {
        if now >= self.since + MINUTE {
            self.since = now;
            self.written = 0;
        }
        if self.written >= LINES {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_and_counted() {
        let mut throttle = Throttle::default();
        let second = Duration::from_secs(1);
        let written = (0..10_000).filter(|_| throttle.pass(second).is_some());
        assert_eq!(written.count(), LINES as usize);
        assert_eq!(
            throttle.pass(second + MINUTE),
            Some(10_000 - u64::from(LINES))
        );
        assert_eq!(throttle.pass(second + MINUTE), Some(0));
    }
}
