//! Owns the comparison of blocks: rounds of random regtest history, handed to both engines step by step.
//! Promises that a round follows from the seed and its number, and that a disagreement comes with few blocks.

mod draft;
mod flaw;
mod forest;
mod judge;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bitcoin::Block;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hex::DisplayHex;
use everett_generate::{Entropy, mutate_bytes};
use serde_json::json;

use crate::report::Disagreement;
use draft::Drafter;
use flaw::Flaw;
use forest::Forest;
use judge::{Judge, Mismatch, Submission, Tally, header_of};

/// Steps of a round; each hands in one block or a few.
pub const STEPS: u64 = 150;
/// Blocks that a round begins with, so that coinbases can be spent.
const BASE: u32 = 104;
/// Blocks among which a parent is chosen that is not the best.
const RECENT: usize = 30;
/// Blocks that a side branch is overtaken by at most.
const MAX_OVERTAKE: u32 = 12;
/// One step in so many makes a large block.
const LARGE_STEP: usize = 60;
/// Rounds replayed at most to make a disagreement small.
const MAX_REPLAYS: usize = 300;

/// Compares blocks.
pub struct Blocks {
    root: PathBuf,
    round: Option<Round>,
    tally: Tally,
    flaws: BTreeMap<Flaw, u64>,
}

struct Round {
    judge: Judge,
    forest: Forest,
    drafter: Drafter,
    /// All that was handed in, in order.
    history: Vec<Submission>,
}

impl Blocks {
    /// One that keeps its chains below `root` while they last.
    pub fn new(root: &Path) -> Blocks {
        Blocks {
            root: root.to_owned(),
            round: None,
            tally: Tally::default(),
            flaws: BTreeMap::new(),
        }
    }

    /// Takes the step of this number; the first of a round builds its base.
    pub fn compare(&mut self, seed: u64, number: u64) -> Result<Option<Disagreement>> {
        let mut entropy = Entropy::seeded(seed.rotate_left(32), number);
        if number.is_multiple_of(STEPS) {
            self.close_round();
        }
        let mut round = match self.round.take() {
            Some(round) => round,
            None => Round::open(&self.root)?,
        };
        let mut mismatch = None;
        if number.is_multiple_of(STEPS) {
            for _ in 0..BASE {
                let parent = round.best();
                mismatch = mismatch.or(round.offer(parent, &[], &mut entropy)?.1);
            }
        }
        let flaws = self.choose_flaws(&mut entropy);
        let mismatch = match mismatch {
            Some(mismatch) => Some(mismatch),
            None => round.step(&flaws, &mut entropy)?,
        };
        let disagreement = match mismatch {
            None => None,
            Some(mismatch) => Some(minimal(&self.root, &round.history, mismatch)?),
        };
        self.round = Some(round);
        Ok(disagreement)
    }

    fn choose_flaws(&mut self, entropy: &mut Entropy<'_>) -> Vec<Flaw> {
        let mut flaws = match entropy.below(100) {
            0..45 => vec![],
            45..85 => vec![*entropy.pick(&Flaw::ALL)],
            _ => (0..2 + entropy.below(2))
                .map(|_| *entropy.pick(&Flaw::ALL))
                .collect(),
        };
        if entropy.below(LARGE_STEP) == 1 {
            flaws.push(*entropy.pick(&Flaw::LARGE));
        }
        for flaw in &flaws {
            *self.flaws.entry(*flaw).or_default() += 1;
        }
        flaws
    }

    fn close_round(&mut self) {
        if let Some(round) = self.round.take() {
            self.tally.add(&round.judge.tally);
        }
    }

    /// Blocks and headers handed in so far.
    pub fn submitted(&self) -> u64 {
        let open = self.round.as_ref();
        self.tally.submitted + open.map_or(0, |round| round.judge.tally.submitted)
    }

    /// Lines for the end.
    pub fn summary(&mut self) -> Vec<String> {
        self.close_round();
        let tally = &self.tally;
        let reasons: Vec<String> = tally
            .reasons
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        let flaws: Vec<String> = self
            .flaws
            .iter()
            .map(|(flaw, count)| format!("{flaw:?} {count}"))
            .collect();
        vec![
            format!(
                "blocks: {} handed in, {} connected by Core, {} reorganisations, {} found invalid late",
                tally.submitted, tally.connected, tally.reorganisations, tally.judged_late
            ),
            format!("blocks, Core's reasons: {}", reasons.join(", ")),
            format!("blocks, flaws: {}", flaws.join(", ")),
        ]
    }
}

impl Round {
    fn open(root: &Path) -> Result<Round> {
        Ok(Round {
            judge: Judge::open(root)?,
            forest: Forest::new(),
            drafter: Drafter::default(),
            history: Vec::new(),
        })
    }

    fn best(&self) -> usize {
        self.forest.find(&self.judge.tip()).unwrap_or(0)
    }

    /// The best block half of the time, else a recent one, seldom an invalid one.
    fn parent(&self, entropy: &mut Entropy<'_>) -> usize {
        if entropy.below(2) == 0 {
            return self.best();
        }
        let count = self.forest.places.len();
        let lowest = count.saturating_sub(RECENT);
        let chosen = lowest + entropy.below(count - lowest);
        match self.forest.places[chosen].valid || entropy.below(10) == 9 {
            true => chosen,
            false => self.best(),
        }
    }

    fn step(&mut self, flaws: &[Flaw], entropy: &mut Entropy<'_>) -> Result<Option<Mismatch>> {
        match entropy.below(20) {
            0 => self.mutant_first(flaws, entropy),
            1 => self.orphan_first(flaws, entropy),
            2 => self.header_first(flaws, entropy),
            3 | 4 => self.resubmit(entropy),
            5..9 => self.overtake(flaws, entropy),
            _ => {
                let parent = self.parent(entropy);
                Ok(self.offer(parent, flaws, entropy)?.1)
            }
        }
    }

    /// Makes a block and hands it in; gives where it is in the forest, if it was taken.
    fn offer(
        &mut self,
        parent: usize,
        flaws: &[Flaw],
        entropy: &mut Entropy<'_>,
    ) -> Result<(Option<usize>, Option<Mismatch>)> {
        let bytes = self.draft(parent, flaws, entropy);
        let mismatch = self.submit(bytes.clone())?;
        let valid =
            header_of(&bytes).is_some_and(|header| self.judge.is_valid(&header.block_hash()));
        if valid {
            self.keep(&bytes, true);
        }
        let place = header_of(&bytes).and_then(|header| self.forest.find(&header.block_hash()));
        Ok((place, mismatch))
    }

    fn draft(&mut self, parent: usize, flaws: &[Flaw], entropy: &mut Entropy<'_>) -> Vec<u8> {
        self.drafter.block(&mut self.forest, parent, flaws, entropy)
    }

    /// Remembers a block to be built on; a header alone, and other bytes than the block's, are left alone.
    fn keep(&mut self, bytes: &[u8], valid: bool) {
        if let Ok((block, _)) = bitcoin::consensus::deserialize_partial::<Block>(bytes) {
            self.forest.grow(&block, valid);
        }
    }

    fn submit(&mut self, bytes: Vec<u8>) -> Result<Option<Mismatch>> {
        let submission = Submission {
            bytes,
            header_only: false,
        };
        self.history.push(submission.clone());
        self.judge.submit(&submission)
    }

    /// Other bytes under the same header come before the block.
    fn mutant_first(
        &mut self,
        flaws: &[Flaw],
        entropy: &mut Entropy<'_>,
    ) -> Result<Option<Mismatch>> {
        let parent = self.parent(entropy);
        let bytes = self.draft(parent, flaws, entropy);
        let mut mutant = bytes.clone();
        if let Ok(mut block) = deserialize::<Block>(&bytes)
            && entropy.below(2) == 1
        {
            let at = entropy.below(block.txdata.len());
            if let Some(tx) = block.txdata.get_mut(at) {
                tx.input[0].witness = match entropy.below(2) {
                    0 => bitcoin::Witness::new(),
                    _ => bitcoin::Witness::from_slice(&[[entropy.below(2) as u8; 32]]),
                };
            }
            mutant = serialize(&block);
        } else {
            let mut body = mutant.split_off(mutant.len().min(80));
            mutate_bytes(&mut body, entropy);
            mutant.extend(body);
        }
        if let Some(mismatch) = self.submit(mutant)? {
            return Ok(Some(mismatch));
        }
        let mismatch = self.submit(bytes.clone())?;
        self.keep_if_valid(&bytes);
        Ok(mismatch)
    }

    fn keep_if_valid(&mut self, bytes: &[u8]) {
        let header = header_of(bytes);
        if header.is_some_and(|header| self.judge.is_valid(&header.block_hash())) {
            self.keep(bytes, true);
        }
    }

    /// A block comes before its parent.
    fn orphan_first(
        &mut self,
        flaws: &[Flaw],
        entropy: &mut Entropy<'_>,
    ) -> Result<Option<Mismatch>> {
        let parent = self.parent(entropy);
        let first = self.draft(parent, flaws, entropy);
        self.keep(&first, false);
        let place = header_of(&first).and_then(|header| self.forest.find(&header.block_hash()));
        let Some(place) = place else {
            return self.submit(first);
        };
        let second = self.draft(place, &[], entropy);
        if let Some(mismatch) = self.submit(second.clone())? {
            return Ok(Some(mismatch));
        }
        let mismatch = self.submit(first.clone())?;
        self.keep_if_valid(&first);
        self.keep_if_valid(&second);
        Ok(mismatch)
    }

    /// A header comes before its block.
    fn header_first(
        &mut self,
        flaws: &[Flaw],
        entropy: &mut Entropy<'_>,
    ) -> Result<Option<Mismatch>> {
        let parent = self.parent(entropy);
        let bytes = self.draft(parent, flaws, entropy);
        if let Some(header) = bytes.get(..80) {
            let submission = Submission {
                bytes: header.to_vec(),
                header_only: true,
            };
            self.history.push(submission.clone());
            if let Some(mismatch) = self.judge.submit(&submission)? {
                return Ok(Some(mismatch));
            }
        }
        let mismatch = self.submit(bytes.clone())?;
        self.keep_if_valid(&bytes);
        Ok(mismatch)
    }

    /// Something comes again.
    fn resubmit(&mut self, entropy: &mut Entropy<'_>) -> Result<Option<Mismatch>> {
        let again = entropy.pick(&self.history).clone();
        self.history.push(again.clone());
        let mismatch = self.judge.submit(&again)?;
        self.keep_if_valid(&again.bytes);
        Ok(mismatch)
    }

    /// A side branch grows longer than the best one. A block of it may have a flaw; then all after it are in vain, but
    /// make Core look at it.
    fn overtake(&mut self, flaws: &[Flaw], entropy: &mut Entropy<'_>) -> Result<Option<Mismatch>> {
        let mut place = self.parent(entropy);
        let best = self.forest.places[self.best()].height;
        let height = self.forest.places[place].height;
        let count = (best + 1).saturating_sub(height).clamp(1, MAX_OVERTAKE);
        let flawed = entropy.below(count as usize) as u32;
        for index in 0..count {
            let flaws = if index == flawed { flaws } else { &[] };
            let bytes = self.draft(place, flaws, entropy);
            let mismatch = self.submit(bytes.clone())?;
            if mismatch.is_some() {
                return Ok(mismatch);
            }
            let Some(header) = header_of(&bytes) else {
                return Ok(None);
            };
            self.keep(&bytes, self.judge.is_valid(&header.block_hash()));
            match self.forest.find(&header.block_hash()) {
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// Leaves out what is not needed for the two to disagree.
fn minimal(root: &Path, history: &[Submission], mismatch: Mismatch) -> Result<Disagreement> {
    let mut needed = history.to_vec();
    let mut found = mismatch;
    let mut replays = 0;
    let mut piece = needed.len() / 2;
    while piece > 0 && replays < MAX_REPLAYS {
        let mut at = 0;
        while at < needed.len() && replays < MAX_REPLAYS {
            let mut fewer = needed.clone();
            fewer.drain(at..(at + piece).min(fewer.len()));
            replays += 1;
            match replay(root, &fewer)? {
                Some((mismatch, length)) => {
                    fewer.truncate(length);
                    needed = fewer;
                    found = mismatch;
                }
                None => at += piece,
            }
        }
        piece /= 2;
    }
    let last = needed.last().map(|submission| submission.bytes.clone());
    let line = json!({
        "block": found.block.to_string(),
        "everett": found.everett,
        "core": found.core,
        "submissions": needed.len(),
        "headers_alone": needed.iter().filter(|submission| submission.header_only).count(),
        "last": last.unwrap_or_default().to_lower_hex_string(),
    });
    let blocks = needed
        .into_iter()
        .filter(|submission| !submission.header_only)
        .map(|submission| submission.bytes);
    Ok(Disagreement {
        line,
        blocks: Some(blocks.collect()),
    })
}

/// The first disagreement of a history, and how much of the history it takes.
fn replay(root: &Path, history: &[Submission]) -> Result<Option<(Mismatch, usize)>> {
    let mut judge = Judge::open(root)?;
    for (index, submission) in history.iter().enumerate() {
        if let Some(mismatch) = judge.submit(submission)? {
            return Ok(Some((mismatch, index + 1)));
        }
    }
    Ok(None)
}
