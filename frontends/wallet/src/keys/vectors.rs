//! Bitcoin Core's vectors of keys, addresses and PSBTs, held against a keyring.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::psbt::Psbt;
use bitcoin::{Address, EcdsaSighashType, Network, PrivateKey, ScriptBuf};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::store::{WalletFile, WalletFlags, as_it_is};

/// A file of the vectors; without them the test says so.
fn vectors(name: &str) -> Option<Vec<Value>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("EVERETT_VECTORS").map_or(beside, PathBuf::from);
    let path = root.join("vectors/core").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!(
            "skipped: {} is not there; set EVERETT_VECTORS",
            path.display()
        );
        return None;
    };
    match serde_json::from_str(&text).unwrap() {
        Value::Array(all) => Some(all),
        other => Some(vec![other]),
    }
}

fn blank(directory: &TempDir, name: &str, network: Network) -> Keyring {
    let place = directory.path().join(name);
    let file = WalletFile::create(&place, network, WalletFlags::default(), as_it_is).unwrap();
    Keyring::load(&file, 1).unwrap()
}

fn network(chain: &Value) -> Network {
    match chain.as_str().unwrap() {
        "main" => Network::Bitcoin,
        "test" => Network::Testnet,
        "testnet4" => Network::Testnet4,
        "signet" => Network::Signet,
        _ => Network::Regtest,
    }
}

const NETWORKS: [Network; 5] = [
    Network::Bitcoin,
    Network::Testnet,
    Network::Testnet4,
    Network::Signet,
    Network::Regtest,
];

#[test]
fn valid_keys_and_addresses_of_core_are_read_and_written_the_same() {
    let directory = TempDir::new().unwrap();
    for (at, case) in vectors("key_io_valid.json").iter().flatten().enumerate() {
        let (text, bytes, about) = (case[0].as_str().unwrap(), &case[1], &case[2]);
        let bytes = Vec::<u8>::from_hex(bytes.as_str().unwrap()).unwrap();
        let network = network(&about["chain"]);
        if about["isPrivkey"] == true {
            let mut keyring = blank(&directory, &at.to_string(), network);
            keyring.import_wif(text, None, 0).unwrap();
            let key = PrivateKey::from_wif(text).unwrap();
            assert_eq!(
                key.inner.secret_bytes().to_lower_hex_string(),
                bytes.to_lower_hex_string()
            );
            let address = Address::p2pkh(key.public_key(&expression::SECP), network);
            assert_eq!(*keyring.dump_wif(&address).unwrap(), text);
        } else {
            let script = ScriptBuf::from_bytes(bytes);
            let address: Address<NetworkUnchecked> = text.parse().unwrap();
            let address = address.require_network(network).unwrap();
            assert_eq!(address.script_pubkey(), script);
            assert_eq!(address_of(&script, network).unwrap().to_string(), text);
        }
    }
}

#[test]
fn invalid_keys_of_core_are_refused_on_every_network() {
    let directory = TempDir::new().unwrap();
    let keyrings = NETWORKS.map(|network| blank(&directory, &network.to_string(), network));
    for case in vectors("key_io_invalid.json").iter().flatten() {
        let text = case[0].as_str().unwrap();
        for keyring in &keyrings {
            let imported = keyring.clone().import_wif(text, None, 0);
            assert!(matches!(imported, Err(KeyError::BadWif)), "{text}");
        }
    }
}

#[test]
fn cores_signers_sign_the_same() {
    let directory = TempDir::new().unwrap();
    for all in vectors("rpc_psbt.json").iter().flatten() {
        for (at, case) in all["signer"].as_array().unwrap().iter().enumerate() {
            let mut keyring = blank(&directory, &at.to_string(), Network::Regtest);
            for key in case["privkeys"].as_array().unwrap() {
                keyring.import_wif(key.as_str().unwrap(), None, 0).unwrap();
            }
            let read = |text: &Value| {
                let bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
                Psbt::deserialize(&bytes).unwrap()
            };
            let mut psbt = read(&case["psbt"]);
            let process = Process {
                sighash: Some(EcdsaSighashType::All.into()),
                ..Process::default()
            };
            keyring.process_psbt(&mut psbt, |_| None, process).unwrap();
            assert_eq!(psbt, read(&case["result"]), "signer {at}");
        }
    }
}
