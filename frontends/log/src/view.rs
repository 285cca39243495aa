//! Owns records as text and as JSON.
//! Promises hashes in display order, amounts as whole satoshis in JSON and in bitcoin for people.

use everett_proto::v1;
use everett_proto::v1::log_record::Body;
use serde_json::{Map, Value, json};

use crate::record::kind;
use crate::time::format;

/// A hash as it is shown: its bytes reversed, in hexadecimal.
fn hash(bytes: &[u8]) -> String {
    bytes
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn time_of(time: Option<&prost_types::Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format(time.seconds, time.nanos))
}

/// An amount in bitcoin, with all eight decimals.
fn btc(sat: i64) -> String {
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.unsigned_abs();
    format!("{sign}{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// What is foreign in a text cannot move a terminal's cursor.
fn harmless(text: &str) -> String {
    let char = |char: char| match char.is_control() {
        true => char.escape_default().collect::<String>(),
        false => char.to_string(),
    };
    text.chars().map(char).collect()
}

/// A record on one line, without its end.
pub fn text(record: &v1::LogRecord) -> String {
    let told = match &record.body {
        None => "written by a later version of Everett".to_owned(),
        Some(Body::NodeStarted(node)) => format!(
            "Everett {} on {}{}, process {}, best {} (height {})",
            harmless(&node.version),
            harmless(&node.network),
            if node.lab { " lab" } else { "" },
            node.process_id,
            hash(&node.best_hash),
            node.best_height
        ),
        Some(Body::NodeStopped(node)) => {
            format!(
                "in order, best {} (height {})",
                hash(&node.best_hash),
                node.best_height
            )
        }
        Some(Body::Event(event)) => event_text(event),
        Some(Body::FrontendChanged(frontend)) => {
            let mut text = format!(
                "{} is {}",
                harmless(&frontend.name),
                harmless(&frontend.state)
            );
            if frontend.restart_count > 0 {
                text.push_str(&format!(", started again {} times", frontend.restart_count));
            }
            if !frontend.last_error.is_empty() {
                text.push_str(&format!(", last error: {}", harmless(&frontend.last_error)));
            }
            text
        }
        Some(Body::Message(message)) => {
            let mut text = format!(
                "{} {}: {}",
                level(message),
                harmless(&message.target),
                harmless(&message.text)
            );
            for field in &message.fields {
                text.push_str(&format!(
                    " {}={}",
                    harmless(&field.name),
                    harmless(&field.value)
                ));
            }
            text
        }
        Some(Body::RecordsDropped(dropped)) => {
            format!(
                "{} records are missing here: {}",
                dropped.count,
                harmless(&dropped.reason)
            )
        }
        Some(Body::Packet(packet)) => packet_text(packet),
    };
    format!(
        "{}  {:<14}  {told}",
        time_of(record.time.as_ref()),
        kind(record)
    )
}

fn level(message: &v1::LogMessage) -> &'static str {
    match message.level() {
        v1::LogLevel::Error => "ERROR",
        v1::LogLevel::Warn => "WARN",
        v1::LogLevel::Info => "INFO",
        v1::LogLevel::Unspecified => "-",
    }
}

fn event_text(event: &v1::LoggedEvent) -> String {
    let (from, to) = (hash(&event.from_hash), hash(&event.to_hash));
    match event.kind() {
        v1::EventKind::BestChanged => format!(
            "{to} (height {}) from {from} (height {}), fork at {}, {} undone, {} applied",
            event.to_height,
            event.from_height,
            event.fork_height,
            event.undone_count,
            event.applied_count
        ),
        v1::EventKind::ConflictFound => {
            let sat = event.conflicts.iter().fold(0i64, |sum, conflict| {
                sum.saturating_add(conflict.amount_sat)
            });
            let coins = event.conflicts.len() as u64 + u64::from(event.unlisted_conflict_count);
            let kinds = event
                .conflicts
                .first()
                .map_or("", |conflict| conflict.kind.as_str());
            format!(
                "{coins} coins of {} BTC spent in block {from} are spent otherwise in {to} ({})",
                btc(sat),
                harmless(kinds)
            )
        }
        v1::EventKind::BlockInvalid => {
            format!(
                "{to} (height {}): {}",
                event.to_height,
                harmless(&event.reject_reason)
            )
        }
        v1::EventKind::TipRetired => format!("{to} (height {})", event.to_height),
        _ => format!("{to} (height {}) on {from}", event.to_height),
    }
}

fn packet_text(packet: &v1::Packet) -> String {
    let direction = match packet.direction() {
        v1::PacketDirection::Received => "from",
        v1::PacketDirection::Sent => "to",
        v1::PacketDirection::Unspecified => "with",
    };
    let kept = match packet.payload.len() < packet.payload_bytes as usize {
        true => format!(" ({} kept)", packet.payload.len()),
        false => String::new(),
    };
    format!(
        "{direction} peer {} at {}: {}, {} bytes{kept}",
        packet.connection_id,
        harmless(&packet.peer),
        harmless(&packet.command),
        packet.payload_bytes
    )
}

/// A record for programs.
pub fn json(record: &v1::LogRecord) -> Value {
    let mut object = Map::new();
    object.insert("seq".to_owned(), record.seq.into());
    object.insert("time".to_owned(), time_of(record.time.as_ref()).into());
    object.insert("kind".to_owned(), kind(record).into());
    let body = match &record.body {
        None => json!({}),
        Some(Body::NodeStarted(node)) => json!({
            "version": node.version,
            "network": node.network,
            "lab": node.lab,
            "process_id": node.process_id,
            "best_hash": hash(&node.best_hash),
            "best_height": node.best_height,
        }),
        Some(Body::NodeStopped(node)) => json!({
            "best_hash": hash(&node.best_hash),
            "best_height": node.best_height,
        }),
        Some(Body::Event(event)) => event_json(event),
        Some(Body::FrontendChanged(frontend)) => json!({
            "name": frontend.name,
            "state": frontend.state,
            "restart_count": frontend.restart_count,
            "last_error": frontend.last_error,
        }),
        Some(Body::Message(message)) => {
            let fields = message.fields.iter();
            let fields: Map<String, Value> = fields
                .map(|field| (field.name.clone(), field.value.clone().into()))
                .collect();
            json!({
                "level": level(message),
                "target": message.target,
                "text": message.text,
                "fields": fields,
            })
        }
        Some(Body::RecordsDropped(dropped)) => json!({
            "count": dropped.count,
            "reason": dropped.reason,
        }),
        Some(Body::Packet(packet)) => json!({
            "connection_id": packet.connection_id,
            "direction": match packet.direction() {
                v1::PacketDirection::Received => "received",
                v1::PacketDirection::Sent => "sent",
                v1::PacketDirection::Unspecified => "unknown",
            },
            "peer": packet.peer,
            "command": packet.command,
            "payload": packet.payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "payload_bytes": packet.payload_bytes,
        }),
    };
    if let Value::Object(body) = body {
        object.extend(body);
    }
    Value::Object(object)
}

fn event_json(event: &v1::LoggedEvent) -> Value {
    let conflicts = event.conflicts.iter().map(|conflict| {
        json!({
            "txid": hash(&conflict.txid),
            "vout": conflict.vout,
            "amount_sat": conflict.amount_sat,
            "from_txid": hash(&conflict.from_txid),
            "to_txid": hash(&conflict.to_txid),
            "kind": conflict.kind,
        })
    });
    let mut value = json!({
        "event_seq": event.event_seq,
        "from_hash": hash(&event.from_hash),
        "from_height": event.from_height,
        "to_hash": hash(&event.to_hash),
        "to_height": event.to_height,
        "fork_hash": hash(&event.fork_hash),
        "fork_height": event.fork_height,
        "event_time": time_of(event.event_time.as_ref()),
    });
    match event.kind() {
        v1::EventKind::BestChanged => {
            value["undone_count"] = event.undone_count.into();
            value["applied_count"] = event.applied_count.into();
        }
        v1::EventKind::ConflictFound => {
            value["conflicts"] = conflicts.collect();
            value["unlisted_conflict_count"] = event.unlisted_conflict_count.into();
        }
        v1::EventKind::BlockInvalid => value["reject_reason"] = event.reject_reason.clone().into(),
        _ => {}
    }
    value
}
