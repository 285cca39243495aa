use bitcoin::Witness;

use super::*;
use crate::assembly::parse;
use crate::checker::NoTransaction;
use crate::flags::Flags;
use crate::verify::verify_script_watched;

/// Writes down what it sees.
#[derive(Default)]
struct Log(Vec<String>);

impl Observer for Log {
    fn script_begins(&mut self, phase: Phase, _: ScriptVersion, script: &[u8], stack: &Stack<'_>) {
        self.0.push(format!(
            "{} of {} on {}",
            phase.name(),
            script.len(),
            stack.len()
        ));
    }

    fn step(&mut self, step: &Step<'_, '_>) {
        self.0.push(format!(
            "{}@{} {} {} {}/{} {:?}",
            step.index,
            step.offset,
            step.instruction.opcode,
            step.executed,
            step.stack.len(),
            step.alt_stack.len(),
            step.conditions.values()
        ));
    }

    fn script_ends(&mut self, stack: &Stack<'_>, _: &Stack<'_>, result: Result<(), ScriptError>) {
        self.0.push(format!("ends with {} {result:?}", stack.len()));
    }
}

#[test]
fn an_observer_sees_every_step_of_every_script() {
    let (script_sig, script_pubkey) = (
        parse("5").unwrap(),
        parse("TOALTSTACK 0 IF 2 ELSE 1 ENDIF").unwrap(),
    );
    let mut log = Log::default();
    let result = verify_script_watched(
        &script_sig,
        &script_pubkey,
        &Witness::new(),
        Flags::CONSENSUS,
        &mut NoTransaction,
        &mut log,
    );
    assert_eq!(result, Ok(()));
    let expected = [
        "scriptSig of 1 on 0",
        "0@0 5 true 0/0 []",
        "ends with 1 Ok(())",
        "scriptPubKey of 7 on 1",
        "0@0 OP_TOALTSTACK true 1/0 []",
        "1@1 0 true 0/1 []",
        "2@2 OP_IF true 1/1 []",
        "3@3 2 false 0/1 [false]",
        "4@4 OP_ELSE false 0/1 [false]",
        "5@5 1 true 0/1 [true]",
        "6@6 OP_ENDIF true 1/1 [true]",
        "ends with 1 Ok(())",
    ];
    assert_eq!(log.0, expected);
}

#[test]
fn an_observer_sees_the_pushes_of_a_witness_program_and_the_implied_script() {
    let script_pubkey = parse(&format!("0 0x14 0x{}", "07".repeat(20))).unwrap();
    let witness = Witness::from_slice(&[vec![1], vec![2]]);
    let mut log = Log::default();
    let result = verify_script_watched(
        &parse("").unwrap(),
        &script_pubkey,
        &witness,
        Flags::CONSENSUS,
        &mut NoTransaction,
        &mut log,
    );
    assert_eq!(result, Err(ScriptError::EqualVerify));
    let scripts: Vec<_> = log.0.iter().filter(|line| line.contains(" of ")).collect();
    assert_eq!(
        scripts,
        [
            "scriptSig of 0 on 0",
            "scriptPubKey of 22 on 0",
            "witnessScript of 25 on 2"
        ]
    );
    assert_eq!(log.0.last().unwrap(), "ends with 3 Err(EqualVerify)");
}
