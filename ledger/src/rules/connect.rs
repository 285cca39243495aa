//! Owns the rules that need coins: what a block may spend, and what it leaves behind.
//! Promises the delta of a valid block, with one lookup per input, and Bitcoin Core's answer for any other.
//! Refuses to change anything: who keeps the coins applies the delta.

use bitcoin::{Amount, OutPoint, Txid};
use everett_script::{Flags, p2sh_sigops, witness_sigops};
use hashbrown::{HashMap, HashSet};
use thiserror::Error;

use super::block::MAX_BLOCK_SIGOPS_COST;
use super::chain::Chain;
use super::reject::Reject;
use super::script_check::{BlockScripts, ScriptCheck, ScriptFailure, SpentCoins};
use super::transaction::{
    WITNESS_SCALE_FACTOR, in_money_range, sequence_locks_pass, signed, value_out,
};
use crate::coin::{Coin, ScriptPubKey};
use crate::decode::{DecodedBlock, DecodedTransaction};
use crate::delta::Delta;
use crate::params::Params;

#[cfg(test)]
mod tests;

/// How many blocks must lie on a coinbase, itself included, before it can be spent in the next one.
pub const COINBASE_MATURITY: u32 = 100;

/// From this height on, blocks of the known chain may repeat coinbases again: some coinbases from before BIP34
/// start with heights above it.
const BIP34_IMPLIES_BIP30_LIMIT: u32 = 1_983_702;

/// The coins at a block's parent.
pub trait CoinSource {
    /// Why a lookup may fail.
    type Error;

    /// The unspent coin at `outpoint`, if there is one.
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, Self::Error>;
}

/// A block that can be connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connected {
    /// What it does to the coins.
    pub delta: Delta,
    /// Outpoints of the coins that it both made and spent, in the order of its inputs.
    pub passing: Vec<OutPoint>,
    /// What its transactions pay beyond what they create.
    pub fees: Amount,
    /// What its signature operations cost, of [`MAX_BLOCK_SIGOPS_COST`].
    pub sigop_cost: u64,
}

/// Why a block was not connected.
#[derive(Debug, Error)]
pub enum ConnectError<E> {
    /// The block is invalid.
    #[error("{0}")]
    Reject(Reject),
    /// The coins could not be looked up: nothing is known about the block.
    #[error("cannot look up coins: {0}")]
    Source(E),
}

impl<E> From<Reject> for ConnectError<E> {
    fn from(reject: Reject) -> ConnectError<E> {
        ConnectError::Reject(reject)
    }
}

/// Connects a block that passed [`check_block`](super::check_block) and
/// [`check_block_in_context`](super::check_block_in_context) to the chain that ends at its parent, whose coins
/// `coins` has. Not for the genesis block: its coinbase is no coin.
///
/// Reasons, in this order: `bad-txns-BIP30`; for each transaction `bad-txns-inputs-missingorspent`,
/// `bad-txns-premature-spend-of-coinbase`, `bad-txns-inputvalues-outofrange`, `bad-txns-in-belowout`,
/// `bad-txns-accumulated-fee-outofrange`, `bad-txns-nonfinal`, `bad-blk-sigops`; then `bad-cb-amount`; then
/// `block-script-verify-flag-failed (…)`. As in Bitcoin Core with more than one thread, scripts have the last word.
pub fn connect<S: CoinSource>(
    block: &DecodedBlock,
    parent: &impl Chain,
    coins: &S,
    params: &Params,
    scripts: &dyn ScriptCheck,
) -> Result<Connected, ConnectError<S::Error>> {
    let height = parent.height() + 1;
    let flags = params.script_flags(height, &block.hash);
    let overwritten = check_bip30(block, parent, coins, params)?;
    let mut ledger = BlockLedger::new(block, height, coins);
    ledger.spent.extend(overwritten);

    let inputs = block.transactions.iter().map(|tx| tx.tx.input.len()).sum();
    let mut spent = SpentCoins::with_capacity(block.transactions.len(), inputs);
    let mut fees = 0i64;
    let mut sigop_cost = 0;
    for (index, transaction) in block.transactions.iter().enumerate() {
        if transaction.is_coinbase() {
            spent.push_transaction([]);
        } else {
            let inputs = ledger.spend(transaction)?;
            fees += check_inputs(transaction, &inputs, height)?;
            if !in_money_range(fees) {
                let debug = format!(
                    "the fees up to transaction {} are too much",
                    transaction.txid
                );
                return Err(Reject::consensus("bad-txns-accumulated-fee-outofrange", debug).into());
            }
            let heights = inputs.iter().map(|coin| coin.height);
            if height >= params.csv_height && !sequence_locks_pass(&transaction.tx, heights, parent)
            {
                let debug = format!(
                    "contains a non-BIP68-final transaction {}",
                    transaction.txid
                );
                return Err(Reject::consensus("bad-txns-nonfinal", debug).into());
            }
            spent.push_transaction(inputs);
        }
        sigop_cost += transaction_sigop_cost(transaction, spent.of(index), flags);
        if sigop_cost > MAX_BLOCK_SIGOPS_COST {
            return Err(Reject::consensus("bad-blk-sigops", "too many sigops").into());
        }
        ledger.create(transaction);
    }

    check_coinbase_amount(block, fees, params.subsidy(height))?;
    let scripts_of_block = BlockScripts {
        block: block.hash,
        transactions: &block.transactions,
        spent: &spent,
        flags,
    };
    scripts
        .check(scripts_of_block)
        .map_err(|failure| script_reject(block, failure))?;

    let passing = std::mem::take(&mut ledger.passing);
    Ok(Connected {
        delta: ledger.into_delta(),
        passing,
        fees: Amount::from_sat(fees as u64),
        sigop_cost,
    })
}

/// The outpoints that a connected block both made and spent: [`Connected::passing`] from the block's bytes alone.
pub fn passing_outpoints(block: &DecodedBlock) -> Vec<OutPoint> {
    let made: HashSet<Txid, foldhash::fast::RandomState> =
        block.transactions.iter().map(|tx| tx.txid).collect();
    let inputs = block.transactions.iter().flat_map(|tx| &tx.tx.input);
    inputs
        .map(|input| input.previous_output)
        .filter(|outpoint| made.contains(&outpoint.txid))
        .collect()
}

/// The coins that a connected block made and did not spend itself: [`Delta::created`] from the block's bytes alone.
pub fn created_coins(block: &DecodedBlock, height: u32) -> Vec<(OutPoint, Coin)> {
    let inputs = block.transactions.iter().flat_map(|tx| &tx.tx.input);
    let spent: HashSet<OutPoint> = inputs.map(|input| input.previous_output).collect();
    let mut created = Vec::new();
    for transaction in &block.transactions {
        let coinbase = transaction.is_coinbase();
        for (outpoint, output) in outpoints(transaction).zip(&transaction.tx.output) {
            if !Coin::is_unspendable(&output.script_pubkey) && !spent.contains(&outpoint) {
                let script_pubkey = ScriptPubKey::new(output.script_pubkey.as_bytes());
                created.push((
                    outpoint,
                    Coin {
                        amount: output.value,
                        script_pubkey,
                        height,
                        coinbase,
                    },
                ));
            }
        }
    }
    created
}

/// Looks for unspent coins that the block would overwrite (BIP30): an error, or where the block is one of the
/// known exceptions, those coins.
fn check_bip30<S: CoinSource>(
    block: &DecodedBlock,
    parent: &impl Chain,
    coins: &S,
    params: &Params,
) -> Result<Vec<(OutPoint, Coin)>, ConnectError<S::Error>> {
    let height = parent.height() + 1;
    let exception = params.bip30_exceptions.contains(&(height, block.hash));
    if !exception && !can_overwrite(parent, params) {
        return Ok(Vec::new());
    }
    let mut overwritten = Vec::new();
    for transaction in &block.transactions {
        for (outpoint, output) in outpoints(transaction).zip(&transaction.tx.output) {
            if Coin::is_unspendable(&output.script_pubkey) {
                continue;
            }
            if let Some(coin) = coins.coin(&outpoint).map_err(ConnectError::Source)? {
                overwritten.push((outpoint, coin));
            }
        }
    }
    if let (Some((outpoint, _)), false) = (overwritten.first(), exception) {
        let debug = format!("{outpoint} is made again before it was spent");
        return Err(Reject::consensus("bad-txns-BIP30", debug).into());
    }
    Ok(overwritten)
}

/// Whether the block after `parent` could repeat a transaction at all, so that it has to be looked for.
///
/// A repeated transaction needs a repeated coinbase somewhere behind it. Where BIP34 has put the height into
/// every coinbase since block 1, no two are equal. Where it began later, it is known for one chain only that
/// no earlier coinbase can come again: the one with the known block at BIP34's height, up to a limit.
fn can_overwrite(parent: &impl Chain, params: &Params) -> bool {
    if params.bip34_height <= 1 {
        return false;
    }
    let known_chain = params.bip34_hash.is_some_and(|hash| {
        parent.height() >= params.bip34_height && parent.header(params.bip34_height).hash == hash
    });
    !known_chain || parent.height() + 1 >= BIP34_IMPLIES_BIP30_LIMIT
}

fn outpoints(transaction: &DecodedTransaction) -> impl Iterator<Item = OutPoint> {
    let txid = transaction.txid;
    (0..transaction.tx.output.len()).map(move |vout| OutPoint {
        txid,
        vout: vout as u32,
    })
}

/// Checks maturity and amounts of a transaction's inputs, and returns its fee in satoshis.
fn check_inputs(
    transaction: &DecodedTransaction,
    inputs: &[Coin],
    height: u32,
) -> Result<i64, Reject> {
    let txid = transaction.txid;
    let mut value_in = 0;
    for coin in inputs {
        let depth = height.saturating_sub(coin.height);
        if coin.coinbase && depth < COINBASE_MATURITY {
            let debug = format!("tried to spend coinbase at depth {depth} in transaction {txid}");
            return Err(Reject::consensus(
                "bad-txns-premature-spend-of-coinbase",
                debug,
            ));
        }
        let value = signed(coin.amount);
        if !in_money_range(value) || !in_money_range(value_in + value) {
            let debug = format!(" in transaction {txid}");
            return Err(Reject::consensus("bad-txns-inputvalues-outofrange", debug));
        }
        value_in += value;
    }
    let value_out = value_out(&transaction.tx);
    if value_in < value_out {
        let debug = format!(
            "value in ({}) < value out ({}) in transaction {txid}",
            bitcoins(value_in),
            bitcoins(value_out)
        );
        return Err(Reject::consensus("bad-txns-in-belowout", debug));
    }
    match value_in - value_out {
        fee if in_money_range(fee) => Ok(fee),
        _ => Err(Reject::consensus(
            "bad-txns-fee-outofrange",
            format!(" in transaction {txid}"),
        )),
    }
}

/// An amount in bitcoins, with two decimals at least and no zeros after them.
fn bitcoins(sat: i64) -> String {
    const COIN: u64 = 100_000_000;
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.unsigned_abs();
    let decimals = format!("{:08}", sat % COIN);
    let (first, rest) = decimals.split_at(2);
    format!("{sign}{}.{first}{}", sat / COIN, rest.trim_end_matches('0'))
}

/// What the signature operations of a transaction cost, those in P2SH scripts and witnesses included.
fn transaction_sigop_cost(transaction: &DecodedTransaction, spent: &[Coin], flags: Flags) -> u64 {
    let mut full = transaction.legacy_sigops as usize;
    let mut in_witnesses = 0;
    for (input, coin) in transaction.tx.input.iter().zip(spent) {
        let (script_sig, script_pubkey) = (&input.script_sig, &coin.script_pubkey);
        if flags.contains(Flags::P2SH) {
            full += p2sh_sigops(script_sig, script_pubkey);
        }
        in_witnesses += witness_sigops(script_sig, script_pubkey, &input.witness, flags);
    }
    (full * WITNESS_SCALE_FACTOR + in_witnesses) as u64
}

fn check_coinbase_amount(block: &DecodedBlock, fees: i64, subsidy: Amount) -> Result<(), Reject> {
    let limit = fees + signed(subsidy);
    let paid = block
        .transactions
        .first()
        .map_or(0, |coinbase| value_out(&coinbase.tx));
    match paid > limit {
        true => {
            let debug = format!("coinbase pays too much (actual={paid} vs limit={limit})");
            Err(Reject::consensus("bad-cb-amount", debug))
        }
        false => Ok(()),
    }
}

fn script_reject(block: &DecodedBlock, failure: ScriptFailure) -> Reject {
    let debug = match block.transactions.get(failure.transaction) {
        None => String::new(),
        Some(transaction) => {
            let input = transaction.tx.input.get(failure.input);
            let spent = input.map(|input| input.previous_output).unwrap_or_default();
            format!(
                "input {} of {} (wtxid {}), spending {spent}",
                failure.input, transaction.txid, transaction.wtxid
            )
        }
    };
    Reject::consensus(
        format!("block-script-verify-flag-failed ({})", failure.text),
        debug,
    )
}

/// The coins as they change from transaction to transaction of one block.
struct BlockLedger<'a, S> {
    height: u32,
    coins: &'a S,
    /// Coins that the block made, in the order of its outputs; `None` once spent, and for those that never can be.
    created: Vec<(OutPoint, Option<Coin>)>,
    /// Where in `created` each transaction's outputs start.
    starts: HashMap<Txid, usize, foldhash::fast::RandomState>,
    /// Coins of earlier blocks that the block spent.
    spent: Vec<(OutPoint, Coin)>,
    /// The outpoints of `spent`, for they still stand in `coins`.
    spent_outpoints: HashSet<OutPoint, foldhash::fast::RandomState>,
    /// Outpoints that the block both made and spent.
    passing: Vec<OutPoint>,
}

impl<'a, S: CoinSource> BlockLedger<'a, S> {
    fn new(block: &DecodedBlock, height: u32, coins: &'a S) -> BlockLedger<'a, S> {
        let outputs = block.transactions.iter().map(|tx| tx.tx.output.len()).sum();
        let inputs = block.transactions.iter().map(|tx| tx.tx.input.len()).sum();
        let hasher = foldhash::fast::RandomState::default();
        BlockLedger {
            height,
            coins,
            created: Vec::with_capacity(outputs),
            starts: HashMap::with_capacity_and_hasher(block.transactions.len(), hasher.clone()),
            spent: Vec::with_capacity(inputs),
            passing: Vec::new(),
            spent_outpoints: HashSet::with_capacity_and_hasher(inputs, hasher),
        }
    }

    /// Takes the coins that a transaction's inputs name, in their order.
    fn spend(
        &mut self,
        transaction: &DecodedTransaction,
    ) -> Result<Vec<Coin>, ConnectError<S::Error>> {
        let mut inputs = Vec::with_capacity(transaction.tx.input.len());
        for input in &transaction.tx.input {
            let outpoint = input.previous_output;
            let coin = match self.starts.get(&outpoint.txid) {
                Some(start) => self.take_created(*start, outpoint),
                None => self.take_earlier(outpoint)?,
            };
            inputs.push(coin.ok_or_else(|| {
                let debug = format!(
                    "CheckTxInputs: inputs missing/spent in transaction {}",
                    transaction.txid
                );
                Reject::consensus("bad-txns-inputs-missingorspent", debug)
            })?);
        }
        Ok(inputs)
    }

    fn take_created(&mut self, start: usize, outpoint: OutPoint) -> Option<Coin> {
        let index = start.checked_add(outpoint.vout as usize)?;
        let (made, coin) = self.created.get_mut(index)?;
        // An output number beyond the transaction's own points into the next one's.
        let coin = match *made == outpoint {
            true => coin.take(),
            false => None,
        };
        if coin.is_some() {
            self.passing.push(outpoint);
        }
        coin
    }

    fn take_earlier(&mut self, outpoint: OutPoint) -> Result<Option<Coin>, ConnectError<S::Error>> {
        if !self.spent_outpoints.insert(outpoint) {
            return Ok(None);
        }
        let coin = self.coins.coin(&outpoint).map_err(ConnectError::Source)?;
        if let Some(coin) = &coin {
            self.spent.push((outpoint, coin.clone()));
        }
        Ok(coin)
    }

    /// Adds the outputs of a transaction.
    fn create(&mut self, transaction: &DecodedTransaction) {
        let coinbase = transaction.is_coinbase();
        self.starts.insert(transaction.txid, self.created.len());
        for (outpoint, output) in outpoints(transaction).zip(&transaction.tx.output) {
            let spendable = !Coin::is_unspendable(&output.script_pubkey);
            let coin = spendable.then(|| Coin {
                amount: output.value,
                script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
                height: self.height,
                coinbase,
            });
            self.created.push((outpoint, coin));
        }
    }

    fn into_delta(self) -> Delta {
        let created = self.created.into_iter();
        Delta {
            spent: self.spent,
            created: created
                .filter_map(|(outpoint, coin)| Some((outpoint, coin?)))
                .collect(),
        }
    }
}
