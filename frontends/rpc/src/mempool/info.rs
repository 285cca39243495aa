//! Owns what is said of the mempool as a whole.

use everett_mempool::FeeSize;

use super::view;
use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Category, Method, Run};

pub(crate) static GETMEMPOOLINFO: Method = Method {
    name: "getmempoolinfo",
    category: Category::Blockchain,
    about: "Figures of the transactions that wait, and the limits that hold for them.",
    arguments: &[],
    result: "{...}    (json object) loaded, size, bytes, usage, total_fee, maxmempool, mempoolminfee, minrelaytxfee, …",
    at: true,
    run: Run::Read(mempool_info),
};

fn mempool_info(call: &Call) -> Answer {
    let mempool = call.handle().mempool();
    let loaded = mempool.is_loaded();
    let info = view(call)?.info();
    Ok(object! {
        "loaded" => loaded,
        "size" => info.size,
        "bytes" => info.vbytes,
        "usage" => info.usage,
        "total_fee" => amount(info.total_fee),
        "maxmempool" => info.max_bytes,
        "mempoolminfee" => amount(info.min_fee.sat_per_kvb()),
        "minrelaytxfee" => amount(info.min_relay_fee.sat_per_kvb()),
        "incrementalrelayfee" => amount(info.incremental_relay_fee.sat_per_kvb()),
        "unbroadcastcount" => info.unbroadcast,
        "permitbaremultisig" => info.permit_bare_multisig,
        "maxdatacarriersize" => info.max_datacarrier_bytes,
        "limitclustercount" => info.cluster_count,
        "limitclustersize" => info.cluster_vbytes,
        "optimal" => info.optimal,
    })
}

pub(super) static GETMEMPOOLFEERATEDIAGRAM: Method = Method {
    name: "getmempoolfeeratediagram",
    category: Category::Hidden,
    about: "What a miner would earn with blocks of growing size: sums over the chunks, best paying first.",
    arguments: &[],
    result: "[{\"weight\", \"fee\"}, ...]    (json array) The sums, from nothing to all",
    at: true,
    run: Run::Read(diagram),
};

fn diagram(call: &Call) -> Answer {
    let view = view(call)?;
    let point = |sum: FeeSize| object! { "weight" => sum.size, "fee" => amount(sum.fee) };
    let mut sum = FeeSize::default();
    let mut points = vec![point(sum)];
    for chunk in view.chunks() {
        sum += chunk.rate;
        points.push(point(sum));
    }
    Ok(Json::Array(points))
}
