//! Owns how fast the best chain grows.
//! Promises a figure over the last while, and none where nothing moved.

use std::collections::VecDeque;
use std::time::Instant;

/// How many measurements the figure is made of.
const MEASUREMENTS: usize = 16;

/// The heights of the best tip over the last while.
#[derive(Default)]
pub(super) struct Speed {
    heights: VecDeque<(Instant, u32)>,
}

impl Speed {
    /// Notes the height of the best tip.
    pub(super) fn measure(&mut self, now: Instant, height: u32) {
        if self.heights.len() == MEASUREMENTS {
            self.heights.pop_front();
        }
        self.heights.push_back((now, height));
    }

    /// Blocks a second over the measurements; `None` before there are two, or when it did not grow.
    pub(super) fn blocks_a_second(&self) -> Option<f64> {
        let (start, lowest) = self.heights.front()?;
        let (end, highest) = self.heights.back()?;
        let grown = highest.checked_sub(*lowest).filter(|grown| *grown > 0)?;
        let seconds = end.saturating_duration_since(*start).as_secs_f64();
        (seconds > 0.0).then(|| f64::from(grown) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_while() {
        let start = Instant::now();
        let mut speed = Speed::default();
        assert_eq!(speed.blocks_a_second(), None);
        for second in 0..100 {
            let height = if second < 50 { 0 } else { (second - 50) * 10 };
            speed.measure(start + Duration::from_secs(u64::from(second)), height);
        }
        assert_eq!(speed.blocks_a_second(), Some(10.0));
        for second in 100..120 {
            speed.measure(start + Duration::from_secs(second), 490);
        }
        assert_eq!(speed.blocks_a_second(), None);
        speed.measure(start + Duration::from_secs(120), 3);
        assert_eq!(speed.blocks_a_second(), None);
    }
}
