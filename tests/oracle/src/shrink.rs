//! Owns the making smaller of a case that two engines disagree about.
//! Promises that what comes out is still disagreed about, and that it ends.

use anyhow::Result;
use bitcoin::{ScriptBuf, Sequence, Witness, absolute};
use everett_generate::Case;
use everett_script::Flags;

/// Candidates tried at most.
const MAX_TRIES: usize = 20_000;

/// The smallest case and flags found that `disagrees` still holds for.
pub fn shrink(
    case: Case,
    flags: Flags,
    disagrees: &dyn Fn(&Case, Flags) -> Result<bool>,
) -> Result<(Case, Flags)> {
    let mut shrinker = Shrinker {
        case,
        flags,
        tries: 0,
        disagrees,
    };
    loop {
        let before = (shrinker.case.clone(), shrinker.flags);
        shrinker.flags()?;
        shrinker.transaction()?;
        shrinker.elements()?;
        shrinker.bytes()?;
        if (&shrinker.case, shrinker.flags) == (&before.0, before.1) || shrinker.tries >= MAX_TRIES
        {
            return Ok(before);
        }
    }
}

struct Shrinker<'a> {
    case: Case,
    flags: Flags,
    tries: usize,
    disagrees: &'a dyn Fn(&Case, Flags) -> Result<bool>,
}

/// The byte strings of a case that can be made shorter.
#[derive(Clone, Copy)]
enum Part {
    ScriptSig,
    ScriptPubkey,
    Element(usize),
}

impl Shrinker<'_> {
    /// Takes the candidate if it is still disagreed about.
    fn take(&mut self, candidate: Case) -> Result<bool> {
        if candidate == self.case || self.tries >= MAX_TRIES {
            return Ok(false);
        }
        self.tries += 1;
        let mut recommitted = candidate.clone();
        recommitted.recommit();
        for candidate in [candidate, recommitted] {
            if (self.disagrees)(&candidate, self.flags)? {
                self.case = candidate;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn flags(&mut self) -> Result<()> {
        for flag in self.flags.iter().collect::<Vec<_>>() {
            let fewer = self.flags - flag;
            if fewer.is_consistent() && (self.disagrees)(&self.case, fewer)? {
                self.flags = fewer;
            }
        }
        Ok(())
    }

    /// Other inputs, outputs, and the fields that nothing may depend on.
    fn transaction(&mut self) -> Result<()> {
        for input in (0..self.case.tx.input.len()).rev() {
            if input == self.case.input {
                continue;
            }
            let mut candidate = self.case.clone();
            candidate.tx.input.remove(input);
            candidate.spent.remove(input);
            candidate.input -= usize::from(input < candidate.input);
            self.take(candidate)?;
        }
        for output in (0..self.case.tx.output.len()).rev() {
            let mut candidate = self.case.clone();
            candidate.tx.output.remove(output);
            self.take(candidate)?;
        }
        let mut candidate = self.case.clone();
        candidate.tx.lock_time = absolute::LockTime::ZERO;
        self.take(candidate)?;
        let mut candidate = self.case.clone();
        candidate.tx.input[candidate.input].sequence = Sequence::MAX;
        self.take(candidate)?;
        let mut candidate = self.case.clone();
        candidate.tx.version = bitcoin::transaction::Version::TWO;
        self.take(candidate)?;
        Ok(())
    }

    fn elements(&mut self) -> Result<()> {
        for at in (0..self.witness().len()).rev() {
            let mut elements = self.witness();
            if at < elements.len() {
                elements.remove(at);
                let mut candidate = self.case.clone();
                candidate.tx.input[candidate.input].witness = Witness::from_slice(&elements);
                self.take(candidate)?;
            }
        }
        Ok(())
    }

    fn witness(&self) -> Vec<Vec<u8>> {
        self.case.tx.input[self.case.input].witness.to_vec()
    }

    /// Pieces of each byte string, from halves down to single bytes.
    fn bytes(&mut self) -> Result<()> {
        let mut parts = vec![Part::ScriptSig, Part::ScriptPubkey];
        parts.extend((0..self.witness().len()).map(Part::Element));
        for part in parts {
            let mut piece = self.read(part).len();
            while piece > 0 {
                let mut at = 0;
                while at < self.read(part).len() {
                    let mut bytes = self.read(part);
                    let end = (at + piece).min(bytes.len());
                    bytes.drain(at..end);
                    let candidate = self.with(part, bytes);
                    if !self.take(candidate)? {
                        at += piece;
                    }
                }
                piece /= 2;
            }
        }
        Ok(())
    }

    fn read(&self, part: Part) -> Vec<u8> {
        let input = &self.case.tx.input[self.case.input];
        match part {
            Part::ScriptSig => input.script_sig.to_bytes(),
            Part::ScriptPubkey => self.case.spent[self.case.input].script_pubkey.to_bytes(),
            Part::Element(at) => self.witness().get(at).cloned().unwrap_or_default(),
        }
    }

    fn with(&self, part: Part, bytes: Vec<u8>) -> Case {
        let mut case = self.case.clone();
        let input = &mut case.tx.input[case.input];
        match part {
            Part::ScriptSig => input.script_sig = ScriptBuf::from_bytes(bytes),
            Part::ScriptPubkey => case.spent[case.input].script_pubkey = bytes.into(),
            Part::Element(at) => {
                let mut elements = input.witness.to_vec();
                if let Some(element) = elements.get_mut(at) {
                    *element = bytes;
                }
                input.witness = Witness::from_slice(&elements);
            }
        }
        case
    }
}
