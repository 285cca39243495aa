//! Owns what is told of a wallet as a whole, and its flags.

use everett_wallet::{Chain, WalletFlags};

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// The version that Core gives all its wallets.
pub(crate) const WALLET_VERSION: u32 = 169_900;

pub(super) static GETWALLETINFO: Method = Method {
    name: "getwalletinfo",
    category: Category::Wallet,
    about: "What there is to know of a wallet.",
    arguments: &[],
    result: "{...}    (json object) walletname, walletversion, format, txcount, keypoolsize, keypoolsize_hd_internal, \
             unlocked_until (with a passphrase; 0 while it is locked), private_keys_enabled, avoid_reuse, scanning, descriptors, \
             external_signer, blank, birthtime, flags, lastprocessedblock; missed_scan where blocks were pruned \
             before they were looked into; with -walletcompat also balance, \
             unconfirmed_balance, immature_balance and paytxfee",
    at: true,
    run: Run::Read(wallet_info),
};

/// Core's names of the flags that a wallet has, in the order of their bits.
fn flag_names(flags: WalletFlags) -> Vec<&'static str> {
    let all = [
        (flags.avoid_reuse, "avoid_reuse"),
        (true, "last_hardened_xpub_cached"),
        (flags.disable_private_keys, "disable_private_keys"),
        (flags.blank, "blank"),
        (true, "descriptor_wallet"),
    ];
    all.into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| name)
        .collect()
}

fn wallet_info(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let world = call.world()?;
    let compat = call.wallets()?.config().compat;
    let view = wallet.view()?;
    let keyring = view.keyring();
    let flags = keyring.flags();
    let pool = |chain: Chain| -> u64 {
        let active = keyring
            .descriptors()
            .filter(|one| one.active && one.chain == chain);
        active.map(|one| u64::from(one.keypool())).sum()
    };
    let mut json = object! {
        "walletname" => wallet.name(),
        "walletversion" => WALLET_VERSION,
        "format" => "lmdb",
    };
    if compat {
        let balance = view.balance(&world)?;
        json.push("balance", balance.trusted);
        json.push("unconfirmed_balance", balance.pending);
        json.push(
            "immature_balance",
            balance.immature - balance.immature_spent,
        );
    }
    json.push("txcount", view.records().count());
    json.push("keypoolsize", pool(Chain::External));
    json.push("keypoolsize_hd_internal", pool(Chain::Internal));
    if keyring.is_encrypted() {
        json.push("unlocked_until", view.unlocked_until().unwrap_or(0));
    }
    if compat {
        json.push("paytxfee", amount(0));
    }
    json.push("private_keys_enabled", !flags.disable_private_keys);
    json.push("avoid_reuse", flags.avoid_reuse);
    json.push("scanning", super::rescan::json(&wallet));
    let missed = view.missed_scan();
    let missed = missed.map(|heights| {
        object! { "from_height" => heights.start, "below_height" => heights.end }
    });
    json.push_some("missed_scan", missed);
    json.push("descriptors", true);
    json.push("external_signer", false);
    json.push("blank", flags.blank);
    // What was found before the descriptors' own time was there before.
    let found = view.records().map(|record| record.time).min();
    let birth = keyring.descriptors().map(|one| one.birth).min();
    let birth = birth.map(|birth| found.map_or(birth, |found| birth.min(found)));
    json.push_some("birthtime", birth);
    json.push("flags", flag_names(flags));
    json.push(
        "lastprocessedblock",
        object! { "hash" => world.hash(), "height" => world.height() },
    );
    Ok(json)
}

pub(super) static SETWALLETFLAG: Method = Method {
    name: "setwalletflag",
    category: Category::Wallet,
    about: "Sets a flag of a wallet, or takes it away.",
    arguments: &[
        Argument::required("flag", Kind::Text, "avoid_reuse is the only one"),
        Argument::default("value", Kind::Bool, "true", "What it is to be"),
    ],
    result: "{\"flag_name\", \"flag_state\", \"warnings\"}    (json object) What it is now",
    at: false,
    run: Run::Read(set_wallet_flag),
};

/// Flags that stay as they were when the wallet was made.
const IMMUTABLE_FLAGS: [&str; 6] = [
    "blank",
    "descriptor_wallet",
    "disable_private_keys",
    "external_signer",
    "key_origin_metadata",
    "last_hardened_xpub_cached",
];

fn set_wallet_flag(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let flag = call.text(0)?;
    let value = call.bool_or(1, true)?;
    if IMMUTABLE_FLAGS.contains(&flag) {
        return Err(RpcError::parameter(format!(
            "Wallet flag is immutable: {flag}"
        )));
    }
    if flag != "avoid_reuse" {
        return Err(RpcError::parameter(format!("Unknown wallet flag: {flag}")));
    }
    wallet.change_keys(|keyring| {
        if keyring.flags().avoid_reuse == value {
            return Err(RpcError::parameter(format!(
                "Wallet flag is already set to {value}: {flag}"
            )));
        }
        keyring.set_avoid_reuse(value);
        Ok(())
    })?;
    let mut json = object! { "flag_name" => flag, "flag_state" => value };
    if value {
        json.push(
            "warnings",
            "You need to rescan the blockchain in order to correctly mark used destinations in the past. Until this is done, \
             some destinations may be considered unused, even if the opposite is the case.",
        );
    }
    Ok(json)
}

/// What an object holds of a wallet in `getinfo`, which Core has dropped.
pub(crate) fn old_info(call: &Call) -> Option<Json> {
    let wallet = call.wallet().ok()?;
    let world = call.world().ok()?;
    let view = wallet.view().ok()?;
    let balance = view.balance(&world).ok()?;
    let keyring = view.keyring();
    let external = keyring
        .descriptors()
        .filter(|one| one.active && one.chain == Chain::External);
    let pool: u64 = external.map(|one| u64::from(one.keypool())).sum();
    let mut json = object! {
        "walletversion" => WALLET_VERSION,
        "balance" => balance.trusted,
        "keypoolsize" => pool,
    };
    if keyring.is_encrypted() {
        json.push("unlocked_until", view.unlocked_until().unwrap_or(0));
    }
    json.push("paytxfee", amount(0));
    Some(json)
}
