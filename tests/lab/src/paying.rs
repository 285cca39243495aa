//! Owns the lab's payments: which coins they spend, and how they are spent again otherwise.
//! Promises that payments made one after the other can stand in one block in that order, and that a double spend is
//! one only where it is asked for, or where a reorganisation has made the coins new.
//! Refuses to mine: a payment is a transaction until a block takes it.

use std::collections::{HashMap, VecDeque};

use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid};
use everett_ledger::{COINBASE_MATURITY, Coin, ReadError, World};
use everett_scenario::Party;
use everett_scenario::purse::{self, Coins, PurseError};

use crate::at::At;
use crate::error::LabError;
use crate::lab::Lab;

/// What a payment leaves to the miner.
pub const FEE: Amount = Amount::from_sat(1_000);

/// Payments that a lab remembers, to spend their coins again; the oldest are forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// Payments that may wait to be mined before the oldest are given up: their coins are spent again then.
const MAX_PENDING: usize = 1_000;

/// The payments that a lab has made.
#[derive(Default)]
pub(crate) struct Payments {
    made: HashMap<Txid, Made>,
    /// The same, oldest first.
    order: VecDeque<Txid>,
    /// Those that no block of this lab has taken yet, oldest first.
    pending: VecDeque<Transaction>,
}

#[derive(Clone)]
struct Made {
    transaction: Transaction,
    from: Party,
    coins: Coins,
}

impl Payments {
    fn remember(&mut self, made: Made) {
        let txid = made.transaction.compute_txid();
        self.pending.push_back(made.transaction.clone());
        if self.pending.len() > MAX_PENDING {
            self.pending.pop_front();
        }
        if self.made.insert(txid, made).is_none() {
            self.order.push_back(txid);
        }
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
    }

    /// A block of the lab has these.
    pub(crate) fn mined(&mut self, transactions: &[Transaction]) {
        if !self.pending.is_empty() {
            self.pending
                .retain(|pending| !transactions.contains(pending));
        }
    }

    /// Those that wait and could stand in the next block after `world`, in this order.
    fn possible(&self, world: &World) -> Result<Vec<Transaction>, LabError> {
        let mut possible: Vec<Transaction> = Vec::new();
        for transaction in &self.pending {
            if fits(world, &possible, transaction)? {
                possible.push(transaction.clone());
            }
        }
        Ok(possible)
    }
}

/// Whether all that a transaction spends can be spent in the block after `world`, behind `earlier` ones of that block.
pub(crate) fn fits(
    world: &World,
    earlier: &[Transaction],
    transaction: &Transaction,
) -> Result<bool, ReadError> {
    let made = |wanted: &OutPoint| {
        let of = |other: &&Transaction| other.compute_txid() == wanted.txid;
        let other = earlier.iter().find(of);
        other.is_some_and(|other| (wanted.vout as usize) < other.output.len())
    };
    for input in &transaction.input {
        let wanted = input.previous_output;
        let mut spent = earlier.iter().flat_map(|other| &other.input);
        if spent.any(|other| other.previous_output == wanted) {
            return Ok(false);
        }
        let mature =
            |coin: Coin| !coin.coinbase || coin.height + COINBASE_MATURITY <= world.height() + 1;
        if !made(&wanted) && !world.coin(&wanted)?.is_some_and(mature) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Lab {
    /// A signed payment from the coins that `from` has in the best world, with a fee of [`FEE`]; what is left goes back
    /// to `from`. No block has it yet: [`Lab::mine`] puts it into one.
    ///
    /// The oldest coins go first, without those that a payment which still waits for a block spends.
    ///
    /// # Errors
    ///
    /// [`LabError::Funds`].
    pub fn pay(&self, from: &Party, to: &Party, amount: Amount) -> Result<Transaction, LabError> {
        self.pay_at(At::Best, from, to, amount)
    }

    /// The same, from the coins in another world.
    ///
    /// # Errors
    ///
    /// [`LabError::World`], [`LabError::Funds`].
    pub fn pay_at(
        &self,
        at: impl Into<At>,
        from: &Party,
        to: &Party,
        amount: Amount,
    ) -> Result<Transaction, LabError> {
        let world = self.world(at)?;
        let mut state = self.state.lock();
        let earlier = state.payments.possible(&world)?;
        let needs = with_fee(amount, FEE);
        let coins = purse::choose(from, &world, &earlier, needs).map_err(|error| match error {
            PurseError::Read(error) => LabError::Read(error),
            PurseError::Short { has } => LabError::Funds {
                party: from.name().to_owned(),
                needs,
                has,
                world: world.hash(),
                height: world.height(),
            },
        })?;
        let made = sign(from, coins, to, amount, FEE)?;
        let transaction = made.transaction.clone();
        state.payments.remember(made);
        Ok(transaction)
    }

    /// Spends the coins of a payment otherwise: all of them but [`FEE`] to `to`. The two cannot stand on one branch.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownPayment`] where this lab did not make it.
    pub fn double_spend(&self, payment: &Transaction, to: &Party) -> Result<Transaction, LabError> {
        self.replace(payment, |made| {
            let worth = worth(&made.coins);
            let amount = worth.checked_sub(FEE).unwrap_or(Amount::ZERO);
            sign(&made.from, made.coins.clone(), to, amount, FEE)
        })
    }

    /// The same payment with a fee of `fee`, which comes off what goes back to its sender.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownPayment`] where this lab did not make it, [`LabError::Worth`] where its coins do not reach.
    pub fn bump_fee(&self, payment: &Transaction, fee: Amount) -> Result<Transaction, LabError> {
        self.replace(payment, |made| {
            let worth = worth(&made.coins);
            let mine = made.from.script_pubkey();
            let outputs = made.transaction.output.iter();
            let mut outputs: Vec<TxOut> = outputs
                .filter(|output| output.script_pubkey != *mine)
                .cloned()
                .collect();
            let needs = with_fee(outputs.iter().map(|output| output.value).sum(), fee);
            let change = worth.checked_sub(needs).ok_or(LabError::Worth {
                txid: made.transaction.compute_txid(),
                worth,
                needs,
            })?;
            if change > Amount::ZERO {
                outputs.push(TxOut {
                    value: change,
                    script_pubkey: mine.clone(),
                });
            }
            Ok(Made {
                transaction: made.from.spend(&made.coins, outputs)?,
                ..made.clone()
            })
        })
    }

    fn replace(
        &self,
        payment: &Transaction,
        other: impl FnOnce(&Made) -> Result<Made, LabError>,
    ) -> Result<Transaction, LabError> {
        let txid = payment.compute_txid();
        let mut state = self.state.lock();
        let made = state.payments.made.get(&txid);
        let made = made.ok_or(LabError::UnknownPayment {
            txid,
            limit: MAX_REMEMBERED,
        })?;
        let replacement = other(made)?;
        let transaction = replacement.transaction.clone();
        state.payments.remember(replacement);
        Ok(transaction)
    }
}

/// Spends `coins` of `from`: `amount` to `to`, what the fee leaves back to `from`.
fn sign(
    from: &Party,
    coins: Coins,
    to: &Party,
    amount: Amount,
    fee: Amount,
) -> Result<Made, LabError> {
    let mut outputs = vec![TxOut {
        value: amount,
        script_pubkey: to.script_pubkey().clone(),
    }];
    let change = worth(&coins).checked_sub(with_fee(amount, fee));
    if let Some(change) = change.filter(|change| *change > Amount::ZERO) {
        outputs.push(TxOut {
            value: change,
            script_pubkey: from.script_pubkey().clone(),
        });
    }
    Ok(Made {
        transaction: from.spend(&coins, outputs)?,
        from: from.clone(),
        coins,
    })
}

/// What a payment takes; more than there is for amounts that do not add up.
fn with_fee(amount: Amount, fee: Amount) -> Amount {
    amount.checked_add(fee).unwrap_or(Amount::MAX)
}

fn worth(coins: &Coins) -> Amount {
    coins.iter().map(|(_, output)| output.value).sum()
}
