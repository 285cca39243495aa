//! Owns paying from the page: the form, the payment that it makes, with each of its inputs in every world, and the button that
//! sends exactly that.
//! Promises that nothing is sent before that button, and nothing twice by loading a page again.
//! Refuses to replace another payment, what pays more to miners than was shown, and to pay without a login but on regtest.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use bitcoin::{Address, Amount, Denomination, ScriptBuf, Transaction};
use everett_ledger::{Ledger, Network};
use everett_mempool::FeeRate;
use everett_wallet::spend::{FeeChoice, Payee, Request, Scope, SpendError};
use everett_wallet::{KeyError, Prepared, SendTerms, Verified, Wallet, WalletError};

use super::super::wallets::{Lock, link, title};
use super::super::{Choice, Page};
use crate::drafts::Draft;
use crate::fault::Fault;
use crate::parse::{address, malformed};
use crate::reads::Patience;
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};

/// Highest fee rate that is taken, in satoshis for each virtual byte: more is a slip.
const MAX_FEE_RATE: f64 = 10_000.0;

/// The form.
#[derive(Template)]
#[template(path = "wallet_pay.html")]
struct PayPage {
    frame: Frame,
    title: String,
    link: String,
    token: String,
    lock: Lock,
    best: Btc,
    safe: Btc,
    worlds: usize,
    address: String,
    amount: String,
    label: String,
}

/// A payment that is made and not sent.
#[derive(Template)]
#[template(path = "wallet_draft.html")]
struct DraftPage {
    frame: Frame,
    title: String,
    link: String,
    token: String,
    draft: String,
    txid: String,
    fee: Btc,
    rate: String,
    vsize: String,
    scope: &'static str,
    inputs: Vec<InputRow>,
    outputs: Vec<OutputRow>,
    /// Why the mempool would refuse it, or what is wrong with it.
    trouble: Option<String>,
}

struct InputRow {
    txid: String,
    short: String,
    vout: u32,
    amount: Btc,
    /// Whether its script is satisfied.
    signed: bool,
    /// What is with its coin, in each live world: a height, and one word.
    worlds: Vec<(String, &'static str)>,
    everywhere: bool,
}

struct OutputRow {
    to: String,
    amount: Btc,
    change: bool,
}

/// What the form says.
#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(in crate::pages) struct Payment {
    token: String,
    address: String,
    amount: String,
    /// Anything: all that can be spent.
    everything: String,
    /// Satoshis for each virtual byte; nothing: the estimate.
    fee_rate: String,
    /// `all` or `best`.
    scope: String,
    comment: String,
}

/// What the button says.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(in crate::pages) struct Send {
    token: String,
    draft: String,
}

impl Payment {
    fn request(&self, network: Network) -> Result<Request, Fault> {
        let text = self.address.trim();
        let address = address(text, network)?;
        let everything = !self.everything.is_empty();
        let amount = match (everything, self.amount.trim()) {
            (true, "") => Amount::ZERO,
            (true, text) => {
                return Err(malformed(
                    text,
                    "needed where all is paid: leave the amount empty",
                ));
            }
            (false, text) => {
                let amount = Amount::from_str_in(text, Denomination::Bitcoin).ok();
                amount
                    .filter(|amount| *amount > Amount::ZERO && *amount <= Amount::MAX_MONEY)
                    .ok_or_else(|| malformed(text, "an amount in bitcoin, like 0.5"))?
            }
        };
        let mut request = Request::to(vec![Payee {
            script_pubkey: address.script_pubkey(),
            amount,
            pays_fee: false,
            shares: everything,
        }]);
        request.everything = everything;
        request.scope = match self.scope.as_str() {
            "" | "all" => Scope::AllWorlds,
            "best" => Scope::Best,
            other => return Err(malformed(other, "“all” or “best”")),
        };
        if let text @ [_, ..] = self.fee_rate.trim().as_bytes() {
            let text = String::from_utf8_lossy(text);
            let rate: Option<f64> = text.parse().ok();
            let rate = rate.filter(|rate| *rate > 0.0 && *rate <= MAX_FEE_RATE);
            let rate = rate
                .ok_or_else(|| malformed(&text, "satoshis for each virtual byte, up to 10,000"))?;
            // Satoshis for a thousand virtual bytes are whole.
            let rate = FeeRate::per_kvb((rate * 1_000.0).round() as i64);
            request.fee = FeeChoice::Rate(rate);
        }
        let comment = self.comment.trim();
        if !comment.is_empty() {
            let notes = BTreeMap::from([("comment".to_owned(), comment.to_owned())]);
            request.notes = notes;
        }
        Ok(request)
    }
}

/// Plans a payment and signs it; nothing is sent.
fn prepare(wallet: &Wallet, request: &Request) -> Result<(Prepared, Transaction, Verified), Fault> {
    // A payment that cannot be signed is of no use here, and would take an address for its change.
    let keyring = {
        let view = wallet.view()?;
        view.keyring().clone()
    };
    if keyring.is_locked() {
        return Err(WalletError::from(KeyError::Locked).into());
    }
    let prepared = wallet.prepare(request, false, false)?;
    let tx = prepared.tx.clone();
    let tx = tx.ok_or(SpendError::Unsigned { input: 0 })?;
    let verified = wallet.verify(&tx)?;
    Ok((prepared, tx, verified))
}

fn input_rows(prepared: &Prepared, verified: &Verified) -> Vec<InputRow> {
    let inputs = verified.inputs.iter().zip(&prepared.plan.spent);
    inputs
        .map(|(input, spent)| {
            let txid = input.outpoint.txid.to_string();
            InputRow {
                short: show::short(&txid),
                txid,
                vout: input.outpoint.vout,
                amount: Btc::of(spent.value.to_sat()),
                signed: input.script == Some(Ok(())),
                worlds: (input.worlds.iter())
                    .map(|there| {
                        let height = show::thousands(u64::from(there.height));
                        (height, there.coin.word())
                    })
                    .collect(),
                everywhere: input.is_everywhere(),
            }
        })
        .collect()
}

fn output_rows(prepared: &Prepared, network: Network) -> Vec<OutputRow> {
    let outputs = prepared.plan.tx.output.iter().enumerate();
    outputs
        .map(|(index, output)| OutputRow {
            to: name(&output.script_pubkey, network),
            amount: Btc::of(output.value.to_sat()),
            change: prepared.plan.change == Some(index),
        })
        .collect()
}

fn check_may_pay(site: &Site) -> Result<(), Fault> {
    match site.may_pay() {
        true => Ok(()),
        false => Err(Fault::PayingNeedsLogin),
    }
}

fn name(script: &ScriptBuf, network: Network) -> String {
    let address = Address::from_script(script, network.to_bitcoin());
    address.map_or_else(|_| script.to_hex_string(), |address| address.to_string())
}

/// `GET /admin/wallet/NAME/pay`
pub(in crate::pages) async fn form(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Page, Fault> {
    check_may_pay(&site)?;
    let wallet = site.wallet(&name)?;
    let name = wallet.name().to_owned();
    let read = move |_: &Ledger, _: &Patience| {
        let view = wallet.view()?;
        let best = view.balance(view.best())?.trusted;
        let worlds = 1 + view.rivals().len();
        Ok((Lock::of(&view), best, view.safe()?.amount, worlds))
    };
    let (lock, best, safe, worlds) = site.reads.read(read).await?;
    Page::of(&PayPage {
        frame: site.frame(Section::Wallets),
        title: title(&name),
        link: link(&name),
        token: site.forms.token().to_owned(),
        lock,
        best: Btc::of(best.to_sat()),
        safe: Btc::of(safe.to_sat()),
        worlds,
        address: choice.address.unwrap_or_default(),
        amount: choice.amount.unwrap_or_default(),
        label: choice.label.unwrap_or_default(),
    })
}

/// `POST /admin/wallet/NAME/pay`: makes the payment and shows it.
pub(in crate::pages) async fn draft(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payment: Result<Form<Payment>, FormRejection>,
) -> Result<Page, Fault> {
    let Form(payment) = payment?;
    site.forms.check(&headers, &payment.token)?;
    check_may_pay(&site)?;
    let wallet = site.wallet(&name)?;
    let network = site.network();
    let request = payment.request(network)?;
    let scope = request.scope;
    let name = wallet.name().to_owned();
    let make = move |_: &Ledger, _: &Patience| prepare(&wallet, &request);
    let (prepared, tx, verified) = site.reads.read(make).await?;
    let plan = &prepared.plan;
    let trouble = match &verified.mempool {
        Err(refused) => Some(refused.rejection.to_string()),
        Ok(_) => None,
    };
    let mut page = DraftPage {
        frame: site.frame(Section::Wallets),
        title: title(&name),
        link: link(&name),
        token: site.forms.token().to_owned(),
        draft: String::new(),
        txid: tx.compute_txid().to_string(),
        fee: Btc::of(plan.fee.to_sat()),
        rate: {
            let vsize = tx.vsize().max(1);
            format!("{:.1}", plan.fee.to_sat() as f64 / vsize as f64)
        },
        vsize: show::thousands(tx.vsize() as u64),
        scope: match scope {
            Scope::AllWorlds => "Every live world has the coins that it takes.",
            Scope::Best => "It takes coins of the best world; others may lack them.",
        },
        inputs: input_rows(&prepared, &verified),
        outputs: output_rows(&prepared, network),
        trouble,
    };
    if page.trouble.is_none() {
        page.draft = site.drafts.keep(Draft {
            terms: SendTerms {
                may_replace: false,
                scope,
                max_fee: Some(plan.fee),
            },
            wallet: name,
            prepared,
            comment: payment.comment.trim().to_owned(),
        });
    }
    Page::of(&page)
}

/// `POST /admin/wallet/NAME/send`: sends what was shown, and leads to the wallet.
pub(in crate::pages) async fn send(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Send>, FormRejection>,
) -> Result<Response, Fault> {
    let Form(form) = form?;
    site.forms.check(&headers, &form.token)?;
    check_may_pay(&site)?;
    let wallet = site.wallet(&name)?;
    let draft = site.drafts.take(&form.draft, wallet.name());
    let draft = draft.ok_or(Fault::NoDraft)?;
    let back = link(wallet.name());
    let send = move |_: &Ledger, _: &Patience| {
        let notes = match draft.comment.is_empty() {
            true => BTreeMap::new(),
            false => BTreeMap::from([("comment".to_owned(), draft.comment)]),
        };
        let tx = draft.prepared.tx.ok_or(Fault::NoDraft)?;
        Ok(wallet.send(tx, &notes, draft.terms)?)
    };
    match site.reads.read(send).await {
        // Who waits for it is late, not the payment.
        Err(Fault::Late(after)) => Err(Fault::SentLate(after)),
        sent => sent.map(|_| Redirect::to(&format!("/admin/wallet/{back}")).into_response()),
    }
}

/// `GET` of the same: a browser that comes back to it.
pub(in crate::pages) async fn to_form(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Redirect, Fault> {
    let wallet = site.wallet(&name)?;
    let name = link(wallet.name());
    Ok(Redirect::to(&format!("/admin/wallet/{name}/pay")))
}
