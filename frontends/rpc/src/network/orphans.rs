//! Owns what is said of transactions that wait for what they spend.

use bitcoin::consensus::encode::serialize_hex;
use everett_mempool::orphans::OrphanInfo;

use crate::blockchain::verbosity;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Need, Run};

pub(super) static GETORPHANTXS: Method = Method {
    name: "getorphantxs",
    category: Category::Hidden,
    about: "The transactions of peers that wait for what they spend.",
    arguments: &[Argument {
        need: Need::Default("0"),
        ..Argument::optional(
            "verbosity",
            Kind::Any,
            "0 for ids, 1 for details, 2 for the transactions as well",
        )
    }],
    result: "[\"txid\", ...] or [{\"txid\", \"wtxid\", \"bytes\", \"vsize\", \"weight\", \"from\": [n, ...], \"hex\"}, ...]    \
             (json array) The transactions, and the peers that told of each",
    at: false,
    run: Run::Read(orphan_txs),
};

fn orphan_txs(call: &Call) -> Answer {
    let verbosity = verbosity(call.maybe(0), 0, false)?;
    let peers = call.handle().peers();
    let orphans = peers.map(|peers| peers.orphans()).unwrap_or_default();
    let orphans = orphans.iter();
    Ok(match verbosity {
        0 => orphans.map(|orphan| Json::from(orphan.tx.txid)).collect(),
        1 => orphans.map(|orphan| orphan_json(orphan, false)).collect(),
        2 => orphans.map(|orphan| orphan_json(orphan, true)).collect(),
        other => {
            return Err(RpcError::parameter(format!(
                "Invalid verbosity value {other}"
            )));
        }
    })
}

fn orphan_json(orphan: &OrphanInfo, whole: bool) -> Json {
    let tx = &orphan.tx;
    let weight = tx.stripped_size * 3 + tx.size;
    let mut json = object! {
        "txid" => tx.txid,
        "wtxid" => tx.wtxid,
        "bytes" => tx.size,
        "vsize" => weight.div_ceil(4),
        "weight" => weight,
        "from" => orphan.from.iter().map(|peer| Json::from(*peer)).collect::<Json>(),
    };
    if whole {
        json.push("hex", serialize_hex(&tx.tx));
    }
    json
}
