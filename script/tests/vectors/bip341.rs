//! BIP341's wallet vectors: trees, control blocks, tweaks and the hashes of key path signatures.

use bitcoin::secp256k1::{Scalar, Secp256k1, XOnlyPublicKey};
use bitcoin::{Amount, ScriptBuf, TxOut};
use everett_script::sighash::taproot;
use everett_script::witness::{branch_hash, leaf_hash, tweak_hash};
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use serde_json::Value;

use crate::data::{core_file, hex_of, transaction, verify_input};

fn array(value: &Value) -> [u8; 32] {
    hex_of(value).try_into().unwrap()
}

fn vectors() -> Option<Value> {
    Some(serde_json::from_str(&core_file("bip341_wallet_vectors.json")?).unwrap())
}

/// The root of a tree, and its leaves' hashes from left to right.
fn root(tree: &Value, leaves: &mut Vec<[u8; 32]>) -> [u8; 32] {
    if let Some([left, right]) = tree.as_array().map(Vec::as_slice) {
        let left = root(left, leaves);
        return branch_hash(&left, &root(right, leaves));
    }
    let version = tree["leafVersion"].as_u64().unwrap() as u8;
    leaves.push(leaf_hash(version, &hex_of(&tree["script"])));
    leaves[leaves.len() - 1]
}

#[test]
fn trees_and_tweaks_make_the_output_keys() {
    let Some(vectors) = vectors() else { return };
    let cases = vectors["scriptPubKey"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let internal_key = array(&case["given"]["internalPubkey"]);
        let mut merkle_root = None;
        if !case["given"]["scriptTree"].is_null() {
            let mut leaves = Vec::new();
            merkle_root = Some(root(&case["given"]["scriptTree"], &mut leaves));
            let expected = case["intermediary"]["leafHashes"].as_array().unwrap();
            assert_eq!(leaves, expected.iter().map(array).collect::<Vec<_>>());
            assert_eq!(
                merkle_root,
                Some(array(&case["intermediary"]["merkleRoot"]))
            );
        }
        let tweak = tweak_hash(&internal_key, merkle_root.as_ref());
        assert_eq!(tweak, array(&case["intermediary"]["tweak"]));
        let internal_key = XOnlyPublicKey::from_slice(&internal_key).unwrap();
        let tweak = Scalar::from_be_bytes(tweak).unwrap();
        let (output_key, _) = internal_key.add_tweak(&Secp256k1::new(), &tweak).unwrap();
        let expected = array(&case["intermediary"]["tweakedPubkey"]);
        assert_eq!(output_key.serialize(), expected);
    }
}

#[test]
fn key_path_hashes_and_signatures_hold() {
    let Some(vectors) = vectors() else { return };
    let case = &vectors["keyPathSpending"][0];
    let tx = transaction(&case["given"]["rawUnsignedTx"]);
    let spent: Vec<TxOut> = case["given"]["utxosSpent"]
        .as_array()
        .unwrap()
        .iter()
        .map(output)
        .collect();
    let borrowed: Vec<SpentOutput<'_>> = spent.iter().map(SpentOutput::from).collect();
    let prepared = PreparedTransaction::new(&tx, &borrowed).unwrap();
    let inputs = case["inputSpending"].as_array().unwrap();
    assert_eq!(inputs.len(), 7);
    for input in inputs {
        let index = input["given"]["txinIndex"].as_u64().unwrap() as usize;
        let hash_type = input["given"]["hashType"].as_u64().unwrap() as u8;
        let hash = taproot::signature_hash(&prepared, index, hash_type, None, None);
        assert_eq!(hash, Some(array(&input["intermediary"]["sigHash"])));

        let mut signed = tx.clone();
        let signature = hex_of(&input["expected"]["witness"][0]);
        signed.input[index].witness.push(&signature);
        assert_eq!(
            verify_input(&signed, index, &spent, Flags::CONSENSUS),
            Ok(())
        );
    }
}

fn output(value: &Value) -> TxOut {
    TxOut {
        value: Amount::from_sat(value["amountSats"].as_u64().unwrap()),
        script_pubkey: ScriptBuf::from_bytes(hex_of(&value["scriptPubKey"])),
    }
}
