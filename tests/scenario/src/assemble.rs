//! Owns the making of a block on any parent world.
//! Promises the bytes that Bitcoin Core's regtest miner would make from the same parent, clock,
//! transactions and payout; refuses parents whose target would take real mining hardware.
//!
//! ```text
//! parent world ──> Template (height, bits, time, reward) ──> coinbase, merkle root, nonce ──> bytes
//! ```

use std::collections::HashMap;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::opcodes::OP_0;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, Txid, Witness, WitnessCommitment, WitnessMerkleNode, transaction,
};
use everett_ledger::{Ledger, ReadError, World};

#[cfg(test)]
mod tests;

/// The most hashes a block may be expected to take. Signet's easiest target takes about 2^22.
pub const MAX_EXPECTED_HASHES: f64 = (1u64 << 24) as f64;

/// The nonces tried before giving up; with the limit above, running out is a matter of e^-256.
const MAX_NONCE: u32 = u32::MAX;

/// Up to this height a coinbase script of just the height is too short for consensus
/// (2 bytes at least), so the miner appends an `OP_0`.
const LAST_SHORT_HEIGHT: u32 = 16;

/// What precedes the commitment in the witness commitment output (BIP141).
const WITNESS_COMMITMENT_HEADER: [u8; 4] = [0xaa, 0x21, 0xa9, 0xed];

/// The commitment of a block without transactions: the hash of its witness root and of the reserved value, all zeros.
const EMPTY_WITNESS_COMMITMENT: [u8; 32] = [
    0xe2, 0xf6, 0x1c, 0x3f, 0x71, 0xd1, 0xde, 0xfd, 0x3f, 0xa9, 0x99, 0xdf, 0xa3, 0x69, 0x53, 0x75,
    0x5c, 0x69, 0x06, 0x89, 0x79, 0x99, 0x62, 0xb4, 0x8b, 0xeb, 0xd8, 0x36, 0x97, 0x4e, 0x8c, 0xf9,
];

/// Why a block could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// A transaction spends a coin that is neither in the parent's world nor made earlier in the block.
    #[error(
        "transaction {txid} spends {outpoint}, which is no coin at block {parent} nor made by an \
         earlier transaction of the list; put its parents first, or mine on a branch that has it"
    )]
    MissingCoin {
        /// The spending transaction.
        txid: Txid,
        /// The coin it asks for.
        outpoint: OutPoint,
        /// The parent block.
        parent: BlockHash,
    },
    /// A transaction pays out more than it takes in.
    #[error("transaction {txid} pays out {paid} but takes in only {taken}")]
    Overspent {
        /// The transaction.
        txid: Txid,
        /// The sum of its outputs.
        paid: Amount,
        /// The sum of the coins it spends.
        taken: Amount,
    },
    /// A transaction of the list is a coinbase.
    #[error("transaction {txid} is a coinbase; leave it out, the block gets its own")]
    Coinbase {
        /// The transaction.
        txid: Txid,
    },
    /// Amounts add up to more than fits.
    #[error("the amounts of transaction {txid} add up to more than a 64-bit number holds")]
    AmountOverflow {
        /// The transaction at which they did.
        txid: Txid,
    },
    /// The target is too hard for a processor.
    #[error(
        "a block on {parent} takes about {expected:.0} hashes, more than the {limit:.0} that the \
         lab spends; mine on regtest"
    )]
    TooHard {
        /// The parent block.
        parent: BlockHash,
        /// How many hashes it takes on average.
        expected: f64,
        /// The lab's limit.
        limit: f64,
    },
    /// No nonce fitted.
    #[error("no nonce makes a block on {parent} meet its target; mine it with another time")]
    NoNonce {
        /// The parent block.
        parent: BlockHash,
    },
    /// The parent's coins could not be read.
    #[error("the parent's coins cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// All that a block takes from its parent and the miner's choices, before its transactions.
#[derive(Clone, Debug)]
pub struct Template {
    /// The block's height.
    pub height: u32,
    /// Its parent's hash.
    pub parent: BlockHash,
    /// The header's time, in Unix seconds.
    pub time: u32,
    /// The target it has to meet.
    pub bits: CompactTarget,
    /// The header's version.
    pub version: i32,
    /// What the coinbase pays: subsidy and fees.
    pub reward: Amount,
    /// Whether segwit is active, so that the coinbase commits to the witnesses.
    pub witness_active: bool,
    /// Whom the coinbase pays.
    pub payout: ScriptBuf,
    /// A number in the coinbase that tells siblings with the same content apart; Bitcoin Core's miner needs none.
    pub extra_nonce: Option<u64>,
}

impl Template {
    /// Builds the block with these transactions after its coinbase, and finds its nonce,
    /// starting from 0.
    ///
    /// # Errors
    ///
    /// [`MineError::TooHard`] and [`MineError::NoNonce`].
    pub fn block(&self, transactions: Vec<Transaction>) -> Result<Block, MineError> {
        let mut txdata = Vec::with_capacity(transactions.len() + 1);
        txdata.push(self.coinbase());
        txdata.extend(transactions);
        let mut block = Block {
            header: Header {
                version: Version::from_consensus(self.version),
                prev_blockhash: self.parent,
                merkle_root: TxMerkleNode::all_zeros(),
                time: self.time,
                bits: self.bits,
                nonce: 0,
            },
            txdata,
        };
        if self.witness_active {
            commit_to_witnesses(&mut block);
        }
        if let Some(root) = block.compute_merkle_root() {
            block.header.merkle_root = root;
        }
        solve(&mut block.header)?;
        Ok(block)
    }

    /// The coinbase as Bitcoin Core's miner makes it, still without its commitment.
    fn coinbase(&self) -> Transaction {
        let mut script = Builder::new().push_int(i64::from(self.height));
        script = match self.extra_nonce {
            Some(number) => script.push_slice(number.to_le_bytes()),
            None if self.height <= LAST_SHORT_HEIGHT => script.push_opcode(OP_0),
            None => script,
        };
        Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::from_consensus(self.height.saturating_sub(1)),
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: script.into_script(),
                sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
                witness: Witness::new(),
            }],
            output: vec![TxOut {
                value: self.reward,
                script_pubkey: self.payout.clone(),
            }],
        }
    }
}

/// Makes a block on `parent` and returns its bytes; the ledger does not get it.
///
/// The coinbase pays subsidy and fees to `payout`. `time` is the header's time in Unix seconds;
/// without one, it is the ledger's clock or the first second the rules allow, whichever is later.
/// Transactions stand in the block in the order given; whether they are valid is for the ledger
/// to say, only their coins must exist, because the fees are counted from them.
///
/// # Errors
///
/// See [`MineError`].
///
/// # Example
///
/// ```no_run
/// # fn f(ledger: &everett_ledger::Ledger, payout: bitcoin::ScriptBuf) -> Result<(), Box<dyn std::error::Error>> {
/// let parent = ledger.best();
/// let block = everett_scenario::assemble::mine(ledger, &parent, vec![], &payout, None)?;
/// ledger.submit_block(&block)?;
/// # Ok(()) }
/// ```
pub fn mine(
    ledger: &Ledger,
    parent: &World,
    transactions: Vec<Transaction>,
    payout: &Script,
    time: Option<u32>,
) -> Result<Vec<u8>, MineError> {
    let next = ledger.next_block(parent);
    let fees = fees(parent, &transactions)?;
    let reward = next
        .subsidy
        .checked_add(fees)
        .ok_or(MineError::AmountOverflow {
            txid: transactions
                .last()
                .map_or_else(Txid::all_zeros, Transaction::compute_txid),
        })?;
    let template = Template {
        height: next.height,
        parent: parent.hash(),
        time: time.unwrap_or_else(|| at_least(next.min_time, ledger.clock().now())),
        bits: next.bits,
        version: next.version,
        reward,
        witness_active: next.witness_active,
        payout: payout.to_owned(),
        extra_nonce: None,
    };
    Ok(serialize(&template.block(transactions)?))
}

/// What these transactions, in this order on this parent, leave to the miner.
///
/// # Errors
///
/// [`MineError::MissingCoin`], [`MineError::Overspent`], [`MineError::Coinbase`],
/// [`MineError::AmountOverflow`] and [`MineError::Read`].
pub fn fees(parent: &World, transactions: &[Transaction]) -> Result<Amount, MineError> {
    let mut made: HashMap<OutPoint, Amount> = HashMap::new();
    let mut fees = Amount::ZERO;
    for transaction in transactions {
        let txid = transaction.compute_txid();
        if transaction.is_coinbase() {
            return Err(MineError::Coinbase { txid });
        }
        let overflow = || MineError::AmountOverflow { txid };
        let mut taken = Amount::ZERO;
        for input in &transaction.input {
            let outpoint = input.previous_output;
            let amount = match made.get(&outpoint) {
                Some(amount) => *amount,
                None => {
                    parent
                        .coin(&outpoint)?
                        .ok_or(MineError::MissingCoin {
                            txid,
                            outpoint,
                            parent: parent.hash(),
                        })?
                        .amount
                }
            };
            taken = taken.checked_add(amount).ok_or_else(overflow)?;
        }
        let mut paid = Amount::ZERO;
        for (vout, output) in (0..).zip(&transaction.output) {
            paid = paid.checked_add(output.value).ok_or_else(overflow)?;
            made.insert(OutPoint { txid, vout }, output.value);
        }
        let fee = taken
            .checked_sub(paid)
            .ok_or(MineError::Overspent { txid, paid, taken })?;
        fees = fees.checked_add(fee).ok_or_else(overflow)?;
    }
    Ok(fees)
}

/// Gives the coinbase its reserved value of 32 zero bytes and the output that commits to it and
/// to every witness (BIP141), as the miner does also for blocks without witnesses.
fn commit_to_witnesses(block: &mut Block) {
    let reserved = [0u8; 32];
    // The coinbase counts as zero in the witness tree, so it may be changed afterwards.
    let commitment = match block.txdata.len() {
        // Always the same: what an empty block commits to need not be hashed again.
        1 => WitnessCommitment::from_byte_array(EMPTY_WITNESS_COMMITMENT),
        _ => {
            let root = block
                .witness_root()
                .unwrap_or_else(WitnessMerkleNode::all_zeros);
            Block::compute_witness_commitment(&root, &reserved)
        }
    };
    let mut push = PushBytesBuf::from(WITNESS_COMMITMENT_HEADER);
    push.extend_from_slice(commitment.as_byte_array())
        .expect("36 bytes are within the limit of a push");
    let script_pubkey = Builder::new()
        .push_opcode(OP_RETURN)
        .push_slice(push)
        .into_script();
    if let Some(coinbase) = block.txdata.first_mut() {
        coinbase.output.push(TxOut {
            value: Amount::ZERO,
            script_pubkey,
        });
        if let Some(input) = coinbase.input.first_mut() {
            input.witness = Witness::from_slice(&[reserved]);
        }
    }
}

/// Counts the nonce up from 0 until the header meets its target.
fn solve(header: &mut Header) -> Result<(), MineError> {
    let parent = header.prev_blockhash;
    let target = header.target();
    let expected = target.difficulty_float() * 4_295_032_833.0;
    if expected > MAX_EXPECTED_HASHES {
        return Err(MineError::TooHard {
            parent,
            expected,
            limit: MAX_EXPECTED_HASHES,
        });
    }
    // The nonce stands in the last 16 of 80 bytes: what the hash makes of the first 64 is the same for all of them.
    let bytes = serialize(header);
    let (same, last) = bytes.split_at(sha256::HashEngine::BLOCK_SIZE);
    let (between, _) = last.split_at(last.len() - size_of::<u32>());
    let mut start = sha256::Hash::engine();
    start.input(same);
    start.input(between);
    loop {
        let mut engine = start.clone();
        engine.input(&header.nonce.to_le_bytes());
        let once = sha256::Hash::from_engine(engine);
        let twice = sha256::Hash::hash(once.as_byte_array());
        if target.is_met_by(BlockHash::from_byte_array(twice.to_byte_array())) {
            return Ok(());
        }
        if header.nonce == MAX_NONCE {
            return Err(MineError::NoNonce { parent });
        }
        header.nonce += 1;
    }
}

/// The clock's second, but not before `earliest`.
fn at_least(earliest: u32, clock: u64) -> u32 {
    u32::try_from(clock).unwrap_or(u32::MAX).max(earliest)
}
