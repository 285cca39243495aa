//! Owns whether a payment that is asked for by a name is the one that was made by it.
//! Promises that what pays others, or other amounts, is not taken for it.
//! Refuses to compare what is chosen anew each time: coins, fee, change.

use bitcoin::{Amount, Transaction, TxOut};

use super::request::{Payee, Request};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// That these are paid.
    Request(&'a Request),
    /// That this is sent, with its signatures or without.
    Transaction(&'a Transaction),
}

impl Asked<'_> {
    /// Whether a transaction is what is asked for.
    pub fn is_met_by(&self, made: &Transaction) -> bool {
        match self {
            Asked::Request(request) => pays(request, made),
            Asked::Transaction(tx) => {
                let coins = |tx: &Transaction| -> Vec<_> {
                    let inputs = tx.input.iter();
                    inputs.map(|input| input.previous_output).collect()
                };
                tx.output == made.output && coins(tx) == coins(made)
            }
        }
    }
}

/// Whether each payee has an output of its own, and at most one is left, the change.
fn pays(request: &Request, made: &Transaction) -> bool {
    let mut left: Vec<&TxOut> = made.output.iter().collect();
    // Whom little is said of comes last, lest it be given what another one has to have.
    let mut payees: Vec<&Payee> = request.payees.iter().collect();
    payees.sort_by_key(|payee| (payee.shares, payee.pays_fee));
    for payee in payees {
        let is_paid = |output: &&TxOut| {
            let fits = match () {
                () if payee.shares => true,
                // What is paid to miners may be less than it was to be, and what is over goes to the payee.
                () if payee.pays_fee => output.value > Amount::ZERO,
                () => output.value == payee.amount,
            };
            fits && output.script_pubkey == payee.script_pubkey
        };
        match left.iter().position(is_paid) {
            Some(place) => drop(left.remove(place)),
            None => return false,
        }
    }
    left.len() <= usize::from(!request.everything)
}

#[cfg(test)]
mod tests {
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{OutPoint, ScriptBuf, TxIn};

    use super::*;

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
            let is_met = Asked::Request(&request).is_met_by(&with_change);
            assert_eq!(is_met, is_same, "{payees:?}");
        }
    }

    #[test]
    fn who_pays_the_fee_or_takes_the_rest_is_known_by_the_script() {
        let mut request = asked(&[(1, 10), (2, 20)]);
        request.payees[0].pays_fee = true;
        assert!(Asked::Request(&request).is_met_by(&made(&[(1, 8), (2, 20)])));
        assert!(!Asked::Request(&request).is_met_by(&made(&[(3, 8), (2, 20)])));
        request.payees[0].pays_fee = false;
        request.payees[0].shares = true;
        request.everything = true;
        assert!(Asked::Request(&request).is_met_by(&made(&[(1, 99), (2, 20)])));
        // A payment of everything has no change.
        assert!(!Asked::Request(&request).is_met_by(&made(&[(1, 99), (2, 20), (3, 1)])));
    }

    #[test]
    fn a_transaction_is_the_same_with_signatures_and_without() {
        let tx = made(&[(1, 10)]);
        let mut signed = tx.clone();
        signed.input[0].script_sig = script(1);
        assert!(Asked::Transaction(&tx).is_met_by(&signed));
        let mut other = tx.clone();
        other.input[0].previous_output = OutPoint::new(tx.compute_txid(), 0);
        assert!(!Asked::Transaction(&other).is_met_by(&tx));
        assert!(!Asked::Transaction(&made(&[(1, 11)])).is_met_by(&tx));
    }
}
