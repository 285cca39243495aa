use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf, Sequence, TxIn, TxOut, Witness, absolute, transaction};
use proptest::prelude::*;

use super::*;

/// A transaction of so many inputs that spends outputs of made-up parents, and of `parent`.
fn orphan(number: u64, inputs: usize, parent: Option<OutPoint>) -> Arc<DecodedTransaction> {
    let made_up = |index: usize| {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        OutPoint::new(Txid::from_byte_array(bytes), index as u32)
    };
    let outpoints = (0..inputs).map(made_up).chain(parent);
    Arc::new(DecodedTransaction::new(Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: outpoints
            .map(|previous_output| TxIn {
                previous_output,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            })
            .collect(),
        output: vec![TxOut {
            value: Amount::from_sat(number),
            script_pubkey: ScriptBuf::new(),
        }],
    }))
}

#[test]
fn a_peer_that_floods_pushes_out_only_its_own() {
    let mut orphans = Orphans::new();
    let quiet: Vec<_> = (0..100).map(|number| orphan(number, 1, None)).collect();
    quiet.iter().for_each(|tx| assert!(orphans.add(tx, 1)));
    for number in 1_000..10_000 {
        orphans.add(&orphan(number, 1, None), 2);
    }
    assert!(quiet.iter().all(|tx| orphans.has_from(&tx.wtxid, 1)));
    assert_eq!(orphans.len() as u64, MAX_LATENCY);
    for number in 20_000..20_100 {
        orphans.add(&orphan(number, 2_000, None), 3);
    }
    assert!(quiet.iter().all(|tx| orphans.has_from(&tx.wtxid, 1)));
}

#[test]
fn an_orphan_stays_while_one_peer_has_room_for_it() {
    let mut orphans = Orphans::new();
    let tx = orphan(1, 1, None);
    assert!(orphans.add(&tx, 1));
    assert!(!orphans.add(&tx, 2));
    assert!(!orphans.add_announcer(&tx.wtxid, 2));
    orphans.erase_peer(1);
    assert!(orphans.get(&tx.wtxid).is_some());
    orphans.erase_peer(2);
    assert!(orphans.is_empty() && orphans.by_parent.is_empty() && orphans.peers.is_empty());
}

#[test]
fn children_are_looked_at_again_once_their_parent_came() {
    let mut orphans = Orphans::new();
    let parent = orphan(1, 1, None);
    let child = orphan(2, 0, Some(OutPoint::new(parent.txid, 0)));
    let other = orphan(3, 1, None);
    orphans.add(&child, 5);
    orphans.add(&child, 6);
    orphans.add(&other, 5);
    assert_eq!(orphans.children_from(&parent, 5).len(), 1);
    assert!(orphans.children_from(&parent, 7).is_empty());
    orphans.parent_came(&parent);
    orphans.parent_came(&parent);
    let taken: Vec<_> = [5, 6]
        .into_iter()
        .filter_map(|peer| orphans.next_to_reconsider(peer))
        .collect();
    assert_eq!(taken, std::slice::from_ref(&child), "on one account only");
    assert!(!orphans.has_work(5) && !orphans.has_work(6));
    // A block with another spend of what it spends.
    let rival = Transaction {
        version: transaction::Version::ONE,
        ..child.tx.clone()
    };
    assert_eq!(orphans.erase_for_block([&rival]), 1);
    assert_eq!(orphans.len(), 1);
}

proptest! {
    #[test]
    fn sums_are_those_of_what_is_kept(
        steps in prop::collection::vec((0u64..4, 0u64..40, 0usize..25, 0u8..10), 1..200)
    ) {
        let mut orphans = Orphans::new();
        for (peer, number, inputs, what) in steps {
            let tx = orphan(number, inputs * 40 + 1, None);
            match what {
                0 => orphans.erase_peer(peer),
                1 => drop(orphans.erase(&tx.wtxid)),
                _ => drop(orphans.add(&tx, peer)),
            }
            let weight: u64 = orphans.by_wtxid.values().map(Orphan::weight).sum();
            let latency: u64 = orphans.by_wtxid.values().map(|one| one.latency() * one.from.len() as u64).sum();
            prop_assert_eq!((weight, latency), (orphans.weight, orphans.latency));
            prop_assert!(latency <= MAX_LATENCY);
            prop_assert!(weight <= PEER_WEIGHT * orphans.peers.len() as u64);
            for (id, share) in &orphans.peers {
                let own: u64 = orphans.by_wtxid.values().filter(|one| one.from.contains_key(id)).map(Orphan::weight).sum();
                prop_assert_eq!(own, share.weight);
            }
        }
    }
}
