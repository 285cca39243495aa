//! Owns the fee rate that peers are told not to stay below (BIP133): its rounding, and when it is told.
//! Promises Bitcoin Core's steps and times, so that the rate tells little of what the mempool holds.
//! Refuses to know the mempool.

use std::time::Duration;

use crate::chance::Chance;

/// Half of Bitcoin Core's least relay fee rate, satoshis for 1,000 virtual bytes: the first step.
const FIRST_STEP: f64 = 50.0;
/// No step lies above.
const LAST_STEP: f64 = 1e7;
/// From one step to the next.
const SPACING: f64 = 1.1;
/// How long until it is told again, on average.
const INTERVAL: Duration = Duration::from_secs(600);
/// How long at most after it has changed much.
const CHANGE_DELAY: Duration = Duration::from_secs(300);

/// The rates that are told, satoshis for 1,000 virtual bytes.
#[derive(Clone, Debug)]
pub(crate) struct FeeSteps(Vec<f64>);

impl FeeSteps {
    pub(crate) fn new() -> FeeSteps {
        let mut steps = vec![0.0];
        let mut step = FIRST_STEP;
        while step <= LAST_STEP {
            steps.push(step);
            step *= SPACING;
        }
        FeeSteps(steps)
    }

    /// The highest of them: what is told while transactions are of no use.
    pub(crate) fn most(&self) -> i64 {
        self.0.last().map_or(0, |step| *step as i64)
    }

    /// The step at or above a rate, one time in three; else the one below it.
    pub(crate) fn round(&self, rate: i64, chance: &mut Chance) -> i64 {
        let above = self.0.partition_point(|step| *step < rate as f64);
        let down = above == self.0.len() || (above > 0 && !chance.number().is_multiple_of(3));
        self.0[above - usize::from(down)] as i64
    }
}

/// What one peer was told, and when it is told again.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeeTold {
    pub(crate) rate: i64,
    next: Duration,
}

impl FeeTold {
    /// What is to be told now, if anything: `rate` is what a full mempool wants, `least` what is never gone below; `None`
    /// while transactions are of no use. Only `rate` is rounded: who told more than `least` would not hear of what pays just that.
    pub(crate) fn due(
        &mut self,
        rate: Option<i64>,
        least: i64,
        steps: &FeeSteps,
        now: Duration,
        chance: &mut Chance,
    ) -> Option<i64> {
        let current = rate.unwrap_or(i64::MAX / 4);
        if rate.is_some() && self.rate == steps.most() {
            self.next = Duration::ZERO;
        }
        if now >= self.next {
            self.next = now + chance.wait(INTERVAL);
            let told = steps.round(current, chance).max(least);
            let new = told != self.rate;
            self.rate = told;
            return new.then_some(told);
        }
        let much = current < 3 * self.rate / 4 || current > 4 * self.rate / 3;
        if much && now + CHANGE_DELAY < self.next {
            self.next = now + chance.within(CHANGE_DELAY);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_to_the_steps_around_them() {
        let (steps, mut chance) = (FeeSteps::new(), Chance::new(1));
        let told: std::collections::BTreeSet<i64> =
            (0..100).map(|_| steps.round(1_000, &mut chance)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter().all(|rate| (900..1_100).contains(rate)),
            "{told:?}"
        );
        assert_eq!(steps.round(0, &mut chance), 0);
        assert_eq!(steps.round(i64::MAX / 4, &mut chance), steps.most());
        assert!((9_000_000..=10_000_000).contains(&steps.most()));
    }

    #[test]
    fn it_is_told_at_once_then_every_ten_minutes_and_sooner_when_it_changes_much() {
        let (steps, mut chance) = (FeeSteps::new(), Chance::new(1));
        let mut told = FeeTold::default();
        let at = Duration::from_secs;
        assert_eq!(
            told.due(None, 100, &steps, at(1), &mut chance),
            Some(steps.most())
        );
        // The first download is over.
        assert_eq!(
            told.due(Some(0), 100, &steps, at(2), &mut chance),
            Some(100)
        );
        told.next = at(100_000);
        assert_eq!(told.due(Some(100), 100, &steps, at(3), &mut chance), None);
        assert_eq!(told.next, at(100_000));
        assert_eq!(told.due(Some(5_000), 100, &steps, at(4), &mut chance), None);
        assert!(told.next <= at(4 + 300), "{:?}", told.next);
        let second = told.due(Some(5_000), 100, &steps, at(305), &mut chance);
        assert!(second.is_some_and(|rate| (4_500..=5_500).contains(&rate)));
    }
}
