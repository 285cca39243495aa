//! Owns a payment that is prepared: looked at, verified, and sent when its maker says so.
//! Promises that nothing is sent before `push()`, and that each input is verified with the coin that was chosen for it.
//! Refuses whole numbers that could be satoshis or bitcoin only where they cannot be either: amounts are bitcoin.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitcoin::{Amount, Denomination, Transaction};
use everett_ledger::decode::DecodedTransaction;
use everett_mempool::FeeRate;
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use everett_wallet::spend::{FeeChoice, Payee, Request, Scope};
use everett_wallet::{Prepared, SendTerms, read_address};
use rhai::{Dynamic, Engine, Map};
use serde_json::{Value, json};

use super::WalletValue;
use crate::book::Book;
use crate::fault::{Fault, Given};
use crate::show::{Align, Shown, btc, facts};
use crate::value::output::{recipient, sat};
use crate::value::{Tx, Verdict, Verdicts};
use crate::which::as_index;

/// Highest fee rate that is taken, in satoshis for each virtual byte: more is a slip.
const MAX_FEE_RATE: f64 = 10_000.0;

/// A payment that is prepared.
#[derive(Clone)]
pub(crate) struct SendRequest {
    wallet: WalletValue,
    request: Rc<Request>,
    /// With its signatures, as far as the wallet has given them.
    prepared: Rc<RefCell<Prepared>>,
}

/// An amount in bitcoin, exactly.
fn amount(given: &Dynamic) -> Result<Amount, Fault> {
    let wrong = |what: &str| {
        Fault::argument(format!(
            "{what} is no amount; write bitcoin, like 30, 0.5 or \"0.5\", with eight decimals at most"
        ))
    };
    let text = match given.as_immutable_string_ref() {
        Ok(text) => text.trim().to_owned(),
        // The shortest decimals that are this number, as it was typed.
        Err(_) if given.is_int() || given.is_float() => given.to_string(),
        Err(kind) => return Err(wrong(&format!("a {kind}"))),
    };
    let amount = Amount::from_str_in(&text, Denomination::Bitcoin).map_err(|_| wrong(&text))?;
    match amount <= Amount::MAX_MONEY && amount > Amount::ZERO {
        true => Ok(amount),
        false => Err(wrong(&text)),
    }
}

fn payee(wallet: &WalletValue, to: &str, btc: &Dynamic) -> Result<Payee, Fault> {
    let network = wallet.context.ledger.params().network;
    let address = read_address(to, network.to_bitcoin())
        .map_err(|error| Fault::argument(format!("`{to}` cannot be paid: {error}")))?;
    Ok(Payee {
        script_pubkey: address.script_pubkey(),
        amount: amount(btc)?,
        pays_fee: false,
        shares: false,
    })
}

/// Writes what options say into a request.
fn apply(options: &Dynamic, request: &mut Request) -> Result<(), Fault> {
    if options.is_unit() {
        return Ok(());
    }
    let Some(options) = options.read_lock::<Map>() else {
        return Err(Fault::argument("options are a map, like #{fee_rate: 2}"));
    };
    for (name, value) in options.iter() {
        let wrong = |wanted: &str| Fault::argument(format!("{name} is {wanted}, not {value}"));
        match name.as_str() {
            "fee_rate" => {
                let rate = value
                    .as_float()
                    .or_else(|_| value.as_int().map(|rate| rate as f64));
                let rate = rate
                    .ok()
                    .filter(|rate| *rate > 0.0 && *rate <= MAX_FEE_RATE);
                let rate =
                    rate.ok_or_else(|| wrong("satoshis for each virtual byte, up to 10,000"))?;
                // Satoshis for a thousand virtual bytes are whole.
                let rate = FeeRate::per_kvb((rate * 1_000.0).round() as i64);
                request.fee = FeeChoice::Rate(rate);
            }
            "scope" => {
                let text = value.as_immutable_string_ref();
                request.scope = match text.as_ref().map(|text| text.as_str()) {
                    Ok("best") => Scope::Best,
                    Ok("all") => Scope::AllWorlds,
                    _ => {
                        return Err(wrong(
                            "\"all\" (coins that every live world has) or \"best\"",
                        ));
                    }
                };
            }
            "subtract_fee" => {
                let subtracts = value.as_bool().map_err(|_| wrong("true or false"))?;
                for payee in &mut request.payees {
                    payee.pays_fee = subtracts;
                }
            }
            "comment" => {
                let text = value.as_immutable_string_ref().map_err(|_| wrong("text"))?;
                request.notes.insert("comment".to_owned(), text.to_string());
            }
            other => {
                return Err(Fault::argument(format!(
                    "there is no option {other}; there are fee_rate, scope, subtract_fee and comment"
                )));
            }
        }
    }
    Ok(())
}

impl SendRequest {
    /// To an address; or, where a map stands first, to several with options.
    pub(super) fn build(
        wallet: &WalletValue,
        to: &Dynamic,
        second: &Dynamic,
    ) -> Result<SendRequest, Fault> {
        match to.is_map() {
            true => SendRequest::to_many(wallet, to, second),
            false => SendRequest::to_one(wallet, to, second, &Dynamic::UNIT),
        }
    }

    pub(super) fn to_one(
        wallet: &WalletValue,
        to: &Dynamic,
        btc: &Dynamic,
        options: &Dynamic,
    ) -> Result<SendRequest, Fault> {
        wallet.context.pen.check("build_send_request")?;
        let to = to
            .as_immutable_string_ref()
            .map_err(|kind| Fault::argument(format!("an address is text, not a {kind}")))?;
        let payee = payee(wallet, &to, btc)?;
        SendRequest::prepare(wallet, vec![payee], options)
    }

    pub(super) fn to_many(
        wallet: &WalletValue,
        payees: &Dynamic,
        options: &Dynamic,
    ) -> Result<SendRequest, Fault> {
        wallet.context.pen.check("build_send_request")?;
        let Some(map) = payees.read_lock::<Map>() else {
            return Err(Fault::argument(
                "say who is paid how much: build_send_request(address, btc), or #{\"address\": btc, …}",
            ));
        };
        let payees = map.iter().map(|(to, btc)| payee(wallet, to, btc));
        SendRequest::prepare(wallet, payees.collect::<Result<_, _>>()?, options)
    }

    fn prepare(
        wallet: &WalletValue,
        payees: Vec<Payee>,
        options: &Dynamic,
    ) -> Result<SendRequest, Fault> {
        let mut request = Request::to(payees);
        request.replaceable = wallet.context.wallets()?.config().replaceable;
        apply(options, &mut request)?;
        let prepared = wallet.open()?.prepare(&request, false, false)?;
        Ok(SendRequest {
            wallet: wallet.clone(),
            request: Rc::new(request),
            prepared: Rc::new(RefCell::new(prepared)),
        })
    }

    /// Signs it, where the wallet could not before.
    fn sign(&self) -> Result<(), Fault> {
        if self.prepared.borrow().tx.is_some() {
            return Ok(());
        }
        let wallet = self.wallet.open()?;
        let mut psbt = self.prepared.borrow().psbt.clone();
        {
            let view = wallet.view()?;
            if view.keyring().is_locked() {
                return Err(
                    everett_wallet::WalletError::Keys(everett_wallet::KeyError::Locked).into(),
                );
            }
            let spent = |outpoint: &bitcoin::OutPoint| view.spent_coin(outpoint);
            let process = everett_wallet::keys::Process::default();
            let complete = view.keyring().process_psbt(&mut psbt, spent, process);
            let complete = complete.map_err(everett_wallet::WalletError::from)?;
            if !complete {
                return Err(Fault::named(
                    "NOT_SIGNED",
                    "the wallet lacks private keys of what it would spend; psbt() is for whoever has them",
                ));
            }
        }
        let mut tx = psbt.unsigned_tx.clone();
        for (input, told) in tx.input.iter_mut().zip(&psbt.inputs) {
            input.script_sig = told.final_script_sig.clone().unwrap_or_default();
            input.witness = told.final_script_witness.clone().unwrap_or_default();
        }
        let mut prepared = self.prepared.borrow_mut();
        prepared.psbt = psbt;
        prepared.tx = Some(tx);
        Ok(())
    }

    /// The transaction, with its signatures where it has all of them.
    fn transaction(&self) -> Transaction {
        let prepared = self.prepared.borrow();
        let signed = prepared.tx.clone();
        signed.unwrap_or_else(|| prepared.plan.tx.clone())
    }

    fn verify(&self, input: Option<usize>) -> Result<Verdicts, Fault> {
        self.sign()?;
        let tx = self.transaction();
        let prepared = self.prepared.borrow();
        let spent: Vec<SpentOutput<'_>> =
            prepared.plan.spent.iter().map(SpentOutput::from).collect();
        let checked = PreparedTransaction::new(&tx, &spent)
            .map_err(|error| Fault::named("NOT_SPENDABLE", error))?;
        let inputs = match input {
            None => 0..tx.input.len(),
            Some(input) if input < tx.input.len() => input..input + 1,
            Some(input) => {
                return Err(Fault::argument(format!(
                    "there is no input {input}: the payment has {}, counted from 0",
                    tx.input.len()
                )));
            }
        };
        let txid = tx.compute_txid();
        let verdict = |input: usize| {
            self.wallet.context.patience.check()?;
            Ok(Verdict {
                txid,
                input,
                outpoint: tx.input[input].previous_output,
                output: prepared.plan.spent[input].clone(),
                flags: Flags::STANDARD,
                result: checked.verify_input(input, Flags::STANDARD),
            })
        };
        Ok(Verdicts {
            txid,
            verdicts: inputs.map(verdict).collect::<Result<_, Fault>>()?,
        })
    }

    fn push(&self) -> Result<String, Fault> {
        let context = &self.wallet.context;
        context.pen.check("push")?;
        self.sign()?;
        let wallet = self.wallet.open()?;
        let terms = SendTerms {
            may_replace: false,
            scope: self.request.scope,
            max_fee: None,
        };
        let txid = wallet.send(self.transaction(), &self.request.notes, terms)?;
        if let Some(peers) = context.node.as_ref().and_then(|node| node.peers()) {
            peers.announce_transaction(&txid);
        }
        Ok(txid.to_string())
    }

    fn fee(&self) -> i64 {
        sat(self.prepared.borrow().plan.fee)
    }

    fn signed(&self) -> bool {
        self.prepared.borrow().tx.is_some()
    }

    fn tx(&self) -> Result<Tx, Fault> {
        Tx::loose(
            &self.wallet.context,
            DecodedTransaction::new(self.transaction()),
        )
    }
}

impl Shown for SendRequest {
    const KIND: &'static str = "SendRequest";

    fn line(&self) -> String {
        let paid: i64 = (self.request.payees.iter())
            .map(|payee| sat(payee.amount))
            .sum();
        format!(
            "request to send {} BTC, fee {} BTC",
            btc(paid),
            btc(self.fee())
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let tx = self.transaction();
        let network = self.wallet.context.ledger.params().network;
        let prepared = self.prepared.borrow();
        let state = match self.signed() {
            true => "signed, not sent",
            false => "not signed",
        };
        let mut text = facts([
            ("request", state.to_owned()),
            ("of", self.wallet.line()),
            ("transaction", tx.compute_txid().to_string()),
            (
                "size",
                format!("{} virtual bytes", prepared.plan.weight.div_ceil(4)),
            ),
            ("fee", format!("{} BTC", btc(self.fee()))),
        ]);
        for (index, (input, spent)) in tx.input.iter().zip(&prepared.plan.spent).enumerate() {
            text.push_str(&format!("input {index}\n"));
            text.push_str(&format!("  spends      {}\n", input.previous_output));
            text.push_str(&format!("  amount      {} BTC\n", btc(sat(spent.value))));
            text.push_str(&format!(
                "  of          {}\n",
                recipient(&spent.script_pubkey, network)
            ));
        }
        for (index, output) in tx.output.iter().enumerate() {
            let what = match prepared.plan.change == Some(index) {
                true => " (change)",
                false => "",
            };
            text.push_str(&format!("output {index}{what}\n"));
            text.push_str(&format!("  amount      {} BTC\n", btc(sat(output.value))));
            text.push_str(&format!(
                "  to          {}\n",
                recipient(&output.script_pubkey, network)
            ));
        }
        Ok(text)
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "signed": self.signed(),
            "fee_sat": self.fee(),
            "weight": self.prepared.borrow().plan.weight,
            "change": self.prepared.borrow().plan.change,
            "transaction": self.tx()?.json()?,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("FEE", Align::Right),
            ("INPUTS", Align::Right),
            ("SIGNED", Align::Left),
            ("TRANSACTION", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let tx = self.transaction();
        Ok(vec![
            btc(self.fee()),
            tx.input.len().to_string(),
            if self.signed() { "yes" } else { "no" }.to_owned(),
            tx.compute_txid().to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<SendRequest>(engine, "a payment that is prepared, and not sent yet")
        .get("tx", "its transaction", |request| Ok(Dynamic::from(request.tx()?)))
        .get("txid", "the id of its transaction", |request| {
            Ok(request.transaction().compute_txid().to_string())
        })
        .get("fee_sat", "what it pays to miners, in satoshis", |request| Ok(request.fee()))
        .get("fee_btc", "the same in bitcoin, as text", |request| Ok(btc(request.fee())))
        .get("signed", "whether it has all its signatures", |request| Ok(request.signed()))
        .method("sign()", "signs it, if the wallet was locked when it was built", |request| -> Given<()> {
            Ok(request.sign()?)
        })
        .method(
            "verify()",
            "runs the scripts of all its inputs with the coins that they spend, under the rules of relay",
            |request| -> Given<Verdicts> { Ok(request.verify(None)?) },
        )
        .method1("verify(input)", "runs the script of one input, counted from 0", |request, input| -> Given<Verdict> {
            let input = as_index(&input, "an input")?;
            let mut verdicts = request.verify(Some(input))?.verdicts;
            Ok(verdicts
                .pop()
                .ok_or_else(|| Fault::argument(format!("there is no input {input}")))?)
        })
        .method("hex()", "its transaction's bytes in hexadecimal", |request| -> Given<String> {
            Ok(bitcoin::consensus::encode::serialize_hex(&request.transaction()))
        })
        .method("psbt()", "it as a PSBT, for signers elsewhere", |request| -> Given<String> {
            Ok(STANDARD.encode(request.prepared.borrow().psbt.serialize()))
        })
        .method("push()", "sends it, and gives the id of its transaction (--allow-write)", |request| -> Given<String> {
            Ok(request.push()?)
        })
        .method("send()", "the same", |request| -> Given<String> { Ok(request.push()?) });
}
