//! Owns the comparison of a world with a map of all its coins.
//! Promises to ask everything that a world can be asked, and to stop only where the world says that it is gone.

use std::collections::{BTreeMap, HashMap};

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, Txid, Work};
use everett_ledger::{
    Balance, COINBASE_MATURITY, Coin, Ledger, ReadError, ScriptHash, Side, World,
};

use crate::naive::{Coins, NaiveLedger};
use crate::random::Random;

/// Work of a regtest block.
const WORK: u64 = 2;

/// Balance and coins of one script, as a map of all coins says.
pub fn owned(coins: &Coins, script: &ScriptBuf, height: u32) -> (Balance, Vec<(OutPoint, Coin)>) {
    let mut owned: Vec<(OutPoint, Coin)> = coins
        .iter()
        .filter(|(_, coin)| *coin.script_pubkey == **script)
        .map(|(outpoint, coin)| (*outpoint, coin.clone()))
        .collect();
    owned.sort_unstable_by_key(|(outpoint, _)| (outpoint.txid.to_byte_array(), outpoint.vout));
    let sum = |coins: &mut dyn Iterator<Item = &(OutPoint, Coin)>| -> Amount {
        coins.map(|(_, coin)| coin.amount).sum()
    };
    let balance = Balance {
        confirmed: sum(&mut owned.iter()),
        immature: sum(&mut owned
            .iter()
            .filter(|(_, coin)| coin.coinbase && coin.height + COINBASE_MATURITY > height)),
        coins: owned.len() as u64,
    };
    (balance, owned)
}

/// How much of a world is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// Some coins and scripts.
    Sample,
    /// Every coin and script, and the set as a whole.
    Whole,
}

/// Compares a world with what the naive ledger has at the block.
///
/// # Errors
///
/// What the world answered, if it did not answer at all.
///
/// # Panics
///
/// Where an answer is wrong.
pub fn compare_world(
    world: &World,
    naive: &NaiveLedger,
    index: usize,
    scripts: &[ScriptBuf],
    depth: Depth,
    random: &mut Random,
) -> Result<(), ReadError> {
    let entry = naive.entry(index);
    let place = format!("at {} (height {})", entry.hash, entry.height);
    assert_eq!(world.hash(), entry.hash);
    assert_eq!(world.height(), entry.height);
    assert_eq!(world.header(), entry.block.header);
    let work = Work::from_be_bytes({
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&(WORK * (u64::from(entry.height) + 1)).to_be_bytes());
        bytes
    });
    assert_eq!(world.chainwork(), work, "{place}");
    assert_eq!(
        world.median_time_past(),
        entry.median_time_past,
        "median time past {place}"
    );
    let height = random.below(entry.height as usize + 1);
    let ancestor = naive
        .ancestors(index)
        .nth(entry.height as usize - height)
        .map(|at| naive.entry(at).hash);
    assert_eq!(
        world.block_hash_at(height as u32),
        ancestor,
        "block at {height} {place}"
    );
    assert_eq!(world.block_hash_at(entry.height + 1), None);

    let whole = depth == Depth::Whole;
    for outpoint in outpoints(naive, index, whole, random) {
        let coin = world.coin(&outpoint)?;
        assert_eq!(
            coin.as_ref(),
            entry.coins.get(&outpoint),
            "{outpoint} {place}"
        );
    }
    for script in scripts {
        if whole || random.one_in(3) {
            compare_script(world, &entry.coins, script, random, &place)?;
        }
    }
    let nobody = ScriptHash([random.number() as u8; 32]);
    assert_eq!(world.balance(&nobody)?, Balance::default());
    assert_eq!(world.coins_of(&nobody, None, 10)?, Vec::new());
    if whole || random.one_in(8) {
        assert_eq!(&world.set_info()?, entry.set_info(), "set info {place}");
    }
    Ok(())
}

/// Outpoints that are or were coins on some branch.
fn outpoints(naive: &NaiveLedger, index: usize, whole: bool, random: &mut Random) -> Vec<OutPoint> {
    let mut asked: Vec<OutPoint> = Vec::new();
    let blocks: Vec<usize> = match whole {
        true => (0..naive.len()).collect(),
        false => {
            let near = naive.ancestors(index).take(4);
            let any = (0..4).map(|_| random.below(naive.len()));
            near.chain(any.collect::<Vec<_>>()).collect()
        }
    };
    for block in blocks {
        let entry = naive.entry(block);
        asked.extend(entry.changes.iter().map(|(outpoint, _)| *outpoint));
        if whole {
            // What was made and spent in one block is in no change.
            asked.extend(
                entry
                    .block
                    .txdata
                    .iter()
                    .skip(1)
                    .map(|transaction| OutPoint::new(transaction.compute_txid(), 0)),
            );
        }
    }
    asked.push(OutPoint::new(Txid::hash(&random.number().to_le_bytes()), 0));
    asked.sort_unstable();
    asked.dedup();
    asked
}

fn compare_script(
    world: &World,
    coins: &Coins,
    script: &ScriptBuf,
    random: &mut Random,
    place: &str,
) -> Result<(), ReadError> {
    let hash = ScriptHash::of(script);
    let (balance, owned) = owned(coins, script, world.height());
    assert_eq!(
        world.balance(&hash)?,
        balance,
        "balance of {script:x} {place}"
    );
    let page = 1 + random.below(owned.len() + 3);
    let mut found: Vec<(OutPoint, Coin)> = Vec::new();
    loop {
        let after = found.last().map(|(outpoint, _)| *outpoint);
        let coins = world.coins_of(&hash, after, page)?;
        let last = coins.len() < page;
        found.extend(coins);
        if last {
            break;
        }
    }
    assert_eq!(found, owned, "coins of {script:x} {place}");
    Ok(())
}

/// Compares what the ledger says of two worlds with what the naive ledger has.
///
/// # Panics
///
/// Where an answer is wrong or missing.
pub fn compare_pair(ledger: &Ledger, naive: &NaiveLedger, [a, b]: [(&World, usize); 2]) {
    let above_fork = |index: usize, other: usize| -> Vec<usize> {
        let shared: Vec<usize> = naive.ancestors(other).collect();
        naive
            .ancestors(index)
            .take_while(|at| !shared.contains(at))
            .collect()
    };
    let (undone, mut applied) = (above_fork(a.1, b.1), above_fork(b.1, a.1));
    applied.reverse();
    let comparison = ledger.compare(a.0, b.0);
    let hashes = |blocks: &[usize]| -> Vec<_> {
        blocks
            .iter()
            .map(|index| naive.entry(*index).hash)
            .collect()
    };
    assert_eq!(comparison.undone, hashes(&undone));
    assert_eq!(comparison.applied, hashes(&applied));

    let diff = ledger.diff(a.0, b.0).expect("both worlds are live");
    let (coins_a, coins_b) = (&naive.entry(a.1).coins, &naive.entry(b.1).coins);
    let mut differing: Vec<(OutPoint, bool, &Coin)> = Vec::new();
    for (outpoint, coin) in coins_a.iter() {
        if coins_b.get(outpoint) != Some(coin) {
            differing.push((*outpoint, false, coin));
        }
    }
    for (outpoint, coin) in coins_b.iter() {
        if coins_a.get(outpoint) != Some(coin) {
            differing.push((*outpoint, true, coin));
        }
    }
    differing.sort_unstable_by_key(|(outpoint, in_b, _)| (*outpoint, *in_b));
    let found: Vec<(OutPoint, bool, &Coin)> = diff
        .coins
        .iter()
        .map(|change| (change.outpoint, change.side == Side::B, &change.coin))
        .collect();
    assert_eq!(found, differing, "coins that differ");

    let mut sums: BTreeMap<ScriptHash, [u64; 2]> = BTreeMap::new();
    for (side, coins) in [coins_a, coins_b].into_iter().enumerate() {
        for coin in coins.values() {
            sums.entry(ScriptHash::of(&coin.script_pubkey)).or_default()[side] +=
                coin.amount.to_sat();
        }
    }
    sums.retain(|_, [a, b]| a != b);
    let found: BTreeMap<ScriptHash, [u64; 2]> = diff
        .balances
        .iter()
        .map(|change| {
            (
                ScriptHash::of(&change.script_pubkey),
                [change.sat_a, change.sat_b],
            )
        })
        .collect();
    assert_eq!(found, sums, "balances that differ");

    let (spends_a, spends_b) = (spends(naive, &undone), spends(naive, &applied));
    let mut conflicts: Vec<(OutPoint, Txid, Txid)> = spends_a
        .iter()
        .filter_map(|(outpoint, txid)| Some((*outpoint, *txid, *spends_b.get(outpoint)?)))
        .filter(|(_, a, b)| a != b)
        .collect();
    conflicts.sort_unstable();
    let found: Vec<(OutPoint, Txid, Txid)> = ledger
        .conflicts(a.0, b.0)
        .expect("both worlds are live")
        .into_iter()
        .map(|conflict| (conflict.outpoint, conflict.txid_a, conflict.txid_b))
        .collect();
    assert_eq!(found, conflicts, "conflicts");
}

/// Which transaction of the blocks spends a coin.
fn spends(naive: &NaiveLedger, blocks: &[usize]) -> HashMap<OutPoint, Txid> {
    let mut spends = HashMap::new();
    for block in blocks {
        for transaction in naive.entry(*block).block.txdata.iter().skip(1) {
            let txid = transaction.compute_txid();
            let inputs = transaction.input.iter();
            spends.extend(inputs.map(|input| (input.previous_output, txid)));
        }
    }
    spends
}
