//! Owns what happened to a wallet since a block.

use everett_ledger::World;
use everett_ledger::decode::decode_block;

use super::super::label::parse_label;
use super::{Listing, Teller, WATCH_ONLY};
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Blocks that are looked through for what a chain has lost, at most.
const MAX_REMOVED_BLOCKS: u32 = 10_000;

pub(in super::super) static LISTSINCEBLOCK: Method = Method {
    name: "listsinceblock",
    category: Category::Wallet,
    about: "The wallet's payments since a block of any branch, as they stand in the best world; and those of that branch which the best \
            one does not have.",
    arguments: &[
        Argument::optional("blockhash", Kind::Text, "The block; all payments without"),
        Argument::default(
            "target_confirmations",
            Kind::Number,
            "1",
            "Which block is told as the last one: that with so many confirmations",
        ),
        WATCH_ONLY,
        Argument::default(
            "include_removed",
            Kind::Bool,
            "true",
            "Whether payments that the chain has lost are told",
        ),
        Argument::default(
            "include_change",
            Kind::Bool,
            "false",
            "Whether change is told",
        ),
        Argument::optional(
            "label",
            Kind::Text,
            "Only what is received by addresses with this label",
        ),
    ],
    result: "{\"transactions\": [...], \"removed\": [...], \"lastblock\": \"hex\"}    (json object) The payments, and the block to ask with next",
    at: true,
    run: Run::Read(list),
};

fn list(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let ledger = call.ledger();
    let world = call.world()?;
    let from = match call.maybe(0).filter(|value| value.text() != Ok("")) {
        None => None,
        Some(_) => {
            let hash = call.block_hash(0, "blockhash")?;
            let info = ledger.block_info(&hash);
            Some(info.ok_or_else(|| RpcError::not_found("Block not found"))?)
        }
    };
    let target: i32 = call.int_or(1, 1)?;
    let target = u32::try_from(target).ok().filter(|target| *target >= 1);
    let target = target.ok_or_else(|| RpcError::parameter("Invalid parameter"))?;
    let include_removed = call.bool_or(3, true)?;
    let label = call.maybe(5).map(parse_label).transpose()?;
    let label = label.as_deref();
    let listing = Listing {
        label,
        change: call.bool_or(4, false)?,
        ..Listing::default()
    };
    let fork = from
        .as_ref()
        .and_then(|from| ledger.fork_point(&from.hash, &world.hash()));
    let view = wallet.view()?;
    let teller = Teller::new(call, &view, &world)?;
    let depth = fork
        .as_ref()
        .map(|fork| i64::from(world.height()) + 1 - i64::from(fork.height));
    let mut transactions: Vec<Json> = Vec::new();
    for record in view.records() {
        if depth.is_none_or(|depth| {
            teller
                .confirmations(record)
                .is_ok_and(|confirmations| confirmations.abs() < depth)
        }) {
            teller.list(record, &listing, &mut transactions)?;
        }
    }
    let mut removed: Vec<Json> = Vec::new();
    if let (Some(from), Some(fork), true) = (&from, &fork, include_removed) {
        let listing = Listing {
            conflicted: true,
            label,
            change: listing.change,
            ..Listing::default()
        };
        let lowest = (fork.height + 1).max((from.height + 1).saturating_sub(MAX_REMOVED_BLOCKS));
        for height in (lowest..=from.height).rev() {
            let Some(block) = ledger.ancestor(&from.hash, height) else {
                break;
            };
            let bytes = ledger.block_bytes(&block.hash).map_err(|_| {
                RpcError::new(crate::error::INTERNAL_ERROR, "Can't read block from disk")
            })?;
            let (decoded, _) =
                decode_block(&bytes).map_err(|error| RpcError::misc(error.to_string()))?;
            for tx in &decoded.transactions {
                if let Some(record) = view.record(&tx.txid) {
                    teller.list(record, &listing, &mut removed)?;
                }
            }
        }
    }
    let mut json = object! { "transactions" => transactions };
    if include_removed {
        json.push("removed", removed);
    }
    json.push("lastblock", last(&world, target).to_string());
    Ok(json)
}

/// The block with so many confirmations; the first one where there is none.
fn last(world: &World, target: u32) -> bitcoin::BlockHash {
    let height = (world.height() + 1).saturating_sub(target);
    world.block_hash_at(height).unwrap_or_else(|| world.hash())
}
