use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Script, ScriptBuf, TxIn};

use super::*;

fn transaction(inputs: usize) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default(); inputs],
        output: vec![],
    }
}

#[test]
fn every_input_needs_its_spent_output() {
    let tx = transaction(2);
    let spent = [SpentOutput {
        amount: Amount::ZERO,
        script_pubkey: Script::new(),
    }];
    let error = PreparedTransaction::new(&tx, &spent).unwrap_err();
    assert_eq!(
        error,
        SpentOutputCount {
            inputs: 2,
            spent: 1
        }
    );
}

#[test]
fn the_first_input_that_fails_is_told() {
    let tx = transaction(3);
    let scripts = ["51", "6a", "00"].map(|hex| ScriptBuf::from_hex(hex).unwrap());
    let spent = scripts.each_ref().map(|script_pubkey| SpentOutput {
        amount: Amount::ZERO,
        script_pubkey,
    });
    let prepared = PreparedTransaction::new(&tx, &spent).unwrap();
    let error = prepared.verify(Flags::CONSENSUS).unwrap_err();
    assert_eq!(
        error,
        InputError {
            input: 1,
            error: ScriptError::OpReturn
        }
    );
    assert_eq!(error.to_string(), "input 1: OP_RETURN was encountered");
    assert_eq!(prepared.verify_input(0, Flags::CONSENSUS), Ok(()));
    assert_eq!(
        prepared.verify_input(2, Flags::CONSENSUS),
        Err(ScriptError::EvalFalse)
    );
}

#[test]
fn prepared_transactions_are_shared_between_threads() {
    fn shared<T: Sync + Send>() {}
    shared::<PreparedTransaction<'static>>();
}
