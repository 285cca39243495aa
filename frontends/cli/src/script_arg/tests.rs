use super::*;

const ADDRESS: &str = "n3GeKUCLHJgSq9xedckNhKeafVtcc5Xgrv";
const SCRIPT: &str = "76a914ee9df0422d1fefc725c43e9df18d5c09bfc4af4088ac";

#[test]
fn address_script_and_hash_are_the_same_script() {
    let address: ScriptArg = ADDRESS.parse().unwrap();
    let script: ScriptArg = SCRIPT.parse().unwrap();
    let hash = script.hash(Network::Regtest).unwrap();
    assert_eq!(address.hash(Network::Regtest).unwrap(), hash);
    let by_hash: ScriptArg = hash.to_string().parse().unwrap();
    assert_eq!(by_hash.hash(Network::Regtest).unwrap(), hash);
}

#[test]
fn a_raw_script_of_32_bytes_needs_its_prefix() {
    let hex = "51".repeat(32);
    assert!(matches!(
        hex.parse::<ScriptArg>().unwrap().kind,
        ScriptKind::Hash(_)
    ));
    let forced = format!("hex:{hex}").parse::<ScriptArg>().unwrap();
    assert!(matches!(forced.kind, ScriptKind::Script(_)));
}

#[test]
fn an_address_of_another_network_is_refused() {
    let address: ScriptArg = ADDRESS.parse().unwrap();
    let failure = address.hash(Network::Mainnet).unwrap_err();
    assert!(failure.to_string().contains("is not one of mainnet"));
}

#[test]
fn nonsense_is_no_script() {
    for wrong in ["", "xyz", "abc", "hex:xyz", "bcrt1qqqq"] {
        assert!(wrong.parse::<ScriptArg>().is_err(), "{wrong}");
    }
}
