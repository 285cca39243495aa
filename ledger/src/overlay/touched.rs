//! Owns the list of a script's coins that blocks above the base touched.
//! Promises each coin once, in the order of outpoints, with what became of it last.
//! Refuses to sort more than is asked for: a page of a script with a million coins costs little more than looking at each.

use bitcoin::OutPoint;

/// How many are put into order at first; it doubles each time.
const FIRST_STEP: usize = 256;

/// A change of a coin. Ordered by outpoint, and then as they happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Touch {
    pub(super) outpoint: OutPoint,
    /// Where it stands among the changes of its script.
    pub(super) place: usize,
    /// Whether it made the coin.
    pub(super) there: bool,
}

/// Coins, each with whether it is there; see the module.
pub(crate) struct Touched {
    /// In no order, each behind all of `next`.
    rest: Vec<Touch>,
    /// The first ones, from the last of them to the first.
    next: Vec<Touch>,
    step: usize,
}

impl Touched {
    pub(super) fn new(rest: Vec<Touch>) -> Touched {
        Touched {
            rest,
            next: Vec::new(),
            step: FIRST_STEP,
        }
    }

    fn first(&mut self) -> Option<&Touch> {
        if self.next.is_empty() && !self.rest.is_empty() {
            let cut = self.rest.len().saturating_sub(self.step);
            if cut > 0 {
                self.rest.select_nth_unstable_by(cut, |a, b| b.cmp(a));
            }
            self.next = self.rest.split_off(cut);
            self.next.sort_unstable_by(|a, b| b.cmp(a));
            self.step *= 2;
        }
        self.next.last()
    }
}

impl Iterator for Touched {
    type Item = (OutPoint, bool);

    fn next(&mut self) -> Option<(OutPoint, bool)> {
        let Touch { outpoint, .. } = *self.first()?;
        let mut there = false;
        while let Some(touch) = self.first().filter(|touch| touch.outpoint == outpoint) {
            there = touch.there;
            self.next.pop();
        }
        Some((outpoint, there))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bitcoin::Txid;
    use bitcoin::hashes::Hash;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_coin_comes_once_with_its_last_change(
            touches in prop::collection::vec((any::<u8>(), 0..4u32, any::<bool>()), 0..3000),
        ) {
            let touch = |(place, (byte, vout, there))| Touch {
                outpoint: OutPoint::new(Txid::from_byte_array([byte; 32]), vout),
                place,
                there,
            };
            let touches: Vec<Touch> = touches.into_iter().enumerate().map(touch).collect();
            let known: BTreeMap<OutPoint, bool> =
                touches.iter().map(|touch| (touch.outpoint, touch.there)).collect();
            let found: Vec<_> = Touched::new(touches).collect();
            prop_assert_eq!(found, known.into_iter().collect::<Vec<_>>());
        }
    }
}
