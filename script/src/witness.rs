//! Spending witness programs: segwit version 0, taproot, and versions without a meaning yet.
//! Promises Core's checks in Core's order.
//! Refuses to decide whether a witness may be there at all: see `verify`.

use bitcoin::Witness;
use secp256k1::{Parity, Scalar, XOnlyPublicKey};

use crate::checker::Checker;
use crate::error::ScriptError;
use crate::flags::Flags;
use crate::hash::{Hasher, sha256, tap_branch, tap_leaf, tap_tweak};
use crate::instruction::Instructions;
use crate::interpreter::{
    Environment, MAX_ELEMENT_SIZE, MAX_STACK_SIZE, ScriptVersion, TaprootContext, evaluate,
};
use crate::opcode::*;
use crate::program::WitnessProgram;
use crate::sighash::taproot::TapscriptPosition;
use crate::signature::SECP;
use crate::stack::{Element, Stack};
use crate::trace::{Check, Observer, Phase, Stop, StopCause};

#[cfg(test)]
mod tests;

/// First byte of an annex: the last of at least two witness elements (BIP341).
pub const ANNEX_TAG: u8 = 0x50;
/// The leaf version of tapscripts (BIP342).
pub const LEAF_VERSION_TAPSCRIPT: u8 = 0xc0;
/// Length of a control block without its path: leaf version with parity, then the internal key.
pub const CONTROL_BASE_SIZE: usize = 33;
/// Length of one node of a control block's path.
pub const CONTROL_NODE_SIZE: usize = 32;
/// Most nodes of a control block's path.
pub const CONTROL_MAX_NODES: usize = 128;
/// What a tapscript's signatures may weigh beyond the size of its witness (BIP342).
const VALIDATION_WEIGHT_OFFSET: i64 = 50;
/// Room on a stack beyond the witness, so that usual scripts never make it grow.
const SPARE_STACK_ROOM: usize = 6;

/// Verifies that `witness` spends `program`, which lies in a script pubkey or, `is_p2sh`, in a redeem script.
pub(crate) fn verify_program<C: Checker, O: Observer>(
    witness: &Witness,
    program: WitnessProgram<'_>,
    is_p2sh: bool,
    flags: Flags,
    checker: &mut C,
    observer: &mut O,
) -> Result<(), ScriptError> {
    match (program.version, program.program.len()) {
        (0, 20) => verify_key_hash(witness, program.program, flags, checker, observer),
        (0, 32) => verify_script_hash(witness, program.program, flags, checker, observer),
        (0, _) => Err(ScriptError::WitnessProgramWrongLength),
        (1, 32) if !is_p2sh => {
            if !flags.contains(Flags::TAPROOT) {
                return Ok(());
            }
            verify_taproot(witness, program.program, flags, checker, observer)
        }
        _ if !is_p2sh && program.is_anchor() => Ok(()),
        _ if flags.contains(Flags::DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM) => {
            Err(ScriptError::DiscourageUpgradableWitnessProgram)
        }
        _ => Ok(()),
    }
}

/// P2WPKH: the witness is signature and key, the script the one of P2PKH.
fn verify_key_hash<C: Checker, O: Observer>(
    witness: &Witness,
    key_hash: &[u8],
    flags: Flags,
    checker: &mut C,
    observer: &mut O,
) -> Result<(), ScriptError> {
    if witness.len() != 2 {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    let mut script = [0; 25];
    script[..3].copy_from_slice(&[OP_DUP.0, OP_HASH160.0, 20]);
    script[3..23].copy_from_slice(key_hash);
    script[23..].copy_from_slice(&[OP_EQUALVERIFY.0, OP_CHECKSIG.0]);
    let environment = Environment {
        flags,
        version: ScriptVersion::WitnessV0,
        checker,
        observer,
        taproot: TaprootContext::default(),
        validation_weight_left: 0,
    };
    execute(witness, 2, &script, Phase::WitnessScript, environment)
}

/// P2WSH: the last element of the witness is the script.
fn verify_script_hash<C: Checker, O: Observer>(
    witness: &Witness,
    script_hash: &[u8],
    flags: Flags,
    checker: &mut C,
    observer: &mut O,
) -> Result<(), ScriptError> {
    let script = witness
        .last()
        .ok_or(ScriptError::WitnessProgramWitnessEmpty)?;
    if sha256(script) != *script_hash {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    let environment = Environment {
        flags,
        version: ScriptVersion::WitnessV0,
        checker,
        observer,
        taproot: TaprootContext::default(),
        validation_weight_left: 0,
    };
    execute(
        witness,
        witness.len() - 1,
        script,
        Phase::WitnessScript,
        environment,
    )
}

/// P2TR: one element is a signature of the output key, more are a script with its proof (BIP341).
fn verify_taproot<C: Checker, O: Observer>(
    witness: &Witness,
    output_key: &[u8],
    flags: Flags,
    checker: &mut C,
    observer: &mut O,
) -> Result<(), ScriptError> {
    let last = witness
        .last()
        .ok_or(ScriptError::WitnessProgramWitnessEmpty)?;
    let mut taproot = TaprootContext::default();
    let mut count = witness.len();
    if count >= 2 && last.first() == Some(&ANNEX_TAG) {
        let mut hasher = Hasher::new();
        hasher.put_sized(last);
        taproot.annex_hash = Some(hasher.finish());
        count -= 1;
    }
    let element = |index: usize| witness.nth(index).unwrap_or_default();
    if count == 1 {
        let signature = element(0);
        let result = checker.check_schnorr(signature, output_key, &taproot);
        let check = Check::KeyPathSignature {
            output_key,
            signature,
        };
        observer.checked(&check, result);
        return result;
    }
    let (control, script) = (element(count - 1), element(count - 2));
    let committed = check_commitment(output_key, control, script);
    let check = Check::Commitment {
        output_key,
        control,
        script,
    };
    observer.checked(&check, committed.map(drop));
    let (leaf_version, leaf_hash) = committed?;
    if leaf_version != LEAF_VERSION_TAPSCRIPT {
        if flags.contains(Flags::DISCOURAGE_UPGRADABLE_TAPROOT_VERSION) {
            return Err(ScriptError::DiscourageUpgradableTaprootVersion);
        }
        return Ok(());
    }
    taproot.tapscript = Some(TapscriptPosition {
        leaf_hash,
        code_separator: u32::MAX,
    });
    let environment = Environment {
        flags,
        version: ScriptVersion::Tapscript,
        checker,
        observer,
        taproot,
        validation_weight_left: witness.size() as i64 + VALIDATION_WEIGHT_OFFSET,
    };
    execute(witness, count - 2, script, Phase::Tapscript, environment)
}

/// The version and hash of the leaf that the control block proves the output key to commit to.
fn check_commitment(
    output_key: &[u8],
    control: &[u8],
    script: &[u8],
) -> Result<(u8, [u8; 32]), ScriptError> {
    if !is_control_size(control.len()) {
        return Err(ScriptError::TaprootWrongControlSize);
    }
    let leaf_version = control[0] & 0xfe;
    let leaf_hash = leaf_hash(leaf_version, script);
    if !commits_to(output_key, control, leaf_hash) {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    Ok((leaf_version, leaf_hash))
}

fn is_control_size(size: usize) -> bool {
    let path = size.checked_sub(CONTROL_BASE_SIZE);
    path.is_some_and(|path| {
        path % CONTROL_NODE_SIZE == 0 && path / CONTROL_NODE_SIZE <= CONTROL_MAX_NODES
    })
}

/// The hash of a script as a leaf of a taproot tree (BIP341).
pub fn leaf_hash(leaf_version: u8, script: &[u8]) -> [u8; 32] {
    let mut hasher = tap_leaf();
    hasher.put(&[leaf_version]);
    hasher.put_sized(script);
    hasher.finish()
}

/// The hash of an inner node of a taproot tree, whichever of its children comes first (BIP341).
pub fn branch_hash(child: &[u8; 32], other: &[u8; 32]) -> [u8; 32] {
    let mut hasher = tap_branch();
    hasher.put(child.min(other));
    hasher.put(child.max(other));
    hasher.finish()
}

/// The number that is added to an internal key, times the generator, to make it an output key (BIP341).
/// Without a tree, `merkle_root` is `None`.
pub fn tweak_hash(internal_key: &[u8; 32], merkle_root: Option<&[u8; 32]>) -> [u8; 32] {
    let mut hasher = tap_tweak();
    hasher.put(internal_key);
    if let Some(merkle_root) = merkle_root {
        hasher.put(merkle_root);
    }
    hasher.finish()
}

/// Whether the control block proves that `output_key` commits to the leaf. `control` has a right size.
fn commits_to(output_key: &[u8], control: &[u8], leaf_hash: [u8; 32]) -> bool {
    let (base, path) = control.split_at(CONTROL_BASE_SIZE);
    let nodes = path.chunks_exact(CONTROL_NODE_SIZE);
    let merkle_root = nodes.fold(leaf_hash, |hash, node| {
        let mut sibling = [0; CONTROL_NODE_SIZE];
        sibling.copy_from_slice(node);
        branch_hash(&hash, &sibling)
    });
    let mut key = [0; 32];
    key.copy_from_slice(&base[1..]);
    let Ok(internal_key) = XOnlyPublicKey::from_slice(&key) else {
        return false;
    };
    let Ok(tweak) = Scalar::from_be_bytes(tweak_hash(&key, Some(&merkle_root))) else {
        return false;
    };
    // Comparing bytes spares the output key's decompression, which a check by the library would need first.
    let Ok((tweaked, parity)) = internal_key.add_tweak(&SECP, &tweak) else {
        return false;
    };
    let is_odd = base[0] & 1 == 1;
    tweaked.serialize() == *output_key && (parity == Parity::Odd) == is_odd
}

/// What decides a tapscript before it runs: an OP_SUCCESSx overrides everything, even a push past the end or elements
/// too long, where it stands before them.
fn stop_of(script: &[u8]) -> Option<Stop<'_>> {
    let mut instructions = Instructions::new(script);
    let mut index = 0;
    loop {
        let rest = instructions.rest();
        let cause = match instructions.next()? {
            Err(_) => StopCause::TruncatedPush,
            Ok(instruction) if instruction.opcode.is_success() => StopCause::Success,
            Ok(_) => {
                index += 1;
                continue;
            }
        };
        let offset = script.len() - rest.len();
        return Some(Stop {
            offset,
            index,
            rest,
            cause,
        });
    }
}

/// Tells an observer of a tapscript that is decided before it runs, on a stack that nothing was asked of.
fn show_stop<O: Observer>(
    witness: &Witness,
    count: usize,
    script: &[u8],
    stop: &Stop<'_>,
    result: Result<(), ScriptError>,
    observer: &mut O,
) {
    let mut stack = Stack::with_capacity(count);
    for element in witness.iter().take(count) {
        stack.push(Element::pushed(element));
    }
    observer.script_begins(Phase::Tapscript, ScriptVersion::Tapscript, script, &stack);
    observer.stops(stop);
    observer.script_ends(&stack, &Stack::default(), result);
}

/// Runs a witness's script on its first `count` elements. Exactly one, a true one, must be left.
fn execute<C: Checker, O: Observer>(
    witness: &Witness,
    count: usize,
    script: &[u8],
    phase: Phase,
    environment: Environment<'_, C, O>,
) -> Result<(), ScriptError> {
    if environment.version == ScriptVersion::Tapscript {
        if let Some(stop) = stop_of(script) {
            let result = match stop.cause {
                StopCause::TruncatedPush => Err(ScriptError::BadOpcode),
                StopCause::Success if environment.flags.contains(Flags::DISCOURAGE_OP_SUCCESS) => {
                    Err(ScriptError::DiscourageOpSuccess)
                }
                StopCause::Success => Ok(()),
            };
            if O::WATCHES {
                show_stop(witness, count, script, &stop, result, environment.observer);
            }
            return result;
        }
        if count > MAX_STACK_SIZE {
            return Err(ScriptError::StackSize);
        }
    }
    let mut stack = Stack::with_capacity(count + SPARE_STACK_ROOM);
    for element in witness.iter().take(count) {
        if element.len() > MAX_ELEMENT_SIZE {
            return Err(ScriptError::PushSize);
        }
        stack.push(Element::pushed(element));
    }
    evaluate(phase, script, &mut stack, environment)?;
    match stack.elements() {
        [result] if result.is_true() => Ok(()),
        [_] => Err(ScriptError::EvalFalse),
        _ => Err(ScriptError::CleanStack),
    }
}
