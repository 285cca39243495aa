//! Owns whether a payment that is asked for by a name is the one that was made by it.
//! Promises that what pays others, or other amounts, is not taken for it.
//! Refuses to compare what is chosen anew each time: the coins that are not named, the fee, the change.

use std::collections::HashSet;

use bitcoin::{Amount, OutPoint, Transaction, TxOut};

use super::request::{ChangeTo, Payee, Request};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// That these are paid.
    Request(&'a Request),
    /// That this is sent, with its signatures or without.
    Transaction(&'a Transaction),
}

/// What was made.
#[derive(Clone, Copy)]
pub(crate) struct Made<'a> {
    /// The transaction.
    pub(crate) tx: &'a Transaction,
    /// What it pays to miners, as far as that is known.
    pub(crate) fee: Option<Amount>,
    /// Which of its outputs are ours, by their places.
    pub(crate) ours: &'a [bool],
}

/// What a payee who pays the fee may get beyond the amount besides another fee: change that is not worth its own spending goes to
/// the payees.
const LEFT: Amount = Amount::from_sat(10_000);

impl Asked<'_> {
    /// Whether a transaction is what is asked for.
    pub(crate) fn is_met_by(&self, made: Made<'_>) -> bool {
        match self {
            Asked::Request(request) => takes(request, made.tx) && pays(request, made),
            Asked::Transaction(tx) => tx.output == made.tx.output && coins(tx) == coins(made.tx),
        }
    }
}

fn coins(tx: &Transaction) -> Vec<OutPoint> {
    let inputs = tx.input.iter();
    inputs.map(|input| input.previous_output).collect()
}

/// Whether it spends the coins that are named, and no others where none may be added.
fn takes(request: &Request, made: &Transaction) -> bool {
    let named: HashSet<OutPoint> = request.inputs.iter().map(|coin| coin.outpoint).collect();
    let spent: HashSet<OutPoint> = coins(made).into_iter().collect();
    match request.add_inputs {
        true => named.is_subset(&spent),
        false => named == spent,
    }
}

/// Whether each payee has an output of its own, and at most one is left, the change.
fn pays(request: &Request, made: Made<'_>) -> bool {
    let fee = made.fee.unwrap_or(Amount::MAX_MONEY);
    let mut left: Vec<(usize, &TxOut)> = made.tx.output.iter().enumerate().collect();
    // Whom little is said of comes last, lest it be given what another one has to have.
    let mut payees: Vec<&Payee> = request.payees.iter().collect();
    payees.sort_by_key(|payee| (payee.shares, payee.pays_fee));
    for payee in payees {
        let is_paid = |(_, output): &(usize, &TxOut)| {
            let fits = match () {
                () if payee.shares => true,
                () if payee.pays_fee => {
                    let least = payee.amount.checked_sub(fee).unwrap_or_default();
                    let most = payee.amount.checked_add(fee + LEFT);
                    output.value >= least && most.is_none_or(|most| output.value <= most)
                }
                () => output.value == payee.amount,
            };
            fits && output.script_pubkey == payee.script_pubkey
        };
        match left.iter().position(is_paid) {
            Some(place) => drop(left.remove(place)),
            None => return false,
        }
    }
    let is_change = |(place, output): &(usize, &TxOut)| {
        let is_ours = made.ours.get(*place).copied().unwrap_or(false);
        is_ours
            || matches!(&request.change, ChangeTo::Script(script) if *script == output.script_pubkey)
    };
    match left.as_slice() {
        [] => true,
        [one] => !request.everything && is_change(one),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{ScriptBuf, TxIn};

    use super::*;
    use crate::spend::In;

    const FEE: Amount = Amount::from_sat(500);

    /// Whether it is met by a transaction of which the first output is ours.
    fn is_met(asked: Asked<'_>, tx: &Transaction) -> bool {
        let fee = Some(FEE);
        asked.is_met_by(Made {
            tx,
            fee,
            ours: &[true],
        })
    }

    fn script(byte: u8) -> ScriptBuf {
        ScriptBuf::from_bytes(vec![byte])
    }

    fn made(outputs: &[(u8, u64)]) -> Transaction {
        let output = |(to, sat): &(u8, u64)| TxOut {
            value: Amount::from_sat(*sat),
            script_pubkey: script(*to),
        };
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn::default()],
            output: outputs.iter().map(output).collect(),
        }
    }

    fn asked(payees: &[(u8, u64)]) -> Request {
        let payee = |(to, sat): &(u8, u64)| Payee {
            script_pubkey: script(*to),
            amount: Amount::from_sat(*sat),
            pays_fee: false,
            shares: false,
        };
        Request::to(payees.iter().map(payee).collect())
    }

    #[test]
    fn a_payment_is_the_same_where_the_payees_get_the_same() {
        let with_change = made(&[(9, 777), (1, 10), (2, 20)]);
        for (payees, is_same) in [
            (&[(1, 10), (2, 20)][..], true),
            (&[(2, 20), (1, 10)], true),
            (&[(1, 10)], false),
            (&[(1, 11), (2, 20)], false),
            (&[(3, 10), (2, 20)], false),
            (&[(1, 10), (1, 10)], false),
            (&[(1, 10), (2, 20), (3, 30)], false),
        ] {
            let request = asked(payees);
            let met = is_met(Asked::Request(&request), &with_change);
            assert_eq!(met, is_same, "{payees:?}");
        }
    }

    #[test]
    fn an_output_that_is_left_is_change_only_if_it_is_ours_or_was_asked_for() {
        let mut request = asked(&[(1, 10)]);
        let tx = made(&[(1, 10), (2, 20)]);
        assert!(!is_met(Asked::Request(&request), &tx));
        request.change = ChangeTo::Script(script(2));
        assert!(is_met(Asked::Request(&request), &tx));
    }

    #[test]
    fn who_pays_the_fee_gets_about_the_amount_and_who_takes_the_rest_is_known_by_the_script() {
        let mut request = asked(&[(1, 50_000), (2, 20)]);
        request.payees[0].pays_fee = true;
        for (to, sat, is_same) in [
            (1, 49_500, true),
            (1, 50_700, true),
            (3, 49_500, false),
            (1, 49_499, false),
            (1, 10_000, false),
            (1, 60_501, false),
        ] {
            let tx = made(&[(to, sat), (2, 20)]);
            assert_eq!(is_met(Asked::Request(&request), &tx), is_same, "{to} {sat}");
        }
        request.payees[0].pays_fee = false;
        request.payees[0].shares = true;
        request.everything = true;
        assert!(is_met(Asked::Request(&request), &made(&[(1, 99), (2, 20)])));
        // A payment of everything has no change.
        let with_change = made(&[(3, 1), (1, 99), (2, 20)]);
        assert!(!is_met(Asked::Request(&request), &with_change));
    }

    #[test]
    fn coins_that_are_named_are_among_those_that_are_spent() {
        let tx = made(&[(1, 10)]);
        let named = |outpoint| In {
            outpoint,
            sequence: None,
            weight: None,
        };
        let mut request = asked(&[(1, 10)]);
        let other = OutPoint::new(tx.compute_txid(), 0);
        for (inputs, adds, is_same) in [
            (vec![named(OutPoint::null())], false, true),
            (vec![named(OutPoint::null())], true, true),
            (vec![named(other)], true, false),
            (vec![named(other)], false, false),
            (vec![named(other), named(OutPoint::null())], false, false),
        ] {
            (request.inputs, request.add_inputs) = (inputs, adds);
            assert_eq!(is_met(Asked::Request(&request), &tx), is_same);
        }
    }

    #[test]
    fn a_transaction_is_the_same_with_signatures_and_without() {
        let tx = made(&[(1, 10)]);
        let mut signed = tx.clone();
        signed.input[0].script_sig = script(1);
        assert!(is_met(Asked::Transaction(&tx), &signed));
        let mut other = tx.clone();
        other.input[0].previous_output = OutPoint::new(tx.compute_txid(), 0);
        assert!(!is_met(Asked::Transaction(&other), &tx));
        assert!(!is_met(Asked::Transaction(&made(&[(1, 11)])), &tx));
    }
}
