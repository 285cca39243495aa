//! Owns the reading of a scenario file.
//! Promises that what comes out names only parties, blocks and payments that came before, within
//! the limits below; refuses unknown keys, and says of every error in which line it is.

use std::collections::{BTreeMap, HashSet};

use bitcoin::Amount;
use everett_ledger::{ChainStatus, ConflictKind};
use toml::Spanned;

use super::raw::{RawExpect, RawPayment, RawScenario, RawStep};
use super::story::{
    Action, ChainStatusName, Expectations, ExpectedConflicts, Mining, Payment, PaymentKind, Place,
    Scenario, Step,
};
use crate::party::AddressKind;

#[cfg(test)]
mod tests;

/// The longest scenario file, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The most steps of a scenario.
pub(super) const MAX_STEPS: usize = 10_000;
/// The most parties of a scenario.
pub(super) const MAX_PARTIES: usize = 1_000;
/// The most blocks that a scenario mines, all steps together.
pub(super) const MAX_BLOCKS: u32 = 100_000;
/// The most payments of one step.
pub(super) const MAX_PAYMENTS: usize = 1_000;

/// What a payment leaves to the miner when it does not say, in satoshis.
const DEFAULT_FEE: Amount = Amount::from_sat(1_000);

/// What is wrong with a scenario file, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}{}: {message}", step.map(|step| format!(", step {step}")).unwrap_or_default())]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// The step, from 1, if it is in one.
    pub step: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Scenario {
    /// Reads a scenario; the format is described at the [module](super).
    ///
    /// # Errors
    ///
    /// [`ScenarioError`]: the first thing that is wrong, with its line.
    pub fn parse(toml: &str) -> Result<Scenario, ScenarioError> {
        if toml.len() > MAX_BYTES {
            return Err(ScenarioError {
                line: 1,
                step: None,
                message: format!(
                    "the scenario has {} bytes, more than the {MAX_BYTES} allowed; split it",
                    toml.len()
                ),
            });
        }
        let raw: RawScenario = toml::from_str(toml).map_err(|error| ScenarioError {
            line: error.span().map_or(1, |span| line_at(toml, span.start)),
            step: None,
            message: error.message().trim().to_owned(),
        })?;
        Reader::new(toml).scenario(raw)
    }
}

/// The line, from 1, in which the byte at `offset` stands.
fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// What has been defined so far, while the steps are read in order.
struct Reader {
    /// Where each line starts; counting lines anew for every step would take too long.
    line_starts: Vec<usize>,
    line: usize,
    step: Option<usize>,
    parties: HashSet<String>,
    labels: HashSet<String>,
    payments: HashSet<String>,
    blocks: u32,
}

impl Reader {
    fn new(text: &str) -> Reader {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Reader {
            line_starts: std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect(),
            line: 1,
            step: None,
            parties: HashSet::new(),
            labels: HashSet::new(),
            payments: HashSet::new(),
            blocks: 0,
        }
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, ScenarioError> {
        Err(ScenarioError {
            line: self.line,
            step: self.step,
            message: message.into(),
        })
    }

    fn go_to(&mut self, offset: usize) {
        self.line = self.line_starts.partition_point(|start| *start <= offset);
    }

    fn scenario(mut self, raw: RawScenario) -> Result<Scenario, ScenarioError> {
        self.go_to(raw.title.span().start);
        let title = raw.title.into_inner();
        if title.trim().is_empty() || title.contains('\n') {
            return self.error("`title` has to be one line that says something");
        }
        let parties = self.parties(raw.parties)?;
        if raw.step.len() > MAX_STEPS {
            return self.error(format!(
                "the scenario has {} steps, more than the {MAX_STEPS} allowed; split it",
                raw.step.len()
            ));
        }
        if raw.step.is_empty() {
            return self.error("the scenario has no [[step]]; add one that mines a block");
        }
        let mut steps = Vec::with_capacity(raw.step.len());
        for (index, step) in raw.step.into_iter().enumerate() {
            self.step = Some(index + 1);
            self.go_to(step.span().start);
            steps.push(self.step(index + 1, step.into_inner())?);
        }
        Ok(Scenario {
            seed: raw.seed.unwrap_or_else(|| title.clone()),
            title,
            about: raw.about.trim().to_owned(),
            spacing: raw.spacing,
            parties,
            steps,
        })
    }

    /// The parties in the order in which the file names them.
    fn parties(
        &mut self,
        raw: BTreeMap<String, Spanned<String>>,
    ) -> Result<Vec<(String, AddressKind)>, ScenarioError> {
        if raw.len() > MAX_PARTIES {
            return self.error(format!(
                "the scenario has {} parties, more than the {MAX_PARTIES} allowed",
                raw.len()
            ));
        }
        let mut parties: Vec<_> = raw.into_iter().collect();
        parties.sort_by_key(|(_, kind)| kind.span().start);
        let mut read = Vec::with_capacity(parties.len());
        for (name, kind) in parties {
            self.go_to(kind.span().start);
            match kind.get_ref().parse() {
                Ok(kind) => read.push((name.clone(), kind)),
                Err(error) => return self.error(format!("party {name}: {error}")),
            }
            self.parties.insert(name);
        }
        Ok(read)
    }

    fn step(&mut self, number: usize, raw: RawStep) -> Result<Step, ScenarioError> {
        let line = self.line;
        let verbs = [
            ("mine", raw.mine.is_some()),
            ("invalidate", raw.invalidate.is_some()),
            ("reconsider", raw.reconsider.is_some()),
            ("expect", raw.expect.is_some()),
        ];
        let given: Vec<&str> = verbs.iter().filter(|v| v.1).map(|v| v.0).collect();
        if given.len() > 1 {
            return self.error(format!(
                "a step does one thing, and this one does {}; make it {} steps",
                given.join(" and "),
                given.len()
            ));
        }
        if raw.mine.is_none() {
            let strays = [
                ("on", raw.on.is_some()),
                ("by", raw.by.is_some()),
                ("as", raw.label.is_some()),
                ("pay", raw.pay.is_some()),
            ];
            if let Some((key, _)) = strays.iter().find(|stray| stray.1) {
                return self.error(format!(
                    "`{key}` belongs to a step that mines; add `mine = 1` or leave it out"
                ));
            }
        }
        let action = if let Some(blocks) = raw.mine {
            Action::Mine(self.mining(blocks, raw.on, raw.by, raw.label, raw.pay)?)
        } else if let Some(label) = raw.invalidate {
            Action::Invalidate(self.mined_place(label, "invalidate")?)
        } else if let Some(label) = raw.reconsider {
            Action::Reconsider(self.mined_place(label, "reconsider")?)
        } else if let Some(expect) = raw.expect {
            Action::Expect(self.expectations(expect)?)
        } else {
            return self.error(
                "the step does nothing; give it one of `mine`, `invalidate`, `reconsider`, `expect`",
            );
        };
        Ok(Step {
            number,
            line,
            say: raw.say.trim().to_owned(),
            action,
        })
    }

    fn mining(
        &mut self,
        blocks: u32,
        on: Option<String>,
        by: Option<String>,
        label: Option<String>,
        pay: Option<Vec<Spanned<RawPayment>>>,
    ) -> Result<Mining, ScenarioError> {
        if blocks == 0 {
            return self.error("`mine = 0` makes no block; write how many there are to be");
        }
        self.blocks = self.blocks.saturating_add(blocks);
        if self.blocks > MAX_BLOCKS {
            return self.error(format!(
                "up to here the scenario mines {} blocks, more than the {MAX_BLOCKS} allowed",
                self.blocks
            ));
        }
        let on = match on {
            Some(label) => self.place(label)?,
            None => Place::Last,
        };
        if let Some(party) = &by {
            self.party(party)?;
        }
        let raw_payments = pay.unwrap_or_default();
        if raw_payments.len() > MAX_PAYMENTS {
            return self.error(format!(
                "the step has {} payments, more than the {MAX_PAYMENTS} allowed",
                raw_payments.len()
            ));
        }
        let step_line = self.line;
        let mut payments = Vec::with_capacity(raw_payments.len());
        for payment in raw_payments {
            self.go_to(payment.span().start);
            payments.push(self.payment(payment.into_inner())?);
        }
        self.line = step_line;
        if let Some(label) = &label {
            if ["genesis", "best", ""].contains(&label.as_str()) {
                return self.error(format!(
                    "no block may be called `{label}`: that name has a meaning of its own"
                ));
            }
            if !self.labels.insert(label.clone()) {
                return self.error(format!(
                    "a step before has already called its block `{label}`; take another name"
                ));
            }
        }
        Ok(Mining {
            blocks,
            on,
            by,
            label,
            payments,
        })
    }

    fn payment(&mut self, raw: RawPayment) -> Result<Payment, ScenarioError> {
        let line = self.line;
        let fee = raw.fee.map_or(DEFAULT_FEE, |fee| fee.0);
        let kind = match (raw.instead_of, raw.again) {
            (Some(_), Some(_)) => {
                return self.error("a payment is either `instead_of` another or that one `again`");
            }
            (None, Some(payment)) => {
                self.known_payment(&payment)?;
                let others = [
                    raw.from.is_some(),
                    raw.to.is_some(),
                    raw.amount.is_some(),
                    raw.fee.is_some(),
                    raw.name.is_some(),
                ];
                if others.contains(&true) {
                    return self.error(
                        "`again` is the same transaction, which has all that already; leave the \
                         other keys out",
                    );
                }
                PaymentKind::Again { payment }
            }
            (Some(payment), None) => {
                self.known_payment(&payment)?;
                if raw.from.is_some() {
                    return self.error(
                        "`instead_of` is from the party whose coins they are; leave `from` out",
                    );
                }
                PaymentKind::InsteadOf {
                    payment,
                    to: self.required_party(raw.to, "to")?,
                    amount: raw.amount.map(|amount| amount.0),
                    fee,
                }
            }
            (None, None) => PaymentKind::Fresh {
                from: self.required_party(raw.from, "from")?,
                to: self.required_party(raw.to, "to")?,
                amount: match raw.amount {
                    Some(amount) => amount.0,
                    None => return self.error("the payment lacks an `amount`"),
                },
                fee,
            },
        };
        if let Some(name) = &raw.name
            && !self.payments.insert(name.clone())
        {
            return self.error(format!(
                "there is already a payment called `{name}`; take another name"
            ));
        }
        Ok(Payment {
            line,
            name: raw.name,
            kind,
        })
    }

    fn expectations(&self, raw: RawExpect) -> Result<Expectations, ScenarioError> {
        let mut expected = Expectations {
            best: raw.best.map(|label| self.place(label)).transpose()?,
            tips: raw.tips,
            ..Expectations::default()
        };
        for (label, status) in raw.status {
            let place = self.place(label)?;
            let status = self.status(&status)?;
            expected.status.insert(place, ChainStatusName(status));
        }
        for (label, parties) in raw.balances {
            let place = self.place(label)?;
            let mut balances = BTreeMap::new();
            for (party, amount) in parties {
                self.party(&party)?;
                balances.insert(party, amount.0);
            }
            expected.balances.insert(place, balances);
        }
        for conflicts in raw.conflicts {
            let [a, b] = conflicts.between;
            expected.conflicts.push(ExpectedConflicts {
                between: [self.place(a)?, self.place(b)?],
                coins: conflicts.coins,
                kind: conflicts.kind.map(|kind| self.kind(&kind)).transpose()?,
            });
        }
        Ok(expected)
    }

    fn place(&self, label: String) -> Result<Place, ScenarioError> {
        match label.as_str() {
            "genesis" => Ok(Place::Genesis),
            "best" => Ok(Place::Best),
            _ if self.labels.contains(&label) => Ok(Place::Label(label)),
            _ => self.error(format!(
                "no step before has called a block `{label}`{}; give one `as = \"{label}\"`, or \
                 write `genesis` or `best`",
                nearest(&label, &self.labels)
            )),
        }
    }

    fn mined_place(&self, label: String, verb: &str) -> Result<Place, ScenarioError> {
        match self.place(label)? {
            Place::Genesis => self.error(format!("genesis cannot be the one to {verb}")),
            place => Ok(place),
        }
    }

    fn party(&self, name: &str) -> Result<(), ScenarioError> {
        if self.parties.contains(name) {
            return Ok(());
        }
        self.error(format!(
            "nobody is called `{name}`{}; add `{name} = \"p2wpkh\"` under [parties]",
            nearest(name, &self.parties)
        ))
    }

    fn required_party(&self, name: Option<String>, key: &str) -> Result<String, ScenarioError> {
        match name {
            Some(name) => self.party(&name).map(|()| name),
            None => self.error(format!("the payment lacks `{key}`: whom?")),
        }
    }

    fn known_payment(&self, name: &str) -> Result<(), ScenarioError> {
        if self.payments.contains(name) {
            return Ok(());
        }
        self.error(format!(
            "no payment before is called `{name}`{}; give it `as = \"{name}\"`",
            nearest(name, &self.payments)
        ))
    }

    fn status(&self, name: &str) -> Result<ChainStatus, ScenarioError> {
        let all = [
            ChainStatus::Active,
            ChainStatus::ValidFork,
            ChainStatus::ValidHeaders,
            ChainStatus::HeadersOnly,
            ChainStatus::Invalid,
        ];
        match all.into_iter().find(|status| status.as_str() == name) {
            Some(status) => Ok(status),
            None => self.error(format!(
                "`{name}` is no status; there are {}",
                all.map(ChainStatus::as_str).join(", ")
            )),
        }
    }

    fn kind(&self, name: &str) -> Result<ConflictKind, ScenarioError> {
        match name {
            "same-recipients" => Ok(ConflictKind::SameRecipients),
            "fee-bump" => Ok(ConflictKind::FeeBump),
            "double-spend" => Ok(ConflictKind::DoubleSpend),
            _ => self.error(format!(
                "`{name}` is no kind of conflict; there are same-recipients, fee-bump, double-spend"
            )),
        }
    }
}

/// ` (did you mean `x`?)` when a known name differs only in case or in one character more or less.
fn nearest(name: &str, known: &HashSet<String>) -> String {
    let close = |other: &&String| {
        let (a, b) = (other.to_lowercase(), name.to_lowercase());
        a == b || (a.len().abs_diff(b.len()) <= 2 && (a.starts_with(&b) || b.starts_with(&a)))
    };
    match known.iter().filter(close).min() {
        Some(other) => format!(" (did you mean `{other}`?)"),
        None => String::new(),
    }
}
