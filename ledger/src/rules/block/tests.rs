use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxOut, Txid, Witness, absolute};

use super::super::fixtures::{
    ListChain, block, coinbase, commit_to_witnesses, mined, reason, transaction,
};
use super::super::reject::RejectKind;
use super::super::script_check::ScriptsAssumedValid;
use super::super::witnesses::COMMITMENT_PREFIX;
use super::*;
use crate::params::Network;

fn params() -> Params {
    Params::new(Network::Regtest)
}

/// A chain of 19 blocks: the next one is at height 20.
fn chain() -> ListChain {
    ListChain::regular(&params(), 19, 0x207f_ffff)
}

fn spend(number: u32) -> Transaction {
    transaction(&[OutPoint::new(Txid::hash(&[2]), number)], &[1])
}

fn alone(block: &DecodedBlock) -> Option<String> {
    reason(check_block(block, &params(), &ScriptsAssumedValid))
}

fn in_context(block: &DecodedBlock) -> Option<String> {
    reason(check_block_in_context(block, &chain(), &params()))
}

fn assert_bad(verdict: Option<String>, reason: &str) {
    assert_eq!(verdict.as_deref(), Some(reason));
}

/// An output whose script has this length, and `checksigs` signature operations at its start.
fn padding(length: usize, checksigs: usize) -> TxOut {
    let mut script = vec![0xac; checksigs];
    script.resize(length, 0x51);
    TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::from_bytes(script),
    }
}

#[test]
fn a_plain_block_passes() {
    let block = block(&chain(), vec![coinbase(20, 1), spend(0), spend(1)]);
    assert_eq!(alone(&block), None);
    assert_eq!(in_context(&block), None);
}

#[test]
fn the_merkle_root_is_judged_after_the_work_and_before_the_rest() {
    let mut block = block(&chain(), vec![spend(0), spend(1)]);
    assert_bad(alone(&block), "bad-cb-missing");
    block.transactions.swap(0, 1);
    let reject = check_block(&block, &params(), &ScriptsAssumedValid).unwrap_err();
    assert_eq!(
        (reject.kind, &*reject.reason),
        (RejectKind::Mutated, "bad-txnmrklroot")
    );
    while check_hash(&block.hash, &block.header, &params()).is_ok() {
        block.header.nonce += 1;
        block.hash = block.header.block_hash();
    }
    assert_bad(alone(&block), "high-hash");
}

#[test]
fn repeated_transactions_are_a_mutation_of_a_block_that_may_be_good() {
    let good = block(&chain(), vec![coinbase(20, 1), spend(0), spend(1)]);
    let mut repeated = good.clone();
    repeated.transactions.push(repeated.transactions[2].clone());
    let reject = check_block(&repeated, &params(), &ScriptsAssumedValid).unwrap_err();
    assert_eq!(
        (reject.kind, &*reject.reason),
        (RejectKind::Mutated, "bad-txns-duplicate")
    );
    assert_eq!(repeated.hash, good.hash);
    assert_eq!(alone(&good), None);
}

#[test]
fn there_are_transactions_and_the_first_alone_is_a_coinbase() {
    assert_bad(alone(&block(&chain(), vec![])), "bad-blk-length");
    assert_bad(alone(&block(&chain(), vec![spend(0)])), "bad-cb-missing");
    let twice = block(&chain(), vec![coinbase(20, 1), spend(0), coinbase(21, 1)]);
    assert_bad(alone(&twice), "bad-cb-multiple");
}

#[test]
fn without_witnesses_a_block_has_a_million_bytes() {
    let of_length = |length| {
        let mut tx = spend(0);
        tx.output.push(padding(length, 0));
        block(&chain(), vec![coinbase(20, 1), tx])
    };
    let rest = of_length(900_000).stripped_size - 900_000;
    let largest = of_length(1_000_000 - rest);
    assert_eq!(
        (largest.stripped_size, largest.size),
        (1_000_000, 1_000_000)
    );
    assert_eq!(alone(&largest), None);
    assert_eq!(in_context(&largest), None);
    assert_bad(alone(&of_length(1_000_001 - rest)), "bad-blk-length");
}

#[test]
fn a_bad_transaction_is_named() {
    let bad = spend(1);
    let bad = Transaction {
        output: vec![],
        ..bad
    };
    let block = block(&chain(), vec![coinbase(20, 1), spend(0), bad.clone()]);
    let reject = check_block(&block, &params(), &ScriptsAssumedValid).unwrap_err();
    assert_eq!(&*reject.reason, "bad-txns-vout-empty");
    assert!(reject.debug.contains(&bad.compute_txid().to_string()));
}

#[test]
fn signature_operations_are_limited_whether_executed_or_not() {
    let with = |checksigs| {
        let mut tx = spend(0);
        tx.output.push(padding(checksigs, checksigs));
        block(&chain(), vec![coinbase(20, 1), tx])
    };
    assert_eq!(alone(&with(20_000)), None);
    assert_bad(alone(&with(20_001)), "bad-blk-sigops");
    // Those in the coinbase's own script count as well.
    let mut first = coinbase(20, 1);
    first.input[0].script_sig = ScriptBuf::from_bytes([&[0x01, 20][..], &[0xac; 5]].concat());
    let mut tx = spend(0);
    tx.output.push(padding(19_996, 19_996));
    assert_bad(alone(&block(&chain(), vec![first, tx])), "bad-blk-sigops");
}

#[test]
fn transactions_are_final_at_the_blocks_height() {
    let locked_until = |height| {
        let mut tx = spend(0);
        tx.input[0].sequence = Sequence::ZERO;
        tx.lock_time = absolute::LockTime::from_consensus(height);
        block(&chain(), vec![coinbase(20, 1), tx])
    };
    assert_eq!(in_context(&locked_until(19)), None);
    assert_bad(in_context(&locked_until(20)), "bad-txns-nonfinal");
}

#[test]
fn lock_times_compare_with_the_median_time_past_only_with_bip113() {
    let mut params = params();
    let chain = chain();
    let median = median_time_past(&chain, 19);
    let locked_until = |time| {
        let mut tx = spend(0);
        tx.input[0].sequence = Sequence::ZERO;
        tx.lock_time = absolute::LockTime::from_consensus(time);
        block(&chain, vec![coinbase(20, 1), tx])
    };
    let judge = |time, params: &Params| {
        reason(check_block_in_context(&locked_until(time), &chain, params)).is_none()
    };
    assert!(judge(median - 1, &params));
    assert!(!judge(median, &params));
    params.set_activation_height("csv", 20).unwrap();
    assert!(!judge(median, &params));
    params.set_activation_height("csv", 21).unwrap();
    let time = locked_until(0).header.time;
    assert!(judge(time - 1, &params));
    assert!(!judge(time, &params));
}

#[test]
fn a_coinbase_starts_with_the_height_as_a_script_pushes_it() {
    // Heights and how they start a script.
    let cases: [(u32, &[u8]); 9] = [
        (1, &[0x51]),
        (16, &[0x60]),
        (17, &[0x01, 0x11]),
        (127, &[0x01, 0x7f]),
        (128, &[0x02, 0x80, 0x00]),
        (255, &[0x02, 0xff, 0x00]),
        (256, &[0x02, 0x00, 0x01]),
        (32_767, &[0x02, 0xff, 0x7f]),
        (32_768, &[0x03, 0x00, 0x80, 0x00]),
    ];
    for (height, start) in cases {
        let chain = ListChain::regular(&params(), height - 1, 0x207f_ffff);
        let judge = |script: &[u8], params: &Params| {
            let mut first = coinbase(height, 1);
            first.input[0].script_sig = ScriptBuf::from_bytes(script.to_vec());
            reason(check_block_in_context(
                &block(&chain, vec![first]),
                &chain,
                params,
            ))
        };
        assert_eq!(judge(start, &params()), None, "height {height}");
        assert_eq!(
            judge(&[start, &[0xff; 3]].concat(), &params()),
            None,
            "height {height}"
        );
        assert_bad(judge(&start[..start.len() - 1], &params()), "bad-cb-height");
        // The same number in a longer form is another script.
        let longer = [&[start.len() as u8 + 1], &height.to_le_bytes()[..], &[0; 4]].concat();
        assert_bad(judge(&longer, &params()), "bad-cb-height");
        let mut later = params();
        later.set_activation_height("bip34", height + 1).unwrap();
        assert_eq!(judge(&longer, &later), None);
    }
}

/// A coinbase and a transaction with a witness, committed to.
fn with_witness() -> Vec<Transaction> {
    let mut tx = spend(0);
    tx.input[0].witness.push([1, 2, 3]);
    let mut transactions = vec![coinbase(20, 1), tx];
    commit_to_witnesses(&mut transactions);
    transactions
}

#[test]
fn committed_witnesses_pass() {
    let block = block(&chain(), with_witness());
    assert_eq!(alone(&block), None);
    assert_eq!(in_context(&block), None);
}

#[test]
fn changed_witnesses_are_a_mutation() {
    let mut transactions = with_witness();
    transactions[1].input[0].witness.push([4]);
    let block = block(&chain(), transactions);
    let reject = check_block_in_context(&block, &chain(), &params()).unwrap_err();
    assert_eq!(
        (reject.kind, &*reject.reason),
        (RejectKind::Mutated, "bad-witness-merkle-match")
    );
}

#[test]
fn the_nonce_is_one_element_of_32_bytes() {
    let nonces: [&[&[u8]]; 4] = [&[], &[&[7; 31]], &[&[7; 33]], &[&[7; 32], &[]]];
    for nonce in nonces {
        let mut transactions = with_witness();
        transactions[0].input[0].witness = bitcoin::Witness::from_slice(nonce);
        assert_bad(
            in_context(&block(&chain(), transactions)),
            "bad-witness-nonce-size",
        );
    }
    let mut transactions = with_witness();
    transactions[0].input[0].witness = bitcoin::Witness::from_slice(&[[8; 32]]);
    assert_bad(
        in_context(&block(&chain(), transactions)),
        "bad-witness-merkle-match",
    );
}

#[test]
fn witnesses_without_a_commitment_are_unexpected() {
    let mut transactions = with_witness();
    transactions[0].output.pop();
    let reject =
        check_block_in_context(&block(&chain(), transactions), &chain(), &params()).unwrap_err();
    assert_eq!(
        (reject.kind, &*reject.reason),
        (RejectKind::Mutated, "unexpected-witness")
    );
}

#[test]
fn before_segwit_a_commitment_commits_to_nothing() {
    let mut params = params();
    params.set_activation_height("segwit", 21).unwrap();
    let judge = |transactions| {
        reason(check_block_in_context(
            &block(&chain(), transactions),
            &chain(),
            &params,
        ))
    };
    assert_bad(judge(with_witness()), "unexpected-witness");
    let mut stripped = with_witness();
    stripped[0].input[0].witness.clear();
    stripped[1].input[0].witness.clear();
    assert_eq!(judge(stripped), None);
}

#[test]
fn the_last_commitment_counts_and_may_be_longer() {
    let mut transactions = with_witness();
    let mut wrong = transactions[0].output[1].clone();
    wrong.script_pubkey = ScriptBuf::from_bytes([&COMMITMENT_PREFIX[..], &[0; 32]].concat());
    transactions[0].output.insert(1, wrong.clone());
    assert_eq!(in_context(&block(&chain(), transactions.clone())), None);
    transactions[0].output.push(wrong);
    assert_bad(
        in_context(&block(&chain(), transactions.clone())),
        "bad-witness-merkle-match",
    );
    transactions[0].output.pop();

    let mut longer = transactions[0].output[2].script_pubkey.to_bytes();
    longer.extend_from_slice(&[1, 2, 3]);
    transactions[0].output[2].script_pubkey = ScriptBuf::from_bytes(longer.clone());
    assert_eq!(in_context(&block(&chain(), transactions.clone())), None);
    // One byte short it is no commitment, and the wrong one before it counts.
    longer.truncate(37);
    transactions[0].output[2].script_pubkey = ScriptBuf::from_bytes(longer);
    assert_bad(
        in_context(&block(&chain(), transactions)),
        "bad-witness-merkle-match",
    );
}

#[test]
fn weight_counts_witnesses_once_and_the_rest_four_times() {
    let of_witness = |length: usize| {
        let mut tx = spend(0);
        tx.input[0].witness.push(vec![0; length]);
        let mut transactions = vec![coinbase(20, 1), tx];
        commit_to_witnesses(&mut transactions);
        block(&chain(), transactions)
    };
    let rest = of_witness(3_000_000).weight() - 3_000_000;
    let heaviest = of_witness(MAX_BLOCK_WEIGHT - rest);
    assert_eq!(heaviest.weight(), MAX_BLOCK_WEIGHT);
    assert_eq!(in_context(&heaviest), None);
    let heavier = of_witness(MAX_BLOCK_WEIGHT - rest + 1);
    let reject = check_block_in_context(&heavier, &chain(), &params()).unwrap_err();
    assert_eq!(
        (reject.kind, &*reject.reason),
        (RejectKind::Consensus, "bad-blk-weight")
    );
    // What the coinbase's witness says comes first: it is not what the header commits to.
    let mut padded = heavier.clone();
    padded.transactions[0].tx.input[0].witness.push(vec![0; 32]);
    assert_bad(in_context(&padded), "bad-witness-nonce-size");
}

#[test]
fn an_unchecked_block_without_transactions_does_not_panic() {
    let empty = block(&chain(), vec![]);
    assert_bad(in_context(&empty), "bad-cb-height");
    let no_inputs = block(&chain(), vec![transaction(&[], &[1])]);
    assert_bad(in_context(&no_inputs), "bad-cb-height");
    let mut params = params();
    params.set_activation_height("bip34", 100).unwrap();
    let mut commits = transaction(&[], &[]);
    let script = [&COMMITMENT_PREFIX[..], &[0; 32]].concat();
    commits.output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::from_bytes(script),
    });
    let verdict = check_block_in_context(&block(&chain(), vec![commits]), &chain(), &params);
    assert_bad(reason(verdict), "bad-witness-nonce-size");
}

#[test]
fn every_fault_of_kind_mutated_leaves_the_header_alone() {
    for kind in [
        RejectKind::Mutated,
        RejectKind::TimeFuture,
        RejectKind::MissingPrevious,
    ] {
        assert!(!kind.condemns_header());
    }
    for kind in [
        RejectKind::Consensus,
        RejectKind::InvalidHeader,
        RejectKind::InvalidPrevious,
    ] {
        assert!(kind.condemns_header());
    }
}

#[test]
fn a_mined_fixture_keeps_its_hash_right() {
    let block = mined(block(&chain(), vec![coinbase(20, 1)]));
    assert_eq!(block.hash, block.header.block_hash());
}

#[test]
fn the_witnesses_of_an_orphan_are_judged_by_the_height_that_it_claims() {
    let mut params = params();
    params.segwit_height = 300;
    let verdict = |height: u32, committed: bool, with_witness: bool| {
        let mut transactions = vec![coinbase(height, 1), spend(0)];
        if committed {
            commit_to_witnesses(&mut transactions);
        }
        let witness = match with_witness {
            true => Witness::from_slice(&[[7; 32]]),
            false => Witness::new(),
        };
        transactions[0].input[0].witness = witness;
        reason(check_orphan_witnesses(
            &block(&chain(), transactions),
            &params,
        ))
    };
    for height in [1, 16, 17, 128, 299] {
        assert_eq!(verdict(height, true, false), None);
        assert_bad(verdict(height, true, true), "unexpected-witness");
    }
    for height in [300, 32_768, 8_388_608] {
        assert_eq!(verdict(height, true, true), None);
        assert_eq!(verdict(height, false, false), None);
        assert_bad(verdict(height, true, false), "bad-witness-nonce-size");
        assert_bad(verdict(height, false, true), "unexpected-witness");
    }
}
