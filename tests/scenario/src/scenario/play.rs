//! Owns the playing of a scenario: its steps, done to a ledger one after the other.
//! Promises that a play on a fresh regtest makes the same blocks every time, and that a second
//! play on the same ledger finds them there; refuses to go on past a step that cannot be done.

use std::collections::{HashMap, HashSet};

use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, ScriptBuf, Transaction, TxOut};
use everett_ledger::{
    BlockError, ChainStatus, CompareError, Ledger, Outcome, ReadError, StoreError, World,
    WorldError,
};

use super::expect::Unmet;
use super::played::{Played, PlayedBlock, PlayedPayment};
use super::story::{Action, Mining, Payment, PaymentKind, Place, Scenario, Step};
use crate::party::{Party, SignError};
use crate::purse::{self, Coins, PurseError};
use everett_mining::MineError;

#[cfg(test)]
mod tests;

/// Why a scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
#[error("step {step} (line {line}): {cause}")]
pub struct PlayError {
    /// The step, from 1.
    pub step: usize,
    /// The line of the file, from 1.
    pub line: usize,
    /// What went wrong in it.
    pub cause: PlayCause,
}

/// What went wrong in a step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayCause {
    /// The block to build on or to look at has no world.
    #[error("there is no world at {place}: {source}")]
    World {
        /// The block's label.
        place: String,
        /// What the ledger says about it.
        source: WorldError,
    },
    /// The block could not be made.
    #[error("the block cannot be made: {0}")]
    Mine(#[from] MineError),
    /// The ledger did not take the block.
    #[error("the ledger refused block {hash}: {answer}")]
    Refused {
        /// The block.
        hash: BlockHash,
        /// The ledger's answer, in Bitcoin Core's words.
        answer: String,
    },
    /// The party has too little money on that branch.
    #[error(
        "{party} needs {needs} on this branch but has {has} that can be spent; coinbases mature \
         after 100 blocks"
    )]
    Funds {
        /// The party.
        party: String,
        /// The amount, fee included.
        needs: Amount,
        /// What there is.
        has: Amount,
    },
    /// The replacing payment pays more than its coins are worth.
    #[error("the coins of payment {payment} are worth {worth}, which does not reach for {needs}")]
    Worth {
        /// The payment that is replaced.
        payment: String,
        /// What its coins are worth.
        worth: Amount,
        /// What the replacement takes.
        needs: Amount,
    },
    /// A payment could not be signed.
    #[error("a payment cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// The ledger did not invalidate or reconsider.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// A world could not be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// Two worlds could not be compared.
    #[error("{0}")]
    Compare(#[from] CompareError),
    /// The ledger could not store a block.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Scenario {
    /// Plays the scenario on `ledger`, from its first step to its last.
    ///
    /// Expectations that do not hold are collected in [`Played::unmet`], they do not stop the play.
    ///
    /// # Errors
    ///
    /// [`PlayError`]: the step that cannot be done. What came before it stays in the ledger.
    pub fn play(&self, ledger: &Ledger) -> Result<Played, PlayError> {
        self.play_with(ledger, &mut |_| ())
    }

    /// The same, telling `watch` of each step before it is done.
    ///
    /// # Errors
    ///
    /// As [`Scenario::play`].
    pub fn play_with(
        &self,
        ledger: &Ledger,
        watch: &mut dyn FnMut(&Step),
    ) -> Result<Played, PlayError> {
        let mut stage = Stage::new(self, ledger);
        for step in &self.steps {
            watch(step);
            stage.line = step.line;
            stage.act(step).map_err(|cause| PlayError {
                step: step.number,
                line: stage.line,
                cause,
            })?;
        }
        let last = self.steps.last();
        stage.curtain(self).map_err(|cause| PlayError {
            step: last.map_or(0, Step::number),
            line: last.map_or(0, Step::line),
            cause,
        })
    }
}

/// A payment that has been made, so that later ones can refer to it.
struct Made {
    transaction: Transaction,
    from: String,
    coins: Coins,
}

/// All that a play remembers from step to step.
pub(super) struct Stage<'a> {
    pub(super) ledger: &'a Ledger,
    parties: HashMap<&'a str, Party>,
    spacing: u32,
    /// Whom coinbases pay when nobody in particular mined them.
    nobody: Party,
    labels: HashMap<String, BlockHash>,
    payments: HashMap<String, Made>,
    /// Every block of this play, so that no two are the same.
    made: HashSet<BlockHash>,
    last: Option<BlockHash>,
    line: usize,
    pub(super) mined: u32,
    pub(super) named_blocks: Vec<PlayedBlock>,
    pub(super) named_payments: Vec<PlayedPayment>,
    pub(super) unmet: Vec<Unmet>,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario, ledger: &'a Ledger) -> Stage<'a> {
        let parties = scenario
            .parties
            .iter()
            .map(|(name, kind)| (name.as_str(), Party::new(&scenario.seed, name, *kind)))
            .collect();
        Stage {
            ledger,
            parties,
            spacing: scenario.spacing,
            // A seed of its own keeps this key apart from that of any name in the file.
            nobody: Party::new(
                &format!("{}\0nobody", scenario.seed),
                "",
                Default::default(),
            ),
            labels: HashMap::new(),
            payments: HashMap::new(),
            made: HashSet::new(),
            last: None,
            line: 0,
            mined: 0,
            named_blocks: Vec::new(),
            named_payments: Vec::new(),
            unmet: Vec::new(),
        }
    }

    fn act(&mut self, step: &Step) -> Result<(), PlayCause> {
        match &step.action {
            Action::Mine(mining) => self.mine(mining),
            Action::Invalidate(place) => {
                let hash = self.hash_at(place);
                Ok(self.ledger.invalidate_block(&hash)?)
            }
            Action::Reconsider(place) => {
                let hash = self.hash_at(place);
                Ok(self.ledger.reconsider_block(&hash)?)
            }
            Action::Expect(expectations) => {
                let unmet = self.check(step, expectations)?;
                self.unmet.extend(unmet);
                Ok(())
            }
        }
    }

    fn mine(&mut self, mining: &Mining) -> Result<(), PlayCause> {
        let step_line = self.line;
        let mut parent = self.world_at(&mining.on)?;
        let payout = self.payout(mining.by.as_deref());
        let transactions = self.transactions(&mining.payments, &parent)?;
        self.line = step_line;
        let mut next_transactions = transactions.clone();
        for index in 0..mining.blocks {
            let hash = self.block(&parent, std::mem::take(&mut next_transactions), &payout)?;
            if index == 0 {
                self.note_payments(&mining.payments, &transactions, hash);
            }
            parent = self.world(&hash, "the block just made")?;
        }
        let hash = parent.hash();
        self.last = Some(hash);
        if let Some(label) = &mining.label {
            self.labels.insert(label.clone(), hash);
            self.named_blocks.push(PlayedBlock {
                label: label.clone(),
                hash,
                height: parent.height(),
            });
        }
        Ok(())
    }

    /// Makes one block and has the ledger take it.
    fn block(
        &mut self,
        parent: &World,
        transactions: Vec<Transaction>,
        payout: &ScriptBuf,
    ) -> Result<BlockHash, PlayCause> {
        let earliest = self.ledger.next_block(parent).min_time;
        let mut time = earliest.max(parent.header().time.saturating_add(self.spacing));
        loop {
            let bytes = everett_mining::mine(
                self.ledger,
                parent,
                transactions.clone(),
                payout,
                Some(time),
            )?;
            let hash = hash_of(&bytes);
            if !self.made.insert(hash) {
                // A sibling without payments would be the same block again.
                time = time.saturating_add(1);
                continue;
            }
            self.mined += 1;
            let outcome = self.ledger.submit_block(&bytes)?.outcome;
            return match outcome {
                Outcome::Accepted { .. } => Ok(hash),
                // A second play on the same ledger.
                Outcome::Known { status, .. } if status != ChainStatus::Invalid => Ok(hash),
                other => Err(PlayCause::Refused {
                    hash,
                    answer: other.bip22().unwrap_or_default(),
                }),
            };
        }
    }

    fn transactions(
        &mut self,
        payments: &[Payment],
        parent: &World,
    ) -> Result<Vec<Transaction>, PlayCause> {
        let mut transactions = Vec::with_capacity(payments.len());
        for payment in payments {
            self.line = payment.line;
            let made = self.pay(payment, parent, &transactions)?;
            transactions.push(made.transaction.clone());
            if let Some(name) = &payment.name {
                self.payments.insert(name.clone(), made);
            }
        }
        Ok(transactions)
    }

    fn pay(
        &self,
        payment: &Payment,
        parent: &World,
        earlier: &[Transaction],
    ) -> Result<Made, PlayCause> {
        match &payment.kind {
            PaymentKind::Again { payment } => {
                let made = self.made(payment);
                Ok(Made {
                    transaction: made.transaction.clone(),
                    from: made.from.clone(),
                    coins: made.coins.clone(),
                })
            }
            PaymentKind::Fresh {
                from,
                to,
                amount,
                fee,
            } => {
                let party = self.party(from);
                let needs = *amount + *fee;
                let coins =
                    purse::choose(party, parent, earlier, needs).map_err(|error| match error {
                        PurseError::Read(error) => PlayCause::Read(error),
                        PurseError::Short { has } => PlayCause::Funds {
                            party: from.clone(),
                            needs,
                            has,
                        },
                    })?;
                self.sign(from, coins, to, *amount, *fee)
            }
            PaymentKind::InsteadOf {
                payment,
                to,
                amount,
                fee,
            } => {
                let made = self.made(payment);
                let worth = worth(&made.coins);
                let amount = amount.unwrap_or(worth.checked_sub(*fee).unwrap_or(Amount::ZERO));
                if amount + *fee > worth {
                    return Err(PlayCause::Worth {
                        payment: payment.clone(),
                        worth,
                        needs: amount + *fee,
                    });
                }
                let (from, coins) = (made.from.clone(), made.coins.clone());
                self.sign(&from, coins, to, amount, *fee)
            }
        }
    }

    /// Spends `coins` of `from`: `amount` to `to`, what the fee leaves back to `from`.
    fn sign(
        &self,
        from: &str,
        coins: Coins,
        to: &str,
        amount: Amount,
        fee: Amount,
    ) -> Result<Made, PlayCause> {
        let party = self.party(from);
        let mut outputs = vec![TxOut {
            value: amount,
            script_pubkey: self.party(to).script_pubkey().clone(),
        }];
        let change = worth(&coins)
            .checked_sub(amount + fee)
            .unwrap_or(Amount::ZERO);
        if change > Amount::ZERO {
            outputs.push(TxOut {
                value: change,
                script_pubkey: party.script_pubkey().clone(),
            });
        }
        Ok(Made {
            transaction: party.spend(&coins, outputs)?,
            from: from.to_owned(),
            coins,
        })
    }

    fn note_payments(&mut self, payments: &[Payment], made: &[Transaction], block: BlockHash) {
        for (payment, transaction) in payments.iter().zip(made) {
            if let Some(name) = &payment.name {
                self.named_payments.push(PlayedPayment {
                    name: name.clone(),
                    txid: transaction.compute_txid(),
                    block,
                });
            }
        }
    }

    fn payout(&self, by: Option<&str>) -> ScriptBuf {
        let party = by.map_or(&self.nobody, |name| self.party(name));
        party.script_pubkey().clone()
    }

    pub(super) fn party(&self, name: &str) -> &Party {
        // The reader has checked every name; nobody stands in for one that it let through.
        self.parties.get(name).unwrap_or(&self.nobody)
    }

    fn made(&self, payment: &str) -> &Made {
        self.payments
            .get(payment)
            .expect("the reader lets a payment be referred to only after the step that makes it")
    }

    /// The block that a scenario means.
    pub(super) fn hash_at(&self, place: &Place) -> BlockHash {
        let genesis = || self.ledger.params().genesis.block_hash();
        match place {
            Place::Best => self.ledger.best().hash(),
            Place::Genesis => genesis(),
            Place::Last => self.last.unwrap_or_else(genesis),
            Place::Label(label) => *self
                .labels
                .get(label)
                .expect("the reader lets a label be used only after the step that gives it"),
        }
    }

    /// The world at the block that a scenario means.
    pub(super) fn world_at(&self, place: &Place) -> Result<World, PlayCause> {
        self.world(&self.hash_at(place), &place.to_string())
    }

    fn world(&self, hash: &BlockHash, place: &str) -> Result<World, PlayCause> {
        self.ledger.world(hash).map_err(|source| PlayCause::World {
            place: place.to_owned(),
            source,
        })
    }

    /// What a block is called, or its hash.
    pub(super) fn name_of(&self, hash: &BlockHash) -> String {
        let named = self.named_blocks.iter().find(|block| block.hash == *hash);
        named.map_or_else(|| hash.to_string(), |block| block.label.clone())
    }
}

fn worth(coins: &Coins) -> Amount {
    coins.iter().map(|(_, output)| output.value).sum()
}

/// The hash of a block that the lab has just serialised.
fn hash_of(bytes: &[u8]) -> BlockHash {
    deserialize::<Block>(bytes).map_or_else(|_| BlockHash::all_zeros(), |b| b.block_hash())
}
