//! `script_tests.json`: single spends with the exact error that is expected.

use bitcoin::absolute::LockTime;
use bitcoin::key::{Secp256k1, XOnlyPublicKey};
use bitcoin::script::ScriptBuf;
use bitcoin::secp256k1::{Scalar, SecretKey};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness};
use everett_script::assembly::parse;
use everett_script::witness::{leaf_hash, tweak_hash};
use everett_script::{Flags, ScriptError};
use serde_json::Value;

use crate::data::{Random, core_cases, hex, in_parallel, verify_input};

const EXPECTED_CASES: usize = 1222;
/// How many random sets of flags each case is tried under, beyond its own.
const FLAG_SAMPLES: usize = 48;

struct Case {
    text: String,
    tx: Transaction,
    spent: TxOut,
    flags: Flags,
    expected: Option<ScriptError>,
}

#[test]
fn every_case_gives_its_exact_error() {
    let Some(cases) = core_cases("script_tests.json") else {
        return;
    };
    assert_eq!(cases.len(), EXPECTED_CASES);
    let cases: Vec<Case> = cases.iter().map(read).collect();
    let failures = in_parallel(&cases, |case| {
        let result = verify(case, case.flags);
        if result.err() != case.expected {
            return Err(format!(
                "{result:?} instead of {:?}: {}",
                case.expected, case.text
            ));
        }
        Ok(())
    });
    assert!(
        failures.is_empty(),
        "{} failures: {failures:#?}",
        failures.len()
    );
}

#[test]
fn fewer_flags_keep_a_spend_valid_and_more_keep_it_invalid() {
    let Some(cases) = core_cases("script_tests.json") else {
        return;
    };
    let cases: Vec<Case> = cases.iter().map(read).collect();
    let failures = in_parallel(&cases, |case| {
        let mut random = Random(0x5eed + case.text.len() as u64);
        for _ in 0..FLAG_SAMPLES {
            let flags = match case.expected {
                None => (case.flags - random.flags()).trimmed(),
                Some(_) => (case.flags | random.flags()).filled(),
            };
            if verify(case, flags).is_ok() != case.expected.is_none() {
                return Err(format!("differs under {flags}: {}", case.text));
            }
        }
        Ok(())
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

fn verify(case: &Case, flags: Flags) -> Result<(), ScriptError> {
    verify_input(&case.tx, 0, std::slice::from_ref(&case.spent), flags)
}

fn read(case: &Value) -> Case {
    let mut fields = case.as_array().unwrap().as_slice();
    let (mut witness, mut amount) = (Witness::new(), Amount::ZERO);
    let mut taproot = None;
    if let [Value::Array(elements), rest @ ..] = fields {
        let (value, elements) = elements.split_last().unwrap();
        amount = Amount::from_btc(value.as_f64().unwrap()).unwrap();
        taproot = read_witness(elements, &mut witness);
        fields = rest;
    }
    let [script_sig, script_pubkey, flags, expected, ..] = fields else {
        panic!("{case}")
    };
    let script_pubkey = match script_pubkey.as_str().unwrap() {
        "0x51 0x20 #TAPROOTOUTPUT#" => taproot.unwrap(),
        text => parse(text).unwrap(),
    };
    let flags: Flags = flags.as_str().unwrap().parse().unwrap();
    let flags = if flags.contains(Flags::CLEANSTACK) {
        flags.filled()
    } else {
        flags
    };
    let expected = match expected.as_str().unwrap() {
        "OK" => None,
        name => Some(ScriptError::from_name(name).unwrap_or_else(|| panic!("{name}"))),
    };
    let script_sig = parse(script_sig.as_str().unwrap()).unwrap();
    let spent = TxOut {
        value: amount,
        script_pubkey,
    };
    let tx = spending(crediting(&spent), script_sig, witness);
    Case {
        text: case.to_string(),
        tx,
        spent,
        flags,
        expected,
    }
}

/// Fills the witness; where it holds a control block to be made, gives the script pubkey that goes with it.
fn read_witness(elements: &[Value], witness: &mut Witness) -> Option<ScriptBuf> {
    let mut script_pubkey = None;
    for element in elements {
        let element = element.as_str().unwrap();
        if let Some(text) = element.strip_prefix("#SCRIPT#") {
            witness.push(parse(text).unwrap().as_bytes());
        } else if element == "#CONTROLBLOCK#" {
            let (control, script) = control_block(witness.last().unwrap());
            witness.push(control);
            script_pubkey = Some(script);
        } else {
            witness.push(hex(element));
        }
    }
    script_pubkey
}

/// Control block and script pubkey of a tree with one leaf below the generator as internal key.
fn control_block(script: &[u8]) -> (Vec<u8>, ScriptBuf) {
    let secp = Secp256k1::new();
    let secret = SecretKey::from_slice(Scalar::ONE.to_be_bytes().as_slice()).unwrap();
    let (internal_key, _) = XOnlyPublicKey::from_keypair(&secret.keypair(&secp));
    let merkle_root = leaf_hash(0xc0, script);
    let tweak = tweak_hash(&internal_key.serialize(), Some(&merkle_root));
    let tweak = Scalar::from_be_bytes(tweak).unwrap();
    let (output_key, parity) = internal_key.add_tweak(&secp, &tweak).unwrap();
    let mut control = vec![0xc0 | parity.to_u8()];
    control.extend_from_slice(&internal_key.serialize());
    let script_pubkey = [&[0x51, 0x20], output_key.serialize().as_slice()].concat();
    (control, ScriptBuf::from_bytes(script_pubkey))
}

/// The transaction that Core's tests create the spent output with.
fn crediting(output: &TxOut) -> Transaction {
    Transaction {
        version: Version::ONE,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(vec![0, 0]),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![output.clone()],
    }
}

fn spending(credit: Transaction, script_sig: ScriptBuf, witness: Witness) -> Transaction {
    Transaction {
        version: Version::ONE,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint {
                txid: credit.compute_txid(),
                vout: 0,
            },
            script_sig,
            sequence: Sequence::MAX,
            witness,
        }],
        output: vec![TxOut {
            value: credit.output[0].value,
            script_pubkey: ScriptBuf::new(),
        }],
    }
}
