use bitcoin::ScriptBuf;

use super::*;

fn script(hex: &str) -> ScriptBuf {
    ScriptBuf::from_hex(hex).unwrap()
}

#[test]
fn a_multisig_counts_twenty_unless_its_keys_are_told() {
    let two_of_three = script("5253ae");
    assert_eq!(legacy_sigops(&two_of_three, false), 20);
    assert_eq!(legacy_sigops(&two_of_three, true), 3);
    assert_eq!(legacy_sigops(&script("00ae"), true), 20);
    assert_eq!(legacy_sigops(&script("5261af"), true), 20);
    assert_eq!(legacy_sigops(&script("ae"), true), 20);
    assert_eq!(legacy_sigops(&script("51af60ae"), true), 17);
}

#[test]
fn counting_stops_at_a_push_past_the_end() {
    assert_eq!(legacy_sigops(&script("ac02acac"), false), 1);
    assert_eq!(legacy_sigops(&script("acad02ac"), false), 2);
}

#[test]
fn a_redeem_script_counts_accurately_and_only_under_p2sh() {
    let p2sh = script(&format!("a914{}87", "00".repeat(20)));
    assert_eq!(
        p2sh_sigops(&script("0003 5253ae".replace(' ', "").as_str()), &p2sh),
        3
    );
    assert_eq!(p2sh_sigops(&script("61035253ae"), &p2sh), 0);
    assert_eq!(p2sh_sigops(&script("035253ae51"), &p2sh), 0);
    assert_eq!(p2sh_sigops(&script("035253ae"), &script("ac")), 0);
}

#[test]
fn a_witness_program_counts_only_in_version_zero_and_under_the_flag() {
    let witness = Witness::from_slice(&[vec![], vec![0x52, 0x53, 0xae]]);
    let empty = script("");
    let p2wsh = script(&format!("0020{}", "00".repeat(32)));
    let p2wpkh = script(&format!("0014{}", "00".repeat(20)));
    let p2tr = script(&format!("5120{}", "00".repeat(32)));
    let p2sh = script(&format!("a914{}87", "00".repeat(20)));
    let nested = script(&format!("160014{}", "00".repeat(20)));
    let count = |script_sig, script_pubkey| {
        witness_sigops(script_sig, script_pubkey, &witness, Flags::CONSENSUS)
    };
    assert_eq!(count(&empty, &p2wsh), 3);
    assert_eq!(count(&empty, &p2wpkh), 1);
    assert_eq!(count(&empty, &p2tr), 0);
    assert_eq!(count(&nested, &p2sh), 1);
    assert_eq!(count(&empty, &p2sh), 0);
    assert_eq!(witness_sigops(&empty, &p2wsh, &witness, Flags::P2SH), 0);
    assert_eq!(
        witness_sigops(&empty, &p2wsh, &Witness::new(), Flags::CONSENSUS),
        0
    );
}
