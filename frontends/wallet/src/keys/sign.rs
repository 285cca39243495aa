//! Owns the signing of PSBTs and transactions with the keys of a wallet: filling in, signing, finishing.
//! Promises low R and no randomness in signatures, that what was signed by others stays, and that an input is finished only
//! when its script is satisfied.
//! Refuses coins that contradict what is said of them, and signature hash types other than the ones that were asked for.

mod input;
mod origin;

use bitcoin::hashes::Hash;
use bitcoin::psbt::{Psbt, PsbtSighashType};
use bitcoin::sighash::SighashCache;
use bitcoin::{OutPoint, ScriptBuf, Transaction, TxOut, Witness};
use miniscript::psbt::{PsbtExt, PsbtInputExt, PsbtOutputExt};

use super::expression::SECP;
use super::{KeyError, Keyring};
use input::sign_input;
use origin::keys_of_origins;

/// A coin that an input spends, as the caller knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpentCoin {
    /// The coin.
    pub output: TxOut,
    /// The transaction that made it, if it is at hand: inputs without witness need it in a PSBT.
    pub transaction: Option<Transaction>,
}

/// What is to be done with a PSBT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// Whether to sign.
    pub sign: bool,
    /// Which parts of the transaction are signed; without, what the PSBT says, or all.
    pub sighash: Option<PsbtSighashType>,
    /// Whether the ways to our keys are filled in.
    pub derivations: bool,
    /// Whether inputs that are satisfied are finished.
    pub finalize: bool,
}

impl Default for Process {
    /// All of it, as Core's `walletprocesspsbt`.
    fn default() -> Process {
        Process {
            sign: true,
            sighash: None,
            derivations: true,
            finalize: true,
        }
    }
}

/// A transaction, signed as far as the wallet can.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedTransaction {
    /// The transaction; inputs that are not satisfied are as they were.
    pub transaction: Transaction,
    /// The numbers of the inputs that are not satisfied.
    pub unsigned: Vec<usize>,
}

impl SignedTransaction {
    /// Whether all inputs are satisfied.
    pub fn is_complete(&self) -> bool {
        self.unsigned.is_empty()
    }
}

fn is_final(input: &bitcoin::psbt::Input) -> bool {
    input.final_script_sig.is_some() || input.final_script_witness.is_some()
}

/// Whose word it is what an input without its previous transaction spends. A signature of old scripts does not cover the
/// amount: others could have us pay a fee of their choice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    ByOthers,
    ByUs,
}

/// Whether a coin is spent by a witness, as far as the input tells.
fn is_witness(output: &TxOut, input: &bitcoin::psbt::Input) -> bool {
    let nested = input.redeem_script.as_ref();
    output.script_pubkey.is_witness_program()
        || nested.is_some_and(|redeem| redeem.is_witness_program())
}

impl Keyring {
    /// Does with a PSBT what a wallet can: fills in the coins that `spent` knows and what is known of our scripts, signs with
    /// every key of ours that is named, finishes what is satisfied. Returns whether all inputs are finished.
    ///
    /// Keys are ours when they are of a script of ours, or when the PSBT names them, with their way from a master key of ours or as
    /// the key of an address of ours (a part of a script with several owners). Inputs that are finished already are passed over, and so are inputs without
    /// witness whose previous transaction nobody gives.
    ///
    /// # Errors
    ///
    /// [`KeyError::Locked`] where signing is asked for and the wallet is locked; [`KeyError::Psbt`] for a coin that
    /// contradicts its transaction, or a signature hash type that is another than the PSBT's.
    pub fn process_psbt(
        &self,
        psbt: &mut Psbt,
        spent: impl Fn(&OutPoint) -> Option<SpentCoin>,
        process: Process,
    ) -> Result<bool, KeyError> {
        self.process(psbt, spent, process, Told::ByOthers)
    }

    fn process(
        &self,
        psbt: &mut Psbt,
        spent: impl Fn(&OutPoint) -> Option<SpentCoin>,
        process: Process,
        told: Told,
    ) -> Result<bool, KeyError> {
        if process.sign && self.is_locked() {
            return Err(KeyError::Locked);
        }
        let mut next = psbt.clone();
        for index in 0..next.inputs.len() {
            self.fill_input(&mut next, index, &spent, (process, told))?;
        }
        for index in 0..next.outputs.len() {
            self.fill_output(&mut next, index);
        }
        if process.sign {
            self.sign_inputs(&mut next, told)?;
        }
        if process.finalize {
            finalize(&mut next);
        }
        if !process.derivations {
            forget_derivations(&mut next, psbt);
        }
        let complete = next.inputs.iter().all(is_final);
        *psbt = next;
        Ok(complete)
    }

    fn fill_input(
        &self,
        psbt: &mut Psbt,
        index: usize,
        spent: &impl Fn(&OutPoint) -> Option<SpentCoin>,
        (process, told): (Process, Told),
    ) -> Result<(), KeyError> {
        let wrong = |detail: &str| KeyError::Psbt {
            input: index,
            detail: detail.to_owned(),
        };
        let outpoint = psbt
            .unsigned_tx
            .input
            .get(index)
            .ok_or_else(|| wrong("there is no such input in the transaction"))?
            .previous_output;
        let input = &mut psbt.inputs[index];
        if is_final(input) {
            return Ok(());
        }
        let known = spent(&outpoint);
        let said = match &input.non_witness_utxo {
            Some(transaction) => {
                if transaction.compute_txid() != outpoint.txid {
                    return Err(wrong("its previous transaction has another id"));
                }
                let output = transaction.output.get(outpoint.vout as usize);
                Some(output.ok_or_else(|| wrong("its previous transaction has no such output"))?)
            }
            None => None,
        };
        let stated = [said, input.witness_utxo.as_ref()];
        let known_output = known.as_ref().map(|coin| &coin.output);
        let all = || stated.into_iter().chain([known_output]).flatten();
        if all().any(|output| all().any(|other| other != output)) {
            return Err(wrong("the coin that it spends is another one than it says"));
        }
        let Some(output) = all().next().cloned() else {
            return Ok(());
        };
        if let Some(asked) = process.sighash {
            let implied = match output.script_pubkey.is_p2tr() {
                true => PsbtSighashType::from(bitcoin::TapSighashType::Default),
                false => PsbtSighashType::from(bitcoin::EcdsaSighashType::All),
            };
            match input.sighash_type {
                Some(said) if said != asked => {
                    return Err(wrong(
                        "Specified sighash value does not match value stored in PSBT",
                    ));
                }
                None if asked != implied => input.sighash_type = Some(asked),
                _ => {}
            }
        }
        let solution = self.solution(&output.script_pubkey);
        let nested = solution
            .as_ref()
            .is_some_and(|solution| solution.desc_type().segwit_version().is_some());
        let given = known.as_ref().and_then(|coin| coin.transaction.as_ref());
        let proven = input.non_witness_utxo.is_some() || given.is_some() || told == Told::ByUs;
        if !proven && !nested && !is_witness(&output, input) {
            // Nothing is filled in where nothing will be signed, as in Core.
            return Ok(());
        }
        if let Some(solution) = solution {
            // Keys of ours are definite: this cannot fail.
            let _ = input.update_with_descriptor_unchecked(&solution);
        } else if let Some((key, source)) = self.raw_taproot_source(&output.script_pubkey) {
            input
                .tap_key_origins
                .entry(key)
                .or_insert((Vec::new(), source));
        }
        let is_witness = is_witness(&output, input);
        if let Some(coin) = known {
            if input.non_witness_utxo.is_none() && !output.script_pubkey.is_p2tr() {
                input.non_witness_utxo = coin.transaction;
            }
            if is_witness {
                input.witness_utxo.get_or_insert(coin.output);
            }
        } else if is_witness {
            input.witness_utxo.get_or_insert(output);
        }
        Ok(())
    }

    fn fill_output(&self, psbt: &mut Psbt, index: usize) {
        let Some(output) = psbt.unsigned_tx.output.get(index) else {
            return;
        };
        if let Some(solution) = self.solution(&output.script_pubkey) {
            let _ = psbt.outputs[index].update_with_descriptor_unchecked(&solution);
        } else if let Some((key, source)) = self.raw_taproot_source(&output.script_pubkey) {
            let origins = &mut psbt.outputs[index].tap_key_origins;
            origins.entry(key).or_insert((Vec::new(), source));
        }
    }

    fn sign_inputs(&self, psbt: &mut Psbt, told: Told) -> Result<(), KeyError> {
        let unsigned = psbt.unsigned_tx.clone();
        let mut cache = SighashCache::new(&unsigned);
        for index in 0..psbt.inputs.len() {
            if is_final(&psbt.inputs[index]) {
                continue;
            }
            let Ok(output) = psbt.spend_utxo(index).cloned() else {
                continue;
            };
            let input = &psbt.inputs[index];
            let proven = input.non_witness_utxo.is_some() || told == Told::ByUs;
            if !proven && !is_witness(&output, input) {
                continue;
            }
            let mut keys = self.private_keys(&output.script_pubkey);
            keys_of_origins(self, &psbt.inputs[index], &mut keys);
            if !keys.is_empty() {
                sign_input(psbt, index, &output, &keys, &mut cache).map_err(|detail| {
                    KeyError::Psbt {
                        input: index,
                        detail,
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Signs the inputs of a transaction that the wallet can sign; `spent` gives the coin of each input, as far as it is
    /// known. Without `sighash` all of the transaction is signed.
    ///
    /// # Errors
    ///
    /// [`KeyError::Locked`].
    pub fn sign_transaction(
        &self,
        transaction: &Transaction,
        spent: impl Fn(&OutPoint) -> Option<TxOut>,
        sighash: Option<PsbtSighashType>,
    ) -> Result<SignedTransaction, KeyError> {
        let mut unsigned = transaction.clone();
        for input in &mut unsigned.input {
            input.script_sig = ScriptBuf::new();
            input.witness = Witness::new();
        }
        let mut psbt = Psbt::from_unsigned_tx(unsigned).map_err(|error| KeyError::Psbt {
            input: 0,
            detail: error.to_string(),
        })?;
        // Not for others' eyes: here a coin without witness may be told without its transaction.
        for (input, unsigned) in psbt.inputs.iter_mut().zip(&psbt.unsigned_tx.input) {
            input.witness_utxo = spent(&unsigned.previous_output);
        }
        let process = Process {
            sighash,
            ..Process::default()
        };
        self.process(&mut psbt, |_| None, process, Told::ByUs)?;
        let mut signed = transaction.clone();
        let mut left = Vec::new();
        for (index, (input, done)) in signed.input.iter_mut().zip(psbt.inputs).enumerate() {
            match is_final(&done) {
                true => {
                    input.script_sig = done.final_script_sig.unwrap_or_default();
                    input.witness = done.final_script_witness.unwrap_or_default();
                }
                false => left.push(index),
            }
        }
        let unsigned = left
            .into_iter()
            .filter(|index| !is_satisfied(&signed, &spent, *index))
            .collect();
        Ok(SignedTransaction {
            transaction: signed,
            unsigned,
        })
    }
}

/// Finishes every input that is satisfied; says whether all are finished.
pub fn finalize(psbt: &mut Psbt) -> bool {
    for index in 0..psbt.inputs.len() {
        if is_final(&psbt.inputs[index]) || psbt.spend_utxo(index).is_err() {
            continue;
        }
        // Why one is not satisfied is for who analyses it.
        let _ = psbt.finalize_inp_mut(&SECP, index);
        let input = &mut psbt.inputs[index];
        // `rawtr()`: a key path whose internal key nobody knows.
        if let (false, None, Some(signature)) =
            (is_final(input), input.tap_internal_key, input.tap_key_sig)
        {
            input.final_script_witness = Some(Witness::p2tr_key_spend(&signature));
            input.tap_key_sig = None;
            input.sighash_type = None;
        }
    }
    psbt.inputs.iter().all(is_final)
}

/// Takes the ways to keys out again that were not there before.
fn forget_derivations(psbt: &mut Psbt, before: &Psbt) {
    for (input, before) in psbt.inputs.iter_mut().zip(&before.inputs) {
        input
            .bip32_derivation
            .retain(|key, _| before.bip32_derivation.contains_key(key));
        input
            .tap_key_origins
            .retain(|key, _| before.tap_key_origins.contains_key(key));
    }
    for (output, before) in psbt.outputs.iter_mut().zip(&before.outputs) {
        output
            .bip32_derivation
            .retain(|key, _| before.bip32_derivation.contains_key(key));
        output
            .tap_key_origins
            .retain(|key, _| before.tap_key_origins.contains_key(key));
    }
}

/// Whether an input as it stands satisfies the script of its coin.
fn is_satisfied(
    transaction: &Transaction,
    spent: &impl Fn(&OutPoint) -> Option<TxOut>,
    index: usize,
) -> bool {
    use everett_script::{Flags, PreparedTransaction, SpentOutput};
    let outputs: Option<Vec<TxOut>> = transaction
        .input
        .iter()
        .map(|input| spent(&input.previous_output))
        .collect();
    let Some(outputs) = outputs else {
        return false;
    };
    let outputs: Vec<SpentOutput<'_>> = outputs
        .iter()
        .map(|output| SpentOutput {
            amount: output.value,
            script_pubkey: &output.script_pubkey,
        })
        .collect();
    PreparedTransaction::new(transaction, &outputs)
        .is_ok_and(|prepared| prepared.verify_input(index, Flags::STANDARD).is_ok())
}

/// HASH160 of bytes.
pub(super) fn hash160(bytes: &[u8]) -> [u8; 20] {
    bitcoin::hashes::hash160::Hash::hash(bytes).to_byte_array()
}

#[cfg(test)]
mod tests;
