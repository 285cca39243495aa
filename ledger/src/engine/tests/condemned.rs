//! What a rejected block leaves behind: a header that is still good, or a condemned one.

use super::*;
use crate::fixtures::{self, Branch, in_memory};
use crate::header_info::HeaderStatus;
use crate::rules::fixtures::mined;

/// Submits a body after its header, and says whether the rejection condemned it. The header must be as it says, and the
/// good block must then be accepted or not.
fn condemned(good: &DecodedBlock, sent: &DecodedBlock, reason: &str) -> bool {
    let ledger = in_memory();
    Branch::genesis().grown(3, 1).deliver(&ledger, 0);
    let verdict = ledger.submit_headers(&[good.header]).unwrap();
    assert_eq!(verdict, Ok(()));
    let Outcome::Rejected { reject, hash, .. } = submit(&ledger, sent) else {
        panic!("{reason}: it was let in");
    };
    assert_eq!((&*reject.reason, hash), (reason, good.hash));
    let status = ledger.header(&good.hash).unwrap().status;
    let expected = match reject.condemns_block() {
        true => HeaderStatus::Invalid,
        false => HeaderStatus::HeaderOnly,
    };
    assert_eq!(status, expected, "{reason}");
    if !reject.condemns_block() && sent != good {
        assert!(matches!(submit(&ledger, good), Outcome::Accepted { .. }));
        assert_eq!(ledger.best().hash(), good.hash);
    }
    reject.condemns_block()
}

#[test]
fn another_body_leaves_the_header_good_and_a_bad_block_condemns_it() {
    let trunk = Branch::genesis().grown(3, 1);
    let tip = |sat| trunk.grown(1, sat).blocks[3].clone();
    let good = tip(1);
    // Other transactions.
    let mut sent = good.clone();
    sent.transactions = tip(2).transactions;
    assert!(!condemned(&good, &sent, "bad-txnmrklroot"));
    // The last transaction once more, with the same merkle root: there must be three.
    let mut sent = good.clone();
    sent.transactions.push(good.transactions[0].clone());
    assert!(!condemned(&good, &sent, "bad-txnmrklroot"));
    // Witnesses that nothing commits to.
    let mut sent = good.clone();
    sent.transactions[0].tx.input[0].witness = Witness::from_slice(&[[7; 32]]);
    let sent = decoded(&sent);
    assert!(!condemned(&good, &sent, "unexpected-witness"));
    // Other witnesses than those that are committed to.
    let mut transactions = vec![coinbase(4, 1)];
    commit_to_witnesses(&mut transactions);
    let with_witness = block(&trunk.chain, transactions);
    let mut sent = with_witness.clone();
    sent.transactions[0].tx.input[0].witness = Witness::from_slice(&[[8; 32]]);
    let sent = decoded(&sent);
    assert!(!condemned(&with_witness, &sent, "bad-witness-merkle-match"));
    // What it claims too much condemns it, and so does what can be seen without coins, in its context.
    let greedy = trunk.greedy().blocks[3].clone();
    assert!(condemned(&greedy, &greedy, "bad-cb-amount"));
    let misplaced = block(&trunk.chain, vec![coinbase(9, 1)]);
    assert!(condemned(&misplaced, &misplaced, "bad-cb-height"));
}

#[test]
fn what_is_wrong_with_a_block_by_itself_is_forgotten_with_it() {
    let trunk = Branch::genesis().grown(3, 1);
    let twice = block(&trunk.chain, vec![coinbase(4, 1), coinbase(4, 2)]);
    assert!(!condemned(&twice, &twice, "bad-cb-multiple"));
}

#[test]
fn a_header_without_proof_of_work_is_condemned_by_its_hash() {
    let ledger = in_memory();
    let mut weak = Branch::genesis().grown(1, 1).blocks[0].clone();
    loop {
        weak = decoded(&weak);
        if !crate::rules::has_valid_proof_of_work(&weak.header, ledger.params()) {
            break;
        }
        weak.header.nonce += 1;
    }
    let Outcome::Rejected { reject, .. } = submit(&ledger, &weak) else {
        panic!("it was let in");
    };
    assert!(reject.condemns_block());
    assert_eq!(ledger.header(&weak.hash), None, "and takes no place");
    assert!(matches!(
        submit(&ledger, &mined(weak)),
        Outcome::Accepted { .. }
    ));
}

fn decoded(changed: &DecodedBlock) -> DecodedBlock {
    let (block, _) = crate::decode::decode_block(&fixtures::bytes(changed)).unwrap();
    block
}
