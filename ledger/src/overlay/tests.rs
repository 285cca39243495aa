use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, Txid};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::coin::{Coin, ScriptPubKey};

/// Blocks that must lie on a coinbase before it is spent here.
const MATURITY: u32 = 3;
const SCRIPTS: u8 = 4;

type Coins = BTreeMap<OutPoint, Coin>;

fn script(number: u8) -> ScriptPubKey {
    ScriptPubKey::new(&[number])
}

fn hash(number: u8) -> ScriptHash {
    ScriptHash::of(&script(number))
}

/// A block, and the coins at it.
struct Block {
    path: Path,
    delta: Delta,
    coins: Coins,
}

impl Block {
    fn height(&self) -> u32 {
        self.path.height()
    }
}

/// The overlay beside one map of coins per block.
struct Naive {
    overlay: Overlay,
    blocks: Vec<Block>,
    /// Blocks whose versions are in the overlay.
    above: BTreeSet<usize>,
    /// The block whose coins the base has.
    base: usize,
}

impl Naive {
    fn new() -> Naive {
        let genesis = Block {
            path: Path::genesis(),
            delta: Delta::default(),
            coins: Coins::new(),
        };
        Naive {
            overlay: Overlay::new(),
            blocks: vec![genesis],
            above: BTreeSet::new(),
            base: 0,
        }
    }

    fn base_height(&self) -> u32 {
        self.blocks[self.base].height()
    }

    /// Blocks with a world: the base and those above it.
    fn live(&self) -> Vec<usize> {
        std::iter::once(self.base)
            .chain(self.above.iter().copied())
            .collect()
    }

    fn at(&self, path: &Path, height: u32) -> usize {
        path.at(height).unwrap().index()
    }

    /// A block on `parent`: what it does follows from `seed`. The same seed on two branches makes the same transaction.
    fn extend(&mut self, parent: usize, seed: u64) {
        let id = BlockId(self.blocks.len() as u32);
        let height = self.blocks[parent].height() + 1;
        let mut coins = self.blocks[parent].coins.clone();
        let mut delta = Delta::default();
        let mature: Vec<OutPoint> = coins
            .iter()
            .filter(|(_, coin)| !coin.coinbase || coin.height + MATURITY <= height)
            .map(|(outpoint, _)| *outpoint)
            .collect();
        for number in 0..(seed % 4).min(mature.len() as u64) {
            let outpoint = mature[(seed as usize / 7 + 5 * number as usize) % mature.len()];
            if let Some(coin) = coins.remove(&outpoint) {
                delta.spent.push((outpoint, coin));
            }
        }
        // A payment is named by what it spends, so that two branches can both have it; a coinbase by its block.
        let payment = delta.spent.first().map(|(outpoint, _)| {
            let bytes = [outpoint.txid.as_byte_array().as_slice(), &[1]].concat();
            Txid::hash(&bytes)
        });
        let coinbase = (seed.is_multiple_of(2)).then(|| Txid::hash(&id.0.to_le_bytes()));
        for (txid, coinbase) in [(coinbase, true), (payment, false)] {
            for vout in 0..2u32 {
                let Some(txid) = txid else { continue };
                let byte = txid.as_byte_array()[vout as usize];
                let coin = Coin {
                    amount: Amount::from_sat(u64::from(byte) * 1000),
                    script_pubkey: script(byte % SCRIPTS),
                    height,
                    coinbase,
                };
                let outpoint = OutPoint::new(txid, vout);
                // Not twice on one chain.
                if let std::collections::btree_map::Entry::Vacant(place) = coins.entry(outpoint) {
                    place.insert(coin.clone());
                    delta.created.push((outpoint, coin));
                }
            }
        }
        let path = self.blocks[parent].path.extended(id);
        self.overlay.apply(id, &path, &delta);
        self.above.insert(id.index());
        self.blocks.push(Block { path, delta, coins });
    }

    /// Forgets a block with all that is built on it.
    fn forget(&mut self, root: usize) {
        let height = self.blocks[root].height();
        let root = BlockId(root as u32);
        let gone: Vec<usize> = self
            .above
            .iter()
            .copied()
            .filter(|at| self.blocks[*at].path.holds(height, root))
            .collect();
        for at in gone {
            let block = BlockId(at as u32);
            self.overlay.forget(block, &self.blocks[at].delta);
            self.above.remove(&at);
        }
    }

    /// Moves the base up the path to `tip` as far as all live blocks share it.
    fn settle(&mut self, tip: usize, steps: u32) {
        let path = self.blocks[tip].path.clone();
        let shared = self
            .above
            .iter()
            .map(|at| &self.blocks[*at])
            .map(|block| (block.height(), block.path.fork_height(&path)))
            .filter(|(height, fork)| fork < height)
            .map(|(_, fork)| fork);
        let limit = shared.fold(path.height(), u32::min);
        let to = limit.min(self.base_height() + steps);
        let folded: Vec<usize> = (self.base_height() + 1..=to)
            .map(|height| self.at(&path, height))
            .collect();
        // The base is committed first: until the overlay follows, both answer.
        self.base = self.at(&path, to);
        for at in &folded {
            self.above.remove(at);
        }
        self.check();
        for at in folded {
            self.overlay
                .settle(BlockId(at as u32), &self.blocks[at].delta);
            // A reader with the old base asks again, so only the new one is looked at.
            self.check();
        }
    }

    fn unsettle(&mut self, steps: u32) {
        let path = self.blocks[self.base].path.clone();
        let to = path.height().saturating_sub(steps);
        for height in (to + 1..=path.height()).rev() {
            let at = self.at(&path, height);
            self.overlay
                .unsettle(BlockId(at as u32), height, &self.blocks[at].delta);
            // The base is not lower yet.
            self.check();
        }
        for height in to + 1..=path.height() {
            let at = self.at(&path, height);
            self.above.insert(at);
        }
        self.base = self.at(&path, to);
        self.check();
    }

    /// Every world: overlay and base together have the coins of its map.
    fn check(&self) {
        let base = &self.blocks[self.base];
        let outpoints: BTreeSet<OutPoint> = self
            .blocks
            .iter()
            .flat_map(|block| block.coins.keys().copied())
            .collect();
        for at in self.live() {
            let block = &self.blocks[at];
            for outpoint in &outpoints {
                let coin = match self.overlay.coins.get(outpoint, &block.path) {
                    Seen::Created(coin) => Some(coin),
                    Seen::Spent => None,
                    Seen::Untouched => base.coins.get(outpoint).cloned(),
                };
                assert_eq!(coin.as_ref(), block.coins.get(outpoint), "{outpoint}");
            }
            for number in 0..SCRIPTS {
                self.check_script(block, base, number);
            }
        }
    }

    fn check_script(&self, block: &Block, base: &Block, number: u8) {
        let script = script(number);
        let owned = |coins: &Coins| -> BTreeMap<OutPoint, Coin> {
            coins
                .iter()
                .filter(|(_, coin)| coin.script_pubkey == script)
                .map(|(outpoint, coin)| (*outpoint, coin.clone()))
                .collect()
        };
        let (here, below) = (owned(&block.coins), owned(&base.coins));
        let sum = |coins: &BTreeMap<OutPoint, Coin>| -> i64 {
            coins.values().map(|coin| coin.amount.to_sat() as i64).sum()
        };
        // Worlds less than a coinbase's age above the base are behind the horizon: nobody asks for their balances.
        let mature = block.height().checked_sub(MATURITY);
        let base_height = base.height();
        if mature.unwrap_or(0) >= base_height {
            let (above, immature) =
                self.overlay
                    .scripts
                    .totals(&hash(number), &block.path, base_height, mature);
            assert_eq!(above.sat, sum(&here) - sum(&below));
            assert_eq!(above.coins, here.len() as i64 - below.len() as i64);
            let young = here
                .values()
                .filter(|coin| coin.coinbase && coin.height + MATURITY > block.height());
            assert_eq!(
                immature,
                young.map(|coin| coin.amount.to_sat() as i64).sum::<i64>()
            );
        }
        let mut found: BTreeSet<OutPoint> = below.keys().copied().collect();
        let changes = self
            .overlay
            .scripts
            .coins(&hash(number), &block.path, base_height, None);
        for (outpoint, there) in changes {
            match there {
                true => found.insert(outpoint),
                false => found.remove(&outpoint),
            };
        }
        assert!(found.iter().eq(here.keys()), "coins of script {number}");
    }

    /// Nothing is kept but what the blocks above the base did.
    fn check_size(&self) {
        let mut coins = HashMap::new();
        for at in &self.above {
            let delta = &self.blocks[*at].delta;
            for (outpoint, coin) in delta.spent.iter().chain(&delta.created) {
                coins.insert(*outpoint, coin.script_pubkey.clone());
            }
        }
        let scripts: HashSet<&ScriptPubKey> = coins.values().collect();
        assert_eq!(self.overlay.coins.len(), coins.len());
        assert_eq!(self.overlay.scripts.len(), scripts.len());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Extend(u16, u64),
    Fork(u16, u64),
    Forget(u16),
    Settle(u16, u32),
    Unsettle(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u16..2, any::<u64>()).prop_map(|(pick, seed)| Step::Extend(pick, seed)),
        3 => any::<(u16, u64)>().prop_map(|(pick, seed)| Step::Fork(pick, seed)),
        2 => any::<u16>().prop_map(Step::Forget),
        2 => (any::<u16>(), 1u32..6).prop_map(|(pick, steps)| Step::Settle(pick, steps)),
        1 => (1u32..6).prop_map(Step::Unsettle),
    ]
}

proptest! {
    #[test]
    fn overlay_and_base_together_have_the_coins_of_every_world(steps in vec(step(), 1..60)) {
        let mut naive = Naive::new();
        for step in steps {
            let live = naive.live();
            match step {
                Step::Extend(back, seed) => {
                    naive.extend(live[live.len() - 1 - usize::from(back).min(live.len() - 1)], seed);
                }
                Step::Fork(pick, seed) => naive.extend(live[usize::from(pick) % live.len()], seed),
                Step::Forget(pick) => {
                    let at = live[usize::from(pick) % live.len()];
                    if at != naive.base {
                        naive.forget(at);
                    }
                }
                Step::Settle(pick, steps) => {
                    naive.settle(live[usize::from(pick) % live.len()], steps);
                }
                Step::Unsettle(steps) => naive.unsettle(steps),
            }
            naive.check();
            naive.check_size();
        }
        // In the end nothing is left: the last branch settles, the others are forgotten.
        while let Some(at) = naive.above.last().copied() {
            naive.forget(at);
        }
        prop_assert_eq!(naive.overlay.coins.len() + naive.overlay.scripts.len(), 0);
    }
}

#[test]
fn a_table_that_was_large_gives_its_memory_back() {
    let overlay = Overlay::new();
    let path = Path::genesis().extended(BlockId(1));
    let created: Vec<(OutPoint, Coin)> = (0..200_000u32)
        .map(|number| {
            let coin = Coin {
                amount: Amount::from_sat(1),
                script_pubkey: ScriptPubKey::new(&number.to_le_bytes()),
                height: 1,
                coinbase: false,
            };
            (OutPoint::new(Txid::hash(&number.to_le_bytes()), 0), coin)
        })
        .collect();
    let delta = Delta {
        spent: Vec::new(),
        created,
    };
    overlay.apply(BlockId(1), &path, &delta);
    let full = overlay.coins.bytes() + overlay.scripts.bytes();
    overlay.forget(BlockId(1), &delta);
    let empty = overlay.coins.bytes() + overlay.scripts.bytes();
    assert!(empty * 20 < full, "{empty} of {full} bytes are kept");
}

#[test]
fn eight_readers_see_a_script_whole_while_it_is_settled_and_unsettled() {
    // A thousand coins of one script, made by block 1, settled and unsettled over and over: the sum that a reader
    // gets is the one before or the one after, nothing between.
    let overlay = Overlay::new();
    let (first, second) = (BlockId(1), BlockId(2));
    let path = Path::genesis().extended(first).extended(second);
    let coin = |height| Coin {
        amount: Amount::from_sat(1),
        script_pubkey: script(0),
        height,
        coinbase: false,
    };
    let delta = |height: u32| Delta {
        spent: Vec::new(),
        created: (0..300u32)
            .map(|number| {
                let name = [height.to_le_bytes(), number.to_le_bytes()].concat();
                (OutPoint::new(Txid::hash(&name), 0), coin(height))
            })
            .collect(),
    };
    overlay.apply(first, &path.truncated(1), &delta(1));
    overlay.apply(second, &path, &delta(2));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let (above, _) = overlay.scripts.totals(&hash(0), &path, 1, Some(1));
                    assert_eq!((above.sat, above.coins), (300, 300));
                }
            });
        }
        for _ in 0..20 {
            overlay.settle(first, &delta(1));
            overlay.unsettle(first, 1, &delta(1));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
