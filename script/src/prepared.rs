//! A transaction with the outputs that it spends, ready to have its inputs verified.
//! Promises that the hashes its inputs share are computed once, when first needed, by whichever thread comes first.
//! Refuses to know whether the outputs exist or are spent: the caller vouches for them.

use std::sync::OnceLock;

use bitcoin::Transaction;
use thiserror::Error;

use crate::checker::InputChecker;
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::hash::Hasher;
use crate::sighash::legacy::Template;
use crate::sighash::segwit::SegwitHashes;
use crate::sighash::taproot::TaprootHashes;
use crate::spent_output::SpentOutput;
use crate::verify::verify_script;

#[cfg(test)]
mod tests;

/// A transaction, the outputs that it spends, and the hashes that the signatures of its inputs share.
///
/// It is `Sync`: inputs can be verified on several threads from one shared reference.
#[derive(Debug)]
pub struct PreparedTransaction<'a> {
    tx: &'a Transaction,
    spent: &'a [SpentOutput<'a>],
    shared: OnceLock<SharedHashes>,
    legacy: OnceLock<Template>,
    segwit: OnceLock<SegwitHashes>,
    taproot: OnceLock<TaprootHashes>,
}

/// The number of spent outputs is not the number of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the transaction has {inputs} inputs, but {spent} spent outputs came with it; hand over one for each input, in their order"
)]
pub struct SpentOutputCount {
    /// Inputs of the transaction.
    pub inputs: usize,
    /// Spent outputs that came with it.
    pub spent: usize,
}

/// The first input of a transaction that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("input {input}: {error}")]
pub struct InputError {
    /// Its index in the transaction.
    pub input: usize,
    /// Why it fails.
    #[source]
    pub error: ScriptError,
}

impl<'a> PreparedTransaction<'a> {
    /// Takes a transaction and the outputs that its inputs spend, in their order. Computes nothing yet.
    pub fn new(
        tx: &'a Transaction,
        spent: &'a [SpentOutput<'a>],
    ) -> Result<Self, SpentOutputCount> {
        if tx.input.len() != spent.len() {
            return Err(SpentOutputCount {
                inputs: tx.input.len(),
                spent: spent.len(),
            });
        }
        Ok(PreparedTransaction {
            tx,
            spent,
            shared: OnceLock::new(),
            legacy: OnceLock::new(),
            segwit: OnceLock::new(),
            taproot: OnceLock::new(),
        })
    }

    /// The transaction.
    #[inline]
    pub fn transaction(&self) -> &'a Transaction {
        self.tx
    }

    /// The spent outputs, one for each input.
    #[inline]
    pub fn spent_outputs(&self) -> &'a [SpentOutput<'a>] {
        self.spent
    }

    /// Verifies one input: scriptSig, spent script pubkey and witness, under `flags`.
    ///
    /// # Panics
    ///
    /// When the transaction has no such input.
    pub fn verify_input(&self, input: usize, flags: Flags) -> Result<(), ScriptError> {
        let (txin, spent) = (&self.tx.input[input], &self.spent[input]);
        let mut checker = InputChecker::new(self, input);
        verify_script(
            &txin.script_sig,
            spent.script_pubkey,
            &txin.witness,
            flags,
            &mut checker,
        )
    }

    /// Verifies all inputs, one after the other, up to the first that fails. A transaction without inputs
    /// passes here: that it is invalid is not a question of scripts.
    pub fn verify(&self, flags: Flags) -> Result<(), InputError> {
        for input in 0..self.tx.input.len() {
            self.verify_input(input, flags)
                .map_err(|error| InputError { input, error })?;
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn shared_hashes(&self) -> &SharedHashes {
        self.shared.get_or_init(|| SharedHashes::new(self.tx))
    }

    #[inline]
    pub(crate) fn legacy_template(&self) -> &Template {
        self.legacy.get_or_init(|| Template::new(self.tx))
    }

    #[inline]
    pub(crate) fn segwit_hashes(&self) -> &SegwitHashes {
        self.segwit
            .get_or_init(|| SegwitHashes::new(self.tx, self.shared_hashes()))
    }

    #[inline]
    pub(crate) fn taproot_hashes(&self) -> &TaprootHashes {
        self.taproot
            .get_or_init(|| TaprootHashes::new(self.tx, self.spent, self.shared_hashes()))
    }
}

/// What both segwit and taproot signatures commit to, each SHA-256 once.
#[derive(Debug)]
pub(crate) struct SharedHashes {
    pub(crate) prevouts: [u8; 32],
    pub(crate) sequences: [u8; 32],
    pub(crate) outputs: [u8; 32],
}

impl SharedHashes {
    pub(crate) fn new(tx: &Transaction) -> Self {
        let (mut prevouts, mut sequences) = (Hasher::new(), Hasher::new());
        for input in &tx.input {
            prevouts.put(input.previous_output.txid.as_ref());
            prevouts.put(&input.previous_output.vout.to_le_bytes());
            sequences.put(&input.sequence.0.to_le_bytes());
        }
        let mut outputs = Hasher::new();
        for output in &tx.output {
            outputs.put(&output.value.to_sat().to_le_bytes());
            outputs.put_sized(output.script_pubkey.as_bytes());
        }
        SharedHashes {
            prevouts: prevouts.finish(),
            sequences: sequences.finish(),
            outputs: outputs.finish(),
        }
    }
}
