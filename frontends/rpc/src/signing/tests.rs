use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Sequence, TxIn, Txid, Witness};

use super::*;

const WIF: &str = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA";

fn spending(script: ScriptBuf) -> (Transaction, Vec<Option<TxOut>>) {
    let output = TxOut {
        value: Amount::from_sat(1000),
        script_pubkey: script,
    };
    let transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::all_zeros(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(900),
            script_pubkey: ScriptBuf::new(),
        }],
    };
    (transaction, vec![Some(output)])
}

#[test]
fn every_form_with_one_key_is_solved() {
    let secp = Secp256k1::new();
    let key = PrivateKey::from_wif(WIF).unwrap();
    let public = key.public_key(&secp);
    let mut keys = Keys::default();
    keys.add(key, &secp);
    let wpkh = ScriptBuf::new_p2wpkh(&public.wpubkey_hash().unwrap());
    let pk = ScriptBuf::new_p2pk(&public);
    let wsh = ScriptBuf::new_p2wsh(&pk.wscript_hash());
    keys.add_script(wpkh.clone());
    keys.add_script(pk.clone());
    keys.add_script(wsh.clone());
    let rawtr =
        ScriptBuf::new_p2tr_tweaked(bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(
            public.inner.x_only_public_key().0,
        ));
    for script in [
        pk.clone(),
        ScriptBuf::new_p2pkh(&public.pubkey_hash()),
        wpkh.clone(),
        ScriptBuf::new_p2sh(&wpkh.script_hash()),
        wsh.clone(),
        ScriptBuf::new_p2sh(&wsh.script_hash()),
        rawtr,
    ] {
        let (transaction, spent) = spending(script.clone());
        let signing = Signing {
            transaction: &transaction,
            spent: &spent,
            hash_type: 0,
            secp: &secp,
        };
        let produced = produce(&signing, &keys, 0, Signatures::new()).unwrap();
        assert!(produced.complete, "{script:?}");
    }
}

#[test]
fn a_multisig_is_signed_in_part_and_then_wholly() {
    let secp = Secp256k1::new();
    let first = PrivateKey::from_wif(WIF).unwrap();
    let second = PrivateKey::new(
        bitcoin::secp256k1::SecretKey::from_slice(&[2; 32]).unwrap(),
        bitcoin::NetworkKind::Test,
    );
    let script = bitcoin::script::Builder::new()
        .push_int(2)
        .push_key(&first.public_key(&secp))
        .push_key(&second.public_key(&secp))
        .push_int(2)
        .push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIG)
        .into_script();
    let (mut transaction, spent) = spending(ScriptBuf::new_p2sh(&script.script_hash()));
    for (key, complete) in [(first, false), (second, true)] {
        let mut keys = Keys::default();
        keys.add(key, &secp);
        keys.add_script(script.clone());
        let signing = Signing {
            transaction: &transaction,
            spent: &spent,
            hash_type: 0,
            secp: &secp,
        };
        let known = known_signatures(&signing, 0, &mut keys);
        let produced = produce(&signing, &keys, 0, known).unwrap();
        assert_eq!(produced.complete, complete);
        transaction.input[0].script_sig = produced.script_sig;
    }
    assert_eq!(verify(&transaction, &spent, 0), Ok(()));
}
