//! Owns the answer to GetTransaction: a transaction, every block and world that holds it, and what conflicts with it.

use bitcoin::consensus::serialize;
use everett_ledger::{BlockError, ChainStatus, Held};
use everett_proto::v1;

use crate::convert;
use crate::fault::Fault;
use crate::parse;
use crate::reading::Reading;

pub(crate) fn get(
    reading: &Reading<'_>,
    request: v1::GetTransactionRequest,
) -> Result<v1::GetTransactionResponse, Fault> {
    let txid = parse::txid("txid", &request.txid)?;
    let block = match request.block_hash.as_str() {
        "" => None,
        hash => Some(parse::block_hash("block_hash", hash)?),
    };
    let mut world = request
        .world
        .map(|world| reading.world("world", Some(world)))
        .transpose()?;
    if let Some(hash) = block {
        let info = reading
            .ledger
            .block_info(&hash)
            .ok_or(BlockError::Unknown { hash })?;
        let named = world.unwrap_or_else(|| reading.ledger.best());
        if named.block_hash_at(info.height) != Some(hash) {
            return Err(Fault::field(
                "block_hash",
                format!(
                    "block {hash} does not lie on the chain of the world at {}",
                    named.hash()
                ),
            ));
        }
        world = Some(named);
    }
    let answer = reading.ledger.whereabouts(&txid, world, block.as_ref())?;
    let confirmations = answer.confirmations();
    let found = answer.found;
    Ok(v1::GetTransactionResponse {
        world: Some(reading.tell(&answer.world)?),
        transaction: Some(v1::Transaction {
            txid: found.transaction.compute_txid().to_string(),
            wtxid: found.transaction.compute_wtxid().to_string(),
            raw: serialize(&found.transaction),
            block_hash: found.block.to_string(),
            height: found.height,
            index: u32::try_from(found.index).unwrap_or(u32::MAX),
            confirmations,
        }),
        indexed: answer.indexed,
        places: answer.places.iter().map(place).collect(),
        place_count: u32::try_from(answer.place_count).unwrap_or(u32::MAX),
        conflicts: answer.conflicts.iter().map(convert::conflict).collect(),
    })
}

fn place(held: &Held) -> v1::TransactionPlace {
    let place = &held.place;
    let worlds = held.worlds.iter().map(|tip| v1::TransactionWorld {
        tip_hash: tip.hash.to_string(),
        tip_height: tip.height,
        confirmations: (tip.height + 1).saturating_sub(place.height),
        best: tip.status == ChainStatus::Active,
    });
    v1::TransactionPlace {
        block_hash: place.block.to_string(),
        height: place.height,
        index: place.index,
        status: convert::status(place.status).into(),
        worlds: worlds.collect(),
        world_count: u32::try_from(held.world_count).unwrap_or(u32::MAX),
    }
}
