use bitcoin::ScriptBuf;

use super::*;
use crate::assembly::parse;
use crate::checker::NoTransaction;
use crate::hash::hash160;

/// An observer that wants to see, and looks at nothing: it makes every script be executed.
struct Watcher;

impl Observer for Watcher {}

fn verify(
    script_sig: &str,
    script_pubkey: &str,
    elements: &[&[u8]],
    flags: Flags,
) -> Result<(), ScriptError> {
    let (script_sig, script_pubkey) = (parse(script_sig).unwrap(), parse(script_pubkey).unwrap());
    let witness = Witness::from_slice(elements);
    let checker = &mut NoTransaction;
    let quick = verify_script(&script_sig, &script_pubkey, &witness, flags, checker);
    let watched = verify_script_watched(
        &script_sig,
        &script_pubkey,
        &witness,
        flags,
        checker,
        &mut Watcher,
    );
    assert_eq!(quick, watched, "watching changes the verdict");
    quick
}

fn p2sh_of(redeem_script: &ScriptBuf) -> String {
    let hash = hash160(redeem_script.as_bytes());
    format!(
        "HASH160 0x14 0x{} EQUAL",
        hash.map(|byte| format!("{byte:02x}")).concat()
    )
}

#[test]
fn the_shortcut_for_witness_programs_agrees_with_execution() {
    let program = |version: u8, bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{version} 0x{:02x} 0x{hex}", bytes.len())
    };
    let zeros = [0; 32];
    let mut negative_zero = [0; 20];
    negative_zero[19] = 0x80;
    for flags in [
        Flags::CONSENSUS,
        Flags::STANDARD,
        Flags::ALL,
        Flags::P2SH | Flags::WITNESS,
    ] {
        for version in 0..=16 {
            let zero = verify("", &program(version, &zeros), &[], flags);
            assert_eq!(zero, Err(ScriptError::EvalFalse));
            let negative = verify("", &program(version, &negative_zero), &[], flags);
            assert_eq!(negative, Err(ScriptError::EvalFalse));
            for length in [2, 20, 32, 40] {
                let _ = verify(
                    "",
                    &program(version, &vec![3; length]),
                    &[&[1], &[2]],
                    flags,
                );
                let _ = verify("", &program(version, &vec![3; length]), &[], flags);
            }
        }
    }
}

#[test]
fn a_redeem_script_can_be_a_number() {
    // The scriptSig pushes 1, which is the script of one push past the end.
    let redeem_script = ScriptBuf::from_bytes(vec![1]);
    let result = verify("1", &p2sh_of(&redeem_script), &[], Flags::P2SH);
    assert_eq!(result, Err(ScriptError::BadOpcode));
    let empty = ScriptBuf::new();
    assert_eq!(verify("1 0", &p2sh_of(&empty), &[], Flags::P2SH), Ok(()));
    assert_eq!(
        verify("0", &p2sh_of(&empty), &[], Flags::P2SH),
        Err(ScriptError::EvalFalse)
    );
    assert_eq!(verify("0", &p2sh_of(&empty), &[], Flags::NONE), Ok(()));
}

#[test]
fn p2sh_takes_pushes_only() {
    let redeem_script = parse("1").unwrap();
    let p2sh = p2sh_of(&redeem_script);
    assert_eq!(verify("0x01 0x51", &p2sh, &[], Flags::P2SH), Ok(()));
    assert_eq!(
        verify("NOP 0x01 0x51", &p2sh, &[], Flags::P2SH),
        Err(ScriptError::SigPushOnly)
    );
    assert_eq!(verify("NOP 0x01 0x51", &p2sh, &[], Flags::NONE), Ok(()));
}

#[test]
fn a_nested_program_needs_the_exact_push_of_it() {
    let program = parse(&format!("2 0x20 0x{}", "07".repeat(32))).unwrap();
    let p2sh = p2sh_of(&program);
    let push = format!("0x22 0x{}", program.to_hex_string());
    let flags = Flags::P2SH | Flags::WITNESS;
    assert_eq!(verify(&push, &p2sh, &[&[1]], flags), Ok(()));
    let other_push = format!("0x4c22 0x{}", program.to_hex_string());
    assert_eq!(
        verify(&other_push, &p2sh, &[], flags),
        Err(ScriptError::WitnessMalleatedP2sh)
    );
    let two = format!("1 {push}");
    assert_eq!(
        verify(&two, &p2sh, &[], flags),
        Err(ScriptError::WitnessMalleatedP2sh)
    );
    // Without P2SH it is just a hash, and the witness unexpected.
    assert_eq!(
        verify(&push, &p2sh, &[&[1]], Flags::WITNESS),
        Err(ScriptError::WitnessUnexpected)
    );
}

#[test]
fn a_bare_program_takes_no_script_sig() {
    let program = format!("2 0x20 0x{}", "07".repeat(32));
    let flags = Flags::P2SH | Flags::WITNESS;
    assert_eq!(
        verify("1", &program, &[], flags),
        Err(ScriptError::WitnessMalleated)
    );
    assert_eq!(
        verify("RETURN", &program, &[], flags),
        Err(ScriptError::OpReturn)
    );
    assert_eq!(verify("1", &program, &[], Flags::P2SH), Ok(()));
}

#[test]
fn what_is_left_on_the_stack_matters_only_under_cleanstack() {
    let clean = (Flags::CLEANSTACK).filled();
    assert_eq!(verify("1 1", "NOP", &[], Flags::CONSENSUS), Ok(()));
    assert_eq!(
        verify("1 1", "NOP", &[], clean),
        Err(ScriptError::CleanStack)
    );
    assert_eq!(verify("1", "NOP", &[], clean), Ok(()));
    let p2sh = p2sh_of(&parse("1").unwrap());
    assert_eq!(
        verify("1 0x01 0x51", &p2sh, &[], clean),
        Err(ScriptError::CleanStack)
    );
    assert_eq!(verify("0x01 0x51", &p2sh, &[], clean), Ok(()));
}

#[test]
fn a_witness_without_a_program_is_unexpected() {
    assert_eq!(
        verify("", "1", &[&[1]], Flags::P2SH | Flags::WITNESS),
        Err(ScriptError::WitnessUnexpected)
    );
    assert_eq!(verify("", "1", &[&[1]], Flags::P2SH), Ok(()));
}
