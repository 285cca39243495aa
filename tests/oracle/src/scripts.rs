//! Owns the comparison of scripts: one spend, many sets of flags, two verdicts each.

use std::collections::BTreeMap;

use anyhow::Result;
use everett_generate::{Case, Entropy, Origin, case};
use everett_script::{Flags, ScriptError};
use serde_json::json;

use crate::kernel::{FLAGS, Spend};
use crate::report::Disagreement;
use crate::shrink::shrink;

/// Sets of flags that a usual case is held against, and how rarely one is held against all of them.
const USUAL_SETS: usize = 4;
const RARELY: usize = 50;

/// Compares verdicts on spends.
pub struct Scripts {
    vectors: Vec<Case>,
    sets: Vec<Flags>,
    /// Verdicts by origin: Everett's word for each, and how often.
    counts: BTreeMap<(Origin, Option<&'static str>), u64>,
}

impl Scripts {
    /// One that starts from these cases too.
    pub fn new(vectors: Vec<Case>) -> Scripts {
        let sets = (0..1u32 << FLAGS.len()).map(|choice| {
            let chosen = FLAGS.iter().enumerate();
            chosen
                .filter(|(at, _)| choice >> at & 1 == 1)
                .fold(Flags::NONE, |set, (_, (flag, _))| set | *flag)
        });
        Scripts {
            vectors,
            sets: sets.filter(|set| set.is_consistent()).collect(),
            counts: BTreeMap::new(),
        }
    }

    /// Compares the case of this number.
    pub fn compare(&mut self, seed: u64, number: u64) -> Result<Option<Disagreement>> {
        let mut entropy = Entropy::seeded(seed, number);
        let (origin, case) = case(&self.vectors, &mut entropy);
        if case.tx.input.is_empty() {
            return Ok(None);
        }
        let core = Spend::new(&case)?;
        let sets = match entropy.below(RARELY) {
            0 => self.sets.clone(),
            _ => {
                let mut sets = vec![Flags::CONSENSUS];
                sets.extend((1..USUAL_SETS).map(|_| *entropy.pick(&self.sets)));
                sets
            }
        };
        for flags in sets {
            let own = case.verify(flags)?;
            let word = own.err().map(ScriptError::name);
            *self.counts.entry((origin, word)).or_default() += 1;
            if own.is_ok() != core.holds(flags)? {
                return Ok(Some(minimal(case, flags)?));
            }
        }
        Ok(None)
    }

    /// Verdicts compared.
    pub fn compared(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Verdicts compared that were "valid".
    pub fn valid(&self) -> u64 {
        let valid = self.counts.iter().filter(|((_, word), _)| word.is_none());
        valid.map(|(_, count)| count).sum()
    }

    /// A line for each origin: which verdicts were met how often.
    pub fn summary(&self) -> Vec<String> {
        let line = |origin: Origin| {
            let verdicts = self.counts.iter().filter(|((from, _), _)| *from == origin);
            let words: Vec<String> = verdicts
                .map(|((_, word), count)| format!("{} {count}", word.unwrap_or("OK")))
                .collect();
            format!("scripts, {}: {}", origin.name(), words.join(", "))
        };
        Origin::ALL.into_iter().map(line).collect()
    }
}

fn disagrees(case: &Case, flags: Flags) -> Result<bool> {
    Ok(case.verify(flags)?.is_ok() != Spend::new(case)?.holds(flags)?)
}

fn minimal(case: Case, flags: Flags) -> Result<Disagreement> {
    let (case, flags) = shrink(case, flags, &disagrees)?;
    let mut line = case.to_json(flags);
    let own = case.verify(flags)?;
    line["everett"] = json!(own.err().map_or("OK", ScriptError::name));
    line["core"] = json!(if own.is_ok() { "invalid" } else { "OK" });
    Ok(Disagreement { line, blocks: None })
}
