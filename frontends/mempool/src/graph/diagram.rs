//! Owns the comparison of feerate diagrams: what a miner earns for each size of block, for two sets of chunks.
//! Promises Bitcoin Core's answer, incomparable diagrams included.

use std::cmp::Ordering;

use crate::fee_rate::FeeSize;

/// A point of a diagram; sums of whole mempools need the room.
#[derive(Clone, Copy, Default)]
struct Point {
    fee: i128,
    size: i128,
}

impl Point {
    fn then(self, chunk: FeeSize) -> Point {
        Point {
            fee: self.fee + i128::from(chunk.fee),
            size: self.size + i128::from(chunk.size),
        }
    }
}

/// One diagram on the walk along both.
struct Walk<'a> {
    rest: &'a [FeeSize],
    done: Point,
}

impl Walk<'_> {
    fn next(&self) -> Option<Point> {
        Some(self.done.then(*self.rest.first()?))
    }

    fn step(&mut self) {
        if let Some((chunk, rest)) = self.rest.split_first() {
            self.done = self.done.then(*chunk);
            self.rest = rest;
        }
    }
}

/// Compares the diagrams of chunks that are sorted from the highest feerate to the lowest. `Greater`: the first is
/// nowhere lower and somewhere higher. `None`: each is higher somewhere.
pub(crate) fn compare_chunks(first: &[FeeSize], second: &[FeeSize]) -> Option<Ordering> {
    let mut walks = [first, second].map(|rest| Walk {
        rest,
        done: Point::default(),
    });
    let mut better = [false; 2];
    loop {
        let side = match (walks[0].next(), walks[1].next()) {
            (None, None) => break,
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            (Some(a), Some(b)) => usize::from(a.size > b.size),
        };
        let other = 1 - side;
        let Some(point) = walks[side].next() else {
            break;
        };
        let from = walks[other].done;
        let slope = (point.fee - from.fee, point.size - from.size);
        // Behind its end a diagram stays level.
        let reference = match walks[other].next() {
            None => (0, 1),
            Some(next) => {
                if next.size == point.size {
                    walks[other].step();
                }
                (next.fee - from.fee, next.size - from.size)
            }
        };
        match (slope.0 * reference.1).cmp(&(reference.0 * slope.1)) {
            Ordering::Greater => better[side] = true,
            Ordering::Less => better[other] = true,
            Ordering::Equal => {}
        }
        walks[side].step();
        if better == [true, true] {
            return None;
        }
    }
    Some(better[0].cmp(&better[1]))
}

/// Sorts chunks into a diagram: highest feerate first.
pub(crate) fn sort_chunks(chunks: &mut [FeeSize]) {
    chunks.sort_unstable_by(|a, b| b.cmp_rate(*a).then(a.size.cmp(&b.size)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks<const N: usize>(pairs: [(i64, i64); N]) -> Vec<FeeSize> {
        pairs.map(|(fee, size)| FeeSize::new(fee, size)).to_vec()
    }

    #[test]
    fn a_diagram_is_better_only_if_it_is_nowhere_worse() {
        let compare = |a: &[FeeSize], b: &[FeeSize]| compare_chunks(a, b);
        let low = chunks([(950, 300), (100, 100)]);
        let high = chunks([(1_000, 300), (100, 100)]);
        assert_eq!(compare(&low, &high), Some(Ordering::Less));
        assert_eq!(compare(&high, &low), Some(Ordering::Greater));
        assert_eq!(compare(&high, &high), Some(Ordering::Equal));
        // Of the same total, but crossing.
        let early = chunks([(900, 100), (100, 300)]);
        let late = chunks([(999, 200), (101, 200)]);
        assert_eq!(compare(&early, &late), None);
        // Longer with a worthless rest is equal, with a paying one better, with a negative one worse.
        let more = |fee| [high.clone(), chunks([(fee, 50)])].concat();
        assert_eq!(compare(&more(0), &high), Some(Ordering::Equal));
        assert_eq!(compare(&more(1), &high), Some(Ordering::Greater));
        assert_eq!(compare(&more(-1), &high), Some(Ordering::Less));
        assert_eq!(compare(&[], &[]), Some(Ordering::Equal));
    }
}
