//! Owns what records are made of: the node's events in the log's own words, and the names of their kinds.
//! Promises a name for every record, also for one that a later version wrote.

use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::{Conflict, ConflictKind, Delivery, EventKind, Ledger};
use everett_node::FrontendHealth;
use everett_proto::v1;
use everett_proto::v1::log_record::Body;

/// The kinds of records, as `--kind` and JSON have them.
pub const KINDS: [&str; 13] = [
    "node-started",
    "node-stopped",
    "tip-added",
    "tip-extended",
    "best-changed",
    "tip-retired",
    "block-invalid",
    "checkpointed",
    "conflict-found",
    "frontend",
    "message",
    "dropped",
    "packet",
];

/// A record's kind: one of [`KINDS`], or `unknown` for what a later version wrote.
pub fn kind(record: &v1::LogRecord) -> &'static str {
    match &record.body {
        Some(Body::NodeStarted(_)) => "node-started",
        Some(Body::NodeStopped(_)) => "node-stopped",
        Some(Body::Event(event)) => match event.kind() {
            v1::EventKind::TipAdded => "tip-added",
            v1::EventKind::TipExtended => "tip-extended",
            v1::EventKind::BestChanged => "best-changed",
            v1::EventKind::TipRetired => "tip-retired",
            v1::EventKind::BlockInvalid => "block-invalid",
            v1::EventKind::Checkpointed => "checkpointed",
            v1::EventKind::ConflictFound => "conflict-found",
            v1::EventKind::Unspecified => "unknown",
        },
        Some(Body::FrontendChanged(_)) => "frontend",
        Some(Body::Message(_)) => "message",
        Some(Body::RecordsDropped(_)) => "dropped",
        Some(Body::Packet(_)) => "packet",
        None => "unknown",
    }
}

/// Whether a record belongs to what a user calls `wanted`: a kind, in whatever spelling, or one of the groups `node`,
/// `event`, `warning`, `error`.
pub fn is_of(record: &v1::LogRecord, wanted: &str) -> bool {
    let wanted = plain(wanted);
    let level = match &record.body {
        Some(Body::Message(message)) => Some(message.level()),
        _ => None,
    };
    match wanted.as_str() {
        "node" => matches!(
            record.body,
            Some(Body::NodeStarted(_) | Body::NodeStopped(_))
        ),
        "event" | "events" => matches!(record.body, Some(Body::Event(_))),
        "warning" | "warn" => level == Some(v1::LogLevel::Warn),
        "error" => level == Some(v1::LogLevel::Error),
        wanted => plain(kind(record)) == wanted,
    }
}

/// Whether there is such a kind or group.
pub fn is_kind(name: &str) -> bool {
    const GROUPS: [&str; 6] = ["node", "event", "events", "warning", "warn", "error"];
    let name = plain(name);
    GROUPS.contains(&name.as_str()) || KINDS.iter().any(|kind| plain(kind) == name)
}

/// `BestChanged`, `best_changed` and `best-changed` are one.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|char| char.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// A time as records have it.
pub(crate) fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}

fn bytes(hash: &BlockHash) -> Vec<u8> {
    hash.to_byte_array().to_vec()
}

/// The start of a run.
pub(crate) fn started(ledger: &Ledger, lab: bool) -> Body {
    let best = ledger.best();
    Body::NodeStarted(v1::NodeStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network: ledger.params().network.to_string(),
        lab,
        best_hash: bytes(&best.hash()),
        best_height: best.height(),
        process_id: std::process::id(),
    })
}

/// Its end, in order.
pub(crate) fn stopped(ledger: &Ledger) -> Body {
    let best = ledger.best();
    Body::NodeStopped(v1::NodeStopped {
        best_hash: bytes(&best.hash()),
        best_height: best.height(),
    })
}

/// An event.
pub(crate) fn event(ledger: &Ledger, delivery: &Delivery) -> Body {
    let event = &delivery.event;
    let height = |hash: &BlockHash| ledger.block_info(hash).map_or(0, |info| info.height);
    let reason = match event.kind {
        EventKind::BlockInvalid => ledger
            .block_info(&event.to)
            .and_then(|info| info.reject_reason),
        _ => None,
    };
    let count = |list: &[BlockHash]| u32::try_from(list.len()).unwrap_or(u32::MAX);
    Body::Event(v1::LoggedEvent {
        event_seq: delivery.seq,
        kind: kind_of(event.kind).into(),
        from_hash: bytes(&event.from),
        to_hash: bytes(&event.to),
        fork_hash: bytes(&event.fork),
        from_height: height(&event.from),
        to_height: height(&event.to),
        fork_height: height(&event.fork),
        undone_count: count(&event.undone),
        applied_count: count(&event.applied),
        event_time: Some(prost_types::Timestamp {
            seconds: i64::try_from(event.time).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        conflicts: event.conflicts.iter().map(conflict).collect(),
        unlisted_conflict_count: event.unlisted,
        reject_reason: reason.unwrap_or_default(),
    })
}

fn kind_of(kind: EventKind) -> v1::EventKind {
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

fn conflict(conflict: &Conflict) -> v1::LoggedConflict {
    let kind = match conflict.kind {
        ConflictKind::SameRecipients => "same-recipients",
        ConflictKind::FeeBump => "fee-bump",
        ConflictKind::DoubleSpend => "double-spend",
    };
    v1::LoggedConflict {
        txid: conflict.outpoint.txid.to_byte_array().to_vec(),
        vout: conflict.outpoint.vout,
        amount_sat: i64::try_from(conflict.amount.to_sat()).unwrap_or(i64::MAX),
        from_txid: conflict.txid_a.to_byte_array().to_vec(),
        to_txid: conflict.txid_b.to_byte_array().to_vec(),
        kind: kind.to_owned(),
    }
}

/// How a frontend fares.
pub(crate) fn frontend(health: &FrontendHealth) -> Body {
    Body::FrontendChanged(v1::FrontendChanged {
        name: health.name.clone(),
        state: health.state.as_str().to_owned(),
        restart_count: health.restarts,
        last_error: health.last_error.clone().unwrap_or_default(),
    })
}

/// Records that are not there.
pub(crate) fn dropped(count: u64, reason: impl std::fmt::Display) -> Body {
    Body::RecordsDropped(v1::RecordsDropped {
        count,
        reason: reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_may_be_spelt_in_several_ways() {
        let record = v1::LogRecord {
            body: Some(Body::Event(v1::LoggedEvent {
                kind: v1::EventKind::BestChanged.into(),
                ..v1::LoggedEvent::default()
            })),
            ..v1::LogRecord::default()
        };
        for name in ["best-changed", "BestChanged", "BEST_CHANGED", "event"] {
            assert!(is_of(&record, name) && is_kind(name), "{name}");
        }
        for name in ["tip-added", "message", "node", "nothing"] {
            assert!(!is_of(&record, name), "{name}");
        }
        assert!(!is_kind("nothing"));
    }
}
