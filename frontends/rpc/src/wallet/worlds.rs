//! Owns what is told of a wallet beyond one world: balances side by side, what all worlds have, what a rival would change.
//! Promises the same worlds to each of these methods: the live ones, the best first.

use everett_ledger::World;
use everett_wallet::{View, Warning};

use super::balance::mine;
use super::history::{Teller, known};
use crate::call::Call;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static GETSAFEBALANCE: Method = Method {
    name: "getsafebalance",
    category: Category::Wallet,
    about: "What the wallet can spend in every live world: whichever branch wins, it is there.",
    arguments: &[],
    result: "{\"safe\", \"coins\", \"at_risk\", \"worlds\"}    (json object) Bitcoins that all live worlds have, and how many coins; bitcoins of the best \
             world that another one lacks; how many worlds there are",
    at: false,
    run: Run::Read(safe),
};

pub(super) static GETBALANCESBYWORLD: Method = Method {
    name: "getbalancesbyworld",
    category: Category::Wallet,
    about: "What the wallet has in each live world, the best one first.",
    arguments: &[],
    result: "[{\"hash\", \"height\", \"best\", \"fork\", \"fork_height\", \"balances\": {\"trusted\", \"untrusted_pending\", \"immature\", ...}}, ...]    \
             (json array) By world",
    at: false,
    run: Run::Read(by_world),
};

pub(super) static GETWALLETWARNINGS: Method = Method {
    name: "getwalletwarnings",
    category: Category::Wallet,
    about: "What each rival branch that is close behind the best tip would change if it won: coins that it does not have, payments that \
            something stands against there.",
    arguments: &[Argument::default(
        "blocks",
        Kind::Number,
        "6",
        "How many blocks a branch may be behind and still count",
    )],
    result: "[{\"hash\", \"height\", \"behind\", \"fork\", \"fork_height\", \"lost_amount\", \"lost\": [...], \"double_spend\", \"payments\": [...]}, ...]    \
             (json array) By branch; those that change nothing are left out",
    at: false,
    run: Run::Read(warnings),
};

pub(super) static GETPAYMENTSTATES: Method = Method {
    name: "getpaymentstates",
    category: Category::Wallet,
    about: "How a transaction of the wallet stands in each live world, the best one first: confirmed, pending, conflicted, or gone.",
    arguments: &[Argument::required("txid", Kind::Text, "Its id")],
    result: "[{\"hash\", \"height\", \"best\", \"state\", \"confirmations\", ...}, ...]    (json array) By world: where it is, whether the mempool has it, \
             what stands against it, or what is missing",
    at: false,
    run: Run::Read(payment_states),
};

/// The live worlds of a view, the best one first.
fn live<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a World> {
    std::iter::once(view.best()).chain(view.rivals())
}

fn safe(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let safe = wallet.view()?.safe()?;
    Ok(object! {
        "safe" => safe.amount,
        "coins" => safe.coins,
        "at_risk" => safe.at_risk,
        "worlds" => safe.worlds,
    })
}

fn by_world(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let ledger = call.ledger();
    let view = wallet.view()?;
    let best = view.best();
    let mut told = Vec::new();
    for world in live(&view) {
        let comparison = ledger.compare(best, world);
        told.push(object! {
            "hash" => world.hash(),
            "height" => world.height(),
            "best" => world.hash() == best.hash(),
            "fork" => comparison.fork_hash,
            "fork_height" => comparison.fork_height,
            "balances" => mine(&view, world)?,
        });
    }
    Ok(Json::Array(told))
}

fn warnings(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let blocks: u32 = call.int_or(0, call.wallets()?.config().warn_blocks)?;
    let warnings = wallet.view()?.warnings(blocks)?;
    Ok(warnings.iter().map(warning_json).collect())
}

fn warning_json(warning: &Warning) -> Json {
    let lost = warning.lost.iter().map(|(outpoint, coin)| {
        object! { "txid" => outpoint.txid, "vout" => outpoint.vout, "amount" => coin.amount }
    });
    let payments = warning.payments.iter().map(|(txid, state)| {
        let mut json = object! { "txid" => *txid, "state" => state.word() };
        if let everett_wallet::PaymentState::Conflicted {
            outpoint,
            by,
            block,
        } = state
        {
            json.push("outpoint", outpoint.to_string());
            json.push_some("by", *by);
            json.push_some("blockhash", *block);
        }
        json
    });
    object! {
        "hash" => warning.tip,
        "height" => warning.height,
        "behind" => warning.behind,
        "fork" => warning.fork,
        "fork_height" => warning.fork_height,
        "lost_amount" => warning.lost_amount,
        "lost" => lost.collect::<Json>(),
        "double_spend" => warning.has_double_spend(),
        "payments" => payments.collect::<Json>(),
    }
}

fn payment_states(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let txid = call.txid(0, "txid")?;
    let view = wallet.view()?;
    let record = known(view.record(&txid))?;
    let mut told = Vec::new();
    for world in live(&view) {
        told.push(Teller::new(call, &view, world)?.state(record)?);
    }
    Ok(Json::Array(told))
}
