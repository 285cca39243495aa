//! Owns what is said of one transaction that waits, and of those it is connected with.

use bitcoin::Txid;
use everett_mempool::{EntryInfo, View};

use super::view;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

const TXID: Argument = Argument::required("txid", Kind::Text, "A transaction that waits");
const VERBOSE: Argument = Argument::default(
    "verbose",
    Kind::Bool,
    "false",
    "All that is known of them rather than ids",
);

pub(super) static GETMEMPOOLENTRY: Method = Method {
    name: "getmempoolentry",
    category: Category::Blockchain,
    about: "All that is known of a transaction that waits.",
    arguments: &[TXID],
    result: "{...}    (json object) Sizes, fees, and what it is connected with",
    at: true,
    run: Run::Read(entry),
};

pub(super) static GETMEMPOOLANCESTORS: Method = Method {
    name: "getmempoolancestors",
    category: Category::Blockchain,
    about: "The transactions that wait and that this one depends on.",
    arguments: &[TXID, VERBOSE],
    result: "[\"hex\", ...]    (json array) Their ids, or (json object) all that is known of them by id",
    at: true,
    run: Run::Read(ancestors),
};

pub(super) static GETMEMPOOLDESCENDANTS: Method = Method {
    name: "getmempooldescendants",
    category: Category::Blockchain,
    about: "The transactions that wait and that depend on this one.",
    arguments: &[TXID, VERBOSE],
    result: "[\"hex\", ...]    (json array) Their ids, or (json object) all that is known of them by id",
    at: true,
    run: Run::Read(descendants),
};

pub(super) static GETMEMPOOLCLUSTER: Method = Method {
    name: "getmempoolcluster",
    category: Category::Blockchain,
    about: "All that is connected with a transaction that waits, in the parts in which it is mined.",
    arguments: &[TXID],
    result: "{\"clusterweight\", \"txcount\", \"chunks\": [{\"chunkfee\", \"chunkweight\", \"txs\"}, ...]}    (json object)",
    at: true,
    run: Run::Read(cluster),
};

fn not_here() -> RpcError {
    RpcError::not_found("Transaction not in mempool")
}

/// All that is known of a transaction that waits, as it is told.
pub(super) fn entry_json(entry: &EntryInfo) -> Json {
    object! {
        "vsize" => entry.vsize,
        "weight" => entry.weight,
        "time" => entry.time,
        "height" => entry.height,
        "descendantcount" => entry.descendants.count,
        "descendantsize" => entry.descendants.vsize,
        "ancestorcount" => entry.ancestors.count,
        "ancestorsize" => entry.ancestors.vsize,
        "wtxid" => entry.tx.wtxid,
        "chunkweight" => entry.chunk.size,
        "fees" => object! {
            "base" => amount(entry.fee),
            "modified" => amount(entry.modified_fee),
            "ancestor" => amount(entry.ancestors.fee),
            "descendant" => amount(entry.descendants.fee),
            "chunk" => amount(entry.chunk.fee),
        },
        "depends" => entry.depends.iter().copied().collect::<Json>(),
        "spentby" => entry.spent_by.iter().copied().collect::<Json>(),
        "unbroadcast" => entry.unbroadcast,
    }
}

/// All that is known of transactions, by their ids.
pub(super) fn entries_json(view: &View<'_>, txids: &[Txid]) -> Json {
    let told = txids.iter().filter_map(|txid| {
        let entry = view.entry(txid)?;
        Some((txid.to_string(), entry_json(&entry)))
    });
    Json::Object(told.collect())
}

fn entry(call: &Call) -> Answer {
    let txid = call.txid(0, "txid")?;
    let entry = view(call)?.entry(&txid);
    Ok(entry_json(&entry.ok_or_else(not_here)?))
}

fn ancestors(call: &Call) -> Answer {
    related(call, |view, txid| view.ancestors(txid))
}

fn descendants(call: &Call) -> Answer {
    related(call, |view, txid| view.descendants(txid))
}

fn related(call: &Call, which: impl Fn(&View<'_>, &Txid) -> Option<Vec<Txid>>) -> Answer {
    let verbose = call.bool_or(1, false)?;
    let txid = call.txid(0, "txid")?;
    let view = super::view(call)?;
    let txids = which(&view, &txid).ok_or_else(not_here)?;
    Ok(match verbose {
        true => entries_json(&view, &txids),
        false => txids.into_iter().collect(),
    })
}

fn cluster(call: &Call) -> Answer {
    let txid = call.txid(0, "txid")?;
    let cluster = view(call)?.cluster(&txid);
    let cluster = cluster.ok_or_else(not_here)?;
    let count: usize = cluster.chunks.iter().map(|(_, txids)| txids.len()).sum();
    let chunks = cluster.chunks.into_iter().map(|(rate, txids)| {
        object! {
            "chunkfee" => amount(rate.fee),
            "chunkweight" => rate.size,
            "txs" => txids,
        }
    });
    Ok(object! {
        "clusterweight" => cluster.weight,
        "txcount" => count,
        "chunks" => chunks.collect::<Json>(),
    })
}
