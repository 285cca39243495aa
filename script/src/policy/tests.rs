use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxIn, Txid, Witness};

use super::*;
use crate::SpentOutput;
use crate::assembly::parse;

const KEY: &str = "0x21 0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn template_name(text: &str) -> &'static str {
    Template::of(parse(text).unwrap().as_bytes()).name()
}

fn hash(length: usize) -> String {
    format!("0x{length:02x} 0x{}", "07".repeat(length))
}

fn output(text: &str, value: u64) -> TxOut {
    TxOut {
        value: Amount::from_sat(value),
        script_pubkey: parse(text).unwrap(),
    }
}

fn p2pkh() -> String {
    format!("DUP HASH160 {} EQUALVERIFY CHECKSIG", hash(20))
}

/// A standard transaction with one input and one output.
fn standard() -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint {
                txid: Txid::all_zeros(),
                vout: 0,
            },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![output(&p2pkh(), 1000)],
    }
}

fn reason(change: impl FnOnce(&mut Transaction)) -> Option<String> {
    let mut tx = standard();
    change(&mut tx);
    is_standard_transaction(&tx, &StandardRules::default())
        .err()
        .map(|error| error.to_string())
}

#[test]
fn every_standard_form_goes_by_cores_name() {
    assert_eq!(template_name(&p2pkh()), "pubkeyhash");
    assert_eq!(
        template_name(&format!("HASH160 {} EQUAL", hash(20))),
        "scripthash"
    );
    assert_eq!(template_name(&format!("{KEY} CHECKSIG")), "pubkey");
    assert_eq!(
        template_name(&format!("1 {KEY} {KEY} 2 CHECKMULTISIG")),
        "multisig"
    );
    assert_eq!(template_name("RETURN"), "nulldata");
    assert_eq!(template_name("RETURN 'abc' 5 RESERVED"), "nulldata");
    assert_eq!(
        template_name(&format!("0 {}", hash(20))),
        "witness_v0_keyhash"
    );
    assert_eq!(
        template_name(&format!("0 {}", hash(32))),
        "witness_v0_scripthash"
    );
    assert_eq!(
        template_name(&format!("1 {}", hash(32))),
        "witness_v1_taproot"
    );
    assert_eq!(template_name("1 0x02 0x4e73"), "anchor");
    assert_eq!(template_name(&format!("1 {}", hash(31))), "witness_unknown");
    assert_eq!(template_name(&format!("16 {}", hash(2))), "witness_unknown");
}

#[test]
fn what_only_resembles_a_standard_form_has_none() {
    for text in [
        "",
        "1",
        "RETURN NOP",
        "RETURN 0x05 0x01",
        &format!("0 {}", hash(21)),
        &format!("DUP HASH160 {} EQUALVERIFY CHECKSIG NOP", hash(20)),
        &format!("0x4c21 {} CHECKSIG", &KEY[5..]),
        "0x21 0x0579be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798 CHECKSIG",
        &format!("2 {KEY} 1 CHECKMULTISIG"),
        &format!("0 {KEY} 1 CHECKMULTISIG"),
        &format!("1 {KEY} 2 CHECKMULTISIG"),
        &format!("1 {KEY} 1 NOP CHECKMULTISIG"),
        &format!("0x01 0x01 {KEY} 1 CHECKMULTISIG"),
        "1 0 CHECKMULTISIG",
        "CHECKMULTISIG",
    ] {
        assert_eq!(template_name(text), "nonstandard", "{text}");
    }
}

#[test]
fn a_multisig_may_count_its_keys_by_a_push_but_is_standard_up_to_three() {
    let seventeen = format!("1 {} 17 CHECKMULTISIG", format!("{KEY} ").repeat(17));
    assert_eq!(template_name(&seventeen), "multisig");
    let script = parse(&seventeen).unwrap();
    assert!(!Template::of(script.as_bytes()).is_standard());
    let three = parse(&format!("3 {KEY} {KEY} {KEY} 3 CHECKMULTISIG")).unwrap();
    assert!(Template::of(three.as_bytes()).is_standard());
    let twenty_one = format!("1 {} 21 CHECKMULTISIG", format!("{KEY} ").repeat(21));
    assert_eq!(template_name(&twenty_one), "nonstandard");
}

#[test]
fn dust_is_what_costs_more_to_spend() {
    let threshold = |text: &str| dust_threshold(&output(text, 0), DUST_RELAY_TX_FEE);
    assert_eq!(threshold(&p2pkh()), 546);
    assert_eq!(threshold(&format!("HASH160 {} EQUAL", hash(20))), 540);
    assert_eq!(threshold(&format!("0 {}", hash(20))), 294);
    assert_eq!(threshold(&format!("0 {}", hash(32))), 330);
    assert_eq!(threshold(&format!("1 {}", hash(32))), 330);
    assert_eq!(threshold("1 0x02 0x4e73"), 240);
    assert_eq!(threshold("RETURN"), 0);
    assert!(is_dust(&output(&p2pkh(), 545), DUST_RELAY_TX_FEE));
    assert!(!is_dust(&output(&p2pkh(), 546), DUST_RELAY_TX_FEE));
    // A rate that does not divide is rounded up.
    assert_eq!(dust_threshold(&output(&p2pkh(), 0), 3_701), 674);
}

#[test]
fn each_flaw_of_a_transaction_has_its_reason() {
    assert_eq!(reason(|_| {}), None);
    for (version, expected) in [
        (0, Some("version")),
        (1, None),
        (3, None),
        (4, Some("version")),
        (-1, Some("version")),
    ] {
        assert_eq!(
            reason(|tx| tx.version = Version(version)).as_deref(),
            expected
        );
    }
    let heavy = reason(|tx| tx.output = vec![output(&p2pkh(), 1000); 3_000]);
    assert_eq!(heavy.as_deref(), Some("tx-size"));
    let long = reason(|tx| tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0; 1_651]));
    assert_eq!(long.as_deref(), Some("scriptsig-size"));
    let opcode = reason(|tx| tx.input[0].script_sig = parse("NOP").unwrap());
    assert_eq!(opcode.as_deref(), Some("scriptsig-not-pushonly"));
    assert_eq!(
        reason(|tx| tx.output.push(output("1", 1000))).as_deref(),
        Some("scriptpubkey")
    );
    assert_eq!(reason(|tx| tx.output.push(output(&p2pkh(), 1))), None);
    let two_dust = reason(|tx| tx.output = vec![output(&p2pkh(), 1); 2]);
    assert_eq!(two_dust.as_deref(), Some("dust"));
}

#[test]
fn operators_can_forbid_data_and_bare_multisigs() {
    let mut tx = standard();
    tx.output = vec![output("RETURN 'abc'", 0), output("RETURN 'abcd'", 0)];
    let rules = |bytes| StandardRules {
        max_datacarrier_bytes: bytes,
        ..StandardRules::default()
    };
    assert_eq!(is_standard_transaction(&tx, &rules(Some(11))), Ok(()));
    let error = NonStandardTransaction::DataCarrier { output: 1 };
    assert_eq!(is_standard_transaction(&tx, &rules(Some(10))), Err(error));
    let error = NonStandardTransaction::DataCarrier { output: 0 };
    assert_eq!(is_standard_transaction(&tx, &rules(None)), Err(error));
    tx.output = vec![output(&format!("1 {KEY} 1 CHECKMULTISIG"), 1000)];
    let no_multisig = StandardRules {
        permit_bare_multisig: false,
        ..StandardRules::default()
    };
    assert_eq!(
        is_standard_transaction(&tx, &StandardRules::default()),
        Ok(())
    );
    let error = NonStandardTransaction::BareMultisig { output: 0 };
    assert_eq!(is_standard_transaction(&tx, &no_multisig), Err(error));
}

/// A transaction with one input that spends the script, and whether its input and witness are standard.
fn spend(script_pubkey: &str, script_sig: &str, witness: &[Vec<u8>]) -> (Result<(), String>, bool) {
    let mut tx = standard();
    tx.input[0].script_sig = parse(script_sig).unwrap();
    tx.input[0].witness = Witness::from_slice(witness);
    let script_pubkey = parse(script_pubkey).unwrap();
    let spent = [SpentOutput {
        amount: Amount::ZERO,
        script_pubkey: &script_pubkey,
    }];
    let input = validate_inputs_standardness(&tx, &spent).map_err(|error| error.to_string());
    (input, is_standard_witness(&tx, &spent))
}

#[test]
fn inputs_spend_standard_outputs_and_short_redeem_scripts() {
    let p2sh = format!("HASH160 {} EQUAL", hash(20));
    let input = |script_pubkey: &str, script_sig: &str| spend(script_pubkey, script_sig, &[]).0;
    assert_eq!(input(&p2pkh(), "1"), Ok(()));
    assert_eq!(input("1", ""), Err("input 0 script unknown".to_owned()));
    let undefined = input(&format!("2 {}", hash(2)), "");
    assert_eq!(
        undefined,
        Err("input 0 witness program is undefined".to_owned())
    );
    assert_eq!(
        input(&p2sh, ""),
        Err("input 0 P2SH redeemscript missing".to_owned())
    );
    let malformed = input(&p2sh, "RETURN");
    let expected = "p2sh scriptsig malformed (input 0: OP_RETURN was encountered)";
    assert_eq!(malformed, Err(expected.to_owned()));
    assert_eq!(input(&p2sh, &format!("0x0f 0x{}", "ac".repeat(15))), Ok(()));
    let expected = "p2sh redeemscript sigops exceed limit (input 0: 16 > 15)";
    assert_eq!(
        input(&p2sh, &format!("0x10 0x{}", "ac".repeat(16))),
        Err(expected.to_owned())
    );
    let many = "CHECKSIG ".repeat(MAX_TX_LEGACY_SIGOPS);
    assert_eq!(input(&p2pkh(), &many[9..]), Ok(()));
    assert_eq!(
        input(&p2pkh(), &many),
        Err("non-witness sigops exceed bip54 limit".to_owned())
    );
}

#[test]
fn witnesses_keep_to_the_limits() {
    let p2wsh = format!("0 {}", hash(32));
    let p2tr = format!("1 {}", hash(32));
    let witness = |script_pubkey: &str, elements: &[Vec<u8>]| spend(script_pubkey, "", elements).1;
    let with_script = |element: usize, count: usize, script: usize| {
        let mut elements = vec![vec![0; element]; count];
        elements.push(vec![0; script]);
        elements
    };
    assert!(witness(&p2wsh, &with_script(80, 100, 3_600)));
    assert!(!witness(&p2wsh, &with_script(81, 1, 1)));
    assert!(!witness(&p2wsh, &with_script(1, 101, 1)));
    assert!(!witness(&p2wsh, &with_script(1, 1, 3_601)));
    assert!(!witness(&p2pkh(), &[vec![1]]));
    assert!(!witness("1 0x02 0x4e73", &[vec![1]]));
    assert!(witness(&format!("0 {}", hash(20)), &[vec![0; 1_000]]));
    let script_path =
        |element: usize, control: Vec<u8>| vec![vec![0; element], vec![0x51; 9_999], control];
    assert!(witness(&p2tr, &script_path(80, vec![0xc1])));
    assert!(!witness(&p2tr, &script_path(81, vec![0xc0])));
    assert!(witness(&p2tr, &script_path(81, vec![0xc2])));
    assert!(!witness(&p2tr, &script_path(1, vec![])));
    assert!(!witness(&p2tr, &script_path(1, vec![ANNEX])));
    assert!(witness(&p2tr, &[vec![ANNEX; 64]]));
    let nested = format!("0x22 0x0020{}", "07".repeat(32));
    let p2sh = format!("HASH160 {} EQUAL", hash(20));
    assert!(spend(&p2sh, &nested, &with_script(80, 100, 3_600)).1);
    assert!(!spend(&p2sh, &nested, &with_script(81, 1, 1)).1);
    assert!(!spend(&p2sh, "'abc'", &[vec![1]]).1);
    assert!(!spend(&p2sh, "", &[vec![1]]).1);
}

const ANNEX: u8 = crate::witness::ANNEX_TAG;

#[test]
fn virtual_size_is_a_quarter_of_the_weight_or_what_sigops_count_for() {
    let tx = standard();
    let weight = tx.weight().to_wu();
    assert_eq!(
        virtual_size(&tx, 0, DEFAULT_BYTES_PER_SIGOP),
        weight.div_ceil(4)
    );
    assert_eq!(virtual_size(&tx, 400, DEFAULT_BYTES_PER_SIGOP), 2_000);
}
