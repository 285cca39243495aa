//! Owns the questions about coins: one of them, or the whole set.

use bitcoin::OutPoint;
use everett_ledger::SetHash;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::mempool::view;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::script_json;

pub(super) static GETTXOUT: Method = Method {
    name: "gettxout",
    category: Category::Blockchain,
    about: "An unspent output in the world that is asked; nothing where there is none.",
    arguments: &[
        Argument::required("txid", Kind::Text, "The transaction that made it"),
        Argument::required("n", Kind::Number, "Its place among the outputs"),
        Argument::default(
            "include_mempool",
            Kind::Bool,
            "true",
            "Whether transactions that wait count as well",
        ),
    ],
    result: "{\"bestblock\", \"confirmations\", \"value\", \"scriptPubKey\", \"coinbase\"}    (json object) The output",
    at: true,
    run: Run::Read(tx_out),
};

fn tx_out(call: &Call) -> Answer {
    let txid = call.txid(0, "txid")?;
    let vout: u32 = call.int(1)?;
    let outpoint = OutPoint::new(txid, vout);
    let (world, coin) = match call.bool_or(2, true)? {
        true => {
            let view = view(call)?;
            (view.world().clone(), view.coin(&outpoint)?)
        }
        false => {
            let world = call.world()?;
            let coin = world.coin(&outpoint)?;
            (world, coin)
        }
    };
    let Some(coin) = coin else {
        return Ok(Json::Null);
    };
    let network = call.ledger().params().network.to_bitcoin();
    // A coin that waits has the height of the next block, and so none.
    let confirmations = (world.height() + 1).saturating_sub(coin.height);
    Ok(object! {
        "bestblock" => world.hash(),
        "confirmations" => confirmations,
        "value" => coin.amount,
        "scriptPubKey" => script_json(&coin.script_pubkey, network),
        "coinbase" => coin.coinbase,
    })
}

pub(super) static GETTXOUTSETINFO: Method = Method {
    name: "gettxoutsetinfo",
    category: Category::Blockchain,
    about: "Counts and a hash over all unspent outputs of the world that is asked. Reads all of them.",
    arguments: &[
        Argument::default(
            "hash_type",
            Kind::Text,
            "\"hash_serialized_3\"",
            "Which hash: hash_serialized_3, muhash, or none",
        ),
        Argument::optional(
            "hash_or_height",
            Kind::Any,
            "The world by its block's hash or its height; the named argument at does the same",
        )
        .shown("hash_or_height"),
        Argument::default(
            "use_index",
            Kind::Bool,
            "true",
            "Of no effect: no index is needed",
        ),
    ],
    result: "{...}    (json object) height, bestblock, txouts, bogosize, the hash, total_amount, transactions, disk_size",
    at: true,
    run: Run::Read(tx_out_set_info),
};

fn tx_out_set_info(call: &Call) -> Answer {
    let kind = call.maybe(0).map_or(Ok("hash_serialized_3"), Json::text)?;
    let hash = match kind {
        "hash_serialized_3" => SetHash::Serialized3,
        "muhash" => SetHash::MuHash,
        "none" => SetHash::Nothing,
        _ => {
            let wrong = format!("'{kind}' is not a valid hash_type");
            return Err(RpcError::parameter(wrong));
        }
    };
    call.bool_or(2, true)?;
    let world = match call.maybe(1) {
        None => call.world()?,
        Some(_) => {
            let info = super::block_or_height(call, 1)?;
            call.ledger().world(&info.hash)?
        }
    };
    let info = world.set_summary_while(hash, || call.goes_on())?;
    let mut json = object! {
        "height" => world.height(),
        "bestblock" => world.hash(),
        "txouts" => info.txouts,
        "bogosize" => info.bogosize,
    };
    json.push_some(kind, info.hash_hex());
    let total = i64::try_from(info.total_sat).unwrap_or(i64::MAX);
    json.push("total_amount", amount(total));
    json.push("transactions", info.transactions);
    json.push("disk_size", info.bogosize);
    Ok(json)
}
