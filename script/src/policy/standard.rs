//! Standard transactions, inputs and witnesses.

use bitcoin::{Transaction, Witness};
use thiserror::Error;

use super::{
    DUST_RELAY_TX_FEE, MAX_DUST_OUTPUTS_PER_TX, MAX_OP_RETURN_RELAY, MAX_P2SH_SIGOPS,
    MAX_STANDARD_P2WSH_SCRIPT_SIZE, MAX_STANDARD_P2WSH_STACK_ITEM_SIZE,
    MAX_STANDARD_P2WSH_STACK_ITEMS, MAX_STANDARD_SCRIPTSIG_SIZE,
    MAX_STANDARD_TAPSCRIPT_STACK_ITEM_SIZE, MAX_STANDARD_TX_WEIGHT, MAX_TX_LEGACY_SIGOPS,
    STANDARD_TX_VERSIONS, Template, is_dust,
};
use crate::checker::NoTransaction;
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::instruction::is_push_only;
use crate::interpreter::{Environment, ScriptVersion, TaprootContext, evaluate};
use crate::program::{WitnessProgram, is_p2sh};
use crate::sigops::{legacy_sigops, p2sh_sigops};
use crate::spent_output::SpentOutput;
use crate::stack::Stack;
use crate::trace::Phase;
use crate::witness::{ANNEX_TAG, LEAF_VERSION_TAPSCRIPT};

/// What a node's operator can set about standard transactions. The default is Core's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardRules {
    /// Most bytes of OP_RETURN scripts in one transaction; `None` allows no such output.
    pub max_datacarrier_bytes: Option<usize>,
    /// Whether outputs may be multisigs outside of P2SH and P2WSH.
    pub permit_bare_multisig: bool,
    /// The fee rate that defines dust, in satoshis for 1,000 virtual bytes.
    pub dust_relay_fee: u64,
}

impl Default for StandardRules {
    fn default() -> Self {
        StandardRules {
            max_datacarrier_bytes: Some(MAX_OP_RETURN_RELAY),
            permit_bare_multisig: true,
            dust_relay_fee: DUST_RELAY_TX_FEE,
        }
    }
}

/// Why a transaction is not standard. `Display` gives Core's reject reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NonStandardTransaction {
    /// Its version is not one of [`STANDARD_TX_VERSIONS`].
    #[error("version")]
    Version,
    /// It is heavier than [`MAX_STANDARD_TX_WEIGHT`].
    #[error("tx-size")]
    TxSize,
    /// A scriptSig is longer than [`MAX_STANDARD_SCRIPTSIG_SIZE`].
    #[error("scriptsig-size")]
    ScriptSigSize {
        /// Index of the input.
        input: usize,
    },
    /// A scriptSig holds other opcodes than pushes.
    #[error("scriptsig-not-pushonly")]
    ScriptSigNotPushOnly {
        /// Index of the input.
        input: usize,
    },
    /// An output has none of the standard forms.
    #[error("scriptpubkey")]
    ScriptPubkey {
        /// Index of the output.
        output: usize,
    },
    /// OP_RETURN scripts are longer than allowed, all together.
    #[error("datacarrier")]
    DataCarrier {
        /// Index of the output that exceeds the limit.
        output: usize,
    },
    /// An output is a bare multisig, and these are not allowed.
    #[error("bare-multisig")]
    BareMultisig {
        /// Index of the output.
        output: usize,
    },
    /// More than [`MAX_DUST_OUTPUTS_PER_TX`] outputs are dust.
    #[error("dust")]
    Dust,
}

/// Core's `IsStandardTx`: whether a transaction is standard by itself.
pub fn is_standard_transaction(
    tx: &Transaction,
    rules: &StandardRules,
) -> Result<(), NonStandardTransaction> {
    if !STANDARD_TX_VERSIONS.contains(&(tx.version.0 as u32)) {
        return Err(NonStandardTransaction::Version);
    }
    if tx.weight().to_wu() > MAX_STANDARD_TX_WEIGHT {
        return Err(NonStandardTransaction::TxSize);
    }
    for (input, txin) in tx.input.iter().enumerate() {
        if txin.script_sig.len() > MAX_STANDARD_SCRIPTSIG_SIZE {
            return Err(NonStandardTransaction::ScriptSigSize { input });
        }
        if !is_push_only(txin.script_sig.as_bytes()) {
            return Err(NonStandardTransaction::ScriptSigNotPushOnly { input });
        }
    }
    let mut datacarrier_bytes_left = rules.max_datacarrier_bytes.unwrap_or(0);
    for (output, txout) in tx.output.iter().enumerate() {
        let template = Template::of(txout.script_pubkey.as_bytes());
        if !template.is_standard() {
            return Err(NonStandardTransaction::ScriptPubkey { output });
        }
        if template == Template::NullData {
            let left = datacarrier_bytes_left.checked_sub(txout.script_pubkey.len());
            datacarrier_bytes_left = left.ok_or(NonStandardTransaction::DataCarrier { output })?;
        } else if matches!(template, Template::Multisig { .. }) && !rules.permit_bare_multisig {
            return Err(NonStandardTransaction::BareMultisig { output });
        }
    }
    let dust = tx
        .output
        .iter()
        .filter(|output| is_dust(output, rules.dust_relay_fee));
    if dust.count() > MAX_DUST_OUTPUTS_PER_TX {
        return Err(NonStandardTransaction::Dust);
    }
    Ok(())
}

/// Why a transaction's inputs are not standard. `Display` gives the words that Core adds to its reject
/// reason, which is [`NonStandardInput::REASON`] for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NonStandardInput {
    /// The inputs execute more than [`MAX_TX_LEGACY_SIGOPS`] outside of witnesses.
    #[error("non-witness sigops exceed bip54 limit")]
    LegacySigops,
    /// The spent script pubkey has none of the standard forms.
    #[error("input {input} script unknown")]
    ScriptUnknown {
        /// Index of the input.
        input: usize,
    },
    /// The spent script pubkey is a witness program without a meaning yet.
    #[error("input {input} witness program is undefined")]
    WitnessProgramUndefined {
        /// Index of the input.
        input: usize,
    },
    /// The scriptSig of a P2SH spend fails when executed.
    #[error("p2sh scriptsig malformed (input {input}: {error})")]
    ScriptSigMalformed {
        /// Index of the input.
        input: usize,
        /// Why it fails.
        error: ScriptError,
    },
    /// The scriptSig of a P2SH spend pushes nothing.
    #[error("input {input} P2SH redeemscript missing")]
    RedeemScriptMissing {
        /// Index of the input.
        input: usize,
    },
    /// A redeem script has more than [`MAX_P2SH_SIGOPS`].
    #[error("p2sh redeemscript sigops exceed limit (input {input}: {sigops} > {MAX_P2SH_SIGOPS})")]
    RedeemScriptSigops {
        /// Index of the input.
        input: usize,
        /// How many it has.
        sigops: usize,
    },
}

impl NonStandardInput {
    /// Core's reject reason.
    pub const REASON: &'static str = "bad-txns-nonstandard-inputs";
}

/// Core's `ValidateInputsStandardness`: whether the spent outputs (one for each input, in order) and the
/// scriptSigs are standard. Coinbases are.
pub fn validate_inputs_standardness(
    tx: &Transaction,
    spent: &[SpentOutput<'_>],
) -> Result<(), NonStandardInput> {
    if tx.is_coinbase() {
        return Ok(());
    }
    let mut sigops = 0;
    for (txin, spent) in tx.input.iter().zip(spent) {
        sigops += legacy_sigops(&txin.script_sig, true);
        sigops += match is_p2sh(spent.script_pubkey.as_bytes()) {
            true => p2sh_sigops(&txin.script_sig, spent.script_pubkey),
            false => legacy_sigops(spent.script_pubkey, true),
        };
        if sigops > MAX_TX_LEGACY_SIGOPS {
            return Err(NonStandardInput::LegacySigops);
        }
    }
    for (input, (txin, spent)) in tx.input.iter().zip(spent).enumerate() {
        match Template::of(spent.script_pubkey.as_bytes()) {
            Template::NonStandard => return Err(NonStandardInput::ScriptUnknown { input }),
            Template::WitnessUnknown { .. } => {
                return Err(NonStandardInput::WitnessProgramUndefined { input });
            }
            Template::ScriptHash { .. } => {
                let pushed = last_element(txin.script_sig.as_bytes());
                let pushed = pushed
                    .map_err(|error| NonStandardInput::ScriptSigMalformed { input, error })?;
                let redeem_script =
                    pushed.ok_or(NonStandardInput::RedeemScriptMissing { input })?;
                let sigops = legacy_sigops(bitcoin::Script::from_bytes(&redeem_script), true);
                if sigops > MAX_P2SH_SIGOPS {
                    return Err(NonStandardInput::RedeemScriptSigops { input, sigops });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a scriptSig leaves on top of the stack when it is executed for no transaction.
fn last_element(script_sig: &[u8]) -> Result<Option<Vec<u8>>, ScriptError> {
    let mut stack = Stack::default();
    let environment = Environment {
        flags: Flags::NONE,
        version: ScriptVersion::Base,
        checker: &mut NoTransaction,
        observer: &mut (),
        taproot: TaprootContext::default(),
        validation_weight_left: 0,
    };
    evaluate(Phase::ScriptSig, script_sig, &mut stack, environment)?;
    Ok(stack
        .elements()
        .last()
        .map(|element| element.as_bytes().to_vec()))
}

/// Core's `IsWitnessStandard`: whether every witness keeps to the limits on scripts and elements, has no
/// annex, and belongs to a program that needs one. Core's reject reason is `bad-witness-nonstandard`.
pub fn is_standard_witness(tx: &Transaction, spent: &[SpentOutput<'_>]) -> bool {
    if tx.is_coinbase() {
        return true;
    }
    tx.input.iter().zip(spent).all(|(txin, spent)| {
        let script_pubkey = spent.script_pubkey.as_bytes();
        if txin.witness.is_empty() {
            return true;
        }
        if !is_p2sh(script_pubkey) {
            let program = WitnessProgram::parse(script_pubkey);
            return program.is_some_and(|program| {
                !program.is_anchor() && has_standard_size(&txin.witness, program, false)
            });
        }
        let Ok(Some(redeem_script)) = last_element(txin.script_sig.as_bytes()) else {
            return false;
        };
        let program = WitnessProgram::parse(&redeem_script);
        program.is_some_and(|program| has_standard_size(&txin.witness, program, true))
    })
}

/// `witness` is not empty.
fn has_standard_size(witness: &Witness, program: WitnessProgram<'_>, nested: bool) -> bool {
    let last = witness.last().unwrap_or_default();
    let elements_within =
        |count: usize, limit: usize| witness.iter().take(count).all(|one| one.len() <= limit);
    match (program.version, program.program.len()) {
        (0, 32) => {
            let elements = witness.len() - 1;
            last.len() <= MAX_STANDARD_P2WSH_SCRIPT_SIZE
                && elements <= MAX_STANDARD_P2WSH_STACK_ITEMS
                && elements_within(elements, MAX_STANDARD_P2WSH_STACK_ITEM_SIZE)
        }
        (1, 32) if !nested && witness.len() >= 2 => match last.first() {
            None | Some(&ANNEX_TAG) => false,
            Some(first) if first & 0xfe == LEAF_VERSION_TAPSCRIPT => {
                elements_within(witness.len() - 2, MAX_STANDARD_TAPSCRIPT_STACK_ITEM_SIZE)
            }
            Some(_) => true,
        },
        _ => true,
    }
}

/// Core's `SpendsNonAnchorWitnessProg`: whether an input spends a witness program other than an anchor,
/// directly or through P2SH. May be false for transactions that are invalid.
pub fn spends_non_anchor_witness_program(tx: &Transaction, spent: &[SpentOutput<'_>]) -> bool {
    if tx.is_coinbase() {
        return false;
    }
    tx.input.iter().zip(spent).any(|(txin, spent)| {
        let script_pubkey = spent.script_pubkey.as_bytes();
        if let Some(program) = WitnessProgram::parse(script_pubkey) {
            return !program.is_anchor();
        }
        if !is_p2sh(script_pubkey) {
            return false;
        }
        let redeem_script = last_element(txin.script_sig.as_bytes()).ok().flatten();
        redeem_script.is_some_and(|script| WitnessProgram::parse(&script).is_some())
    })
}
