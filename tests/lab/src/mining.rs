//! Owns the lab's blocks: made on any parent, handed in, one commit for many.
//! Promises that each is new, whatever its siblings are, and that the seed decides its time and coinbase.
//! Refuses nothing that the rules allow: what they do not is the ledger's to say.

use bitcoin::consensus::encode::serialize;
use bitcoin::{Amount, Block, BlockHash, Script, ScriptBuf, Transaction};
use everett_ledger::{Outcome, World};
use everett_scenario::Party;
use everett_scenario::assemble::{self, Template};

use crate::at::At;
use crate::error::LabError;
use crate::lab::Lab;

/// Blocks that one commit of [`Lab::grow`] takes.
pub const MAX_BLOCKS_A_COMMIT: u32 = 1_000;

/// Blocks that must follow a coinbase until it can be spent in the next one.
const MATURITY: u32 = 99;

/// What the next block of a branch takes from the one before it.
struct Tip {
    hash: BlockHash,
    height: u32,
    /// The first second that the rules allow, or a later one.
    earliest: u32,
}

impl Lab {
    /// Mines one block with these transactions, in their order, and hands it in; the world at it.
    ///
    /// # Errors
    ///
    /// [`LabError::Mine`] when a transaction's coins are not there, [`LabError::Refused`] when the ledger does not take
    /// the block.
    pub fn mine(
        &self,
        on: impl Into<At>,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Result<World, LabError> {
        self.mine_paying(self.payout(), on.into(), transactions)
    }

    /// The same, with the reward for `miner`.
    ///
    /// # Errors
    ///
    /// As [`Lab::mine`].
    pub fn mine_to(
        &self,
        miner: &Party,
        on: impl Into<At>,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Result<World, LabError> {
        self.mine_paying(miner.script_pubkey(), on.into(), transactions)
    }

    fn mine_paying(
        &self,
        payout: &Script,
        on: At,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Result<World, LabError> {
        let parent = self.world(on)?;
        let transactions: Vec<Transaction> = transactions.into_iter().collect();
        let block = self.assemble(&parent, payout, transactions)?;
        self.hand_in(parent.height() + 1, &[serialize(&block)])?;
        self.state.lock().payments.mined(&block.txdata[1..]);
        Ok(self.ledger().world(&block.block_hash())?)
    }

    /// Mines `count` blocks without transactions, one on the other; the world at the last, or at the parent if `count`
    /// is 0. One commit takes up to [`MAX_BLOCKS_A_COMMIT`] of them.
    ///
    /// # Errors
    ///
    /// As [`Lab::mine`].
    pub fn grow(&self, on: impl Into<At>, count: u32) -> Result<World, LabError> {
        self.grow_paying(self.payout(), on.into(), count)
    }

    /// The same, with the rewards for `miner`.
    ///
    /// # Errors
    ///
    /// As [`Lab::mine`].
    pub fn grow_to(&self, miner: &Party, on: impl Into<At>, count: u32) -> Result<World, LabError> {
        self.grow_paying(miner.script_pubkey(), on.into(), count)
    }

    fn grow_paying(&self, payout: &Script, on: At, count: u32) -> Result<World, LabError> {
        let parent = self.world(on)?;
        let mut template = self.template(&parent, payout);
        let mut tip = self.tip(&parent);
        let mut left = count;
        while left > 0 {
            let some = match self.live {
                // What the rules allow after it is only known when it is there.
                true => 1,
                false => left.min(MAX_BLOCKS_A_COMMIT),
            };
            let first = tip.height + 1;
            let mut blocks = Vec::with_capacity(some as usize);
            for _ in 0..some {
                self.put_on(&mut template, &tip);
                let block = template.block(Vec::new())?;
                tip = Tip {
                    hash: block.block_hash(),
                    height: template.height,
                    earliest: template.time.saturating_add(1),
                };
                blocks.push(serialize(&block));
            }
            self.hand_in(first, &blocks)?;
            if self.live {
                tip = self.tip(&self.ledger().world(&tip.hash)?);
            }
            left -= some;
        }
        Ok(self.ledger().world(&tip.hash)?)
    }

    /// Mines a coinbase for `party` on the best tip, and what it takes to let it mature: the world in which it can be
    /// spent by the next block.
    ///
    /// # Errors
    ///
    /// As [`Lab::mine`].
    pub fn fund(&self, party: &Party) -> Result<World, LabError> {
        let coinbase = self.grow_to(party, At::Best, 1)?;
        self.grow(&coinbase, MATURITY)
    }

    /// Makes a block and keeps it from the ledger: to be spoilt, held back, or handed in with [`Lab::submit`].
    ///
    /// # Errors
    ///
    /// [`LabError::World`] for the parent, [`LabError::Mine`].
    pub fn block(
        &self,
        on: impl Into<At>,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Result<Block, LabError> {
        let parent = self.world(on)?;
        self.assemble(&parent, self.payout(), transactions.into_iter().collect())
    }

    fn assemble(
        &self,
        parent: &World,
        payout: &Script,
        transactions: Vec<Transaction>,
    ) -> Result<Block, LabError> {
        let fees = match transactions.is_empty() {
            true => Amount::ZERO,
            false => assemble::fees(parent, &transactions)?,
        };
        let mut template = self.template(parent, payout);
        self.put_on(&mut template, &self.tip(parent));
        template.reward += fees;
        Ok(template.block(transactions)?)
    }

    /// What all blocks above `parent` have in common; [`Lab::put_on`] fills in the rest.
    fn template(&self, parent: &World, payout: &Script) -> Template {
        // Regtest never changes its target, and segwit is active from the start.
        let next = self.ledger().next_block(parent);
        Template {
            height: next.height,
            parent: parent.hash(),
            time: next.min_time,
            bits: next.bits,
            version: next.version,
            reward: next.subsidy,
            witness_active: next.witness_active,
            payout: ScriptBuf::from(payout),
            extra_nonce: None,
        }
    }

    fn tip(&self, world: &World) -> Tip {
        let earliest = match self.live {
            true => self.ledger().next_block(world).min_time,
            // Later than the block before is later than the median of the eleven before.
            false => world.header().time.saturating_add(1),
        };
        Tip {
            hash: world.hash(),
            height: world.height(),
            earliest,
        }
    }

    /// Moves the template on top of `tip`, with a time and a coinbase of its own, and the clock with it.
    fn put_on(&self, template: &mut Template, tip: &Tip) {
        let (interval, extra_nonce) = {
            let random = &mut self.state.lock().random;
            (random.below(2 * self.spacing as usize - 1), random.number())
        };
        template.parent = tip.hash;
        template.height = tip.height + 1;
        template.reward = self.ledger().params().subsidy(template.height);
        template.extra_nonce = Some(extra_nonce);
        let clock = self.ledger().clock();
        if self.live {
            let now = u32::try_from(clock.now()).unwrap_or(u32::MAX);
            template.time = now.max(tip.earliest);
        } else {
            template.time = tip.earliest.saturating_add(interval as u32);
            clock.set(clock.now().max(u64::from(template.time)));
        }
    }

    fn hand_in(&self, first_height: u32, blocks: &[Vec<u8>]) -> Result<(), LabError> {
        let answers = self.ledger().submit_blocks(blocks)?;
        for (height, answer) in (first_height..).zip(answers) {
            if let Outcome::Accepted { .. } = answer.outcome {
                continue;
            }
            let answer_text = answer.outcome.bip22().unwrap_or_default();
            let (hash, answer) = match answer.outcome {
                Outcome::Rejected { hash, reject, .. } => (hash, reject.to_string()),
                Outcome::Known { hash, .. } | Outcome::Orphan { hash, .. } => (hash, answer_text),
                _ => (self.best().hash(), answer_text),
            };
            return Err(LabError::Refused {
                hash,
                height,
                answer,
            });
        }
        Ok(())
    }
}
