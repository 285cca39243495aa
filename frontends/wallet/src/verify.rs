//! Owns the check of a transaction before it is sent: each input, the whole, and what the mempool would say.
//! Promises that every live world is asked for every coin, that scripts are run by the rules that blocks are held to, and that
//! nobody waits for them to be run.
//! Refuses to change anything, and to say whether it is wise.

use std::sync::Arc;

use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut, Txid, Weight};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::rules::transaction::check_transaction;
use everett_ledger::{COINBASE_MATURITY, Reject, World};
use everett_mempool::{Accepted, Refused};
use everett_script::{Flags, PreparedTransaction, ScriptError, SpentOutput};

use crate::book::OwnOutput;
use crate::error::WalletError;
use crate::time_lock::TimeLock;
use crate::view::View;
use crate::wallet::Wallet;

/// Inputs of a transaction that is looked at, at most: no block has room for more.
pub const MAX_VERIFIED_INPUTS: usize = 25_000;

/// What was found of a transaction.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its id.
    pub txid: Txid,
    /// Weight units.
    pub weight: u64,
    /// Each input, in their order.
    pub inputs: Vec<VerifiedInput>,
    /// Whether it is a transaction at all, whatever it spends: what a block with it would be refused for.
    pub whole: Result<(), Reject>,
    /// What it pays to miners: inputs less outputs; `None` where a coin is not known, or the outputs are worth more.
    pub fee: Option<Amount>,
    /// What the mempool would say now, at the best world.
    pub mempool: Result<Accepted, Refused>,
}

impl Verified {
    /// Whether it is well formed, its coins are there or wait in the best world, and every script is satisfied. Whether its time
    /// has come is for [`Verified::is_final`] to say.
    pub fn is_valid(&self) -> bool {
        let there = |input: &VerifiedInput| {
            let best = input.worlds.first();
            best.is_some_and(|best| best.coin.can_be_spent()) && input.script == Some(Ok(()))
        };
        self.whole.is_ok() && self.fee.is_some() && self.inputs.iter().all(there)
    }

    /// Whether the next block of the best world may have it, as far as lock times say: see [`CoinThere::lock`].
    pub fn is_final(&self) -> bool {
        let mut best = self.inputs.iter().filter_map(|input| input.worlds.first());
        best.all(|there| there.is_final)
    }
}

/// What was found of an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedInput {
    /// The coin that it spends.
    pub outpoint: OutPoint,
    /// What that is, as far as any live world, the mempool or the wallet knows it.
    pub coin: Option<TxOut>,
    /// Whose it is if it is ours.
    pub ours: Option<OwnOutput>,
    /// The coin in each live world, the best one first.
    pub worlds: Vec<CoinThere>,
    /// What its script says: `None` where it cannot be run because a coin is not known. Signatures of taproot cover the coins
    /// of all inputs.
    pub script: Option<Result<(), ScriptError>>,
}

impl VerifiedInput {
    /// Whether every live world has the coin, or could have it.
    pub fn is_everywhere(&self) -> bool {
        self.worlds.iter().all(|there| there.coin.can_be_spent())
    }
}

/// A coin in one world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoinThere {
    /// The world's tip.
    pub tip: BlockHash,
    /// Its height.
    pub height: u32,
    /// What is with the coin there.
    pub coin: CoinState,
    /// What a block has to be there to have the transaction, by its own lock time and by this input's.
    pub lock: TimeLock,
    /// Whether the next block is that.
    pub is_final: bool,
}

/// What is with a coin in a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoinState {
    /// It is there.
    Unspent {
        /// Height of the block that made it.
        height: u32,
        /// Whether the next block may spend it: it is no coinbase, or an old one.
        mature: bool,
        /// Another transaction that waits there and spends it.
        spender: Option<Txid>,
    },
    /// The transaction that makes it waits there.
    Pending {
        /// Another transaction that waits there and spends it.
        spender: Option<Txid>,
    },
    /// It was there, and this block of the world spent it; `None` where that is too deep to be known.
    Spent {
        /// The block.
        block: Option<BlockHash>,
    },
    /// It is not known there.
    Missing,
}

impl CoinState {
    /// Whether the next block could spend it.
    pub fn can_be_spent(&self) -> bool {
        match self {
            CoinState::Unspent { mature, .. } => *mature,
            CoinState::Pending { .. } => true,
            CoinState::Spent { .. } | CoinState::Missing => false,
        }
    }

    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            CoinState::Unspent { mature: true, .. } => "unspent",
            CoinState::Unspent { mature: false, .. } => "immature",
            CoinState::Pending { .. } => "pending",
            CoinState::Spent { .. } => "spent",
            CoinState::Missing => "missing",
        }
    }
}

impl Wallet {
    /// Checks a transaction, ours or not, sent or not: each input in every live world with its script, the whole, and what the
    /// mempool would say. Costs a read for each input and world, and the scripts twice, which nobody waits for who wants the
    /// wallet.
    ///
    /// # Errors
    ///
    /// [`WalletError::TooHeavy`], [`WalletError::TooManyInputs`]; those of the ledger and of the mempool. What is wrong with the transaction is in the
    /// answer.
    pub fn verify(&self, tx: &Transaction) -> Result<Verified, WalletError> {
        let weight = tx.weight();
        if weight > Weight::MAX_BLOCK {
            return Err(WalletError::TooHeavy {
                weight: weight.to_wu(),
                limit: Weight::MAX_BLOCK.to_wu(),
            });
        }
        if tx.input.len() > MAX_VERIFIED_INPUTS {
            return Err(WalletError::TooManyInputs {
                inputs: tx.input.len(),
                limit: MAX_VERIFIED_INPUTS,
            });
        }
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let mut inputs = self.view()?.inputs_of(&decoded)?;
        let coins: Option<Vec<TxOut>> = inputs.iter().map(|input| input.coin.clone()).collect();
        if let Some(coins) = &coins {
            let spent: Vec<SpentOutput<'_>> = coins.iter().map(SpentOutput::from).collect();
            if let Ok(prepared) = PreparedTransaction::new(tx, &spent) {
                for (index, input) in inputs.iter_mut().enumerate() {
                    input.script = Some(prepared.verify_input(index, Flags::CONSENSUS));
                }
            }
        }
        let fee = coins
            .as_ref()
            .and_then(|coins| sum(coins)?.checked_sub(sum(&tx.output)?));
        Ok(Verified {
            txid: decoded.txid,
            weight: weight.to_wu(),
            inputs,
            whole: check_transaction(&decoded),
            fee,
            mempool: self.mempool().test_accept(&decoded)?,
        })
    }
}

impl View<'_> {
    /// The inputs of a transaction with their coins in every live world; their scripts are not run.
    ///
    /// # Errors
    ///
    /// Those of the ledger and of the mempool.
    pub fn inputs_of(
        &self,
        decoded: &DecodedTransaction,
    ) -> Result<Vec<VerifiedInput>, WalletError> {
        let tx = &decoded.tx;
        let worlds = || std::iter::once(&self.best).chain(&self.rivals);
        let mut inputs: Vec<VerifiedInput> = (tx.input.iter())
            .map(|input| VerifiedInput {
                outpoint: input.previous_output,
                coin: None,
                ours: self.output(&input.previous_output),
                worlds: Vec::with_capacity(1 + self.rivals.len()),
                script: None,
            })
            .collect();
        for world in worlds() {
            self.look_into(world, decoded, &mut inputs)?;
        }
        for input in &mut inputs {
            // One that no world has any more may be known all the same.
            let known = || {
                self.record(&input.outpoint.txid)?
                    .tx
                    .output
                    .get(input.outpoint.vout as usize)
            };
            if input.coin.is_none() {
                input.coin = known().cloned();
            }
        }
        Ok(inputs)
    }

    /// Looks for the coins of all inputs in one world.
    fn look_into(
        &self,
        world: &World,
        decoded: &DecodedTransaction,
        inputs: &mut [VerifiedInput],
    ) -> Result<(), WalletError> {
        let (tx, txid) = (&decoded.tx, decoded.txid);
        let whole = TimeLock::of_transaction(tx);
        let mempool = self.mempool.view_on(world)?;
        for (input, spending) in inputs.iter_mut().zip(&tx.input) {
            let outpoint = &input.outpoint;
            let spender = mempool.spender(outpoint).filter(|other| *other != txid);
            let coin = match world.coin(outpoint)? {
                Some(coin) => {
                    input.coin.get_or_insert_with(|| TxOut {
                        value: coin.amount,
                        script_pubkey: ScriptBuf::from_bytes(
                            coin.script_pubkey.as_bytes().to_vec(),
                        ),
                    });
                    CoinState::Unspent {
                        height: coin.height,
                        mature: !coin.coinbase
                            || coin.height + COINBASE_MATURITY <= world.height() + 1,
                        spender,
                    }
                }
                None => {
                    let waits = mempool.transaction(&outpoint.txid);
                    let waits = waits.and_then(|tx| tx.tx.output.get(outpoint.vout as usize));
                    match waits {
                        Some(output) => {
                            input.coin.get_or_insert_with(|| output.clone());
                            CoinState::Pending { spender }
                        }
                        None => self.spent_or_missing(world, outpoint),
                    }
                }
            };
            let made = match &coin {
                CoinState::Unspent { height, .. } => Some(*height),
                CoinState::Pending { .. } => Some(world.height().saturating_add(1)),
                // Its lock counts from a block that is not known.
                CoinState::Spent { .. } | CoinState::Missing => None,
            };
            let own = made.map(|made| TimeLock::of_input(tx, spending.sequence, made, world));
            let lock = whole.and(own.unwrap_or_default());
            input.worlds.push(CoinThere {
                tip: world.hash(),
                height: world.height(),
                coin,
                lock,
                is_final: lock.has_passed(world),
            });
        }
        Ok(())
    }

    fn spent_or_missing(&self, world: &World, outpoint: &OutPoint) -> CoinState {
        let block = world.spent_in(outpoint);
        let made = self.state(world).place(&outpoint.txid).is_some();
        let exists = self.script_of(outpoint).is_some();
        match block.is_some() || (made && exists) {
            true => CoinState::Spent { block },
            false => CoinState::Missing,
        }
    }
}

/// What outputs are worth together; `None` where that is more than can be counted.
pub(crate) fn sum(outputs: &[TxOut]) -> Option<Amount> {
    let mut values = outputs.iter().map(|output| output.value);
    values.try_fold(Amount::ZERO, |sum, value| sum.checked_add(value))
}
