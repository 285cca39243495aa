//! Owns a spend as users hand it in: a transaction, what it spends, which input, under which rules.
//! Promises that what is wrong with it is told apart from a script that fails.
//! Refuses to look anything up.

use bitcoin::hex::FromHex;
use bitcoin::{Transaction, TxOut};
use everett_ledger::decode::{DecodeError, decode_transaction};
use everett_script::{Flags, PreparedTransaction, ScriptError, SpentOutput, SpentOutputCount};
use rayon::prelude::*;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// The most that an output can hold in Bitcoin Core, whose amounts have a sign; signatures cover all 64 bits, but an
/// amount above this has no number of bitcoins.
pub(crate) const MAX_AMOUNT_SAT: u64 = i64::MAX as u64;

/// A transaction, the outputs that it spends in the order of its inputs, and what is to be verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spend {
    pub(crate) tx: Transaction,
    pub(crate) spent: Vec<TxOut>,
    /// `None`: all inputs.
    pub(crate) input: Option<usize>,
    pub(crate) flags: Flags,
}

/// Why something is no spend that could be verified.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum SpendError {
    /// Not hexadecimal.
    #[error("the transaction is not hexadecimal {0}")]
    NotHex(String),
    /// No transaction.
    #[error("the transaction does not decode: {0}")]
    Undecodable(DecodeError),
    /// More than a transaction.
    #[error("{surplus} bytes stand behind the transaction's {length}; hand over nothing else")]
    TrailingBytes { length: usize, surplus: usize },
    /// Nothing to verify.
    #[error("the transaction has no inputs, so there is nothing to verify")]
    NoInputs,
    /// There is no such input.
    #[error("there is no input {input}: the transaction has {inputs}, counted from 0")]
    InputOutOfRange { input: usize, inputs: usize },
    /// Not one spent output for each input.
    #[error(transparent)]
    SpentOutputCount(#[from] SpentOutputCount),
}

impl SpendError {
    /// A word for programs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            SpendError::NotHex(_)
            | SpendError::Undecodable(_)
            | SpendError::TrailingBytes { .. } => "TX_MALFORMED",
            SpendError::NoInputs => "NO_INPUTS",
            SpendError::InputOutOfRange { .. } => "INPUT_OUT_OF_RANGE",
            SpendError::SpentOutputCount(_) => "SPENT_OUTPUT_COUNT",
        }
    }
}

/// How the script of one input went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) input: usize,
    pub(crate) result: Result<(), ScriptError>,
}

/// Reads a transaction from hexadecimal; nothing may stand behind it.
pub(crate) fn read_transaction(hex: &str) -> Result<Transaction, SpendError> {
    let bytes = Vec::<u8>::from_hex(hex).map_err(|_| SpendError::NotHex(where_not_hex(hex)))?;
    let (transaction, length) = decode_transaction(&bytes).map_err(SpendError::Undecodable)?;
    match bytes.len() - length {
        0 => Ok(transaction.tx),
        surplus => Err(SpendError::TrailingBytes { length, surplus }),
    }
}

/// Where a text stops to be whole bytes in hexadecimal.
fn where_not_hex(text: &str) -> String {
    match text
        .char_indices()
        .find(|(_, digit)| !digit.is_ascii_hexdigit())
    {
        Some((at, character)) => format!("at byte {}: {character:?} is no digit", at / 2),
        None => format!("at byte {}: it ends after half a byte", text.len() / 2),
    }
}

impl Spend {
    /// Checks that there is one spent output for each input, and the input that is asked for.
    pub(crate) fn new(
        tx: Transaction,
        spent: Vec<TxOut>,
        input: Option<usize>,
        flags: Flags,
    ) -> Result<Spend, SpendError> {
        let inputs = tx.input.len();
        if inputs == 0 {
            return Err(SpendError::NoInputs);
        }
        if let Some(input) = input
            && input >= inputs
        {
            return Err(SpendError::InputOutOfRange { input, inputs });
        }
        if spent.len() != inputs {
            let spent = spent.len();
            return Err(SpentOutputCount { inputs, spent }.into());
        }
        Ok(Spend {
            tx,
            spent,
            input,
            flags,
        })
    }

    /// The inputs that are asked for.
    pub(crate) fn inputs(&self) -> Vec<usize> {
        match self.input {
            Some(input) => vec![input],
            None => (0..self.tx.input.len()).collect(),
        }
    }

    /// What it spends, as scripts look at it.
    pub(crate) fn spent_outputs(&self) -> Vec<SpentOutput<'_>> {
        self.spent.iter().map(SpentOutput::from).collect()
    }

    /// Verifies the inputs that are asked for, on all cores.
    pub(crate) fn verify(&self) -> Result<Vec<Verdict>, SpendError> {
        let spent = self.spent_outputs();
        let prepared = PreparedTransaction::new(&self.tx, &spent)?;
        let verdict = |input| Verdict {
            input,
            result: prepared.verify_input(input, self.flags),
        };
        Ok(self.inputs().into_par_iter().map(verdict).collect())
    }
}
