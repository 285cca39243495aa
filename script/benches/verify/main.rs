//! How fast inputs verify, against libsecp256k1 alone on the same signatures in the same run.
//! Promises comparable figures on a busy machine: both take short turns, and the best ones are compared.
//! Refuses to hold data: the real blocks at the end are left out where `$EVERETT_VECTORS` has none.
//! Run with `cargo bench -p everett-script`.
//!
//! Columns: `engine`, whole inputs (transaction hashes and script included); `library`, what any node must
//! have libsecp256k1 do for it (parse key and signature, verify, for tapscripts check the tweak);
//! `verify only`, the library's verification of keys and signatures already parsed. Real blocks: inputs a second on
//! one core and on two, the ratio of both, that of the library alone, and the share of the time on one core that is
//! not the library's.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::script::ScriptBuf;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use everett_script::assembly::push_data;
use everett_script::sighash::{legacy, segwit, taproot};
use everett_script::witness::{LEAF_VERSION_TAPSCRIPT, branch_hash, leaf_hash, tweak_hash};
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use secp256k1::{
    All, Keypair, Message, PublicKey, Scalar, Secp256k1, XOnlyPublicKey, ecdsa, schnorr,
};

use raw::Raw;

mod blocks;
mod raw;

/// Transactions in a turn, with [`INPUTS`] inputs each.
const TRANSACTIONS: usize = 8;
const INPUTS: usize = 2;
const TURNS: usize = 400;

enum Parsed {
    Ecdsa(PublicKey, ecdsa::Signature, Message),
    Schnorr(XOnlyPublicKey, schnorr::Signature, Message),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    P2pkh,
    P2wpkh,
    Multisig,
    KeyPath,
    Tapscript,
}

struct Spend {
    tx: Transaction,
    spent: Vec<TxOut>,
    raw: Vec<Raw>,
}

fn main() {
    println!(
        "{:<16}{:>14}{:>14}{:>14}{:>10}{:>10}",
        "inputs/s", "engine", "library", "verify only", "ratio", "to verify"
    );
    for (name, kind) in [
        ("P2PKH", Kind::P2pkh),
        ("P2WPKH", Kind::P2wpkh),
        ("P2TR key path", Kind::KeyPath),
        ("P2TR tapscript", Kind::Tapscript),
        ("P2WSH 2-of-3", Kind::Multisig),
    ] {
        measure(name, kind);
    }
    blocks::measure();
}

fn measure(name: &str, kind: Kind) {
    let secp = Secp256k1::new();
    let spends: Vec<Spend> = (0..TRANSACTIONS)
        .map(|seed| spend(&secp, kind, seed))
        .collect();
    let parsed: Vec<Parsed> = spends
        .iter()
        .flat_map(|spend| &spend.raw)
        .filter_map(parse)
        .collect();
    let (mut engine, mut library, mut only) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        engine.push(time(|| spends.iter().for_each(verify_engine)));
        library.push(time(|| {
            spends
                .iter()
                .flat_map(|spend| &spend.raw)
                .for_each(|raw| assert!(raw.verify(&secp), "signed above"))
        }));
        only.push(time(|| {
            parsed.iter().for_each(|one| verify_parsed(&secp, one))
        }));
    }
    let rate = |times: &[Duration]| {
        let best = times
            .iter()
            .min()
            .map_or(f64::INFINITY, Duration::as_secs_f64);
        (TRANSACTIONS * INPUTS) as f64 / best
    };
    let (engine, library, only) = (rate(&engine), rate(&library), rate(&only));
    println!(
        "{name:<16}{engine:>14.0}{library:>14.0}{only:>14.0}{:>9.1}%{:>9.1}%",
        100.0 * engine / library,
        100.0 * engine / only
    );
}

pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn verify_engine(spend: &Spend) {
    let spent: Vec<SpentOutput<'_>> = spend.spent.iter().map(SpentOutput::from).collect();
    let prepared = PreparedTransaction::new(&spend.tx, &spent).expect("one output for each input");
    black_box(prepared.verify(Flags::CONSENSUS)).expect("signed above");
}

fn parse(raw: &Raw) -> Option<Parsed> {
    Some(match raw {
        Raw::Ecdsa {
            key,
            signature,
            hash,
        } => Parsed::Ecdsa(
            PublicKey::from_slice(key).expect("a key"),
            ecdsa::Signature::from_der(signature).expect("a signature"),
            Message::from_digest(*hash),
        ),
        Raw::Schnorr {
            key,
            signature,
            hash,
        } => Parsed::Schnorr(
            XOnlyPublicKey::from_slice(key).expect("a key"),
            schnorr::Signature::from_slice(signature).expect("a signature"),
            Message::from_digest(*hash),
        ),
        Raw::Tweak { .. } => return None,
    })
}

fn verify_parsed(secp: &Secp256k1<All>, parsed: &Parsed) {
    match parsed {
        Parsed::Ecdsa(key, signature, message) => {
            black_box(secp.verify_ecdsa(message, signature, key)).expect("signed above");
        }
        Parsed::Schnorr(key, signature, message) => {
            black_box(secp.verify_schnorr(signature, message, key)).expect("signed above");
        }
    }
}

/// What an input's key or script is made of.
struct Lock {
    keys: Vec<Keypair>,
    script_pubkey: ScriptBuf,
    /// The witness script, the leaf script, or empty.
    script: Vec<u8>,
    control: Vec<u8>,
    tweak: [u8; 32],
}

fn spend(secp: &Secp256k1<All>, kind: Kind, seed: usize) -> Spend {
    let locks: Vec<Lock> = (0..INPUTS)
        .map(|input| lock(secp, kind, seed * INPUTS + input))
        .collect();
    let amount = Amount::from_sat(100_000 + seed as u64);
    let output = |lock: &Lock| TxOut {
        value: amount,
        script_pubkey: lock.script_pubkey.clone(),
    };
    let input = |index: usize| TxIn {
        previous_output: OutPoint {
            txid: Txid::hash(&seed.to_le_bytes()),
            vout: index as u32,
        },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let mut tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: (0..INPUTS).map(input).collect(),
        output: locks.iter().map(output).collect(),
    };
    let spent: Vec<TxOut> = locks.iter().map(output).collect();
    let mut raw = Vec::new();
    let unsigned = tx.clone();
    let borrowed: Vec<SpentOutput<'_>> = spent.iter().map(SpentOutput::from).collect();
    let prepared =
        PreparedTransaction::new(&unsigned, &borrowed).expect("one output for each input");
    for (index, lock) in locks.iter().enumerate() {
        sign(
            secp,
            kind,
            &prepared,
            index,
            lock,
            &mut tx.input[index],
            &mut raw,
        );
    }
    Spend { tx, spent, raw }
}

fn lock(secp: &Secp256k1<All>, kind: Kind, seed: usize) -> Lock {
    let key = |index: usize| {
        let secret = sha256::Hash::hash(&(seed * 3 + index).to_le_bytes()).to_byte_array();
        Keypair::from_seckey_slice(secp, &secret).expect("a hash is a key")
    };
    let mut keys = vec![key(0)];
    let key_hash = hash160::Hash::hash(&keys[0].public_key().serialize()).to_byte_array();
    let (mut script, mut control, mut tweak) = (Vec::new(), Vec::new(), [0; 32]);
    let script_pubkey = match kind {
        Kind::P2pkh => [&[0x76, 0xa9, 20][..], &key_hash, &[0x88, 0xac]].concat(),
        Kind::P2wpkh => [&[0, 20][..], &key_hash].concat(),
        Kind::Multisig => {
            keys.extend([key(1), key(2)]);
            script.push(0x52);
            for key in &keys {
                push_data(&mut script, &key.public_key().serialize());
            }
            script.extend([0x53, 0xae]);
            [&[0, 32][..], sha256::Hash::hash(&script).as_byte_array()].concat()
        }
        Kind::KeyPath => [&[0x51, 32][..], &keys[0].x_only_public_key().0.serialize()].concat(),
        Kind::Tapscript => {
            let internal_key = keys[0].x_only_public_key().0;
            push_data(&mut script, &internal_key.serialize());
            script.push(0xac);
            let sibling = [seed as u8; 32];
            let root = branch_hash(&leaf_hash(LEAF_VERSION_TAPSCRIPT, &script), &sibling);
            tweak = tweak_hash(&internal_key.serialize(), Some(&root));
            let scalar = Scalar::from_be_bytes(tweak).expect("below the order");
            let (output_key, parity) = internal_key.add_tweak(secp, &scalar).expect("a sum");
            control = vec![LEAF_VERSION_TAPSCRIPT | parity.to_u8()];
            control.extend(internal_key.serialize());
            control.extend(sibling);
            [&[0x51, 32][..], &output_key.serialize()].concat()
        }
    };
    Lock {
        keys,
        script_pubkey: ScriptBuf::from_bytes(script_pubkey),
        script,
        control,
        tweak,
    }
}

fn sign(
    secp: &Secp256k1<All>,
    kind: Kind,
    prepared: &PreparedTransaction<'_>,
    index: usize,
    lock: &Lock,
    input: &mut TxIn,
    raw: &mut Vec<Raw>,
) {
    let (tx, amount) = (
        prepared.transaction(),
        prepared.spent_outputs()[index].amount,
    );
    let mut ecdsa = |key: &Keypair, hash: [u8; 32]| {
        let signature = secp.sign_ecdsa(&Message::from_digest(hash), &key.secret_key());
        let signature = signature.serialize_der().to_vec();
        let key = key.public_key().serialize().to_vec();
        raw.push(Raw::Ecdsa {
            key,
            signature: signature.clone(),
            hash,
        });
        [signature, vec![1]].concat()
    };
    let key = &lock.keys[0];
    let public_key = key.public_key().serialize();
    match kind {
        Kind::P2pkh => {
            let hash = legacy::signature_hash(tx, index, lock.script_pubkey.as_bytes(), 1);
            let mut script_sig = Vec::new();
            push_data(&mut script_sig, &ecdsa(key, hash));
            push_data(&mut script_sig, &public_key);
            input.script_sig = ScriptBuf::from_bytes(script_sig);
        }
        Kind::P2wpkh => {
            let code = [
                &[0x76, 0xa9, 20][..],
                &lock.script_pubkey.as_bytes()[2..],
                &[0x88, 0xac],
            ]
            .concat();
            let hash = segwit::signature_hash(tx, index, &code, amount, 1);
            input.witness.push(ecdsa(key, hash));
            input.witness.push(public_key);
        }
        Kind::Multisig => {
            let hash = segwit::signature_hash(tx, index, &lock.script, amount, 1);
            input.witness.push([]);
            // The last two keys: they are tried first, so no try is in vain.
            input.witness.push(ecdsa(&lock.keys[1], hash));
            input.witness.push(ecdsa(&lock.keys[2], hash));
            input.witness.push(&lock.script);
        }
        Kind::KeyPath | Kind::Tapscript => {
            let position = taproot::TapscriptPosition {
                leaf_hash: leaf_hash(LEAF_VERSION_TAPSCRIPT, &lock.script),
                code_separator: u32::MAX,
            };
            let position = Some(&position).filter(|_| kind == Kind::Tapscript);
            let hash = taproot::signature_hash(prepared, index, 0, None, position)
                .expect("a defined type");
            let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash), key);
            let signature = signature.serialize().to_vec();
            let key = key.x_only_public_key().0.serialize();
            input.witness.push(&signature);
            raw.push(Raw::Schnorr {
                key,
                signature,
                hash,
            });
            if kind == Kind::Tapscript {
                raw.push(Raw::Tweak {
                    internal_key: key,
                    tweak: lock.tweak,
                });
                input.witness.push(&lock.script);
                input.witness.push(&lock.control);
            }
        }
    }
}
