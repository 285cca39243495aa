//! Owns the counts and times that frontends keep of themselves, for whoever shows them.
//! Promises that counting takes an atomic addition, and that a family has a bounded number of series.
//! Refuses a second meaning for a name: the first description of a family is the one that counts.
//!
//! What the ledger counts of itself is in [`LedgerStats`](everett_ledger::LedgerStats); this is for everything else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// Series that one family may have; more are counted together, under labels that all say [`OTHER`].
pub const MAX_SERIES: usize = 512;

/// The value of labels beyond [`MAX_SERIES`].
pub const OTHER: &str = "other";

/// Seconds that bound the buckets of times of calls.
pub const CALL_SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// The meters of a node. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Meters(Arc<Mutex<BTreeMap<&'static str, Family>>>);

/// What a family is for, and what is counted in it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Described {
    /// Its name: `everett_…`, in base units, `_total` at the end of a counter's.
    pub name: &'static str,
    /// One line on what it says.
    pub help: &'static str,
}

struct Family {
    help: &'static str,
    kind: Kind,
    series: BTreeMap<Labels, Series>,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Counter,
    Histogram(&'static [f64]),
}

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Histogram(Histogram),
}

/// Something that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often something was how large.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// One for each bound, and one for what is beyond the last.
    counts: Vec<AtomicU64>,
    /// The sum of all, as the bits of a float.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Histogram {
        Histogram(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0f64.to_bits()),
        }))
    }

    /// Counts a value.
    pub fn see(&self, value: f64) {
        let buckets = &self.0;
        let place = buckets.bounds.partition_point(|bound| *bound < value);
        buckets.counts[place].fetch_add(1, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        let _ = buckets
            .sum
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Counts a time, in seconds.
    pub fn see_time(&self, time: Duration) {
        self.see(time.as_secs_f64());
    }
}

/// A family as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct FamilyNow {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its series, by their labels.
    pub series: Vec<SeriesNow>,
}

/// A series as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct SeriesNow {
    /// Names and values.
    pub labels: Vec<(&'static str, String)>,
    /// What it has come to.
    pub value: ValueNow,
}

/// What a series has come to.
#[derive(Clone, PartialEq, Debug)]
pub enum ValueNow {
    /// A counter.
    Counter(u64),
    /// A histogram.
    Histogram {
        /// For each bound, how many were at most as large.
        at_most: Vec<(f64, u64)>,
        /// How many there were.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

impl Meters {
    /// The counter of a family with these labels; keep it where it is counted often.
    pub fn counter(&self, described: Described, labels: &[(&'static str, &str)]) -> Counter {
        match self.series(described, Kind::Counter, labels) {
            Series::Counter(counter) => counter,
            // A family of another kind keeps its kind; this one is counted for nobody.
            Series::Histogram(_) => Counter::default(),
        }
    }

    /// The histogram of a family with these labels. `bounds` ascend; those given first are the family's.
    pub fn histogram(
        &self,
        described: Described,
        bounds: &'static [f64],
        labels: &[(&'static str, &str)],
    ) -> Histogram {
        match self.series(described, Kind::Histogram(bounds), labels) {
            Series::Histogram(histogram) => histogram,
            Series::Counter(_) => Histogram::new(bounds),
        }
    }

    fn series(&self, described: Described, kind: Kind, labels: &[(&'static str, &str)]) -> Series {
        let mut families = self.0.lock();
        let family = families.entry(described.name).or_insert_with(|| Family {
            help: described.help,
            kind,
            series: BTreeMap::new(),
        });
        let mut key: Labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        if family.series.len() >= MAX_SERIES && !family.series.contains_key(&key) {
            key.iter_mut()
                .for_each(|(_, value)| *value = OTHER.to_owned());
        }
        let new = match family.kind {
            Kind::Counter => Series::Counter(Counter::default()),
            Kind::Histogram(bounds) => Series::Histogram(Histogram::new(bounds)),
        };
        family.series.entry(key).or_insert(new).clone()
    }

    /// All families, by name.
    pub fn now(&self) -> Vec<FamilyNow> {
        let families = self.0.lock();
        let family = |(name, family): (&&'static str, &Family)| FamilyNow {
            name,
            help: family.help,
            series: family.series.iter().map(series_now).collect(),
        };
        families.iter().map(family).collect()
    }
}

fn series_now((labels, series): (&Labels, &Series)) -> SeriesNow {
    let value = match series {
        Series::Counter(counter) => ValueNow::Counter(counter.get()),
        Series::Histogram(Histogram(buckets)) => {
            let counts: Vec<u64> = buckets
                .counts
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect();
            let mut sum_so_far = 0;
            let at_most = buckets.bounds.iter().zip(&counts).map(|(bound, count)| {
                sum_so_far += count;
                (*bound, sum_so_far)
            });
            ValueNow::Histogram {
                at_most: at_most.collect(),
                count: counts.iter().sum(),
                sum: f64::from_bits(buckets.sum.load(Ordering::Relaxed)),
            }
        }
    };
    SeriesNow {
        labels: labels.clone(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Described = Described {
        name: "everett_test_calls_total",
        help: "Calls.",
    };
    const TIMES: Described = Described {
        name: "everett_test_seconds",
        help: "Times.",
    };

    #[test]
    fn the_same_labels_are_the_same_series() {
        let meters = Meters::default();
        meters.counter(CALLS, &[("method", "a")]).one();
        meters.counter(CALLS, &[("method", "a")]).add(2);
        meters.counter(CALLS, &[("method", "b")]).one();
        let now = meters.now();
        assert_eq!(now.len(), 1);
        let values: Vec<_> = now[0]
            .series
            .iter()
            .map(|series| series.value.clone())
            .collect();
        assert_eq!(values, [ValueNow::Counter(3), ValueNow::Counter(1)]);
    }

    #[test]
    fn series_beyond_the_limit_are_counted_together() {
        let meters = Meters::default();
        for number in 0..MAX_SERIES + 50 {
            meters
                .counter(CALLS, &[("peer", &number.to_string())])
                .one();
        }
        let series = meters.now().remove(0).series;
        assert_eq!(series.len(), MAX_SERIES + 1);
        let other = series
            .iter()
            .find(|series| series.labels[0].1 == OTHER)
            .unwrap();
        assert_eq!(other.value, ValueNow::Counter(50));
    }

    #[test]
    fn a_value_is_in_every_bucket_that_it_does_not_exceed() {
        let meters = Meters::default();
        let times = meters.histogram(TIMES, &[0.1, 1.0], &[]);
        for value in [0.05, 0.1, 0.5, 7.0] {
            times.see(value);
        }
        let ValueNow::Histogram {
            at_most,
            count,
            sum,
        } = meters.now()[0].series[0].value.clone()
        else {
            panic!("no histogram");
        };
        assert_eq!(at_most, [(0.1, 2), (1.0, 3)]);
        assert_eq!(count, 4);
        assert!((sum - 7.65).abs() < 1e-9);
    }
}
