use std::sync::Arc;

use everett_lab::Lab;
use everett_mempool::MempoolConfig;

use super::*;

fn miner(lab: &Lab) -> (Miner, Mempool) {
    let mempool = Mempool::new(lab.ledger().clone(), MempoolConfig::default());
    (
        Miner::new(mempool.clone(), MiningConfig::default()),
        mempool,
    )
}

fn always() -> bool {
    true
}

#[test]
fn what_waits_on_the_best_world_can_be_mined_on_a_rival_one_and_then_would_wait_on_the_one_that_lost()
 {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.fund(&alice).unwrap();
    let fork = lab.ledger().best();
    let best = lab.grow(everett_lab::At::Best, 2).unwrap();
    let (miner, mempool) = miner(&lab);
    let payment = lab.pay(&alice, &bob, Amount::from_int_btc(1)).unwrap();
    let payment = Arc::new(DecodedTransaction::new(payment));
    mempool.accept(&payment).unwrap().unwrap();
    let payout = bob.script_pubkey();

    let template = miner.template_on(&fork, payout).unwrap();
    assert_eq!(template.template.height, fork.height() + 1);
    let chosen: Vec<_> = template
        .chosen
        .iter()
        .map(|chosen| chosen.tx.txid)
        .collect();
    assert_eq!(chosen, [payment.txid]);

    let mut tries = u64::MAX;
    let made = miner.generate(Some(fork.hash()), payout, 3, &mut tries, &always);
    let made = made.unwrap();
    assert_eq!(lab.ledger().best().hash(), made[2]);
    assert_eq!(mempool.view().unwrap().len(), 0);
    // The branch that lost has not confirmed it: a block there could.
    let there = miner.template_on(&best, payout).unwrap().chosen;
    let there: Vec<_> = there.iter().map(|chosen| chosen.tx.txid).collect();
    assert_eq!(there, [payment.txid]);
    lab.ledger().invalidate_block(&made[0]).unwrap();
    assert_eq!(lab.ledger().best().hash(), best.hash());
    assert_eq!(miner.template(payout).unwrap().chosen.len(), 1);
}

#[test]
fn blocks_made_twice_on_a_named_world_are_siblings() {
    let lab = Lab::new(1);
    let (miner, _) = miner(&lab);
    let genesis = lab.ledger().best().hash();
    let script = ScriptBuf::from_bytes(vec![0x51]);
    let made: Vec<BlockHash> = (0..4)
        .map(|_| {
            let made = miner.generate(Some(genesis), &script, 1, &mut u64::MAX.clone(), &always);
            made.unwrap()[0]
        })
        .collect();
    let mut different = made.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 4);
    assert_eq!(lab.ledger().best().hash(), made[0]);
}

#[test]
fn blocks_that_are_committed_together_are_those_made_one_by_one() {
    let script = ScriptBuf::from_bytes(vec![0x51]);
    let [together, alone] = [300, 1].map(|count| {
        let lab = Lab::new(1);
        let (miner, _) = miner(&lab);
        let mut made = Vec::new();
        while made.len() < 300 {
            let some = miner.generate(None, &script, count, &mut u64::MAX.clone(), &always);
            made.extend(some.unwrap());
        }
        assert_eq!(lab.ledger().best().hash(), made[299]);
        made
    });
    assert_eq!(together, alone);
}

#[test]
fn what_waits_is_in_the_first_block_of_many() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.fund(&alice).unwrap();
    let (miner, mempool) = miner(&lab);
    let payment = lab.pay(&alice, &bob, Amount::from_int_btc(1)).unwrap();
    mempool
        .accept(&Arc::new(DecodedTransaction::new(payment)))
        .unwrap()
        .unwrap();
    let payout = bob.script_pubkey();
    let made = miner.generate(None, payout, 40, &mut u64::MAX.clone(), &always);
    let made = made.unwrap();
    let count = |hash| lab.ledger().block_info(hash).unwrap().tx_count;
    assert_eq!(made.iter().map(count).sum::<u32>(), 41);
    assert_eq!(count(&made[0]), 2);
    assert_eq!(lab.ledger().best().hash(), made[39]);
}

#[test]
fn making_blocks_ends_with_the_tries_and_when_it_is_told_to() {
    let lab = Lab::new(1);
    let (miner, _) = miner(&lab);
    let script = ScriptBuf::from_bytes(vec![0x51]);
    let mut tries = 40;
    let made = miner.generate(None, &script, 1_000, &mut tries, &always);
    let made = made.unwrap();
    // Two hashes a block on average.
    assert!(!made.is_empty() && made.len() < 1_000);
    assert_eq!(tries, 0);
    let stopped = miner.generate(None, &script, 5, &mut u64::MAX.clone(), &|| false);
    assert!(stopped.unwrap().is_empty());
    assert_eq!(lab.ledger().best().height() as usize, made.len());
}

#[test]
fn blocks_that_many_make_at_once_are_one_chain() {
    let lab = Lab::new(1);
    let (miner, _) = miner(&lab);
    std::thread::scope(|scope| {
        for number in 1..=4u8 {
            let miner = &miner;
            scope.spawn(move || {
                let script = ScriptBuf::from_bytes(vec![0x50 + number]);
                let made = miner.generate(None, &script, 20, &mut u64::MAX.clone(), &always);
                assert_eq!(made.unwrap().len(), 20);
            });
        }
    });
    assert_eq!(lab.ledger().best().height(), 80);
    assert_eq!(lab.ledger().tips().len(), 1);
}

#[test]
fn a_clock_far_behind_the_chain_makes_no_template() {
    let lab = Lab::new(1);
    lab.grow(everett_lab::At::Best, 20).unwrap();
    let (miner, _) = miner(&lab);
    lab.ledger().clock().set(1_000);
    let refused = miner.template(&ScriptBuf::new());
    assert!(
        matches!(refused, Err(TemplateError::Invalid(reject)) if reject.reason == "time-too-new")
    );
}
