use bitcoin::hex::FromHex;
use bitcoin::{Script, ScriptBuf, Witness};
use secp256k1::{Scalar, XOnlyPublicKey};

use super::*;
use crate::assembly::parse;
use crate::checker::NoTransaction;
use crate::flags::Flags;
use crate::signature::SECP;
use crate::verify::verify_script_watched;
use crate::witness::{LEAF_VERSION_TAPSCRIPT, leaf_hash, tweak_hash};

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

    fn stops(&mut self, stop: &Stop<'_>) {
        let Stop {
            index,
            offset,
            rest,
            cause,
        } = stop;
        self.0
            .push(format!("stops at {index}@{offset} {rest:02x?} {cause:?}"));
    }

    fn checked(&mut self, check: &Check<'_>, result: Result<(), ScriptError>) {
        let what = match check {
            Check::KeyPathSignature { .. } => "signature",
            Check::Commitment { .. } => "commitment",
        };
        self.0.push(format!("{what} {result:?}"));
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

fn watched(script_pubkey: &Script, witness: &Witness, flags: Flags) -> Vec<String> {
    let mut log = Log::default();
    let nothing = ScriptBuf::new();
    let checker = &mut NoTransaction;
    let result = verify_script_watched(&nothing, script_pubkey, witness, flags, checker, &mut log);
    log.0.push(format!("{result:?}"));
    // The empty scriptSig is of no interest here.
    log.0.split_off(2)
}

#[test]
fn a_push_past_the_end_is_shown_where_it_stands() {
    let script = ScriptBuf::from_bytes(vec![0x51, 0x4c]);
    let log = watched(&script, &Witness::new(), Flags::CONSENSUS);
    let expected = [
        "scriptPubKey of 2 on 0",
        "0@0 1 true 0/0 []",
        "stops at 1@1 [4c] TruncatedPush",
        "ends with 1 Err(BadOpcode)",
        "Err(BadOpcode)",
    ];
    assert_eq!(log, expected);
}

/// A taproot output of one leaf, and what reveals it.
fn leaf(script: &[u8], elements: &[&[u8]]) -> (ScriptBuf, Witness) {
    // The generator's own x coordinate: a key that somebody knows.
    let key: [u8; 32] =
        Vec::from_hex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
            .unwrap()
            .try_into()
            .unwrap();
    let root = leaf_hash(LEAF_VERSION_TAPSCRIPT, script);
    let tweak = Scalar::from_be_bytes(tweak_hash(&key, Some(&root))).unwrap();
    let internal = XOnlyPublicKey::from_slice(&key).unwrap();
    let (output, parity) = internal.add_tweak(&SECP, &tweak).unwrap();
    let mut control = vec![LEAF_VERSION_TAPSCRIPT | parity.to_u8()];
    control.extend(key);
    let mut witness: Vec<&[u8]> = elements.to_vec();
    witness.extend([script, &control]);
    let program = [&[0x51, 0x20][..], &output.serialize()].concat();
    (program.into(), Witness::from_slice(&witness))
}

#[test]
fn an_op_success_is_shown_with_the_tapscript_that_it_ends() {
    let (script_pubkey, witness) = leaf(&[0x51, 0xbb, 0x4c], &[&[7; 600]]);
    let log = watched(&script_pubkey, &witness, Flags::CONSENSUS);
    let expected = [
        "commitment Ok(())",
        "tapscript of 3 on 1",
        "stops at 1@1 [bb, 4c] Success",
        "ends with 1 Ok(())",
        "Ok(())",
    ];
    assert_eq!(log[4..], expected);
    let discouraged = watched(&script_pubkey, &witness, Flags::STANDARD);
    assert_eq!(discouraged[7], "ends with 1 Err(DiscourageOpSuccess)");

    let (script_pubkey, witness) = leaf(&[0x51, 0x4c, 0xbb], &[]);
    let log = watched(&script_pubkey, &witness, Flags::CONSENSUS);
    assert_eq!(log[6], "stops at 1@1 [4c, bb] TruncatedPush");
    assert_eq!(log[8], "Err(BadOpcode)");
}

#[test]
fn checks_beside_scripts_are_told_with_their_result() {
    let (script_pubkey, mut witness) = leaf(&[0x51], &[]);
    let log = watched(&script_pubkey, &witness, Flags::CONSENSUS);
    assert_eq!(log[4..6], ["commitment Ok(())", "tapscript of 1 on 0"]);
    witness = Witness::from_slice(&[&[0x52][..], witness.nth(1).unwrap()]);
    let log = watched(&script_pubkey, &witness, Flags::CONSENSUS);
    assert_eq!(
        log[4..],
        [
            "commitment Err(WitnessProgramMismatch)",
            "Err(WitnessProgramMismatch)"
        ]
    );
    witness = Witness::from_slice(&[&[0x51][..], &[0xc0; 34]]);
    let log = watched(&script_pubkey, &witness, Flags::CONSENSUS);
    assert_eq!(log[4], "commitment Err(TaprootWrongControlSize)");
    witness = Witness::from_slice(&[[1; 63]]);
    let log = watched(&script_pubkey, &witness, Flags::CONSENSUS);
    let why = log[5].clone();
    assert_eq!(log[4], format!("signature {why}"));
    assert!(why.starts_with("Err("), "{why}");
}
