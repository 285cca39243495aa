//! Owns the miner: templates of what is pending, and blocks made of them.
//! Promises that a template was checked by the ledger before anybody works on it, and that a block which was generated is
//! seen by every later call, in the mempool as well.
//! Refuses threads of its own: it works while it is called, and stops when it is told to.

use bitcoin::block::Header;
use bitcoin::consensus::Encodable;
use bitcoin::{Amount, BlockHash, Script, ScriptBuf, VarInt};
use everett_ledger::decode::{DecodedBlock, DecodedTransaction};
use everett_ledger::rules::header::MAX_FUTURE_BLOCK_TIME;
use everett_ledger::{ChainStatus, Ledger, Network, Outcome, World};
use everett_mempool::Mempool;
use parking_lot::Mutex;

use crate::config::MiningConfig;
use crate::deployment::{PERIOD, TestDeployment};
use crate::error::{GenerateError, TemplateError};
use crate::fill::{Chosen, Filled, Place, fill};
use crate::on_parent::at_least;
use crate::proof_of_work::{Search, search};
use crate::template::{Template, witness_commitment};

#[cfg(test)]
mod tests;

/// Most blocks that are handed in with one commit: some milliseconds' worth, so that what comes meanwhile is in a block
/// soon.
const MAX_RUN: usize = 32;

/// Nonces that are tried for one call unless another number is given.
pub const DEFAULT_MAX_TRIES: u64 = 1_000_000;

/// What the next block should be.
#[derive(Clone, Debug)]
pub struct BlockTemplate {
    /// What its header and coinbase take from the parent, the clock and the miner.
    pub template: Template,
    /// Its transactions after the coinbase, in order.
    pub chosen: Vec<Chosen>,
    /// Its weight, with what is reserved for header and coinbase.
    pub weight: u64,
    /// The earliest time its header may carry, unix seconds.
    pub min_time: u32,
}

impl BlockTemplate {
    /// The block without proof of work.
    pub fn draft(&self) -> DecodedBlock {
        self.template.draft_decoded(self.transactions())
    }

    /// The script with which the coinbase commits to the witnesses, where it has to.
    pub fn witness_commitment(&self) -> Option<ScriptBuf> {
        let wtxids = self.transactions().map(|tx| tx.wtxid);
        self.template
            .witness_active
            .then(|| witness_commitment(wtxids))
    }

    fn transactions(&self) -> impl Iterator<Item = &DecodedTransaction> + Clone {
        self.chosen.iter().map(|chosen| &*chosen.tx)
    }
}

/// Figures of the template that was made last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assembled {
    /// Its weight, with what is reserved for header and coinbase.
    pub weight: u64,
    /// Its transactions, without the coinbase.
    pub transactions: u64,
}

/// A block that was made.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its hash.
    pub hash: BlockHash,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Generated {
    fn of(block: &DecodedBlock) -> Generated {
        Generated {
            hash: block.header.block_hash(),
            bytes: encode(block),
        }
    }
}

/// Blocks that were made one on the other, and how the search for the nonce of the last one ended.
struct Run {
    blocks: Vec<Generated>,
    end: Search,
}

/// Makes blocks.
pub struct Miner {
    mempool: Mempool,
    config: MiningConfig,
    deployment: TestDeployment,
    last: Mutex<Option<Assembled>>,
    /// Held while a block is made and handed in: who makes blocks at the same time makes one chain.
    turn: Mutex<()>,
}

impl Miner {
    /// One that takes transactions from a mempool.
    pub fn new(mempool: Mempool, config: MiningConfig) -> Miner {
        Miner {
            mempool,
            config,
            deployment: TestDeployment::new(config.signal_times),
            last: Mutex::new(None),
            turn: Mutex::new(()),
        }
    }

    /// Its settings.
    pub fn config(&self) -> &MiningConfig {
        &self.config
    }

    /// The state of the deployment that Bitcoin Core has for tests.
    pub fn deployment(&self) -> &TestDeployment {
        &self.deployment
    }

    /// Figures of the template that was made last, whoever asked for it.
    pub fn last_assembled(&self) -> Option<Assembled> {
        *self.last.lock()
    }

    fn ledger(&self) -> &Ledger {
        self.mempool.ledger()
    }

    /// The best block that could be made on the best world now. Costs a look at as many chunks as fit, and the check of
    /// the block, whose scripts the mempool has run.
    ///
    /// # Errors
    ///
    /// [`TemplateError`].
    pub fn template(&self, payout: &Script) -> Result<BlockTemplate, TemplateError> {
        let (world, filled) = {
            let view = self.mempool.view()?;
            let world = view.world().clone();
            let filled = fill(view.chunks(), &self.config, place(&world));
            (world, filled)
        };
        self.finish(&world, filled, payout)
    }

    /// The same on any world, of what would wait there if it were the best one: see [`Mempool::view_on`], also for what
    /// it costs.
    ///
    /// # Errors
    ///
    /// [`TemplateError`].
    pub fn template_on(
        &self,
        world: &World,
        payout: &Script,
    ) -> Result<BlockTemplate, TemplateError> {
        let filled = {
            let view = self.mempool.view_on(world)?;
            fill(view.chunks(), &self.config, place(world))
        };
        self.finish(world, filled, payout)
    }

    /// A block without transactions on any world.
    ///
    /// # Errors
    ///
    /// [`TemplateError`].
    pub fn empty_template_on(
        &self,
        world: &World,
        payout: &Script,
    ) -> Result<BlockTemplate, TemplateError> {
        let nothing = fill(std::iter::empty(), &self.config, place(world));
        self.finish(world, nothing, payout)
    }

    fn finish(
        &self,
        world: &World,
        filled: Filled,
        payout: &Script,
    ) -> Result<BlockTemplate, TemplateError> {
        let ledger = self.ledger();
        let next = ledger.next_block(world);
        let time = at_least(next.min_time, ledger.clock().now());
        let follows = || {
            self.deployment
                .version_after(ledger, &world.hash(), world.height())
        };
        let on_demand = ledger.params().network == Network::Regtest;
        let version = (self.config.version).filter(|_| on_demand);
        let fees = Amount::from_sat(filled.fees.unsigned_abs());
        *self.last.lock() = Some(Assembled {
            weight: filled.weight,
            transactions: filled.chosen.len() as u64,
        });
        let template = BlockTemplate {
            template: Template {
                height: next.height,
                parent: world.hash(),
                time,
                bits: ledger.next_bits(world, time),
                version: version.unwrap_or_else(follows),
                reward: next.subsidy.checked_add(fees).unwrap_or(next.subsidy),
                witness_active: next.witness_active,
                payout: payout.to_owned(),
                extra_nonce: None,
            },
            chosen: filled.chosen,
            weight: filled.weight,
            min_time: next.min_time,
        };
        match ledger.check_proposal(world, &template.draft(), false)? {
            Ok(()) => Ok(template),
            Err(reject) => Err(TemplateError::Invalid(reject)),
        }
    }

    /// Brings the time of a template up to now, and with it the target where that depends on the time.
    pub fn refresh(&self, template: &mut BlockTemplate, parent: &World) {
        let ledger = self.ledger();
        let now = at_least(template.min_time, ledger.clock().now());
        if template.template.time < now {
            template.template.time = now;
        }
        template.template.bits = ledger.next_bits(parent, template.template.time);
    }

    /// Makes `count` blocks, one on the other, and hands them in: on the best world there is whenever one is begun, or on
    /// `at` and what was made there. Ends sooner when `tries` nonces were tried, which it counts down, or `go_on` says no.
    ///
    /// On the best world the blocks are Bitcoin Core's. On a world that was named, a block that is there already gets a
    /// number in its coinbase, so that it becomes another one.
    ///
    /// # Errors
    ///
    /// [`GenerateError`]; the blocks before it stay.
    pub fn generate(
        &self,
        at: Option<BlockHash>,
        payout: &Script,
        count: u32,
        tries: &mut u64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Vec<BlockHash>, GenerateError> {
        let mut made = Vec::new();
        let mut parent = at;
        while made.len() < count as usize && go_on() {
            let _turn = self.turn.lock();
            let run = match parent {
                None => self.run_on_best(payout, count as usize - made.len(), tries, go_on)?,
                Some(hash) => self.one_on(hash, payout, tries, go_on)?,
            };
            self.hand_in(&run.blocks)?;
            made.extend(run.blocks.iter().map(|block| block.hash));
            parent = parent.map(|before| made.last().copied().unwrap_or(before));
            match run.end {
                // As in Bitcoin Core, also where there was no nonce: the clock may have moved.
                Search::Found | Search::NoNonce => {}
                Search::GivenUp => break,
            }
        }
        Ok(made)
    }

    /// A block on a named world; one that is not there yet.
    fn one_on(
        &self,
        parent: BlockHash,
        payout: &Script,
        tries: &mut u64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Run, GenerateError> {
        let mut template = self.template_on(&self.ledger().world(&parent)?, payout)?;
        let mut block = template.draft();
        let mut end = search(&mut block.header, tries, go_on);
        while end == Search::Found && self.is_known(&block) {
            let number = template.template.extra_nonce.map_or(0, |last| last + 1);
            template.template.extra_nonce = Some(number);
            block = template.draft();
            end = search(&mut block.header, tries, go_on);
        }
        let found = (end == Search::Found).then(|| Generated::of(&block));
        Ok(Run {
            blocks: found.into_iter().collect(),
            end,
        })
    }

    /// Blocks on the best world: one with what is pending, and where nothing is, as many more on top of it as are worth a
    /// commit together.
    fn run_on_best(
        &self,
        payout: &Script,
        most: usize,
        tries: &mut u64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Run, GenerateError> {
        let mut template = self.template(payout)?;
        let first = template.template.height;
        let parent = self.ledger().world(&template.template.parent)?;
        // The version may be another one in the next period.
        let of_period = PERIOD - first % PERIOD;
        let most = most.min(MAX_RUN).min(of_period as usize);
        let mut headers: Vec<Header> = Vec::new();
        let mut blocks = Vec::new();
        loop {
            let mut block = template.draft();
            let end = search(&mut block.header, tries, go_on);
            if end != Search::Found {
                return Ok(Run { blocks, end });
            }
            headers.push(block.header);
            blocks.push(Generated::of(&block));
            let next = match blocks.len() < most && go_on() {
                true => self.template_after(&parent, &headers, &template)?,
                false => None,
            };
            match next {
                Some(next) => template = next,
                None => return Ok(Run { blocks, end }),
            }
        }
    }

    /// What follows a block that is still to be handed in, the last of `headers`, which stand on `parent`; `last` is what
    /// it was made of. `None` where the ledger should be asked: something is pending, or the clock is far behind.
    fn template_after(
        &self,
        parent: &World,
        headers: &[Header],
        last: &BlockTemplate,
    ) -> Result<Option<BlockTemplate>, TemplateError> {
        let ledger = self.ledger();
        let on_demand = ledger.params().network == Network::Regtest;
        let (Some(header), true, true) = (headers.last(), on_demand, last.chosen.is_empty()) else {
            return Ok(None);
        };
        {
            let view = self.mempool.view()?;
            if !view.is_empty() || view.world().hash() != parent.hash() {
                return Ok(None);
            }
        }
        let now = ledger.clock().now();
        let next = ledger.next_block_after(parent, headers);
        let time = at_least(next.min_time, now);
        if u64::from(time) > now.saturating_add(MAX_FUTURE_BLOCK_TIME) {
            return Ok(None);
        }
        Ok(Some(BlockTemplate {
            template: Template {
                height: next.height,
                parent: header.block_hash(),
                time,
                bits: next.bits,
                reward: next.subsidy,
                witness_active: next.witness_active,
                ..last.template.clone()
            },
            chosen: Vec::new(),
            weight: last.weight,
            min_time: next.min_time,
        }))
    }

    fn is_known(&self, block: &DecodedBlock) -> bool {
        let hash = block.header.block_hash();
        self.ledger().header(&hash).is_some()
    }

    /// Makes one block of these transactions in their order, whose fees nobody gets, on the best world or on `at`; hands
    /// it in if it is to be `submit`ted. `None` where no nonce was found in as many `tries`, or `go_on` said no.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Invalid`] where the block breaks a rule; it is not handed in then.
    pub fn generate_block(
        &self,
        at: Option<&World>,
        payout: &Script,
        transactions: &[DecodedTransaction],
        submit: bool,
        mut tries: u64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Generated>, GenerateError> {
        let _turn = self.turn.lock();
        let world = at.cloned().unwrap_or_else(|| self.ledger().best());
        let template = self.empty_template_on(&world, payout)?;
        let mut block = template.template.draft_decoded(transactions.iter());
        let judged = self.ledger().check_proposal(&world, &block, true);
        if let Err(reject) = judged.map_err(TemplateError::from)? {
            return Err(TemplateError::Invalid(reject).into());
        }
        if search(&mut block.header, &mut tries, go_on) != Search::Found {
            return Ok(None);
        }
        let generated = Generated::of(&block);
        if submit {
            self.hand_in(std::slice::from_ref(&generated))?;
        }
        Ok(Some(generated))
    }

    /// Hands in blocks, one on the other, with one commit.
    fn hand_in(&self, blocks: &[Generated]) -> Result<(), GenerateError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let bytes: Vec<&[u8]> = blocks.iter().map(|block| &block.bytes[..]).collect();
        let submitted = self.ledger().submit_blocks(&bytes)?;
        for (submitted, block) in submitted.into_iter().zip(blocks) {
            let reason = match submitted.outcome {
                Outcome::Accepted { .. } => None,
                Outcome::Known { status, .. } if status != ChainStatus::Invalid => None,
                refused => refused.bip22(),
            };
            if let Some(reason) = reason {
                let hash = block.hash;
                return Err(GenerateError::Refused { hash, reason });
            }
        }
        self.mempool.catch_up().map_err(TemplateError::from)?;
        Ok(())
    }
}

fn place(parent: &World) -> Place {
    Place {
        height: parent.height().saturating_add(1),
        lock_time: parent.median_time_past(),
    }
}

/// A block as the network carries it.
fn encode(block: &DecodedBlock) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(block.size);
    let written = |result: Result<usize, bitcoin::io::Error>| {
        result.expect("writing to a Vec cannot fail");
    };
    written(block.header.consensus_encode(&mut bytes));
    written(VarInt::from(block.transactions.len()).consensus_encode(&mut bytes));
    for transaction in &block.transactions {
        written(transaction.tx.consensus_encode(&mut bytes));
    }
    bytes
}
