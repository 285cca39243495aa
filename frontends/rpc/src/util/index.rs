//! Owns what is said of the indexes.

use crate::call::Call;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// What Core calls its filters of blocks.
const FILTERS: &str = "basic block filter index";
/// The index of transactions.
const TXINDEX: &str = "txindex";

pub(super) static GETINDEXINFO: Method = Method {
    name: "getindexinfo",
    category: Category::Util,
    about: "How far the indexes are that can be switched on. The index of scripts always is, and is no index of Core's.",
    arguments: &[Argument::optional(
        "index_name",
        Kind::Text,
        "The one that is meant",
    )],
    result: "{\"txindex\": {\"synced\", \"best_block_height\"}}    (json object) Each index by its name",
    at: false,
    run: Run::Read(index_info),
};

fn index_info(call: &Call) -> Answer {
    let wanted = call.maybe(0).map_or(Ok(""), Json::text)?;
    let mut json = Json::Object(Vec::new());
    let is_wanted = |name: &str| wanted.is_empty() || wanted == name;
    if is_wanted(TXINDEX)
        && let Some(progress) = call.ledger().tx_index()?
    {
        let best = u64::from(call.ledger().best().height());
        let height = match progress.complete {
            true => best,
            false => progress.indexed.min(best),
        };
        json.push(
            TXINDEX,
            object! { "synced" => progress.complete, "best_block_height" => height },
        );
    }
    if is_wanted(FILTERS) && call.site.config.block_filters {
        // They are made when they are asked for, and so are never behind.
        let height = call.ledger().best().height();
        json.push(
            FILTERS,
            object! { "synced" => true, "best_block_height" => height },
        );
    }
    Ok(json)
}
