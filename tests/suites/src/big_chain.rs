//! Owns chains of large blocks, for whatever moves blocks about.
//! Promises blocks that every node takes, of the size that was asked for, and the same ones each time.
//! Refuses to be like the chains of real money: a block has two transactions, most of it is an output without meaning.

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::all::{OP_PUSHNUM_1, OP_RETURN};
use bitcoin::script::Builder;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, transaction,
};
use everett_lab::random::Random;
use everett_ledger::{Ledger, Outcome, World};
use everett_scenario::assemble;

/// Confirmations before a coinbase can be spent.
const MATURITY: u32 = 100;
/// Least seconds between blocks: few, so that a branch on a tip of now does not reach into the future.
const SPACING: u32 = 1;

/// Mines `blocks` blocks of about `size` bytes each on the ledger's best world, and gives their bytes. The first
/// hundred blocks on an empty ledger are small: there is no coin to make a transaction of.
///
/// `branch` makes the chains of different numbers differ from their first block on.
pub fn mine(ledger: &Ledger, blocks: u32, size: usize, branch: u64) -> Vec<Vec<u8>> {
    let parent = ledger.best();
    extend(ledger, parent, blocks, size, branch)
}

/// Mines an empty block of this moment, so that the chain counts as recent, and gives its bytes.
pub fn mine_now(ledger: &Ledger) -> Vec<u8> {
    let payout = ScriptBuf::builder().push_opcode(OP_PUSHNUM_1).into_script();
    let block = assemble::mine(ledger, &ledger.best(), Vec::new(), &payout, None);
    let block = block.expect("a block can be mined");
    ledger.submit_block(&block).expect("the disk works");
    block
}

/// As [`mine`], on any world.
pub fn extend(
    ledger: &Ledger,
    mut parent: World,
    blocks: u32,
    size: usize,
    branch: u64,
) -> Vec<Vec<u8>> {
    let payout = ScriptBuf::builder().push_opcode(OP_PUSHNUM_1).into_script();
    let mut random = Random::new(branch);
    let mut mined = Vec::with_capacity(blocks as usize);
    for _ in 0..blocks {
        let coin = coinbase(ledger, &parent, size);
        let transactions = coin.map(|coin| vec![heavy(coin, size, &mut random)]);
        // Blocks of two branches that pay the same script at the same time would be the same ones.
        let time = parent.header().time + SPACING + (branch % 30) as u32;
        let transactions = transactions.unwrap_or_default();
        let block = assemble::mine(ledger, &parent, transactions, &payout, Some(time));
        let block = block.expect("a block can be mined");
        let answer = ledger.submit_block(&block).expect("the disk works");
        let Outcome::Accepted { hash, .. } = answer.outcome else {
            panic!("a block of the chain is not taken: {:?}", answer.outcome);
        };
        parent = ledger.world(&hash).expect("just accepted");
        mined.push(block);
    }
    mined
}

/// The coinbase output that becomes spendable in the next block, if there is one and something is to be made of it.
fn coinbase(ledger: &Ledger, parent: &World, size: usize) -> Option<OutPoint> {
    let height = (parent.height() + 1).checked_sub(MATURITY)?;
    if size == 0 || height == 0 {
        return None;
    }
    let hash = parent.block_hash_at(height)?;
    let block = ledger.block_bytes(&hash).expect("it is stored");
    let block: bitcoin::Block = bitcoin::consensus::deserialize(&block).expect("it was taken");
    let outpoint = OutPoint::new(block.txdata[0].compute_txid(), 0);
    let coin = parent.coin(&outpoint).expect("the disk works");
    coin.map(|_| outpoint)
}

/// A transaction of about `size` bytes, most of which nobody can ever spend.
fn heavy(coin: OutPoint, size: usize, random: &mut Random) -> Transaction {
    let filling: Vec<u8> = (0..size.saturating_sub(400))
        .map(|_| random.below(256) as u8)
        .collect();
    let mut script = Builder::new().push_opcode(OP_RETURN).into_bytes();
    script.extend(filling);
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from_bytes(script),
        }],
    }
}
