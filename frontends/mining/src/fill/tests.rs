use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, transaction,
};
use everett_mempool::Mined;

use super::*;

const PLACE: Place = Place {
    height: 200,
    lock_time: 1_700_000_000,
};

/// A chunk of one transaction.
#[derive(Clone)]
struct One {
    tx: Arc<DecodedTransaction>,
    fee: i64,
    weight: u64,
    sigops: u64,
    cluster: u32,
}

fn one(number: u32, fee: i64, weight: u64) -> One {
    let tx = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ZERO,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(u64::from(number)),
            script_pubkey: ScriptBuf::new(),
        }],
    };
    One {
        tx: Arc::new(DecodedTransaction::new(tx)),
        fee,
        weight,
        sigops: 0,
        cluster: number,
    }
}

fn filled(all: &[One], config: &MiningConfig) -> Vec<u32> {
    let chunks = all.iter().map(|one| Chunk {
        rate: FeeSize::new(one.fee, one.weight as i64),
        cluster: one.cluster,
        transactions: vec![Mined {
            tx: &one.tx,
            fee: one.fee,
            weight: one.weight,
            sigop_cost: one.sigops,
        }],
    });
    let filled = fill(chunks, config, PLACE);
    let number = |chosen: &Chosen| chosen.tx.tx.output[0].value.to_sat() as u32;
    filled.chosen.iter().map(number).collect()
}

fn of_weight(max_weight: u64) -> MiningConfig {
    MiningConfig {
        max_weight,
        ..MiningConfig::default()
    }
}

#[test]
fn a_block_never_quite_reaches_its_weight_and_smaller_chunks_fill_what_is_left() {
    let all = [one(1, 4_000, 1_000), one(2, 3_000, 1_000), one(3, 900, 400)];
    assert_eq!(filled(&all, &of_weight(10_401)), [1, 2, 3]);
    assert_eq!(filled(&all, &of_weight(10_400)), [1, 2]);
    assert_eq!(filled(&all, &of_weight(10_000)), [1, 3]);
    assert_eq!(filled(&all, &of_weight(10_001)), [1, 2]);
    assert_eq!(filled(&all, &of_weight(9_000)), [3]);
    assert_eq!(filled(&all, &of_weight(8_400)), [0u32; 0]);
    assert_eq!(filled(&all, &MiningConfig::default()), [1, 2, 3]);
}

#[test]
fn what_is_left_out_takes_the_rest_of_its_cluster_with_it() {
    let child = One {
        cluster: 1,
        ..one(2, 500, 300)
    };
    let all = [one(1, 4_000, 3_000), child, one(3, 100, 300)];
    assert_eq!(filled(&all, &of_weight(9_000)), [3]);
}

#[test]
fn signature_operations_are_limited_with_room_for_the_coinbase() {
    let with = |number, sigops| One {
        sigops,
        ..one(number, 1_000, 400)
    };
    let left = MAX_BLOCK_SIGOPS_COST - RESERVED_SIGOPS;
    let config = MiningConfig::default();
    assert_eq!(filled(&[with(1, left)], &config), [0u32; 0]);
    let all = [with(1, left - 1), with(2, 1), with(3, 0)];
    assert_eq!(filled(&all, &config), [1, 3]);
}

#[test]
fn the_first_that_pays_too_little_ends_it_where_they_are_in_order() {
    let config = MiningConfig {
        min_fee: FeeRate::per_kvb(1_000),
        ..MiningConfig::default()
    };
    // 401 weight units are 101 virtual bytes.
    let all = [one(1, 101, 401), one(2, 100, 401), one(3, 101, 404)];
    assert_eq!(filled(&all, &config), [1]);
    let free = [one(1, 1, 4_000), one(2, 0, 400)];
    assert_eq!(filled(&free, &MiningConfig::default()), [1]);
}

#[test]
fn what_a_lock_time_forbids_is_left_out() {
    let locked = |lock_time: u32| {
        let mut one = one(1, 1_000, 400);
        let mut tx = one.tx.tx.clone();
        tx.lock_time = absolute::LockTime::from_consensus(lock_time);
        one.tx = Arc::new(DecodedTransaction::new(tx));
        one
    };
    let config = MiningConfig::default();
    for (lock_time, chosen) in [
        (199, true),
        (200, false),
        (PLACE.lock_time - 1, true),
        (PLACE.lock_time, false),
    ] {
        assert_eq!(filled(&[locked(lock_time)], &config).len() == 1, chosen);
    }
}

#[test]
fn after_a_thousand_failures_it_gives_up_only_where_the_block_is_nearly_full() {
    let chunks = |first: u64| {
        let mut all = vec![one(0, 1_000_000, first)];
        all.extend((1..=MAX_FAILURES + 1).map(|n| one(n, 50_000, 5_000)));
        all.push(one(5_000, 1, 100));
        all
    };
    let config = of_weight(100_000);
    // 4,000 units are left: not nearly full yet.
    assert_eq!(filled(&chunks(88_000), &config), [0, 5_000]);
    assert_eq!(filled(&chunks(88_001), &config), [0]);
    let mut one_less = chunks(88_001);
    one_less.remove(1);
    assert_eq!(filled(&one_less, &config), [0, 5_000]);
}
