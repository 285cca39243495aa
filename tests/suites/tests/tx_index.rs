//! The transaction index against a count by hand, on a regtest chain with 60 competing branches.

use bitcoin::consensus::deserialize;
use bitcoin::{Amount, Block, BlockHash, OutPoint, Txid};
use everett_ledger::{
    ChainStatus, Ledger, LedgerConfig, MAX_PLACE_WORLDS, MAX_PLACES, Network, Outcome, Params,
    TransactionError,
};
use everett_tests::data::SixtyForks;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn open(directory: &Path, tx_index: bool) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    config.tx_index = tx_index;
    Ledger::open(config).expect("the ledger opens")
}

fn submit(ledger: &Ledger, blocks: &[Vec<u8>]) {
    for group in blocks.chunks(100) {
        for answer in ledger.submit_blocks(group).expect("the disk works") {
            assert!(!matches!(answer.outcome, Outcome::Rejected { .. }));
        }
    }
}

/// Where each transaction lies: `(block, index)`.
type Places = BTreeMap<Txid, BTreeSet<(BlockHash, u32)>>;

fn by_hand(blocks: &[Vec<u8>]) -> Places {
    let mut places = Places::new();
    for bytes in blocks {
        let block: Block = deserialize(bytes).expect("a block");
        for (index, tx) in block.txdata.iter().enumerate() {
            let place = (block.block_hash(), index as u32);
            places.entry(tx.compute_txid()).or_default().insert(place);
        }
    }
    places
}

fn check(ledger: &Ledger, expected: &Places) {
    for (txid, expected) in expected {
        let places = ledger.transaction_places(txid).expect("a read");
        let places = places.expect("there is an index");
        let found: BTreeSet<_> = places
            .iter()
            .map(|place| (place.block, place.index))
            .collect();
        assert_eq!(&found, expected, "{txid}");
        assert_eq!(places.len(), expected.len(), "{txid}");
        for place in places {
            let info = ledger.block_info(&place.block).expect("a block");
            assert_eq!((place.height, place.status), (info.height, info.status));
        }
    }
}

#[test]
fn every_transaction_is_found_in_every_block_however_the_index_was_filled() {
    let Some(data) = SixtyForks::load("tx_index") else {
        return;
    };
    let blocks = &data.blocks;
    let expected = by_hand(blocks);
    let directory = tempfile::tempdir().expect("a directory");
    let third = blocks.len() / 3;

    // The first third without an index, the second with one that was never told to catch up, the last beside its building.
    let ledger = open(directory.path(), false);
    submit(&ledger, &blocks[..third]);
    assert!(ledger.tx_index().expect("a read").is_none());
    let some = *expected.keys().next().expect("a transaction");
    assert!(ledger.transaction_places(&some).expect("a read").is_none());
    drop(ledger);

    let ledger = open(directory.path(), true);
    submit(&ledger, &blocks[third..2 * third]);
    check(
        &ledger,
        &by_hand_without(&blocks[third..2 * third], &blocks[..third]),
    );
    let progress = ledger.tx_index().expect("a read").expect("an index");
    assert!(!progress.complete && progress.indexed < progress.stored);
    drop(ledger);

    let ledger = open(directory.path(), true);
    assert!(
        !ledger.build_tx_index().expect("the disk works"),
        "one step is not all"
    );
    submit(&ledger, &blocks[2 * third..]);
    while !ledger.build_tx_index().expect("the disk works") {}
    let progress = ledger.tx_index().expect("a read").expect("an index");
    assert!(progress.complete);
    assert_eq!(progress.indexed, blocks.len() as u64);
    assert_eq!(progress.stored, progress.indexed);
    check(&ledger, &expected);
    drop(ledger);

    let ledger = open(directory.path(), true);
    assert!(
        ledger
            .tx_index()
            .expect("a read")
            .expect("an index")
            .complete
    );
    check(&ledger, &expected);
    read_in_worlds(&ledger, &expected, blocks);
    held_in_worlds(&ledger, &expected);
    rivals(&ledger, &expected, blocks);
}

/// Each transaction is confirmed in the worlds that a walk down from their tips finds it in, and as deep.
fn held_in_worlds(ledger: &Ledger, expected: &Places) {
    let mut above: BTreeMap<BlockHash, BTreeSet<BlockHash>> = BTreeMap::new();
    for tip in ledger.tips() {
        let mut at = tip.hash;
        while let Some(info) = ledger.block_info(&at) {
            above.entry(at).or_default().insert(tip.hash);
            at = info.header.prev_blockhash;
        }
    }
    let best = ledger.best();
    let mut read_elsewhere = 0;
    for (txid, places) in expected {
        let answer = ledger.whereabouts(txid, None, None).expect("it is there");
        assert!(answer.indexed && answer.place_count == places.len());
        for held in answer.places.iter().take(MAX_PLACES) {
            let tips = &above[&held.place.block];
            assert_eq!(held.world_count, tips.len());
            let listed: BTreeSet<BlockHash> = held.worlds.iter().map(|tip| tip.hash).collect();
            assert!(listed.is_subset(tips) && listed.len() == tips.len().min(MAX_PLACE_WORLDS));
        }
        let holds = |hash: &BlockHash| {
            let held = places.iter().any(|(block, _)| above[block].contains(hash));
            held.then(|| ledger.block_info(hash).expect("a tip").chainwork)
        };
        let most = ledger
            .tips()
            .iter()
            .filter_map(|tip| holds(&tip.hash))
            .max();
        match holds(&best.hash()) {
            Some(_) => assert_eq!(answer.world.hash(), best.hash(), "{txid}"),
            None => {
                read_elsewhere += 1;
                assert_eq!(holds(&answer.world.hash()), most, "{txid}");
            }
        }
        let place = (answer.found.block, answer.found.index as u32);
        assert!(places.contains(&place), "{txid}");
    }
    assert!(read_elsewhere > 10);
}

/// What stands against each transaction: whoever else spends one of its coins, in whichever block.
fn rivals(ledger: &Ledger, expected: &Places, blocks: &[Vec<u8>]) {
    let mut spenders: BTreeMap<OutPoint, BTreeSet<(Txid, BlockHash)>> = BTreeMap::new();
    let mut inputs: BTreeMap<Txid, Vec<OutPoint>> = BTreeMap::new();
    let mut amounts: BTreeMap<OutPoint, Amount> = BTreeMap::new();
    for bytes in blocks {
        let block: Block = deserialize(bytes).expect("a block");
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            for (vout, output) in (0..).zip(&tx.output) {
                amounts.insert(OutPoint::new(txid, vout), output.value);
            }
            let coins = tx.input.iter().map(|input| input.previous_output);
            let coins: Vec<OutPoint> = coins.filter(|coin| !coin.is_null()).collect();
            for coin in &coins {
                spenders
                    .entry(*coin)
                    .or_default()
                    .insert((txid, block.block_hash()));
            }
            inputs.insert(txid, coins);
        }
    }
    let mut found = 0;
    for txid in expected.keys() {
        let by_hand: BTreeSet<_> = inputs[txid]
            .iter()
            .flat_map(|coin| {
                spenders[coin]
                    .iter()
                    .map(move |(rival, block)| (*coin, *rival, *block))
            })
            .filter(|(_, rival, _)| rival != txid)
            .collect();
        let conflicts = ledger
            .transaction_conflicts(txid, usize::MAX)
            .expect("a read");
        let conflicts = conflicts.expect("there is an index");
        assert_eq!(conflicts.len(), by_hand.len(), "{txid}");
        for conflict in &conflicts {
            let told = (conflict.outpoint, conflict.txid_b, conflict.block_b);
            assert!(by_hand.contains(&told), "{txid}: {told:?}");
            assert_eq!(conflict.txid_a, *txid);
            assert!(
                expected[txid]
                    .iter()
                    .any(|(block, _)| *block == conflict.block_a)
            );
            assert_eq!(conflict.amount, amounts[&conflict.outpoint]);
        }
        let some = ledger.transaction_conflicts(txid, 1).expect("a read");
        assert_eq!(some.expect("an index").len(), conflicts.len().min(1));
        found += conflicts.len();
    }
    assert!(found > 100, "{found} conflicts");
}

/// Places in `blocks` of transactions that none of `others` holds.
fn by_hand_without(blocks: &[Vec<u8>], others: &[Vec<u8>]) -> Places {
    let others = by_hand(others);
    let mut places = by_hand(blocks);
    places.retain(|txid, _| !others.contains_key(txid));
    places
}

/// Every transaction is read where it is confirmed, and where it is not the error names the branch that has it.
fn read_in_worlds(ledger: &Ledger, expected: &Places, blocks: &[Vec<u8>]) {
    let raw: BTreeMap<BlockHash, Block> = blocks
        .iter()
        .map(|bytes| deserialize::<Block>(bytes).expect("a block"))
        .map(|block| (block.block_hash(), block))
        .collect();
    let best = ledger.best();
    let mut elsewhere = 0;
    for (txid, places) in expected {
        for (block, index) in places {
            let world = ledger.world(block).expect("a world");
            let found = ledger
                .find_transaction(&world, txid, None)
                .expect("it is there");
            assert_eq!((found.block, found.index), (*block, *index as usize));
            assert_eq!(found.transaction, raw[block].txdata[*index as usize]);
        }
        let confirmed = places.iter().any(|(block, _)| {
            let info = ledger.block_info(block).expect("a block");
            info.status == ChainStatus::Active
        });
        match ledger.find_transaction(&best, txid, None) {
            Ok(_) => assert!(confirmed),
            Err(TransactionError::NotInWorld {
                elsewhere: blocks, ..
            }) => {
                elsewhere += 1;
                assert!(!confirmed);
                let expected: BTreeSet<_> = places.iter().map(|place| place.0).collect();
                let blocks = blocks.expect("there is an index");
                assert_eq!(blocks.into_iter().collect::<BTreeSet<_>>(), expected);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        elsewhere > 10,
        "losing branches have transactions of their own"
    );
}
