//! Owns the making of regtest blocks: coinbases, payments without signatures, flaws, proof of work.
//! Promises that the blocks of two branches share some of their transactions, and that no two blocks are the same.

use std::collections::HashSet;
use std::sync::Arc;

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, Txid, Witness, WitnessMerkleNode, absolute, opcodes, transaction,
};
use everett_ledger::{COINBASE_MATURITY, Coin};

use crate::flaw::Flaw;
use crate::naive::{Coins, apply};
use crate::random::Random;

/// The time of regtest's genesis block, unix seconds.
pub const GENESIS_TIME: u32 = 1_296_688_602;
/// Where the clock stands: far ahead of every block but those that are too new.
pub const CLOCK: u64 = GENESIS_TIME as u64 + 100_000_000;
/// Transactions remembered for other branches.
const MAX_REMEMBERED: usize = 300;
const REGTEST_BITS: u32 = 0x207f_ffff;
const HALVING: u32 = 150;

/// What a block is built on.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// Its time.
    pub time: u32,
    /// The median of the eleven times up to it.
    pub median_time_past: u32,
    /// The coins at it.
    pub coins: Arc<Coins>,
}

/// Scripts that anyone can spend, of several kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lock {
    /// A number that is dropped, then true.
    Bare(u8),
    /// BIP16, of true.
    ScriptHash,
    /// BIP141, of true.
    WitnessScriptHash,
}

const LOCKS: [Lock; 8] = [
    Lock::Bare(0),
    Lock::Bare(1),
    Lock::Bare(2),
    Lock::Bare(3),
    Lock::Bare(4),
    Lock::Bare(5),
    Lock::ScriptHash,
    Lock::WitnessScriptHash,
];

impl Lock {
    fn script(self) -> ScriptBuf {
        let truth = Builder::new().push_opcode(opcodes::OP_TRUE).into_script();
        match self {
            Lock::Bare(0) => truth,
            Lock::Bare(number) => Builder::new()
                .push_int(i64::from(number))
                .push_opcode(opcodes::all::OP_DROP)
                .push_opcode(opcodes::OP_TRUE)
                .into_script(),
            Lock::ScriptHash => truth.to_p2sh(),
            Lock::WitnessScriptHash => truth.to_p2wsh(),
        }
    }

    fn of(script: &Script) -> Lock {
        if script.is_p2sh() {
            Lock::ScriptHash
        } else if script.is_p2wsh() {
            Lock::WitnessScriptHash
        } else {
            Lock::Bare(0)
        }
    }

    fn input(self, previous_output: OutPoint) -> TxIn {
        let truth = [0x51];
        let (script_sig, witness) = match self {
            Lock::Bare(_) => (ScriptBuf::new(), Witness::new()),
            Lock::ScriptHash => (
                Builder::new().push_slice(truth).into_script(),
                Witness::new(),
            ),
            Lock::WitnessScriptHash => (ScriptBuf::new(), Witness::from_slice(&[truth])),
        };
        TxIn {
            previous_output,
            script_sig,
            sequence: Sequence::MAX,
            witness,
        }
    }
}

/// Every script that a coin of a mint's blocks can have.
pub fn scripts() -> Vec<ScriptBuf> {
    LOCKS.iter().map(|lock| lock.script()).collect()
}

/// Makes blocks.
#[derive(Clone, Debug)]
pub struct Mint {
    random: Random,
    /// Transactions of earlier blocks, to be confirmed on other branches too.
    made: Vec<Transaction>,
    /// Makes coinbases differ.
    extra: u64,
    nonce: u32,
}

impl Mint {
    /// One that has made nothing.
    pub fn new(seed: u64) -> Mint {
        Mint {
            random: Random::new(seed),
            made: Vec::new(),
            extra: 1,
            nonce: 0,
        }
    }

    /// Lets chance begin anew, so that what comes does not depend on how often it was asked before.
    pub fn reseed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// A block on `parent` with up to `spends` payments, and the flaw that it has: where the one asked for cannot be
    /// had, for want of coins, it is another.
    pub fn block(
        &mut self,
        parent: &Parent,
        spends: usize,
        flaw: Option<Flaw>,
    ) -> (Block, Option<Flaw>) {
        let height = parent.height + 1;
        let mut coins = (*parent.coins).clone();
        let mut payments = Vec::new();
        let mut fees = 0;
        for _ in 0..spends {
            if let Some((payment, fee)) = self.payment(&coins, height) {
                apply(&mut coins, &payment, height, false);
                fees += fee;
                payments.push(payment);
            }
        }
        let mut flaw = flaw;
        if let Some(wanted) = flaw {
            match self.flawed(wanted, &coins, height) {
                Some(flawed) => payments.extend(flawed),
                None => flaw = Some(Flaw::CoinbaseAmount),
            }
        }
        let coinbase = self.coinbase(height, fees, &payments, flaw);
        let time = match flaw {
            Some(Flaw::TimeTooOld) => parent.median_time_past,
            Some(Flaw::TimeTooNew) => CLOCK as u32 + 2 * 3600 + 1,
            _ => (parent.time + self.random.below(900) as u32).max(parent.median_time_past + 1),
        };
        let mut transactions = vec![coinbase];
        transactions.append(&mut payments);
        (self.seal(parent.hash, time, transactions), flaw)
    }

    /// A payment that is valid on these coins, and its fee: one that another branch has, or a new one.
    fn payment(&mut self, coins: &Coins, height: u32) -> Option<(Transaction, u64)> {
        if self.random.one_in(2)
            && let Some(made) = self.random.pick(&self.made)
            && let Some(fee) = fee_on(coins, height, made)
        {
            return Some((made.clone(), fee));
        }
        let mut at_hand: Vec<OutPoint> = coins
            .iter()
            .filter(|(_, coin)| is_mature(coin, height))
            .map(|(outpoint, _)| *outpoint)
            .collect();
        at_hand.sort_unstable();
        let mut chosen = Vec::new();
        for _ in 0..=self.random.below(3) {
            let left = at_hand.len();
            if left > 0 {
                chosen.push(at_hand.swap_remove(self.random.below(left)));
            }
        }
        if chosen.is_empty() {
            return None;
        }
        let total: u64 = chosen
            .iter()
            .map(|outpoint| coins[outpoint].amount.to_sat())
            .sum();
        let fee = match self.random.below(3) {
            0 => 0,
            _ => total.min(1 + self.random.below(5_000) as u64),
        };
        let payment = self.pay(coins, &chosen, total - fee);
        if self.made.len() >= MAX_REMEMBERED {
            self.made.swap_remove(self.random.below(MAX_REMEMBERED));
        }
        self.made.push(payment.clone());
        Some((payment, fee))
    }

    /// A payment that can be in the block after `parent`, of one coin that is not in `spent`, where it is put; it pays more
    /// than any mempool asks for. `None` where there is no such coin.
    pub fn loose(&mut self, parent: &Parent, spent: &mut HashSet<OutPoint>) -> Option<Transaction> {
        const FEE: u64 = 10_000;
        let rich = |coin: &Coin| coin.amount.to_sat() > 10 * FEE;
        let mut at_hand: Vec<OutPoint> = (parent.coins.iter())
            .filter(|(_, coin)| is_mature(coin, parent.height + 1) && rich(coin))
            .map(|(outpoint, _)| *outpoint)
            .filter(|outpoint| !spent.contains(outpoint))
            .collect();
        at_hand.sort_unstable();
        let chosen = self.random.pick(&at_hand).copied()?;
        spent.insert(chosen);
        let coin = parent.coins.get(&chosen)?;
        Some(Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![Lock::of(&coin.script_pubkey).input(chosen)],
            output: vec![TxOut {
                value: Amount::from_sat(coin.amount.to_sat() - FEE),
                script_pubkey: Lock::WitnessScriptHash.script(),
            }],
        })
    }

    fn pay(&mut self, coins: &Coins, chosen: &[OutPoint], amount: u64) -> Transaction {
        let input = chosen.iter().map(|outpoint| {
            let lock = coins
                .get(outpoint)
                .map_or(Lock::Bare(0), |coin| Lock::of(&coin.script_pubkey));
            lock.input(*outpoint)
        });
        let mut left = amount;
        let mut output = Vec::new();
        for _ in 0..self.random.below(3) {
            let part = match self.random.below(4) {
                0 => 0,
                _ => self.random.number() % (left + 1),
            };
            left -= part;
            output.push(self.output(part));
        }
        output.push(self.output(left));
        if self.random.one_in(6) {
            let note = Builder::new()
                .push_opcode(opcodes::all::OP_RETURN)
                .push_int(self.random.below(100) as i64)
                .into_script();
            output.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: note,
            });
        }
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: input.collect(),
            output,
        }
    }

    fn output(&mut self, sat: u64) -> TxOut {
        TxOut {
            value: Amount::from_sat(sat),
            script_pubkey: LOCKS[self.random.below(LOCKS.len())].script(),
        }
    }

    /// Payments that put the flaw into a block; none where it lies elsewhere in it, `None` if there are no coins for it.
    fn flawed(&mut self, flaw: Flaw, coins: &Coins, height: u32) -> Option<Vec<Transaction>> {
        let some_coin = |wanted: &dyn Fn(&OutPoint, &Coin) -> bool| {
            let found = coins
                .iter()
                .filter(|(outpoint, coin)| wanted(outpoint, coin));
            found.map(|(outpoint, _)| *outpoint).min()
        };
        let mature = some_coin(&|_, coin| is_mature(coin, height) && coin.amount > Amount::ZERO);
        let value =
            |outpoint: &OutPoint| coins.get(outpoint).map_or(0, |coin| coin.amount.to_sat());
        let flawed = match flaw {
            Flaw::TimeTooOld | Flaw::TimeTooNew | Flaw::CoinbaseHeight | Flaw::CoinbaseAmount => {
                Vec::new()
            }
            Flaw::NotFinal => {
                let mut payment = self.pay(coins, &[mature?], 0);
                payment.lock_time = absolute::LockTime::from_height(height).ok()?;
                payment.input[0].sequence = Sequence::ZERO;
                vec![payment]
            }
            Flaw::MissingInput => {
                // One that was spent, or is on another branch only; else one that never was.
                let gone = self
                    .made
                    .iter()
                    .map(|made| OutPoint::new(made.compute_txid(), 0))
                    .find(|outpoint| !coins.contains_key(outpoint))
                    .unwrap_or(OutPoint::new(Txid::hash(&self.extra.to_le_bytes()), 0));
                vec![self.pay(coins, &[gone], 0)]
            }
            Flaw::SpentTwice => {
                let coin = mature?;
                vec![
                    self.pay(coins, &[coin], value(&coin)),
                    self.pay(coins, &[coin], value(&coin) / 2),
                ]
            }
            Flaw::Premature => {
                let coin = some_coin(&|_, coin| !is_mature(coin, height))?;
                vec![self.pay(coins, &[coin], value(&coin))]
            }
            Flaw::BelowOut => {
                let coin = mature?;
                vec![self.pay(coins, &[coin], value(&coin) + 1)]
            }
            Flaw::Script => {
                let mut payment = self.pay(coins, &[mature?], 0);
                payment.input[0].script_sig = Builder::new()
                    .push_opcode(opcodes::all::OP_RETURN)
                    .into_script();
                vec![payment]
            }
        };
        Some(flawed)
    }

    fn coinbase(
        &mut self,
        height: u32,
        fees: u64,
        payments: &[Transaction],
        flaw: Option<Flaw>,
    ) -> Transaction {
        let committed = payments.iter().any(has_witness);
        // Now and then the same coinbase as that of another block at this height.
        let common = flaw.is_none() && self.random.one_in(8);
        let subsidy = subsidy(height);
        let claimed = match flaw {
            Some(Flaw::CoinbaseAmount) => subsidy + fees + 1,
            _ if common => subsidy,
            _ => subsidy + fees - self.random.below(2) as u64 * fees / 2,
        };
        let named = match flaw {
            Some(Flaw::CoinbaseHeight) => height + 1,
            _ => height,
        };
        let extra = if common { 0 } else { self.extra };
        self.extra += 1;
        let script_sig = Builder::new()
            .push_int(i64::from(named))
            .push_slice(extra.to_le_bytes())
            .into_script();
        let mut output = if common {
            vec![TxOut {
                value: Amount::from_sat(claimed),
                script_pubkey: LOCKS[0].script(),
            }]
        } else {
            let part = match self.random.below(3) {
                0 => self.random.number() % (claimed + 1),
                _ => 0,
            };
            let mut output = vec![self.output(claimed - part)];
            if part > 0 {
                output.push(self.output(part));
            }
            output
        };
        let mut witness = Witness::new();
        if committed {
            let nonce = [0; 32];
            witness.push(nonce);
            output.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: commitment(payments, &nonce),
            });
        }
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig,
                sequence: Sequence::MAX,
                witness,
            }],
            output,
        }
    }

    /// Puts a header on the transactions and grinds its nonce.
    fn seal(&mut self, parent: BlockHash, time: u32, transactions: Vec<Transaction>) -> Block {
        let mut block = Block {
            header: Header {
                version: Version::from_consensus(0x2000_0000),
                prev_blockhash: parent,
                merkle_root: TxMerkleNode::all_zeros(),
                time,
                bits: CompactTarget::from_consensus(REGTEST_BITS),
                nonce: self.nonce,
            },
            txdata: transactions,
        };
        block.header.merkle_root = block
            .compute_merkle_root()
            .unwrap_or(TxMerkleNode::all_zeros());
        while block.header.validate_pow(block.header.target()).is_err() {
            block.header.nonce = block.header.nonce.wrapping_add(1);
        }
        // The next block starts behind, so that it differs even when all else is the same.
        self.nonce = block.header.nonce.wrapping_add(1);
        block
    }
}

/// What a coinbase may claim beside the fees, in satoshis.
fn subsidy(height: u32) -> u64 {
    5_000_000_000 >> (height / HALVING)
}

/// Whether a block at `height` may spend the coin.
fn is_mature(coin: &Coin, height: u32) -> bool {
    !coin.coinbase || height >= coin.height + COINBASE_MATURITY
}

/// What the transaction pays as a fee on these coins; `None` if they do not let it in.
fn fee_on(coins: &Coins, height: u32, payment: &Transaction) -> Option<u64> {
    let mut total = 0;
    for input in &payment.input {
        let coin = coins.get(&input.previous_output)?;
        if !is_mature(coin, height) {
            return None;
        }
        total += coin.amount.to_sat();
    }
    let paid: u64 = payment
        .output
        .iter()
        .map(|output| output.value.to_sat())
        .sum();
    total.checked_sub(paid)
}

fn has_witness(transaction: &Transaction) -> bool {
    transaction
        .input
        .iter()
        .any(|input| !input.witness.is_empty())
}

/// The output that commits to the witnesses (BIP141).
fn commitment(payments: &[Transaction], nonce: &[u8; 32]) -> ScriptBuf {
    let coinbase = std::iter::once([0; 32]);
    let wtxids = payments
        .iter()
        .map(|payment| payment.compute_wtxid().to_byte_array());
    let leaves = coinbase
        .chain(wtxids)
        .map(WitnessMerkleNode::from_byte_array);
    let root = bitcoin::merkle_tree::calculate_root(leaves).expect("there is a coinbase");
    let hash = Block::compute_witness_commitment(&root, nonce);
    let mut push = PushBytesBuf::from([0xaa, 0x21, 0xa9, 0xed]);
    push.extend_from_slice(hash.as_byte_array())
        .expect("36 bytes can be pushed");
    Builder::new()
        .push_opcode(opcodes::all::OP_RETURN)
        .push_slice(push)
        .into_script()
}
