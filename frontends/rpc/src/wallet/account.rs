//! Owns the methods that Bitcoin Core had for accounts and single keys: labels are the accounts.
//! Promises that an account holds what the addresses with its label hold, in the world that is asked, and that the account
//! without a name holds the rest.
//! Refuses all of them, as unknown, unless `-walletcompat` is on.

use std::collections::BTreeMap;

use bitcoin::{Address, Amount};
use everett_ledger::World;
use everett_wallet::{Purpose, View, Wallet};

use super::address::new_address;
use super::label::{parse_label, set_label};
use crate::address::parse;
use crate::call::Call;
use crate::error::{METHOD_NOT_FOUND, RpcError};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// The wallet that is asked, where the old methods are there.
fn wallet(call: &Call) -> Result<Wallet, RpcError> {
    match call.wallets()?.config().compat {
        true => call.wallet(),
        false => Err(RpcError::new(METHOD_NOT_FOUND, "Method not found")),
    }
}

fn address(call: &Call) -> Result<Address, RpcError> {
    let network = call.ledger().params().network.to_bitcoin();
    parse(call.text(0)?, network).map_err(|_| RpcError::not_found("Invalid Bitcoin address"))
}

/// A number, which `bitcoin-cli` may not know to be one.
fn number(value: &Json) -> Result<i64, RpcError> {
    match value {
        Json::Text(text) => Json::Number(text.clone()).int(),
        other => other.int(),
    }
}

/// What each account holds in a world: coins with so many confirmations that nothing pending spends.
pub(crate) fn account_balances(
    view: &View<'_>,
    world: &World,
    least_confirmations: u32,
) -> Result<BTreeMap<String, Amount>, RpcError> {
    let keyring = view.keyring();
    let labels = keyring.labels();
    let mut accounts: BTreeMap<String, Amount> = BTreeMap::new();
    accounts.insert(String::new(), Amount::ZERO);
    for label in labels.names(Some(Purpose::Receive)) {
        accounts.insert(label.to_owned(), Amount::ZERO);
    }
    for coin in view.spendable(world)? {
        if coin.confirmations < least_confirmations || !coin.trusted {
            continue;
        }
        let scripts = keyring.scripts(coin.output.slot).iter();
        let label = scripts
            .filter_map(|script| Address::from_script(script, keyring.network()).ok())
            .find_map(|address| labels.address(&address.to_string()));
        let label = label.map_or_else(String::new, |label| label.text.clone());
        *accounts.entry(label).or_default() += coin.output.amount;
    }
    Ok(accounts)
}

pub(super) static LISTACCOUNTS: Method = Method {
    name: "listaccounts",
    category: Category::Hidden,
    about: "What the addresses of each label hold; \"\" stands for all other addresses. Of old, with -walletcompat.",
    arguments: &[
        Argument::default("minconf", Kind::Any, "1", "Fewest confirmations that count"),
        Argument::default("include_watchonly", Kind::Any, "false", "Of no effect"),
    ],
    result: "{\"account\": n, ...}    (json object) Each label with what it holds",
    at: true,
    run: Run::Read(list_accounts),
};

fn list_accounts(call: &Call) -> Answer {
    let wallet = wallet(call)?;
    let least = call.maybe(0).map_or(Ok(1), number)?;
    let least = u32::try_from(least.max(0)).unwrap_or(u32::MAX);
    let world = call.world()?;
    let accounts = account_balances(&wallet.view()?, &world, least)?;
    let mut json = Json::Object(Vec::new());
    for (account, amount) in accounts {
        json.push(&account, amount);
    }
    Ok(json)
}

pub(super) static GETACCOUNT: Method = Method {
    name: "getaccount",
    category: Category::Hidden,
    about: "The label of an address. Of old, with -walletcompat.",
    arguments: &[Argument::required("address", Kind::Text, "The address")],
    result: "\"str\"    (string) The label",
    at: false,
    run: Run::Read(|call| {
        let wallet = wallet(call)?;
        let address = address(call)?.to_string();
        let view = wallet.view()?;
        let label = view.keyring().labels().address(&address);
        Ok(label.map_or("", |label| label.text.as_str()).into())
    }),
};

pub(super) static SETACCOUNT: Method = Method {
    name: "setaccount",
    category: Category::Hidden,
    about: "Puts a label on an address. Of old, with -walletcompat.",
    arguments: &[
        Argument::required("address", Kind::Text, "The address"),
        Argument::required("account", Kind::Text, "Its label from now on"),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(|call| {
        wallet(call)?;
        set_label(call)
    }),
};

pub(super) static GETADDRESSESBYACCOUNT: Method = Method {
    name: "getaddressesbyaccount",
    category: Category::Hidden,
    about: "Our addresses that have a label. Of old, with -walletcompat.",
    arguments: &[Argument::required("account", Kind::Text, "The label")],
    result: "[\"address\", ...]    (json array) The addresses",
    at: false,
    run: Run::Read(|call| {
        let wallet = wallet(call)?;
        let account = parse_label(call.arg(0))?;
        let view = wallet.view()?;
        let all = view.keyring().labels().addresses_of(&account);
        let ours = all.filter(|(_, label)| label.purpose == Some(Purpose::Receive));
        Ok(ours.map(|(address, _)| address).collect())
    }),
};

pub(super) static GETACCOUNTADDRESS: Method = Method {
    name: "getaccountaddress",
    category: Category::Hidden,
    about: "The address of a label that was not paid to yet, a new one if there is none. Of old, with -walletcompat.",
    arguments: &[Argument::required("account", Kind::Text, "The label")],
    result: "\"str\"    (string) The address",
    at: false,
    run: Run::Read(account_address),
};

fn account_address(call: &Call) -> Answer {
    let wallet = wallet(call)?;
    let account = parse_label(call.arg(0))?;
    let network = call.ledger().params().network.to_bitcoin();
    let unused = {
        let view = wallet.view()?;
        let all = view.keyring().labels().addresses_of(&account);
        let ours = all.filter(|(_, label)| label.purpose == Some(Purpose::Receive));
        let mut ours = ours.filter_map(|(text, _)| parse(text, network).ok());
        ours.find(|address| {
            let script = address.script_pubkey();
            let mut records = view.records();
            !records.any(|record| {
                let mut outputs = record.tx.output.iter();
                outputs.any(|output| output.script_pubkey == script)
            })
        })
    };
    if let Some(address) = unused {
        return Ok(address.to_string().into());
    }
    let kind = call.wallets()?.config().address_type;
    Ok(new_address(&wallet, kind, &account)?.to_string().into())
}

pub(super) static DUMPPRIVKEY: Method = Method {
    name: "dumpprivkey",
    category: Category::Hidden,
    about: "The private key of an address of one key: whoever sees it can spend what the address holds. Of old, with \
            -walletcompat.",
    arguments: &[Argument::required("address", Kind::Text, "The address")],
    result: "\"str\"    (string) The private key, in WIF",
    at: false,
    run: Run::Read(|call| {
        let wallet = wallet(call)?;
        super::unlocked(&wallet)?;
        let address = address(call)?;
        let view = wallet.view()?;
        let key = view.keyring().dump_wif(&address)?;
        Ok(key.as_str().into())
    }),
};

pub(super) static IMPORTPRIVKEY: Method = Method {
    name: "importprivkey",
    category: Category::Hidden,
    about: "Takes up a private key with every address of it. Of old, with -walletcompat.",
    arguments: &[
        Argument::required("privkey", Kind::Text, "The private key, in WIF"),
        Argument::default("label", Kind::Text, "\"\"", "The label of its addresses"),
        Argument::default(
            "rescan",
            Kind::Any,
            "true",
            "Whether the blocks of every live world are looked into for it",
        ),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(import_priv_key),
};

fn import_priv_key(call: &Call) -> Answer {
    let wallet = wallet(call)?;
    let turn = wallet.scan_turn()?;
    super::unlocked(&wallet)?;
    let label = parse_label(call.arg(1))?;
    let rescan = match call.arg(2) {
        Json::Null => true,
        Json::Text(text) => text != "false" && text != "0",
        other => other.bool()?,
    };
    let key = call.text(0)?;
    let since = rescan.then_some(0);
    let (_, since) = turn.take_up(since, |keyring| {
        keyring
            .import_wif(key, Some(&label), 1)
            .map_err(RpcError::from)
    })?;
    if let Some(since) = since {
        turn.pay_since(since, &mut |_, _| call.goes_on())?;
    }
    Ok(Json::Null)
}
