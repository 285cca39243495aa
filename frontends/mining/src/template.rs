//! Owns what a block takes from its parent and the miner, and Bitcoin Core's coinbase.
//! Promises the bytes that Bitcoin Core's miner would make from the same parent, clock, transactions and payout.
//! Refuses to read a world: it is told all of it.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::opcodes::OP_0;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness, Wtxid, transaction,
};
use everett_ledger::decode::{DecodedBlock, DecodedTransaction};
use everett_ledger::rules::merkle::merkle_root;
use everett_ledger::rules::witnesses::witness_commitment_script;

use crate::error::MineError;
use crate::proof_of_work::solve;

#[cfg(test)]
mod tests;

/// Up to this height a coinbase script of just the height is too short for consensus
/// (2 bytes at least), so the miner appends an `OP_0`.
const LAST_SHORT_HEIGHT: u32 = 16;

/// What the coinbase's witness is (BIP141).
const WITNESS_RESERVED_VALUE: [u8; 32] = [0; 32];

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
        let mut block = self.draft(transactions);
        solve(&mut block.header)?;
        Ok(block)
    }

    /// The same without proof of work: its nonce is 0.
    pub fn draft(&self, transactions: Vec<Transaction>) -> Block {
        let commitment = self.witness_active.then(|| {
            let wtxids = transactions.iter().map(Transaction::compute_wtxid);
            witness_commitment(wtxids)
        });
        let mut txdata = Vec::with_capacity(transactions.len() + 1);
        txdata.push(self.coinbase(commitment));
        txdata.extend(transactions);
        let txids = txdata.iter().map(Transaction::compute_txid);
        Block {
            header: self.header(txids),
            txdata,
        }
    }

    /// The same of transactions whose hashes are known.
    pub fn draft_decoded<'a>(
        &self,
        transactions: impl Iterator<Item = &'a DecodedTransaction> + Clone,
    ) -> DecodedBlock {
        let commitment = (self.witness_active)
            .then(|| witness_commitment(transactions.clone().map(|tx| tx.wtxid)));
        let coinbase = DecodedTransaction::new(self.coinbase(commitment));
        let mut all = vec![coinbase];
        all.extend(transactions.cloned());
        let header = self.header(all.iter().map(|tx| tx.txid));
        DecodedBlock::new(header, all)
    }

    fn header(&self, txids: impl Iterator<Item = Txid>) -> Header {
        let leaves = txids.map(Txid::to_byte_array).collect();
        Header {
            version: Version::from_consensus(self.version),
            prev_blockhash: self.parent,
            merkle_root: TxMerkleNode::from_byte_array(merkle_root(leaves).root),
            time: self.time,
            bits: self.bits,
            nonce: 0,
        }
    }

    /// The coinbase as Bitcoin Core's miner makes it: with the output that commits to every witness, and then with the
    /// reserved value of 32 zero bytes (BIP141), also where no transaction has a witness.
    fn coinbase(&self, commitment: Option<ScriptBuf>) -> Transaction {
        let mut script = Builder::new().push_int(i64::from(self.height));
        script = match self.extra_nonce {
            Some(number) => script.push_slice(number.to_le_bytes()),
            None if self.height <= LAST_SHORT_HEIGHT => script.push_opcode(OP_0),
            None => script,
        };
        let witness = match commitment {
            Some(_) => Witness::from_slice(&[WITNESS_RESERVED_VALUE]),
            None => Witness::new(),
        };
        let mut output = vec![TxOut {
            value: self.reward,
            script_pubkey: self.payout.clone(),
        }];
        output.extend(commitment.map(|script_pubkey| TxOut {
            value: Amount::ZERO,
            script_pubkey,
        }));
        Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::from_consensus(self.height.saturating_sub(1)),
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: script.into_script(),
                sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
                witness,
            }],
            output,
        }
    }
}

/// The script that commits to the witnesses of a block with these transactions after its coinbase, if the coinbase's
/// witness is 32 zero bytes (BIP141).
pub fn witness_commitment(wtxids: impl Iterator<Item = Wtxid>) -> ScriptBuf {
    // The coinbase counts as zero.
    let mut leaves = vec![[0; 32]];
    leaves.extend(wtxids.map(Wtxid::to_byte_array));
    witness_commitment_script(&merkle_root(leaves).root, &WITNESS_RESERVED_VALUE)
}
