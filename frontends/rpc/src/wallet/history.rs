//! Owns what is told of a wallet's transactions, in any world.
//! Promises Core's entries: one for each output that is paid or received, and how each transaction stands in the world that
//! is asked.

mod entry;
mod since;

use bitcoin::Txid;
use everett_wallet::Record;

use super::balance::last_block;
use super::book;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::{Verbosity, transaction_json};
use crate::transaction::encode_hex;

pub(super) use entry::{Listing, Teller};
pub(super) use since::LISTSINCEBLOCK;

pub(super) const WATCH_ONLY: Argument = Argument::default(
    "include_watchonly",
    Kind::Bool,
    "false",
    "(DEPRECATED) Has no effect",
);

pub(super) static LISTTRANSACTIONS: Method = Method {
    name: "listtransactions",
    category: Category::Wallet,
    about: "The wallet's last payments in and out, the oldest first, as they stand in the world that is asked.",
    arguments: &[
        Argument::optional(
            "label|dummy",
            Kind::Text,
            "Only what is received by addresses with this label; \"*\" for all",
        ),
        Argument::default("count", Kind::Number, "10", "How many"),
        Argument::default(
            "skip",
            Kind::Number,
            "0",
            "How many of the last ones to leave out",
        ),
        WATCH_ONLY,
    ],
    result: "[{\"address\", \"category\", \"amount\", \"label\", \"vout\", \"fee\", \"confirmations\", ...}, ...]    (json array) The payments",
    at: true,
    run: Run::Read(list),
};

pub(super) static GETTRANSACTION: Method = Method {
    name: "gettransaction",
    category: Category::Wallet,
    about: "A transaction of the wallet, as it stands in the world that is asked; see getpaymentstates for all worlds at once.",
    arguments: &[
        Argument::required("txid", Kind::Text, "Its id"),
        WATCH_ONLY,
        Argument::default(
            "verbose",
            Kind::Bool,
            "false",
            "Whether it is told decoded as well",
        ),
    ],
    result: "{\"amount\", \"fee\", \"confirmations\", ..., \"details\", \"hex\", \"lastprocessedblock\"}    (json object) The transaction",
    at: true,
    run: Run::Read(get),
};

pub(super) static ABANDONTRANSACTION: Method = Method {
    name: "abandontransaction",
    category: Category::Wallet,
    about: "Gives up a transaction that waits in no mempool, with those that are built on it: the coins that it spends are free again.",
    arguments: &[Argument::required("txid", Kind::Text, "Its id")],
    result: "null    (json null)",
    at: false,
    run: Run::Read(abandon),
};

/// The label that is asked for; `None` for all.
pub(super) fn wanted_label(call: &Call, place: usize) -> Result<Option<&str>, RpcError> {
    match call.maybe(place).map(Json::text).transpose()? {
        None | Some("*") => Ok(None),
        Some("") => Err(RpcError::parameter(
            "Label argument must be a valid label name or \"*\".",
        )),
        Some(text) => book::check(text).map(Some),
    }
}

fn list(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let label = wanted_label(call, 0)?;
    let count: i32 = call.int_or(1, 10)?;
    let skip: i32 = call.int_or(2, 0)?;
    let count = usize::try_from(count).map_err(|_| RpcError::parameter("Negative count"))?;
    let skip = usize::try_from(skip).map_err(|_| RpcError::parameter("Negative from"))?;
    let world = call.world()?;
    let view = wallet.view()?;
    let teller = Teller::new(call, &view, &world)?;
    let listing = Listing {
        label,
        ..Listing::default()
    };
    let mut told: Vec<Json> = Vec::new();
    for record in view.records().rev() {
        if told.len() >= count.saturating_add(skip) {
            break;
        }
        teller.list(record, &listing, &mut told)?;
    }
    let mut told: Vec<Json> = told.into_iter().skip(skip).take(count).collect();
    told.reverse();
    Ok(Json::Array(told))
}

fn get(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let txid = call.txid(0, "txid")?;
    let verbose = call.bool_or(2, false)?;
    let world = call.world()?;
    let view = wallet.view()?;
    let teller = Teller::new(call, &view, &world)?;
    let record = known(view.record(&txid))?;
    let (credit, debit) = (teller.credit(record)?, teller.debit(record));
    let fee = match debit > 0 {
        true => teller.paid(record) - debit,
        false => 0,
    };
    let mut json = Json::Object(Vec::new());
    json.push("amount", amount(credit - debit - fee));
    if debit > 0 {
        json.push("fee", amount(fee));
    }
    teller.standing(record, &mut json)?;
    let details = Listing {
        whole: false,
        ..Listing::default()
    };
    let mut told: Vec<Json> = Vec::new();
    teller.list(record, &details, &mut told)?;
    json.push("details", told);
    json.push("hex", encode_hex(&record.tx));
    if verbose {
        let network = view.keyring().network();
        let mut decoded = transaction_json(&record.tx, network, None, Verbosity::Details, false);
        mark_change(&mut decoded, |vout| {
            let output = record.tx.output.get(vout);
            output.is_some_and(|output| view.is_change(&output.script_pubkey))
        });
        json.push("decoded", decoded);
    }
    json.push("lastprocessedblock", last_block(&world));
    Ok(json)
}

/// Says of each output that is change that it is.
fn mark_change(decoded: &mut Json, is_change: impl Fn(usize) -> bool) {
    let Json::Object(fields) = decoded else {
        return;
    };
    let outputs = fields.iter_mut().find(|(name, _)| name == "vout");
    if let Some((_, Json::Array(outputs))) = outputs {
        for (vout, output) in outputs.iter_mut().enumerate() {
            if is_change(vout) {
                output.push("ischange", true);
            }
        }
    }
}

/// A transaction that the wallet has to have.
pub(super) fn known(record: Option<&Record>) -> Result<&Record, RpcError> {
    record.ok_or_else(|| RpcError::not_found("Invalid or non-wallet transaction id"))
}

fn abandon(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let txid: Txid = call.txid(0, "txid")?;
    wallet.abandon(&txid)?;
    Ok(Json::Null)
}
