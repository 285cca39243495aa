use bitcoin::ecdsa;
use bitcoin::hex::FromHex;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1};
use bitcoin::sighash::SighashCache;

use super::super::fixtures::{ListChain, SeamSpy, block, coinbase, commit_to_witnesses, reason};
use super::super::script_check::ScriptFailure;
use super::*;
use crate::decode::decode_block;
use crate::params::Network;

/// Block 1 of the public signet.
const BLOCK_1: &str = concat!(
    "00000020f61eee3b63a380a477a063af32b2bbc97c9ff9f01f2c4225e973988108000000f575c83235984e7dc4afc1f30944c170",
    "462e84437ab6f2d52e16878a79e4678bd1914d5fae77031eccf40700010100000000010100000000000000000000000000000000",
    "00000000000000000000000000000000ffffffff025151feffffff0200f2052a010000001600149243f727dd5343293eb8317432",
    "4019ec16c2630f0000000000000000776a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e",
    "8cf94c4fecc7daa2490047304402205e423a8754336ca99dbe16509b877ef1bf98d008836c725005b3c787c41ebe46022047246e",
    "4467ad7cc7f1ad98662afcaf14c115e0095a227c7b05c5182591c23e7e0100012000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000",
);

fn block_1() -> DecodedBlock {
    decode_block(&Vec::from_hex(BLOCK_1).unwrap()).unwrap().0
}

/// Runs just the one script that the public signet has: one signature of two keys.
struct OneOfTwo;

impl ScriptCheck for OneOfTwo {
    fn check(&self, scripts: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        let tx = &scripts.transactions[0].tx;
        let challenge = &scripts.spent.of(0)[0].script_pubkey;
        let pushes = |script: &bitcoin::Script| -> Vec<Vec<u8>> {
            let pushed =
                Instructions::new(script.as_bytes()).map(|read| read.unwrap().data.to_vec());
            pushed.filter(|data| !data.is_empty()).collect()
        };
        let hash = SighashCache::new(tx)
            .legacy_signature_hash(0, challenge, 1)
            .unwrap();
        let message = Message::from_digest(hash.to_byte_array());
        let passes = pushes(&tx.input[0].script_sig).iter().any(|signature| {
            let signature = ecdsa::Signature::from_slice(signature).unwrap().signature;
            pushes(challenge).iter().any(|key| {
                let key = PublicKey::from_slice(key).unwrap();
                Secp256k1::new()
                    .verify_ecdsa(&message, &signature, &key)
                    .is_ok()
            })
        });
        let failure = || ScriptFailure {
            transaction: 0,
            input: 0,
            text: "no".into(),
        };
        passes.then_some(()).ok_or_else(failure)
    }
}

fn verdict(block: &DecodedBlock, scripts: &dyn ScriptCheck) -> Option<String> {
    reason(check_solution(
        block,
        &Params::new(Network::Signet),
        scripts,
    ))
}

fn assert_bad(verdict: Option<String>) {
    assert_eq!(verdict.as_deref(), Some("bad-signet-blksig"));
}

#[test]
fn the_first_signed_blocks_solution_verifies() {
    let block = block_1();
    assert_eq!(
        block.header.prev_blockhash,
        Params::new(Network::Signet).genesis_hash()
    );
    assert_eq!(verdict(&block, &OneOfTwo), None);
    let whole = super::super::check_block(&block, &Params::new(Network::Signet), &OneOfTwo);
    assert_eq!(reason(whole), None);
}

#[test]
fn a_solution_is_for_its_block_only() {
    let mut later = block_1();
    later.header.time += 1;
    assert_bad(verdict(&later, &OneOfTwo));
    let mut richer = block_1();
    richer.transactions[0].tx.output[0].value += Amount::from_sat(1);
    assert_bad(verdict(&richer, &OneOfTwo));
    // The nonce and the bits are not signed: the work is done after the signature.
    let mut mined = block_1();
    mined.header.nonce += 1;
    assert_eq!(verdict(&mined, &OneOfTwo), None);
}

#[test]
fn a_solution_is_judged_after_the_work_and_before_the_merkle_root() {
    let params = Params::new(Network::Signet);
    let refuses = SeamSpy {
        failure: Some(ScriptFailure {
            transaction: 0,
            input: 0,
            text: "no".into(),
        }),
        ..SeamSpy::default()
    };
    let mut block = block_1();
    block.transactions.push(block.transactions[0].clone());
    let judge = |block: &DecodedBlock, scripts: &dyn ScriptCheck| {
        reason(super::super::check_block(block, &params, scripts)).unwrap()
    };
    assert_eq!(judge(&block, &refuses), "bad-signet-blksig");
    assert_eq!(judge(&block, &SeamSpy::default()), "bad-txnmrklroot");
    block.header.nonce += 1;
    block.hash = block.header.block_hash();
    assert_eq!(judge(&block, &refuses), "high-hash");
}

#[test]
fn a_solutions_script_is_held_to_its_own_flags() {
    let seam = SeamSpy::default();
    assert_eq!(verdict(&block_1(), &seam), None);
    let calls = seam.calls.into_inner().unwrap();
    assert_eq!(
        (calls.len(), calls[0].transactions, calls[0].flags),
        (1, 1, solution_flags())
    );
    assert_eq!(calls[0].spent.of(0)[0].amount, Amount::ZERO);
}

#[test]
fn genesis_and_other_networks_need_no_solution() {
    let genesis = DecodedBlock::from(Params::new(Network::Signet).genesis);
    assert_eq!(verdict(&genesis, &OneOfTwo), None);
    let mainnet = Params::new(Network::Mainnet);
    let genesis = DecodedBlock::from(Params::new(Network::Regtest).genesis);
    assert_eq!(reason(check_solution(&genesis, &mainnet, &OneOfTwo)), None);
}

/// A block whose commitment's script has `tail` behind the commitment.
fn with_tail(tail: &[u8]) -> DecodedBlock {
    let chain = ListChain::regular(&Params::new(Network::Regtest), 3, 0x207f_ffff);
    let mut transactions = vec![coinbase(4, 1)];
    commit_to_witnesses(&mut transactions);
    let script = &mut transactions[0].output[1].script_pubkey;
    *script = ScriptBuf::from_bytes([script.as_bytes(), tail].concat());
    block(&chain, transactions)
}

fn solution(tail: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let to_sign = solution_transactions(&with_tail(tail), &[0x51])?.to_sign;
    let input = to_sign.input.into_iter().next()?;
    Some((input.script_sig.into_bytes(), input.witness.to_vec()))
}

#[test]
fn a_commitment_without_a_solution_has_an_empty_one() {
    assert_eq!(solution(&[]), Some((vec![], vec![])));
    // A push that is the header and nothing else is none either.
    assert_eq!(
        solution(&[4, 0xec, 0xc7, 0xda, 0xa2]),
        Some((vec![], vec![]))
    );
}

#[test]
fn a_solution_is_a_script_and_a_witness_and_nothing_else() {
    let good = [9, 0xec, 0xc7, 0xda, 0xa2, 1, 0x51, 1, 1, 0xaa];
    assert_eq!(solution(&good), Some((vec![0x51], vec![vec![0xaa]])));
    // Something behind it; the witness missing; a witness that is cut.
    assert_eq!(solution(&[8, 0xec, 0xc7, 0xda, 0xa2, 1, 0x51, 0, 0]), None);
    assert_eq!(solution(&[6, 0xec, 0xc7, 0xda, 0xa2, 1, 0x51]), None);
    assert_eq!(solution(&[8, 0xec, 0xc7, 0xda, 0xa2, 1, 0x51, 1, 1]), None);
}

#[test]
fn only_the_first_solution_is_taken_out() {
    let first = [7, 0xec, 0xc7, 0xda, 0xa2, 1, 0x51, 0];
    let second = [7, 0xec, 0xc7, 0xda, 0xa2, 1, 0x52, 0];
    assert_eq!(
        solution(&[first, second].concat()),
        Some((vec![0x51], vec![]))
    );
}

#[test]
fn a_block_without_a_commitment_cannot_be_signed() {
    let mut block = with_tail(&[]);
    block.transactions[0].tx.output.pop();
    assert_eq!(solution_transactions(&block, &[0x51]), None);
    block.transactions.clear();
    assert_eq!(solution_transactions(&block, &[0x51]), None);
}

#[test]
fn what_is_left_of_the_commitment_is_written_anew() {
    let take = |script: &[u8]| {
        let mut script = ScriptBuf::from_bytes(script.to_vec());
        let solution = take_solution(&mut script);
        (solution, script.into_bytes())
    };
    // A push in a longer form than needed becomes the shortest; opcodes stay; an empty push is just its opcode.
    let script = [
        0x6a, 0x4c, 1, 0x07, 0x4c, 0, 0x4c, 5, 0xec, 0xc7, 0xda, 0xa2, 9, 0x51,
    ];
    let left = vec![0x6a, 1, 0x07, 0x4c, 4, 0xec, 0xc7, 0xda, 0xa2, 0x51];
    assert_eq!(take(&script), (Some(vec![9]), left));
    // What cannot be read is dropped.
    let script = [0x6a, 5, 0xec, 0xc7, 0xda, 0xa2, 9, 0x20, 1, 2];
    assert_eq!(
        take(&script),
        (Some(vec![9]), vec![0x6a, 4, 0xec, 0xc7, 0xda, 0xa2])
    );
    // Without a solution nothing changes.
    let script = [0x6a, 0x4c, 1, 0x07, 0x20, 1];
    assert_eq!(take(&script), (None, script.to_vec()));
    // Lengths of pushes.
    for length in [0x4b, 0x4c, 0xff, 0x100, 0xffff, 0x1_0000] {
        let mut pushed = Vec::new();
        push(&mut pushed, &vec![1; length]);
        let read: Vec<_> = Instructions::new(&pushed)
            .map(|read| read.unwrap().data.len())
            .collect();
        assert_eq!(read, [length]);
    }
}
