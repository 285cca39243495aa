//! Owns the list of the transactions that wait.

use super::entry::entries_json;
use super::view;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(crate) static GETRAWMEMPOOL: Method = Method {
    name: "getrawmempool",
    category: Category::Blockchain,
    about: "The transactions that wait, in the order in which they are mined. In a world that is named: those that would \
            wait if it were the best one.",
    arguments: &[
        Argument::default(
            "verbose",
            Kind::Bool,
            "false",
            "All that is known of them rather than ids",
        ),
        Argument::default(
            "mempool_sequence",
            Kind::Bool,
            "false",
            "With the ids, the number of the next change of the mempool",
        ),
    ],
    result: "[\"hex\", ...]    (json array) Their ids, or (json object) all that is known of them by id",
    at: true,
    run: Run::Read(raw_mempool),
};

fn raw_mempool(call: &Call) -> Answer {
    let verbose = call.bool_or(0, false)?;
    let with_sequence = call.bool_or(1, false)?;
    if verbose && with_sequence {
        return Err(RpcError::parameter(
            "Verbose results cannot contain mempool sequence values.",
        ));
    }
    let view = view(call)?;
    let txids = view.txids();
    if verbose {
        return Ok(entries_json(&view, &txids));
    }
    let txids: Json = txids.into_iter().collect();
    Ok(match with_sequence {
        true => object! { "txids" => txids, "mempool_sequence" => view.sequence() },
        false => txids,
    })
}
