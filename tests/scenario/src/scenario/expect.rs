//! Owns the checking of a scenario's expectations against the ledger.
//! Promises to name each that does not hold, with what was found; refuses to stop at the first.

use std::fmt;

use bitcoin::Amount;
use everett_ledger::ConflictKind;

use super::play::{PlayCause, Stage};
use super::story::{Expectations, ExpectedConflicts, Place, Step};

/// An expectation that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unmet {
    /// The step that expected it, from 1.
    pub step: usize,
    /// The line where that step starts, from 1.
    pub line: usize,
    /// What was expected, and what was found.
    pub what: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} (line {}): {}", self.step, self.line, self.what)
    }
}

impl Stage<'_> {
    /// Every expectation of the step that does not hold now.
    pub(super) fn check(
        &self,
        step: &Step,
        expected: &Expectations,
    ) -> Result<Vec<Unmet>, PlayCause> {
        let mut unmet = Vec::new();
        self.check_tips(expected, &mut unmet);
        self.check_status(expected, &mut unmet);
        self.check_balances(expected, &mut unmet)?;
        for conflicts in &expected.conflicts {
            self.check_conflicts(conflicts, &mut unmet)?;
        }
        Ok(unmet
            .into_iter()
            .map(|what| Unmet {
                step: step.number,
                line: step.line,
                what,
            })
            .collect())
    }

    fn check_tips(&self, expected: &Expectations, unmet: &mut Vec<String>) {
        if let Some(place) = &expected.best {
            let best = self.ledger.best().hash();
            if best != self.hash_at(place) {
                unmet.push(format!(
                    "expected the best world to be {place}, but it is {}",
                    self.name_of(&best)
                ));
            }
        }
        if let Some(expected) = expected.tips {
            let found = self.ledger.tips().len();
            if found != expected {
                unmet.push(format!("expected {expected} tips, but there are {found}"));
            }
        }
    }

    fn check_status(&self, expected: &Expectations, unmet: &mut Vec<String>) {
        for (place, status) in &expected.status {
            let info = self.ledger.block_info(&self.hash_at(place));
            let found = info.map_or("unknown", |info| info.status.as_str());
            if found != status.0.as_str() {
                unmet.push(format!(
                    "expected {place} to be {}, but it is {found}",
                    status.0.as_str()
                ));
            }
        }
    }

    fn check_balances(
        &self,
        expected: &Expectations,
        unmet: &mut Vec<String>,
    ) -> Result<(), PlayCause> {
        for (place, balances) in &expected.balances {
            let world = match self.world_at(place) {
                Ok(world) => world,
                Err(cause) => {
                    unmet.push(format!("expected balances at {place}, but {cause}"));
                    continue;
                }
            };
            for (name, amount) in balances {
                let party = self.party(name);
                let found = world.balance(&party.script_hash())?.confirmed;
                if found != *amount {
                    unmet.push(format!(
                        "expected {name} to have {} at {place}, but it is {}",
                        btc(*amount),
                        btc(found)
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_conflicts(
        &self,
        expected: &ExpectedConflicts,
        unmet: &mut Vec<String>,
    ) -> Result<(), PlayCause> {
        let [a, b]: &[Place; 2] = &expected.between;
        let conflicts = self
            .ledger
            .conflicts(&self.world_at(a)?, &self.world_at(b)?)?;
        let found: Vec<_> = conflicts
            .iter()
            .filter(|conflict| expected.kind.is_none_or(|kind| kind == conflict.kind))
            .collect();
        if found.len() != expected.coins {
            let kind = expected.kind.map_or("conflict", kind_name);
            unmet.push(format!(
                "expected {} coins in {kind} between {a} and {b}, but there are {} ({} conflicts in all)",
                expected.coins,
                found.len(),
                conflicts.len()
            ));
        }
        Ok(())
    }
}

fn btc(amount: Amount) -> impl fmt::Display {
    amount
        .display_in(bitcoin::Denomination::Bitcoin)
        .show_denomination()
}

fn kind_name(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::SameRecipients => "same-recipients",
        ConflictKind::FeeBump => "fee-bump",
        ConflictKind::DoubleSpend => "double-spend",
    }
}
