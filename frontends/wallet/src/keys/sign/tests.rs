use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, EcdsaSighashType, Network, Sequence, TxIn};
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::keys::{Chain, Import, Kdf, Master, OutputType, with_checksum};
use crate::store::{WalletFile, WalletFlags, as_it_is};

const TPRV: &str = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";
const TPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
const WIF: &str = "cUeKHd5orzT3mz8P9pxyREHfsWtVfgsfDjiZZBcjUBAaGk1BTj7N";
const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

struct Made {
    _directory: TempDir,
    file: WalletFile,
    keyring: Keyring,
}

fn blank() -> Made {
    let directory = TempDir::new().unwrap();
    let place = directory.path().join("w");
    let file =
        WalletFile::create(&place, Network::Regtest, WalletFlags::default(), as_it_is).unwrap();
    let keyring = Keyring::load(&file, 3).unwrap();
    Made {
        _directory: directory,
        file,
        keyring,
    }
}

fn fresh() -> Made {
    let mut made = blank();
    let master = Master::from_seed(&[7; 32], Network::Regtest).unwrap();
    made.keyring.add_master(&master, 0).unwrap();
    made
}

fn with(text: &str) -> Made {
    let mut made = blank();
    let import = Import {
        text: Zeroizing::new(with_checksum(text)),
        ..Import::default()
    };
    made.keyring
        .import(&import)
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    made
}

/// A transaction that pays to scripts, and one that spends all that it pays.
fn payment(scripts: &[ScriptBuf]) -> (Transaction, Transaction) {
    let output = |script: &ScriptBuf| TxOut {
        value: Amount::from_sat(100_000),
        script_pubkey: script.clone(),
    };
    let paid = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(bitcoin::Txid::all_zeros(), 0),
            ..TxIn::default()
        }],
        output: scripts.iter().map(output).collect(),
    };
    let txid = paid.compute_txid();
    let spends = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: (0..scripts.len() as u32)
            .map(|vout| TxIn {
                previous_output: OutPoint::new(txid, vout),
                sequence: Sequence::from_height(10),
                ..TxIn::default()
            })
            .collect(),
        output: vec![TxOut {
            value: Amount::from_sat(90_000),
            script_pubkey: scripts[0].clone(),
        }],
    };
    (paid, spends)
}

fn known(paid: &Transaction) -> impl Fn(&OutPoint) -> Option<SpentCoin> {
    move |outpoint| {
        Some(SpentCoin {
            output: paid.output.get(outpoint.vout as usize)?.clone(),
            transaction: Some(paid.clone()),
        })
    }
}

fn verify(transaction: &Transaction, paid: &Transaction) {
    let spent: Vec<SpentOutput<'_>> = transaction
        .input
        .iter()
        .map(|input| {
            let output = &paid.output[input.previous_output.vout as usize];
            SpentOutput {
                amount: output.value,
                script_pubkey: &output.script_pubkey,
            }
        })
        .collect();
    let prepared = PreparedTransaction::new(transaction, &spent).unwrap();
    for index in 0..transaction.input.len() {
        prepared
            .verify_input(index, Flags::STANDARD)
            .unwrap_or_else(|error| panic!("input {index}: {error}"));
    }
}

fn all_scripts(keyring: &Keyring) -> Vec<ScriptBuf> {
    let mut all: Vec<ScriptBuf> = keyring
        .all_scripts()
        .map(|(script, _)| script.clone())
        .collect();
    all.sort();
    all
}

#[test]
fn every_kind_of_address_is_spent_as_a_psbt_and_as_a_transaction() {
    let mut made = fresh();
    let mut scripts = Vec::new();
    for kind in OutputType::ALL {
        for chain in [Chain::External, Chain::Internal] {
            scripts.push(made.keyring.new_script(kind, chain).unwrap().1);
        }
    }
    let (paid, spends) = payment(&scripts);
    let mut psbt = Psbt::from_unsigned_tx(spends.clone()).unwrap();
    let spent = known(&paid);
    assert!(
        made.keyring
            .process_psbt(&mut psbt, &spent, Process::default())
            .unwrap()
    );
    verify(&psbt.extract_tx().unwrap(), &paid);
    let coin = |outpoint: &OutPoint| spent(outpoint).map(|coin| coin.output);
    let signed = made.keyring.sign_transaction(&spends, coin, None).unwrap();
    assert!(signed.is_complete());
    verify(&signed.transaction, &paid);
    assert_eq!(
        made.keyring.sign_transaction(&spends, coin, None).unwrap(),
        signed
    );
    made.keyring
        .encrypt(&mut made.file, "geheim", Kdf::CHEAP)
        .unwrap();
    let locked = made.keyring.sign_transaction(&spends, coin, None);
    assert!(matches!(locked, Err(KeyError::Locked)));
}

#[test]
fn every_form_of_descriptor_is_spent() {
    for text in [
        format!("combo({WIF})"),
        format!("combo({TPRV}/*)"),
        format!("pk({WIF})"),
        format!("multi(1,{WIF},{KEY})"),
        format!("sh(multi(1,{TPRV}/0h/*,{KEY}))"),
        format!("sh(sortedmulti(1,{KEY},{TPRV}/*))"),
        format!("sh(wsh(multi(1,{TPRV}/*,{KEY})))"),
        format!("wsh(sortedmulti(2,{TPRV}/0/*,{TPRV}/1/*,{KEY}))"),
        format!("wsh(and_v(v:pk({TPRV}/*),older(10)))"),
        format!("wsh(or_d(pk({KEY}),and_v(v:pkh({TPRV}/1/*),older(5))))"),
        format!("wpkh({TPRV}/0h/*h)"),
        format!("tr({TPRV}/5h/*h)"),
        format!("tr({TPRV}/*,pk({KEY}))"),
        format!("tr({KEY},pk({TPRV}/*))"),
        format!("tr({KEY},{{pk({TPRV}/0/*),multi_a(2,{TPRV}/1/*,{TPRV}/2/*)}})"),
        format!("rawtr({TPRV}/*)"),
        format!("rawtr({WIF})"),
    ] {
        let made = with(&text);
        let scripts = all_scripts(&made.keyring);
        let (paid, spends) = payment(&scripts);
        let mut psbt = Psbt::from_unsigned_tx(spends).unwrap();
        let done = made
            .keyring
            .process_psbt(&mut psbt, known(&paid), Process::default());
        assert!(done.unwrap(), "{text}");
        verify(&psbt.extract_tx().unwrap(), &paid);
    }
}

#[test]
fn every_signature_hash_type_is_made() {
    use EcdsaSighashType::{
        All, AllPlusAnyoneCanPay, None as Nothing, NonePlusAnyoneCanPay, Single,
        SinglePlusAnyoneCanPay,
    };
    let mut made = fresh();
    for kind in OutputType::ALL {
        let (_, script) = made.keyring.new_script(kind, Chain::External).unwrap();
        let (paid, spends) = payment(&[script]);
        for sighash in [
            All,
            Nothing,
            Single,
            AllPlusAnyoneCanPay,
            NonePlusAnyoneCanPay,
            SinglePlusAnyoneCanPay,
        ] {
            let mut psbt = Psbt::from_unsigned_tx(spends.clone()).unwrap();
            let process = Process {
                sighash: Some(sighash.into()),
                ..Process::default()
            };
            let done = made.keyring.process_psbt(&mut psbt, known(&paid), process);
            assert!(done.unwrap(), "{kind} {sighash}");
            let signed = psbt.extract_tx().unwrap();
            verify(&signed, &paid);
            let witness: Vec<u8> = signed.input[0]
                .witness
                .iter()
                .next()
                .unwrap_or_default()
                .to_vec();
            let script_sig = signed.input[0].script_sig.as_bytes();
            let last = match kind {
                OutputType::Legacy => script_sig[usize::from(script_sig[0])],
                _ => *witness.last().unwrap(),
            };
            assert_eq!(u32::from(last), sighash.to_u32());
        }
    }
}

#[test]
fn two_wallets_sign_one_script_one_after_the_other() {
    let own = "[00000001/48h]";
    for (form, close) in [
        ("wsh(multi(2,", "))"),
        ("sh(multi(2,", "))"),
        ("sh(wsh(sortedmulti(2,", ")))"),
    ] {
        let master = Master::from_seed(&[9; 32], Network::Regtest).unwrap();
        let (private, public) = {
            let xpub = bitcoin::bip32::Xpub::from_priv(&SECP, master.key());
            (master.key().to_string(), xpub.to_string())
        };
        let one = with(&format!("{form}{own}{TPRV}/*,{public}/*{close}"));
        let two = with(&format!("{form}{own}{TPUB}/*,{private}/*{close}"));
        let scripts = all_scripts(&one.keyring);
        assert_eq!(scripts, all_scripts(&two.keyring));
        let (paid, spends) = payment(&scripts);
        let mut psbt = Psbt::from_unsigned_tx(spends).unwrap();
        assert!(
            !one.keyring
                .process_psbt(&mut psbt, known(&paid), Process::default())
                .unwrap()
        );
        assert!(
            psbt.inputs
                .iter()
                .all(|input| input.partial_sigs.len() == 1)
        );
        let mut other = psbt.clone();
        assert!(
            two.keyring
                .process_psbt(&mut psbt, |_| None, Process::default())
                .unwrap()
        );
        verify(&psbt.extract_tx().unwrap(), &paid);
        // One that has the key only in another descriptor signs by the way that the PSBT tells.
        let third = with(&format!("pkh({private}/*)"));
        assert!(
            third
                .keyring
                .process_psbt(&mut other, |_| None, Process::default())
                .unwrap()
        );
        verify(&other.extract_tx().unwrap(), &paid);
    }
}

#[test]
fn what_is_not_asked_for_is_not_done() {
    let mut made = fresh();
    let (_, script) = made
        .keyring
        .new_script(OutputType::Bech32, Chain::External)
        .unwrap();
    let (paid, spends) = payment(&[script]);
    let empty = Psbt::from_unsigned_tx(spends).unwrap();
    let does = |process: Process| {
        let mut psbt = empty.clone();
        let done = made
            .keyring
            .process_psbt(&mut psbt, known(&paid), process)
            .unwrap();
        (psbt, done)
    };
    let (filled, done) = does(Process {
        sign: false,
        ..Process::default()
    });
    assert!(!done && filled.inputs[0].partial_sigs.is_empty());
    assert_eq!(filled.inputs[0].bip32_derivation.len(), 1);
    assert_eq!(filled.outputs[0].bip32_derivation.len(), 1);
    let (signed, done) = does(Process {
        finalize: false,
        derivations: false,
        ..Process::default()
    });
    assert!(!done && signed.inputs[0].partial_sigs.len() == 1);
    assert!(
        signed.inputs[0].bip32_derivation.is_empty()
            && signed.outputs[0].bip32_derivation.is_empty()
    );
    let mut finished = signed.clone();
    assert!(finalize(&mut finished));
    let wrong = made.keyring.process_psbt(
        &mut signed.clone(),
        known(&paid),
        Process {
            sighash: Some(EcdsaSighashType::All.into()),
            ..Process::default()
        },
    );
    assert!(wrong.unwrap());
    let mut said = signed;
    said.inputs[0].sighash_type = Some(EcdsaSighashType::None.into());
    let process = Process {
        sighash: Some(EcdsaSighashType::All.into()),
        ..Process::default()
    };
    let wrong = made
        .keyring
        .process_psbt(&mut said, known(&paid), process)
        .unwrap_err();
    assert!(
        wrong.to_string().contains("sighash value does not match"),
        "{wrong}"
    );
}

#[test]
fn a_coin_that_contradicts_its_transaction_is_refused() {
    let mut made = fresh();
    let (_, script) = made
        .keyring
        .new_script(OutputType::Bech32, Chain::External)
        .unwrap();
    let (paid, spends) = payment(&[script]);
    let mut psbt = Psbt::from_unsigned_tx(spends).unwrap();
    psbt.inputs[0].witness_utxo = Some(TxOut {
        value: Amount::from_sat(1),
        ..paid.output[0].clone()
    });
    let before = psbt.clone();
    let other = made
        .keyring
        .process_psbt(&mut psbt, known(&paid), Process::default());
    assert!(matches!(other, Err(KeyError::Psbt { input: 0, .. })));
    assert_eq!(psbt, before);
    psbt.inputs[0].witness_utxo = None;
    psbt.inputs[0].non_witness_utxo = Some(psbt.unsigned_tx.clone());
    let other = made
        .keyring
        .process_psbt(&mut psbt, known(&paid), Process::default());
    assert!(matches!(other, Err(KeyError::Psbt { input: 0, .. })));
}

#[test]
fn what_is_not_ours_stays_as_it_was() {
    let mut made = fresh();
    let (_, ours) = made
        .keyring
        .new_script(OutputType::Bech32m, Chain::External)
        .unwrap();
    let theirs = all_scripts(&with(&format!("wpkh({TPRV}/*)")).keyring).remove(0);
    let (paid, mut spends) = payment(&[ours, theirs]);
    spends.input[1].witness = Witness::from_slice(&[vec![1]]);
    let coin = |outpoint: &OutPoint| paid.output.get(outpoint.vout as usize).cloned();
    let signed = made.keyring.sign_transaction(&spends, coin, None).unwrap();
    assert_eq!(signed.unsigned, [1]);
    assert_eq!(signed.transaction.input[1], spends.input[1]);
    assert!(!signed.transaction.input[0].witness.is_empty());
}

#[test]
fn a_message_is_signed_with_the_key_of_an_old_address_only() {
    use crate::keys::{MessageError, verify_message};
    let mut made = fresh();
    let (_, legacy) = made
        .keyring
        .new_address(OutputType::Legacy, Chain::External)
        .unwrap();
    let signature = made.keyring.sign_message(&legacy, "hello").unwrap();
    assert!(verify_message(&legacy, &signature, "hello").unwrap());
    let (_, segwit) = made
        .keyring
        .new_address(OutputType::Bech32, Chain::External)
        .unwrap();
    let error = made.keyring.sign_message(&segwit, "hello");
    assert!(matches!(error, Err(MessageError::NoKey)));
    made.keyring
        .encrypt(&mut made.file, "geheim", Kdf::CHEAP)
        .unwrap();
    let locked = made.keyring.sign_message(&legacy, "hello");
    assert!(matches!(locked, Err(MessageError::Keys(KeyError::Locked))));
}
