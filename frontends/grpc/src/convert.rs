//! Owns the writing of answers: the ledger's types as messages.
//! Promises display order for hashes and satoshis for amounts, as the .proto files say.

pub(crate) mod mempool;
pub(crate) mod peer;
pub(crate) mod wallet;

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Amount, BlockHash, OutPoint, Script, Work};
use everett_ledger::{
    BlockInfo, ChainStatus, Coin, Conflict, ConflictKind, Cursor, Delivery, EventKind, Ledger,
    Network, Outcome, Tip,
};
use everett_proto::v1;
use prost_types::Timestamp;

/// A world, from what is known about its block.
pub(crate) fn world(info: &BlockInfo, best: bool) -> v1::World {
    v1::World {
        tip_hash: info.hash.to_string(),
        height: info.height,
        chainwork: chainwork(info.chainwork),
        fork_hash: info.fork_hash.to_string(),
        fork_height: info.fork_height,
        status: status(info.status).into(),
        first_seen_time: Some(time(info.first_seen)),
        best,
        live: info.live,
    }
}

/// A world, from a tip of the tree.
pub(crate) fn tip(tip: &Tip) -> v1::World {
    v1::World {
        tip_hash: tip.hash.to_string(),
        height: tip.height,
        chainwork: chainwork(tip.chainwork),
        fork_hash: tip.fork_hash.to_string(),
        fork_height: tip.fork_height,
        status: status(tip.status).into(),
        first_seen_time: Some(time(tip.first_seen)),
        best: tip.best,
        live: tip.live,
    }
}

pub(crate) fn status(status: ChainStatus) -> v1::WorldStatus {
    match status {
        ChainStatus::Active => v1::WorldStatus::Active,
        ChainStatus::ValidFork => v1::WorldStatus::ValidFork,
        ChainStatus::ValidHeaders => v1::WorldStatus::ValidHeaders,
        ChainStatus::HeadersOnly => v1::WorldStatus::HeadersOnly,
        ChainStatus::Invalid => v1::WorldStatus::Invalid,
    }
}

fn chainwork(work: Work) -> String {
    work.to_be_bytes().to_lower_hex_string()
}

/// Unix seconds.
pub(crate) fn time(seconds: u64) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}

/// Satoshis. No sum of existing coins comes near the limit.
pub(crate) fn sat(amount: Amount) -> i64 {
    i64::try_from(amount.to_sat()).unwrap_or(i64::MAX)
}

pub(crate) fn outpoint(outpoint: &OutPoint) -> v1::OutPoint {
    v1::OutPoint {
        txid: outpoint.txid.to_string(),
        vout: outpoint.vout,
    }
}

pub(crate) fn unspent(outpoint: &OutPoint, coin: &Coin) -> v1::UnspentOutput {
    v1::UnspentOutput {
        txid: outpoint.txid.to_string(),
        vout: outpoint.vout,
        amount_sat: sat(coin.amount),
        script_pubkey: coin.script_pubkey.as_bytes().to_vec(),
        height: coin.height,
        coinbase: coin.coinbase,
    }
}

pub(crate) fn balance(
    script: Option<v1::Script>,
    balance: &everett_ledger::Balance,
) -> v1::Balance {
    v1::Balance {
        script,
        confirmed_sat: sat(balance.confirmed),
        immature_sat: sat(balance.immature),
        utxo_count: u32::try_from(balance.coins).unwrap_or(u32::MAX),
    }
}

/// The address of a script, where it has one.
pub(crate) fn address(script: &Script, network: Network) -> String {
    Address::from_script(script, network.to_bitcoin())
        .map(|address| address.to_string())
        .unwrap_or_default()
}

pub(crate) fn conflict(conflict: &Conflict) -> v1::Conflict {
    v1::Conflict {
        outpoint: Some(outpoint(&conflict.outpoint)),
        txid_a: conflict.txid_a.to_string(),
        txid_b: conflict.txid_b.to_string(),
        block_a: conflict.block_a.to_string(),
        block_b: conflict.block_b.to_string(),
        amount_sat: sat(conflict.amount),
        kind: match conflict.kind {
            ConflictKind::SameRecipients => v1::ConflictKind::SameRecipients,
            ConflictKind::FeeBump => v1::ConflictKind::FeeBump,
            ConflictKind::DoubleSpend => v1::ConflictKind::DoubleSpend,
        }
        .into(),
        script_pubkey: conflict.script_pubkey.as_bytes().to_vec(),
    }
}

pub(crate) fn header(info: &BlockInfo) -> v1::BlockHeader {
    let header = &info.header;
    v1::BlockHeader {
        hash: info.hash.to_string(),
        height: info.height,
        version: header.version.to_consensus(),
        previous_hash: header.prev_blockhash.to_string(),
        merkle_root: header.merkle_root.to_string(),
        time: Some(time(header.time.into())),
        bits: header.bits.to_consensus(),
        nonce: header.nonce,
        chainwork: chainwork(info.chainwork),
        median_time_past: Some(time(info.median_time_past.into())),
        status: status(info.status).into(),
        transaction_count: info.tx_count,
        size_bytes: info.size,
        next_hash: info
            .next_hash
            .map(|hash| hash.to_string())
            .unwrap_or_default(),
        reject_reason: info.reject_reason.clone().unwrap_or_default(),
        reject_debug_message: info.reject_debug.clone().unwrap_or_default(),
        raw: bitcoin::consensus::serialize(header),
        first_seen_time: Some(time(info.first_seen)),
        arrival: info.arrival,
    }
}

pub(crate) fn cursor(cursor: Cursor) -> v1::EventCursor {
    v1::EventCursor {
        seq: cursor.seq,
        block_hash: cursor.block.to_string(),
    }
}

fn event_kind(kind: EventKind) -> v1::EventKind {
    match kind {
        EventKind::TipAdded => v1::EventKind::TipAdded,
        EventKind::TipExtended => v1::EventKind::TipExtended,
        EventKind::BestChanged => v1::EventKind::BestChanged,
        EventKind::TipRetired => v1::EventKind::TipRetired,
        EventKind::BlockInvalid => v1::EventKind::BlockInvalid,
        EventKind::Checkpointed => v1::EventKind::Checkpointed,
        EventKind::ConflictFound => v1::EventKind::ConflictFound,
    }
}

/// An event on its way to a client; how watched scripts changed is left open.
pub(crate) fn event(ledger: &Ledger, delivery: &Delivery) -> v1::Event {
    let event = &delivery.event;
    let hashes = |hashes: &[BlockHash]| hashes.iter().map(BlockHash::to_string).collect();
    let height = |hash| ledger.block_info(&hash).map_or(0, |info| info.height);
    v1::Event {
        seq: delivery.seq,
        kind: event_kind(event.kind).into(),
        from_hash: event.from.to_string(),
        to_hash: event.to.to_string(),
        fork_hash: event.fork.to_string(),
        from_height: height(event.from),
        to_height: height(event.to),
        undone: hashes(&event.undone),
        applied: hashes(&event.applied),
        time: Some(time(event.time)),
        cursor: Some(cursor(delivery.cursor)),
        conflicts: event.conflicts.iter().map(conflict).collect(),
        unlisted_conflict_count: event.unlisted,
        changes: Vec::new(),
        changes_unknown: false,
    }
}

/// The hash of a block that was handed in, if it could be decoded.
pub(crate) fn outcome_hash(outcome: &Outcome) -> Option<BlockHash> {
    match outcome {
        Outcome::Accepted { hash, .. }
        | Outcome::Known { hash, .. }
        | Outcome::Orphan { hash, .. }
        | Outcome::Rejected { hash, .. } => Some(*hash),
        Outcome::Undecodable(_) => None,
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> v1::BlockOutcome {
    let mut told = v1::BlockOutcome {
        reject_reason: outcome.bip22().unwrap_or_default(),
        ..v1::BlockOutcome::default()
    };
    let result = match outcome {
        Outcome::Accepted {
            hash, height, best, ..
        } => {
            told.block_hash = hash.to_string();
            told.height = Some(*height);
            told.best = *best;
            v1::SubmitResult::Accepted
        }
        Outcome::Known { hash, height, .. } => {
            told.block_hash = hash.to_string();
            told.height = Some(*height);
            v1::SubmitResult::Known
        }
        Outcome::Orphan { hash, previous } => {
            told.block_hash = hash.to_string();
            told.previous_hash = previous.to_string();
            v1::SubmitResult::Orphan
        }
        Outcome::Rejected {
            hash,
            height,
            reject,
        } => {
            told.block_hash = hash.to_string();
            told.height = *height;
            told.debug_message = reject.debug.clone();
            v1::SubmitResult::Rejected
        }
        Outcome::Undecodable(error) => {
            told.debug_message = error.to_string();
            v1::SubmitResult::Undecodable
        }
    };
    told.result = result.into();
    told
}
