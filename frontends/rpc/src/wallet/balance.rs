//! Owns what is told of a wallet's balance, in any world.
//! Promises Core's sums: what waits in the mempool is counted where it is our own, what is too young is not.

use bitcoin::Amount;
use everett_ledger::World;
use everett_wallet::{Spendable, View};

use super::book::{is_labelled, speaks_of_accounts};
use crate::call::Call;
use crate::error::{RpcError, WALLET_ERROR};
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// An argument means something else than it did.
const METHOD_DEPRECATED: i32 = -32;

pub(super) static GETBALANCE: Method = Method {
    name: "getbalance",
    category: Category::Wallet,
    about: "What the wallet can spend in the world that is asked, with the change of its own payments that wait there.",
    arguments: &[
        Argument::optional(
            "dummy",
            Kind::Text,
            "\"*\"; with -walletcompat also a label, for what the coins of its addresses are worth",
        ),
        Argument::default(
            "minconf",
            Kind::Number,
            "0",
            "Count only what has so many confirmations",
        ),
        Argument::default(
            "include_watchonly",
            Kind::Bool,
            "false",
            "(DEPRECATED) Has no effect",
        ),
        Argument::optional(
            "avoid_reuse",
            Kind::Bool,
            "Whether coins of addresses that were paid from are left out; true where the wallet avoids them",
        ),
    ],
    result: "n    (numeric) Bitcoins",
    at: true,
    run: Run::Read(balance),
};

pub(super) static GETBALANCES: Method = Method {
    name: "getbalances",
    category: Category::Wallet,
    about: "What the wallet has in the world that is asked: what it can spend, what others are about to pay, what is too young, and \
            what payments hold that wait in no mempool.",
    arguments: &[],
    result: "{\"mine\": {\"trusted\", \"untrusted_pending\", \"immature\", \"used\", \"nonmempool\"}, \"lastprocessedblock\": {\"hash\", \"height\"}}    \
             (json object) used where the wallet avoids addresses that were paid from",
    at: true,
    run: Run::Read(balances),
};

pub(super) static GETUNCONFIRMEDBALANCE: Method = Method {
    name: "getunconfirmedbalance",
    category: Category::Wallet,
    about: "(DEPRECATED) What others are about to pay in the world that is asked; see getbalances.",
    arguments: &[],
    result: "n    (numeric) Bitcoins",
    at: true,
    run: Run::Read(unconfirmed),
};

/// Fewest confirmations; what is below 0 is 0.
pub(super) fn min_confirmations(call: &Call, place: usize, default: u32) -> Result<u32, RpcError> {
    let given: i32 = match call.maybe(place) {
        None => return Ok(default),
        Some(value) => value.int()?,
    };
    Ok(u32::try_from(given).unwrap_or(0))
}

/// Whether addresses that were paid from are to be avoided.
pub(super) fn avoids_reuse(view: &View<'_>, given: Option<&Json>) -> Result<bool, RpcError> {
    let can = view.keyring().flags().avoid_reuse;
    match given.map_or(Ok(can), Json::bool)? {
        true if !can => Err(RpcError::new(
            WALLET_ERROR,
            "wallet does not have the \"avoid reuse\" feature enabled",
        )),
        avoids => Ok(avoids),
    }
}

fn balance(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let label = match call.maybe(0).map(Json::text).transpose()? {
        None | Some("*") => None,
        Some(label) if speaks_of_accounts(call) => Some(label),
        Some(_) => {
            return Err(RpcError::new(
                METHOD_DEPRECATED,
                "dummy first argument must be excluded or set to \"*\".",
            ));
        }
    };
    let least = min_confirmations(call, 1, 0)?;
    let world = call.world()?;
    let view = wallet.view()?;
    let avoids = avoids_reuse(&view, call.maybe(3))?;
    if least == 0 && label.is_none() {
        let balance = view.balance(&world)?;
        let reused = if avoids { Amount::ZERO } else { balance.reused };
        return Ok((balance.trusted + reused).into());
    }
    let spendable = view.spendable(&world)?;
    let counts = |coin: &&Spendable| {
        coin.trusted
            && coin.confirmations >= least
            && !(avoids && coin.reused)
            && label.is_none_or(|label| is_labelled(&view, &coin.outpoint, label))
    };
    let coins = spendable.iter().filter(counts);
    Ok(coins.map(|coin| coin.output.amount).sum::<Amount>().into())
}

/// The last block that is looked at, which is the world's own.
pub(super) fn last_block(world: &World) -> Json {
    object! { "hash" => world.hash(), "height" => world.height() }
}

/// What is in a world, as `getbalances` tells it.
pub(super) fn mine(view: &View<'_>, world: &World) -> Answer {
    let balance = view.balance(world)?;
    let avoids = view.keyring().flags().avoid_reuse;
    let held = balance.held;
    let all = (held.trusted + held.pending + held.immature).to_sat();
    let all = i64::try_from(all).unwrap_or(i64::MAX);
    let mut json = object! {
        "trusted" => balance.trusted + held.trusted,
        "untrusted_pending" => balance.pending + held.pending,
        "immature" => balance.immature - balance.immature_spent,
    };
    json.push_some("used", avoids.then_some(balance.reused));
    json.push("nonmempool", amount(-all));
    Ok(json)
}

fn balances(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let world = call.world()?;
    let view = wallet.view()?;
    Ok(object! {
        "mine" => mine(&view, &world)?,
        "lastprocessedblock" => last_block(&world),
    })
}

fn unconfirmed(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let world = call.world()?;
    let view = wallet.view()?;
    Ok(view.balance(&world)?.pending.into())
}
