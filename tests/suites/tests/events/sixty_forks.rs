//! The chain with sixty forks: what events told of conflicts is what Bitcoin Core's blocks have.

use std::collections::BTreeSet;

use bitcoin::BlockHash;
use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_tests::data::SixtyForks;
use everett_tests::random::Random;

use super::sink::chain_to;
use super::support::place;

/// A coin and its two spends, whichever branch they are of.
type Found = (String, BTreeSet<(String, String)>);

#[test]
fn the_conflicts_told_are_those_of_each_fork_whatever_the_order_of_arrival() {
    let Some(data) = SixtyForks::load("sixty forks' conflicts") else {
        return;
    };
    for order in 0..3 {
        let mut blocks = data.blocks.clone();
        match order {
            0 => {}
            1 => blocks.reverse(),
            _ => Random::new(7).shuffle(&mut blocks),
        }
        let place = place();
        let config = LedgerConfig::new(Params::new(Network::Regtest), place.path());
        let ledger = Ledger::open(config).unwrap();
        for block in &blocks {
            ledger.submit_block(block).unwrap();
        }
        compare(&data, &ledger);
    }
}

fn compare(data: &SixtyForks, ledger: &Ledger) {
    let events = ledger.events(0, usize::MAX).unwrap();
    let told: Vec<_> = events
        .iter()
        .flat_map(|(_, event)| &event.conflicts)
        .collect();
    let mut total = 0;
    for fork in &data.forks {
        let branch = |tip: &str| -> BTreeSet<BlockHash> {
            chain_to(ledger, tip.parse().unwrap()).into_iter().collect()
        };
        let (a, b) = (branch(&fork.tip_a), branch(&fork.tip_b));
        let apart = |x: &BlockHash, y: &BlockHash| {
            a.contains(x) && !b.contains(x) && b.contains(y) && !a.contains(y)
        };
        let found: BTreeSet<Found> = told
            .iter()
            .filter(|told| {
                apart(&told.block_a, &told.block_b) || apart(&told.block_b, &told.block_a)
            })
            .map(|told| {
                let spends = [(told.txid_a, told.block_a), (told.txid_b, told.block_b)];
                let spends = spends.map(|(txid, block)| (txid.to_string(), block.to_string()));
                (told.outpoint.to_string(), BTreeSet::from(spends))
            })
            .collect();
        let wanted: BTreeSet<Found> = fork
            .conflicts
            .iter()
            .map(|row| {
                let spends = [row.spent_in_a.clone(), row.spent_in_b.clone()];
                (format!("{}:{}", row.txid, row.vout), BTreeSet::from(spends))
            })
            .collect();
        assert_eq!(found, wanted, "the fork at {}", fork.fork_point);
        total += wanted.len();
    }
    assert!(total > 0);
}
