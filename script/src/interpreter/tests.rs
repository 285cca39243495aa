use super::*;
use crate::assembly::parse;
use crate::checker::NoTransaction;
use crate::interpreter::signatures::find_and_delete;

/// Runs script text and gives the stack that it leaves.
fn run_as(version: ScriptVersion, flags: Flags, text: &str) -> Result<Vec<Vec<u8>>, ScriptError> {
    let script = parse(text).unwrap();
    let mut stack = Stack::default();
    let environment = Environment {
        flags,
        version,
        checker: &mut NoTransaction,
        observer: &mut (),
        taproot: TaprootContext::default(),
        validation_weight_left: 0,
    };
    evaluate(
        Phase::ScriptPubkey,
        script.as_bytes(),
        &mut stack,
        environment,
    )?;
    Ok(stack
        .elements()
        .iter()
        .map(|element| element.as_bytes().to_vec())
        .collect())
}

fn run(text: &str) -> Result<Vec<Vec<u8>>, ScriptError> {
    run_as(ScriptVersion::Base, Flags::CONSENSUS, text)
}

/// Asserts that a script leaves what the second one pushes.
fn same(text: &str, pushes: &str) {
    assert_eq!(run(text), run(pushes), "{text}");
}

#[test]
fn elements_move_as_their_opcodes_say() {
    same("1 2 3 4 5 6 2ROT", "3 4 5 6 1 2");
    same("1 2 3 4 2SWAP", "3 4 1 2");
    same("1 2 3 4 2OVER", "1 2 3 4 1 2");
    same("1 2 3 3DUP", "1 2 3 1 2 3");
    same("1 2 2DUP 2DROP", "1 2");
    same("1 2 3 ROT", "2 3 1");
    same("1 2 TUCK", "2 1 2");
    same("1 2 3 NIP OVER", "1 3 1");
    same("1 2 OVER SWAP", "1 1 2");
    same("5 6 7 2 PICK", "5 6 7 5");
    same("5 6 7 2 ROLL", "6 7 5");
    same("5 6 7 0 ROLL", "5 6 7");
    same("0 IFDUP 1 IFDUP DEPTH", "0 1 1 3");
    same("1 2 TOALTSTACK DROP FROMALTSTACK", "2");
    same("'abc' SIZE", "'abc' 3");
}

#[test]
fn numbers_are_calculated_as_their_opcodes_say() {
    same("2147483647 DUP ADD", "4294967294");
    same("-2147483647 1SUB", "-2147483648");
    same("5 NEGATE ABS 3 SUB 1ADD", "3");
    same("0 NOT 5 NOT 0 0NOTEQUAL 5 0NOTEQUAL", "1 0 0 1");
    same("1 0 BOOLAND 1 0 BOOLOR 1 2 BOOLAND", "0 1 1");
    same("1 2 MIN 1 2 MAX", "1 2");
    same("1 1 5 WITHIN 5 1 5 WITHIN 0 1 5 WITHIN", "1 0 0");
    same(
        "1 2 LESSTHAN 2 2 LESSTHANOREQUAL 1 2 GREATERTHAN 2 2 GREATERTHANOREQUAL",
        "1 1 0 1",
    );
    same("3 3 NUMEQUALVERIFY 3 4 NUMNOTEQUAL 3 4 NUMEQUAL", "1 0");
    assert_eq!(run("2147483647 1ADD 1ADD"), Err(ScriptError::ScriptNumber));
    assert_eq!(run("1 2 NUMEQUALVERIFY"), Err(ScriptError::NumEqualVerify));
}

#[test]
fn an_index_outside_of_the_stack_fails() {
    for text in [
        "1 1 PICK",
        "1 1 ROLL",
        "1 -1 PICK",
        "0 PICK",
        "1 1 2147483647 ROLL",
    ] {
        assert_eq!(run(text), Err(ScriptError::InvalidStackOperation), "{text}");
    }
}

#[test]
fn branches_not_taken_still_fail_on_what_must_not_stand_there() {
    same("0 IF RETURN RESERVED 0xff ELSE 1 ENDIF", "1");
    same("1 IF 0 IF RETURN ELSE 2 ENDIF ELSE 3 ENDIF", "2");
    same("1 IF 2 ELSE 3 ELSE 4 ENDIF", "2 4");
    assert_eq!(run("0 IF CAT ENDIF 1"), Err(ScriptError::DisabledOpcode));
    assert_eq!(run("0 IF VERIF ENDIF 1"), Err(ScriptError::BadOpcode));
    assert_eq!(run("1 ENDIF"), Err(ScriptError::UnbalancedConditional));
    assert_eq!(run("1 ELSE"), Err(ScriptError::UnbalancedConditional));
    assert_eq!(run("1 IF"), Err(ScriptError::UnbalancedConditional));
    assert_eq!(run("IF ENDIF"), Err(ScriptError::InvalidStackOperation));
}

#[test]
fn conditions_must_be_minimal_where_the_rules_say_so() {
    let text = "2 IF 1 ENDIF";
    assert!(run(text).is_ok());
    let in_v0 = |flags| run_as(ScriptVersion::WitnessV0, flags, text);
    assert!(in_v0(Flags::CONSENSUS).is_ok());
    assert_eq!(in_v0(Flags::MINIMALIF), Err(ScriptError::MinimalIf));
    let in_tapscript = run_as(ScriptVersion::Tapscript, Flags::NONE, text);
    assert_eq!(in_tapscript, Err(ScriptError::TapscriptMinimalIf));
}

#[test]
fn every_limit_holds_and_is_reached() {
    let long = |count: usize| format!("{} 1", "NOP ".repeat(count));
    assert!(run(&long(MAX_OPS_PER_SCRIPT)).is_ok());
    assert_eq!(
        run(&long(MAX_OPS_PER_SCRIPT + 1)),
        Err(ScriptError::OpCount)
    );
    let in_tapscript = |text: &str| run_as(ScriptVersion::Tapscript, Flags::CONSENSUS, text);
    assert!(in_tapscript(&long(MAX_SCRIPT_SIZE + 1)).is_ok());

    assert!(run(&"1 ".repeat(MAX_STACK_SIZE)).is_ok());
    assert_eq!(
        run(&"1 ".repeat(MAX_STACK_SIZE + 1)),
        Err(ScriptError::StackSize)
    );
    assert_eq!(
        in_tapscript(&"1 ".repeat(MAX_STACK_SIZE + 1)),
        Err(ScriptError::StackSize)
    );
    let on_both = format!("{} TOALTSTACK 1 1", "1 ".repeat(MAX_STACK_SIZE));
    assert_eq!(run(&on_both), Err(ScriptError::StackSize));

    let push = |size: usize| {
        format!(
            "0x4d{:02x}{:02x} 0x{}",
            size & 0xff,
            size >> 8,
            "00".repeat(size)
        )
    };
    assert!(run(&push(MAX_ELEMENT_SIZE)).is_ok());
    assert_eq!(run(&push(MAX_ELEMENT_SIZE + 1)), Err(ScriptError::PushSize));
    assert_eq!(
        run(&format!("0 IF {} ENDIF", push(MAX_ELEMENT_SIZE + 1))),
        Err(ScriptError::PushSize)
    );

    let filled = push(MAX_ELEMENT_SIZE).repeat(19);
    let longest = format!("{filled}{}", push(60)).replace("0x4d", " 0x4d");
    assert_eq!(parse(&longest).unwrap().len(), MAX_SCRIPT_SIZE);
    assert_eq!(run(&longest).map(|stack| stack.len()), Ok(20));
    assert_eq!(run(&format!("{longest} NOP")), Err(ScriptError::ScriptSize));
}

#[test]
fn keys_of_a_multisig_count_as_operations() {
    let multisig =
        |count: usize| format!("0 0 {} 20 CHECKMULTISIG ", "1 ".repeat(20)).repeat(count);
    assert!(run(&multisig(1)).is_ok());
    assert!(run(&multisig(9)).is_ok());
    assert_eq!(run(&multisig(10)), Err(ScriptError::OpCount));
    assert_eq!(run("0 0 21 CHECKMULTISIG"), Err(ScriptError::PubkeyCount));
    assert_eq!(run("0 1 0 CHECKMULTISIG"), Err(ScriptError::SigCount));
    assert_eq!(run("0 -1 0 CHECKMULTISIG"), Err(ScriptError::SigCount));
    assert_eq!(
        run("0 0 CHECKMULTISIG"),
        Err(ScriptError::InvalidStackOperation)
    );
    same("0 0 0 CHECKMULTISIG", "1");
    assert_eq!(run("1 0 0 CHECKMULTISIG"), Err(ScriptError::SigNullDummy));
}

#[test]
fn opcodes_belong_to_their_versions() {
    let in_tapscript = |text: &str| run_as(ScriptVersion::Tapscript, Flags::CONSENSUS, text);
    assert_eq!(run("0 0 0 CHECKSIGADD"), Err(ScriptError::BadOpcode));
    assert_eq!(in_tapscript("0 5 'k' CHECKSIGADD"), Ok(vec![vec![5]]));
    assert_eq!(
        in_tapscript("0 5 0 CHECKSIGADD"),
        Err(ScriptError::TapscriptEmptyPubkey)
    );
    assert_eq!(
        in_tapscript("'s' 5 'k' CHECKSIGADD"),
        Err(ScriptError::TapscriptValidationWeight)
    );
    assert_eq!(
        in_tapscript("0 0 0 CHECKMULTISIG"),
        Err(ScriptError::TapscriptCheckMultisig)
    );
}

#[test]
fn a_signature_is_deleted_wherever_an_instruction_begins_with_it() {
    let delete = |script: &[u8], signature: &[u8]| find_and_delete(script, signature);
    assert_eq!(delete(&[2, 7, 8, 0xac], &[7, 8]), Some(vec![0xac]));
    assert_eq!(
        delete(&[2, 7, 8, 2, 7, 8, 0xac, 2, 7, 8], &[7, 8]),
        Some(vec![0xac])
    );
    // Inside another push it stays.
    assert_eq!(delete(&[3, 2, 7, 8, 0xac], &[7, 8]), None);
    // Another way to push the same bytes stays as well.
    assert_eq!(delete(&[0x4c, 2, 7, 8], &[7, 8]), None);
    // An empty signature deletes every OP_0.
    assert_eq!(delete(&[0, 1, 0, 0, 0xac], &[]), Some(vec![1, 0, 0xac]));
    // What follows a broken push is kept, found or not.
    assert_eq!(
        delete(&[2, 7, 8, 5, 2, 7, 8], &[7, 8]),
        Some(vec![5, 2, 7, 8])
    );
    // After a deletion, instructions are read from where it ended.
    assert_eq!(delete(&[1, 5, 1, 5, 2, 1, 5], &[5]), Some(vec![2, 1, 5]));
}

#[test]
fn minimal_pushes_are_told_from_others() {
    let minimal = |hex: &str| run_as(ScriptVersion::Base, Flags::MINIMALDATA, hex);
    for text in ["0x00", "0x0111", "0x0180", "0x0100", "0x4f 0x51"] {
        assert!(minimal(text).is_ok(), "{text}");
    }
    let long = format!("0x4c4b 0x{}", "00".repeat(75));
    for text in [
        "0x0101",
        "0x0110",
        "0x0181",
        "0x4c00",
        "0x4c0111",
        "0x4d0100 0x11",
        &long,
    ] {
        assert_eq!(minimal(text), Err(ScriptError::MinimalData), "{text}");
        assert!(run(text).is_ok());
    }
}
