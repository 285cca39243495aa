//! Owns what is told of what a wallet was paid, by address and by label, and which addresses are known to be of one owner.
//! Promises that what is counted is in the world that is asked, or waits there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bitcoin::{Address, Amount, OutPoint, ScriptBuf, Txid};
use everett_ledger::World;
use everett_wallet::{LabelKind, View};

use super::balance::min_confirmations;
use super::book;
use super::history::{Teller, WATCH_ONLY};
use crate::address;
use crate::call::Call;
use crate::error::{RpcError, WALLET_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

const MINCONF: Argument = Argument::default(
    "minconf",
    Kind::Number,
    "1",
    "Count only what has so many confirmations",
);
const INCLUDE_EMPTY: Argument = Argument::default(
    "include_empty",
    Kind::Bool,
    "false",
    "Whether those that received nothing are told",
);
const INCLUDE_IMMATURE: Argument = Argument::default(
    "include_immature_coinbase",
    Kind::Bool,
    "false",
    "Whether coinbases that are too young count",
);

pub(super) static LISTRECEIVEDBYADDRESS: Method = Method {
    name: "listreceivedbyaddress",
    category: Category::Wallet,
    about: "What each address of the wallet was paid in the world that is asked.",
    arguments: &[
        MINCONF,
        INCLUDE_EMPTY,
        WATCH_ONLY,
        Argument::optional("address_filter", Kind::Text, "Only this address"),
        INCLUDE_IMMATURE,
    ],
    result: "[{\"address\", \"amount\", \"confirmations\", \"label\", \"txids\"}, ...]    (json array) By address",
    at: true,
    run: Run::Read(list_by_address),
};

pub(super) static LISTRECEIVEDBYLABEL: Method = Method {
    name: "listreceivedbylabel",
    category: Category::Wallet,
    about: "What the addresses of each label were paid in the world that is asked.",
    arguments: &[MINCONF, INCLUDE_EMPTY, WATCH_ONLY, INCLUDE_IMMATURE],
    result: "[{\"amount\", \"confirmations\", \"label\"}, ...]    (json array) By label",
    at: true,
    run: Run::Read(list_by_label),
};

pub(super) static GETRECEIVEDBYADDRESS: Method = Method {
    name: "getreceivedbyaddress",
    category: Category::Wallet,
    about: "What an address of the wallet was paid in the world that is asked.",
    arguments: &[
        Argument::required("address", Kind::Text, "The address"),
        MINCONF,
        INCLUDE_IMMATURE,
    ],
    result: "n    (numeric) Bitcoins",
    at: true,
    run: Run::Read(by_address),
};

pub(super) static GETRECEIVEDBYLABEL: Method = Method {
    name: "getreceivedbylabel",
    category: Category::Wallet,
    about: "What the addresses of a label were paid in the world that is asked.",
    arguments: &[
        Argument::required("label", Kind::Text, "The label"),
        MINCONF,
        INCLUDE_IMMATURE,
    ],
    result: "n    (numeric) Bitcoins",
    at: true,
    run: Run::Read(by_label),
};

pub(super) static LISTADDRESSGROUPINGS: Method = Method {
    name: "listaddressgroupings",
    category: Category::Wallet,
    about: "Which addresses of the wallet everybody can see to be of one owner, for they were paid from together or got the change, \
            with what they have in the world that is asked.",
    arguments: &[],
    result: "[[[\"address\", amount, \"label\"], ...], ...]    (json array) The groups",
    at: true,
    run: Run::Read(groupings),
};

/// What a script was paid.
#[derive(Default)]
struct Tally {
    amount: Amount,
    /// Those of the youngest payment.
    confirmations: Option<i64>,
    txids: Vec<Txid>,
}

impl Tally {
    fn confirmations(&self) -> i64 {
        self.confirmations.unwrap_or(0)
    }
}

/// What each script of the wallet was paid with so many confirmations.
fn tally(
    call: &Call,
    view: &View<'_>,
    world: &World,
    least: u32,
    immature: bool,
) -> Result<BTreeMap<ScriptBuf, Tally>, RpcError> {
    let teller = Teller::new(call, view, world)?;
    let mut tallies: BTreeMap<ScriptBuf, Tally> = BTreeMap::new();
    for record in view.records() {
        let confirmations = teller.confirmations(record)?;
        // One that is nowhere, but for a memory of it, has paid nobody.
        let counts = confirmations > 0 || teller.waits(record);
        let young = confirmations <= i64::from(everett_ledger::COINBASE_MATURITY);
        let left_out = record.tx.is_coinbase() && (confirmations < 1 || (young && !immature));
        if !counts || confirmations < i64::from(least) || left_out {
            continue;
        }
        for (vout, output) in record.tx.output.iter().enumerate() {
            // A transaction has fewer outputs than a u32 counts.
            if view
                .output(&OutPoint::new(record.txid, vout as u32))
                .is_none()
            {
                continue;
            }
            let tally = tallies.entry(output.script_pubkey.clone()).or_default();
            tally.amount += output.value;
            let youngest = tally.confirmations.unwrap_or(confirmations);
            tally.confirmations = Some(youngest.min(confirmations));
            tally.txids.push(record.txid);
        }
    }
    Ok(tallies)
}

/// The addresses of the book, others' too, with their labels.
fn addresses<'a>(view: &'a View<'_>) -> Vec<(&'a str, ScriptBuf, &'a str)> {
    let keyring = view.keyring();
    let network = keyring.network();
    let labels = keyring.labels().iter();
    let addresses = labels.filter(|(kind, _, _)| *kind == LabelKind::Addr);
    let known = addresses.filter_map(|(_, text, label)| {
        let script = address::parse(text, network).ok()?.script_pubkey();
        Some((text, script, label.text.as_str()))
    });
    known.collect()
}

fn list_by_address(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let least = min_confirmations(call, 0, 1)?;
    let include_empty = call.bool_or(1, false)?;
    let network = call.ledger().params().network.to_bitcoin();
    let only: Option<Address> = match call.maybe(3).map(Json::text).transpose()? {
        None | Some("") => None,
        Some(text) => Some(
            address::parse(text, network)
                .map_err(|_| RpcError::new(WALLET_ERROR, "address_filter parameter was invalid"))?,
        ),
    };
    let only = only.map(|address| address.script_pubkey());
    let immature = call.bool_or(4, false)?;
    let world = call.world()?;
    let view = wallet.view()?;
    let tallies = tally(call, &view, &world, least, immature)?;
    let mut told = Vec::new();
    for (address, script, label) in addresses(&view) {
        let tally = tallies.get(&script);
        let wanted = only.as_ref().is_none_or(|only| *only == script);
        if !wanted || (tally.is_none() && !include_empty) {
            continue;
        }
        let nothing = Tally::default();
        let tally = tally.unwrap_or(&nothing);
        told.push(object! {
            "address" => address,
            "amount" => tally.amount,
            "confirmations" => tally.confirmations(),
            "label" => label,
            "txids" => tally.txids.iter().copied().collect::<Json>(),
        });
    }
    Ok(Json::Array(told))
}

fn list_by_label(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let least = min_confirmations(call, 0, 1)?;
    let include_empty = call.bool_or(1, false)?;
    let immature = call.bool_or(3, false)?;
    let world = call.world()?;
    let view = wallet.view()?;
    let tallies = tally(call, &view, &world, least, immature)?;
    let mut labels: BTreeMap<&str, (Amount, Option<i64>)> = BTreeMap::new();
    for (_, script, label) in addresses(&view) {
        let tally = tallies.get(&script);
        if tally.is_none() && !include_empty {
            continue;
        }
        let (amount, youngest) = labels.entry(label).or_default();
        let Some(tally) = tally else {
            continue;
        };
        *amount += tally.amount;
        let confirmations = tally.confirmations();
        *youngest = Some(youngest.map_or(confirmations, |other| other.min(confirmations)));
    }
    let told = labels.into_iter().map(|(label, (amount, youngest))| {
        object! {
            "amount" => amount,
            "confirmations" => youngest.unwrap_or(0),
            "label" => label,
        }
    });
    Ok(told.collect())
}

/// What those of these scripts that are ours were paid together.
fn received(call: &Call, view: &View<'_>, mut scripts: HashSet<ScriptBuf>) -> Answer {
    scripts.retain(|script| view.keyring().slot_of(script).is_some());
    if scripts.is_empty() {
        return Err(RpcError::new(WALLET_ERROR, "Address not found in wallet"));
    }
    let least = min_confirmations(call, 1, 1)?;
    let immature = call.bool_or(2, false)?;
    let world = call.world()?;
    let tallies = tally(call, view, &world, least, immature)?;
    let wanted = tallies
        .iter()
        .filter(|(script, _)| scripts.contains(*script));
    Ok(wanted.map(|(_, tally)| tally.amount).sum::<Amount>().into())
}

fn by_address(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let network = call.ledger().params().network.to_bitcoin();
    let address = address::parse(call.text(0)?, network)
        .map_err(|_| RpcError::not_found("Invalid Bitcoin address"))?;
    let script = address.script_pubkey();
    received(call, &wallet.view()?, HashSet::from([script]))
}

fn by_label(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let wanted = book::check(call.text(0)?)?;
    let view = wallet.view()?;
    let book = addresses(&view).into_iter();
    let labelled = book.filter(|(_, _, label)| *label == wanted);
    let scripts: HashSet<ScriptBuf> = labelled.map(|(_, script, _)| script).collect();
    if scripts.is_empty() {
        return Err(RpcError::new(WALLET_ERROR, "Label not found in wallet"));
    }
    received(call, &view, scripts)
}

/// Which scripts are known to be of one owner.
#[derive(Default)]
struct Groups {
    /// The group of each script.
    of: BTreeMap<ScriptBuf, usize>,
    groups: BTreeMap<usize, BTreeSet<ScriptBuf>>,
}

impl Groups {
    fn join(&mut self, scripts: BTreeSet<ScriptBuf>) {
        let Some(first) = scripts.first().cloned() else {
            return;
        };
        let mut whole = scripts.clone();
        for script in &scripts {
            let group = self
                .of
                .get(script)
                .and_then(|group| self.groups.remove(group));
            whole.extend(group.into_iter().flatten());
        }
        let number = self.of.get(&first).copied().unwrap_or(self.of.len());
        for script in &whole {
            self.of.insert(script.clone(), number);
        }
        self.groups.insert(number, whole);
    }
}

fn groupings(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let world = call.world()?;
    let view = wallet.view()?;
    let teller = Teller::new(call, &view, &world)?;
    let network = view.keyring().network();
    let mut groups = Groups::default();
    for record in view.records() {
        if teller.confirmations(record)? < 1 && !teller.waits(record) {
            continue;
        }
        let spent = record.tx.input.iter().map(|input| input.previous_output);
        let mut together: BTreeSet<ScriptBuf> = spent
            .filter(|outpoint| view.output(outpoint).is_some())
            .filter_map(|outpoint| view.script_of(&outpoint))
            .collect();
        let spends = !together.is_empty();
        for output in &record.tx.output {
            let script = &output.script_pubkey;
            if view.keyring().slot_of(script).is_none() {
                continue;
            }
            match spends && view.is_change(script) {
                true => {
                    together.insert(script.clone());
                }
                false => groups.join(BTreeSet::from([script.clone()])),
            }
        }
        groups.join(together);
    }
    let mut worth: BTreeMap<ScriptBuf, Amount> = BTreeMap::new();
    for coin in view.spendable(&world)?.iter().filter(|coin| coin.trusted) {
        if let Some(script) = view.script_of(&coin.outpoint) {
            *worth.entry(script).or_default() += coin.output.amount;
        }
    }
    let told = groups.groups.into_values().map(|group| {
        let addresses = group.into_iter().filter_map(|script| {
            let address = book::address(&script, network)?;
            let worth = worth.get(&script).copied().unwrap_or_default();
            let mut entry: Vec<Json> = vec![address.to_string().into(), worth.into()];
            entry.extend(book::entry(&view, &script).map(|label| label.text.as_str().into()));
            Some(Json::Array(entry))
        });
        addresses.collect::<Json>()
    });
    Ok(told.collect())
}
