//! Owns the blocks of a history: real regtest blocks on any parent, with the UTXO set at each in a map of its own.
//! Promises that a block breaks no rule unless it was asked to, in which case it spends a coin that is not there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, Txid, Witness, absolute,
};
use everett_ledger::setinfo::SetInfoBuilder;
use everett_ledger::{Coin, Network, Params, ScriptPubKey, SetInfo};

use crate::random::Random;

/// How many scripts share all coins.
pub const SCRIPTS: u8 = 6;

/// Transactions of other branches that a new block may repeat.
const REMEMBERED: usize = 40;

/// Index of the genesis block.
pub const GENESIS: usize = 0;

/// The UTXO set at a block.
pub type Coins = BTreeMap<OutPoint, Coin>;

/// What a block is to hold beside its coinbase.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filling {
    /// Most transactions in it.
    pub transactions: u64,
    /// Bytes that its coinbase carries for nothing.
    pub padding: usize,
    /// Whether it is to spend a coin that is not there.
    pub broken: bool,
}

/// A block, and all that follows from it and its ancestors.
pub struct Mined {
    /// Its hash.
    pub hash: BlockHash,
    /// Index of its parent; genesis is its own.
    pub parent: usize,
    /// Its height.
    pub height: u32,
    /// As it is submitted.
    pub bytes: Vec<u8>,
    /// How many transactions it has.
    pub tx_count: u32,
    /// Whether it and all its ancestors keep all rules.
    pub valid: bool,
    /// The UTXO set at it; that of its last valid ancestor if it is not.
    pub coins: Arc<Coins>,
    time: u32,
    info: OnceLock<SetInfo>,
}

impl Mined {
    /// What is to be said of the UTXO set at it.
    pub fn set_info(&self) -> &SetInfo {
        self.info.get_or_init(|| {
            let mut info = SetInfoBuilder::new();
            self.coins
                .iter()
                .for_each(|(outpoint, coin)| info.add(outpoint, coin));
            info.finish()
        })
    }
}

/// Blocks in the order in which they were mined.
pub struct Forest {
    blocks: Vec<Mined>,
    by_hash: HashMap<BlockHash, usize>,
    params: Params,
    /// Transactions of any branch, the latest last.
    remembered: Vec<Transaction>,
}

/// Script number `number` of those that anyone can spend.
pub fn script(number: u8) -> ScriptBuf {
    let name = PushBytesBuf::from([0x80, number]);
    Builder::new()
        .push_slice(name)
        .push_opcode(bitcoin::opcodes::all::OP_DROP)
        .push_int(1)
        .into_script()
}

impl Default for Forest {
    fn default() -> Forest {
        Forest::new()
    }
}

impl Forest {
    /// Genesis alone.
    pub fn new() -> Forest {
        let params = Params::new(Network::Regtest);
        let genesis = &params.genesis;
        let block = Mined {
            hash: params.genesis_hash(),
            parent: GENESIS,
            height: 0,
            bytes: bitcoin::consensus::serialize(genesis),
            tx_count: 1,
            valid: true,
            coins: Arc::default(),
            time: genesis.header.time,
            info: OnceLock::new(),
        };
        Forest {
            by_hash: HashMap::from([(block.hash, GENESIS)]),
            blocks: vec![block],
            params,
            remembered: Vec::new(),
        }
    }

    /// The block at an index.
    pub fn block(&self, index: usize) -> &Mined {
        &self.blocks[index]
    }

    /// How many blocks there are.
    pub fn count(&self) -> usize {
        self.blocks.len()
    }

    /// Index of the block with this hash.
    pub fn find(&self, hash: &BlockHash) -> Option<usize> {
        self.by_hash.get(hash).copied()
    }

    /// The network's parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The ancestor of `index` at `height`, which is at most its own.
    pub fn ancestor(&self, mut index: usize, height: u32) -> usize {
        while self.blocks[index].height > height {
            index = self.blocks[index].parent;
        }
        index
    }

    /// Whether `index` lies on the chain that ends at `tip`.
    pub fn is_on_chain(&self, index: usize, tip: usize) -> bool {
        let height = self.blocks[index].height;
        height <= self.blocks[tip].height && self.ancestor(tip, height) == index
    }

    /// The last block that both chains share.
    pub fn fork(&self, a: usize, b: usize) -> usize {
        let height = self.blocks[a].height.min(self.blocks[b].height);
        let (mut a, mut b) = (self.ancestor(a, height), self.ancestor(b, height));
        while a != b {
            (a, b) = (self.blocks[a].parent, self.blocks[b].parent);
        }
        a
    }

    /// Mines a block on `parent` and returns its index.
    pub fn mine(&mut self, parent: usize, chance: &mut Random, filling: Filling) -> usize {
        let (height, time) = (self.blocks[parent].height + 1, self.blocks[parent].time);
        let mut coins = Coins::clone(&self.blocks[parent].coins);
        let (transactions, fees) = self.transactions(&mut coins, height, chance, filling);
        let coinbase = self.coinbase(height, fees, chance, filling.padding);
        enter(&mut coins, &coinbase, height);
        let mut block = Block {
            header: Header {
                version: BlockVersion::from_consensus(0x2000_0000),
                prev_blockhash: self.blocks[parent].hash,
                merkle_root: TxMerkleNode::all_zeros(),
                time: time + 1,
                bits: CompactTarget::from_consensus(self.params.pow_limit_bits),
                nonce: 0,
            },
            txdata: std::iter::once(coinbase).chain(transactions).collect(),
        };
        block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
        while !self.params.pow_limit.is_met_by(block.block_hash()) {
            block.header.nonce += 1;
        }
        let valid = self.blocks[parent].valid && !filling.broken;
        let hash = block.block_hash();
        self.by_hash.insert(hash, self.blocks.len());
        self.blocks.push(Mined {
            hash,
            parent,
            height,
            bytes: bitcoin::consensus::serialize(&block),
            tx_count: block.txdata.len() as u32,
            valid,
            coins: match valid {
                true => Arc::new(coins),
                false => Arc::clone(&self.blocks[parent].coins),
            },
            time: block.header.time,
            info: OnceLock::new(),
        });
        self.blocks.len() - 1
    }

    /// Transactions that hold at `height` on top of `coins`, and what they pay; `coins` is changed by them.
    fn transactions(
        &mut self,
        coins: &mut Coins,
        height: u32,
        chance: &mut Random,
        filling: Filling,
    ) -> (Vec<Transaction>, u64) {
        let (mut block, mut fees) = (Vec::new(), 0);
        let mut used = BTreeSet::new();
        for _ in 0..chance.between(0, filling.transactions) {
            // What another branch did is done again here if it can be, so that worlds share transactions.
            let again = chance.pick(&self.remembered).cloned();
            let transaction = match again.filter(|_| chance.percent(40)) {
                Some(transaction) => transaction,
                None => spend(coins, height, chance, &used),
            };
            let spendable = |input: &TxIn| {
                let coin = coins.get(&input.previous_output);
                coin.is_some_and(|coin| is_mature(coin, height))
            };
            let made_here = |input: &TxIn| used.contains(&input.previous_output.txid);
            let fresh = !used.contains(&transaction.compute_txid());
            let inputs = &transaction.input;
            if inputs.is_empty() || !fresh || !inputs.iter().all(spendable) {
                continue;
            }
            // A coin of this very block may be spent in it, once in a while.
            if inputs.iter().any(made_here) && chance.percent(50) {
                continue;
            }
            let spent: u64 = inputs
                .iter()
                .map(|input| coins[&input.previous_output].amount.to_sat())
                .sum();
            let paid: u64 = transaction
                .output
                .iter()
                .map(|output| output.value.to_sat())
                .sum();
            fees += spent - paid;
            used.insert(transaction.compute_txid());
            enter(coins, &transaction, height);
            block.push(transaction);
        }
        self.remembered.extend(block.iter().cloned());
        let surplus = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..surplus);
        if filling.broken {
            let nowhere = OutPoint::new(Txid::from_byte_array([height as u8; 32]), 7);
            block.push(transaction(vec![nowhere], vec![(0, script(0))]));
        }
        (block, fees)
    }

    fn coinbase(&self, height: u32, fees: u64, chance: &mut Random, padding: usize) -> Transaction {
        let reward = self.params.subsidy(height).to_sat() + fees;
        let first = chance.between(1, reward - 1);
        let pays = |sat, number| (sat, script(number));
        let mut outputs = vec![
            pays(first, chance.number_below(SCRIPTS.into()) as u8),
            pays(reward - first, chance.number_below(SCRIPTS.into()) as u8),
        ];
        if padding > 0 {
            let bytes = std::iter::repeat_with(|| chance.number() as u8).take(padding);
            let mut script = vec![bitcoin::opcodes::all::OP_RETURN.to_u8()];
            script.extend(bytes);
            outputs.push((0, ScriptBuf::from_bytes(script)));
        }
        let mut coinbase = transaction(vec![OutPoint::null()], outputs);
        coinbase.input[0].script_sig = Builder::new()
            .push_int(height.into())
            // Makes blocks of one height differ.
            .push_slice((self.blocks.len() as u32).to_le_bytes())
            .into_script();
        coinbase
    }
}

fn is_mature(coin: &Coin, height: u32) -> bool {
    !coin.coinbase || height >= coin.height + everett_ledger::COINBASE_MATURITY
}

fn transaction(inputs: Vec<OutPoint>, outputs: Vec<(u64, ScriptBuf)>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs
            .into_iter()
            .map(|previous_output| TxIn {
                previous_output,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            })
            .collect(),
        output: outputs
            .into_iter()
            .map(|(sat, script_pubkey)| TxOut {
                value: Amount::from_sat(sat),
                script_pubkey,
            })
            .collect(),
    }
}

/// A transaction of one or two inputs and as many outputs, or none if there is nothing to spend.
fn spend(coins: &Coins, height: u32, chance: &mut Random, used: &BTreeSet<Txid>) -> Transaction {
    let spendable: Vec<(&OutPoint, &Coin)> = coins
        .iter()
        .filter(|(_, coin)| is_mature(coin, height) && coin.amount.to_sat() > 10_000)
        .collect();
    let here: Vec<_> = spendable
        .iter()
        .filter(|(outpoint, _)| used.contains(&outpoint.txid))
        .copied()
        .collect();
    let mut inputs = BTreeMap::new();
    for _ in 0..chance.between(1, 2) {
        let from = match !here.is_empty() && chance.percent(30) {
            true => &here,
            false => &spendable,
        };
        if let Some((outpoint, coin)) = chance.pick(from) {
            inputs.insert(**outpoint, coin.amount.to_sat());
        }
    }
    let sum: u64 = inputs.values().sum();
    let mut left = sum.saturating_sub(chance.number_below(500));
    let mut outputs = Vec::new();
    for _ in 1..chance.between(1, 3) {
        let part = chance.number_below(left);
        outputs.push((part, script(chance.number_below(SCRIPTS.into()) as u8)));
        left -= part;
    }
    outputs.push((left, script(chance.number_below(SCRIPTS.into()) as u8)));
    transaction(inputs.into_keys().collect(), outputs)
}

/// Takes out what a transaction spends and puts in what it makes.
fn enter(coins: &mut Coins, transaction: &Transaction, height: u32) {
    for input in &transaction.input {
        coins.remove(&input.previous_output);
    }
    let txid = transaction.compute_txid();
    for (vout, output) in transaction.output.iter().enumerate() {
        if is_coin(&output.script_pubkey) {
            let coin = Coin {
                amount: output.value,
                script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
                height,
                coinbase: transaction.is_coinbase(),
            };
            coins.insert(OutPoint::new(txid, vout as u32), coin);
        }
    }
}

fn is_coin(script: &Script) -> bool {
    !script.is_op_return() && script.len() <= 10_000
}
