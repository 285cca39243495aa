use super::*;
use crate::assembly::parse;
use crate::checker::NoTransaction;

fn spend(
    version: u8,
    program: &[u8],
    is_p2sh: bool,
    elements: &[&[u8]],
    flags: Flags,
) -> Result<(), ScriptError> {
    let witness = Witness::from_slice(elements);
    let program = WitnessProgram { version, program };
    verify_program(
        &witness,
        program,
        is_p2sh,
        flags,
        &mut NoTransaction,
        &mut (),
    )
}

/// Output key and control block of a tree with one leaf.
fn tree(leaf_version: u8, script: &[u8]) -> ([u8; 32], Vec<u8>) {
    let generator = secp256k1::constants::GENERATOR_X;
    let internal_key = XOnlyPublicKey::from_slice(&generator).unwrap();
    let tweak = tweak_hash(&generator, Some(&leaf_hash(leaf_version, script)));
    let (key, parity) = internal_key
        .add_tweak(&SECP, &Scalar::from_be_bytes(tweak).unwrap())
        .unwrap();
    let mut control = vec![leaf_version | parity.to_u8()];
    control.extend_from_slice(&generator);
    (key.serialize(), control)
}

#[test]
fn version_zero_knows_two_lengths_only() {
    let spend = |length| spend(0, &vec![7; length], false, &[], Flags::CONSENSUS);
    assert_eq!(spend(20), Err(ScriptError::WitnessProgramMismatch));
    assert_eq!(spend(32), Err(ScriptError::WitnessProgramWitnessEmpty));
    assert_eq!(spend(31), Err(ScriptError::WitnessProgramWrongLength));
}

#[test]
fn a_witness_script_must_leave_exactly_one_true_element() {
    let run = |text: &str| {
        let script = parse(text).unwrap();
        let hash = sha256(script.as_bytes());
        spend(0, &hash, false, &[script.as_bytes()], Flags::CONSENSUS)
    };
    assert_eq!(run("1"), Ok(()));
    assert_eq!(run("0"), Err(ScriptError::EvalFalse));
    assert_eq!(run("1 1"), Err(ScriptError::CleanStack));
    assert_eq!(run(""), Err(ScriptError::CleanStack));
}

#[test]
fn an_element_longer_than_the_limit_fails_before_the_script_runs() {
    let script = parse("RETURN").unwrap();
    let hash = sha256(script.as_bytes());
    let run = |length| {
        let element = vec![1; length];
        spend(
            0,
            &hash,
            false,
            &[&element, script.as_bytes()],
            Flags::CONSENSUS,
        )
    };
    assert_eq!(run(MAX_ELEMENT_SIZE), Err(ScriptError::OpReturn));
    assert_eq!(run(MAX_ELEMENT_SIZE + 1), Err(ScriptError::PushSize));
}

#[test]
fn programs_without_a_meaning_pass_unless_discouraged() {
    let discouraged = Flags::DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM;
    for (version, length, is_p2sh) in [
        (2, 32, false),
        (16, 2, false),
        (1, 31, false),
        (1, 32, true),
    ] {
        let program = vec![9; length];
        assert_eq!(
            spend(version, &program, is_p2sh, &[], Flags::CONSENSUS),
            Ok(())
        );
        let result = spend(
            version,
            &program,
            is_p2sh,
            &[],
            Flags::CONSENSUS | discouraged,
        );
        assert_eq!(result, Err(ScriptError::DiscourageUpgradableWitnessProgram));
    }
    let anchor = [0x4e, 0x73];
    assert_eq!(spend(1, &anchor, false, &[], Flags::ALL), Ok(()));
    let nested = spend(1, &anchor, true, &[], Flags::ALL);
    assert_eq!(nested, Err(ScriptError::DiscourageUpgradableWitnessProgram));
}

#[test]
fn taproot_without_its_flag_is_anyones() {
    assert_eq!(
        spend(1, &[9; 32], false, &[], Flags::CONSENSUS - Flags::TAPROOT),
        Ok(())
    );
    let empty = spend(1, &[9; 32], false, &[], Flags::CONSENSUS);
    assert_eq!(empty, Err(ScriptError::WitnessProgramWitnessEmpty));
}

#[test]
fn a_leaf_runs_only_with_its_proof() {
    let (key, control) = tree(LEAF_VERSION_TAPSCRIPT, &[0x51]);
    let run =
        |script: &[u8], control: &[u8]| spend(1, &key, false, &[script, control], Flags::CONSENSUS);
    assert_eq!(run(&[0x51], &control), Ok(()));
    assert_eq!(
        run(&[0x52], &control),
        Err(ScriptError::WitnessProgramMismatch)
    );
    let mut other_parity = control.clone();
    other_parity[0] ^= 1;
    assert_eq!(
        run(&[0x51], &other_parity),
        Err(ScriptError::WitnessProgramMismatch)
    );
    for length in [
        0,
        32,
        34,
        64,
        CONTROL_BASE_SIZE + CONTROL_NODE_SIZE * (CONTROL_MAX_NODES + 1),
    ] {
        let mut sized = control.clone();
        sized.resize(length, 0);
        assert_eq!(
            run(&[0x51], &sized),
            Err(ScriptError::TaprootWrongControlSize),
            "{length}"
        );
    }
    let mut longest = control.clone();
    longest.resize(CONTROL_BASE_SIZE + CONTROL_NODE_SIZE * CONTROL_MAX_NODES, 0);
    assert_eq!(
        run(&[0x51], &longest),
        Err(ScriptError::WitnessProgramMismatch)
    );
}

#[test]
fn an_annex_is_set_aside_where_there_is_more_than_one_element() {
    let (key, control) = tree(LEAF_VERSION_TAPSCRIPT, &[0x51]);
    let with_annex = spend(
        1,
        &key,
        false,
        &[&[0x51], &control, &[ANNEX_TAG, 1]],
        Flags::CONSENSUS,
    );
    assert_eq!(with_annex, Ok(()));
    let alone = spend(1, &key, false, &[&[ANNEX_TAG; 64]], Flags::CONSENSUS);
    assert_eq!(alone, Err(ScriptError::SchnorrSig));
}

#[test]
fn an_op_success_wins_over_everything_after_it() {
    let run = |script: &[u8], flags| {
        let (key, control) = tree(LEAF_VERSION_TAPSCRIPT, script);
        let too_long = vec![0; MAX_ELEMENT_SIZE + 1];
        spend(1, &key, false, &[&too_long, script, &control], flags)
    };
    assert_eq!(run(&[0x6a, 0x50, 0x4c], Flags::CONSENSUS), Ok(()));
    assert_eq!(run(&[0x4c], Flags::CONSENSUS), Err(ScriptError::BadOpcode));
    assert_eq!(run(&[0x51], Flags::CONSENSUS), Err(ScriptError::PushSize));
    let discouraged = run(&[0x50], Flags::CONSENSUS | Flags::DISCOURAGE_OP_SUCCESS);
    assert_eq!(discouraged, Err(ScriptError::DiscourageOpSuccess));
}

#[test]
fn leaf_versions_without_a_meaning_pass_unless_discouraged() {
    let (key, control) = tree(0xc2, &[0x6a]);
    let run = |flags| spend(1, &key, false, &[&[0x6a], &control], flags);
    assert_eq!(run(Flags::CONSENSUS), Ok(()));
    let discouraged = Flags::CONSENSUS | Flags::DISCOURAGE_UPGRADABLE_TAPROOT_VERSION;
    assert_eq!(
        run(discouraged),
        Err(ScriptError::DiscourageUpgradableTaprootVersion)
    );
}
