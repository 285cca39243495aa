//! Owns peers, bans and the progress of syncing, as scripts have them.
//! Promises what was the case when they were asked for; refuses to follow a connection.

use std::time::{Duration, SystemTime};

use bitcoin::hex::DisplayHex;
use everett_net::PeerId;
use everett_node::{BanState, PeerState, Peers, SyncProgress, service_names};
use rhai::{Array, Dynamic, Engine, Map};
use serde_json::{Value, json};

use crate::book::Book;
use crate::fault::Fault;
use crate::show::{Align, Shown, facts};

/// A connected peer.
#[derive(Clone)]
pub(crate) struct PeerValue(PeerState);

impl PeerValue {
    pub(crate) fn list(peers: &dyn Peers) -> Array {
        let list = peers.list().into_iter();
        list.map(|peer| Dynamic::from(PeerValue(peer))).collect()
    }

    pub(crate) fn find(peers: &dyn Peers, id: u64) -> Option<PeerValue> {
        let peer = peers.list().into_iter().find(|peer| peer.info.id.0 == id);
        peer.map(PeerValue)
    }

    pub(crate) fn id(&self) -> PeerId {
        self.0.info.id
    }

    /// The height that it is known to have, or else the one it said when it connected.
    fn height(&self) -> Option<u32> {
        let said = u32::try_from(self.0.info.start_height).ok();
        self.0.sync.best.map(|(_, height)| height).or(said)
    }

    fn ping_ms(&self) -> Option<f64> {
        self.0.traffic.ping.map(millis)
    }

    fn best_hash(&self) -> Option<String> {
        self.0.sync.best.map(|(hash, _)| hash.to_string())
    }
}

impl Shown for PeerValue {
    const KIND: &'static str = "Peer";

    fn line(&self) -> String {
        let info = &self.0.info;
        format!(
            "peer {} at {}, {} over {}",
            info.id,
            info.endpoint,
            info.purpose.as_str(),
            info.transport.as_str()
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let (info, traffic, sync) = (&self.0.info, &self.0.traffic, &self.0.sync);
        let none = || "none".to_owned();
        let mut lines = vec![
            ("id", info.id.to_string()),
            ("address", info.endpoint.to_string()),
            ("type", info.purpose.as_str().to_owned()),
            ("transport", info.transport.as_str().to_owned()),
            (
                "agent",
                format!("{} (version {})", visible(&info.user_agent), info.version),
            ),
            ("services", service_names(info.services).join(", ")),
            ("features", visible(&info.features.join(", "))),
            (
                "best block",
                sync.best
                    .map_or_else(none, |(hash, height)| format!("{hash} (height {height})")),
            ),
            ("said height", info.start_height.to_string()),
            (
                "common height",
                sync.common_height
                    .map_or_else(none, |height| height.to_string()),
            ),
            ("in flight", format!("{} blocks", sync.in_flight.len())),
            (
                "ping",
                match (traffic.ping, traffic.min_ping) {
                    (Some(ping), Some(least)) => {
                        format!("{:.1} ms, at least {:.1} ms", millis(ping), millis(least))
                    }
                    _ => none(),
                },
            ),
            ("connected", seconds(traffic.connected).to_string()),
            ("received", format!("{} bytes", traffic.bytes_received)),
            ("sent", format!("{} bytes", traffic.bytes_sent)),
        ];
        if let Some(id) = info.session_id {
            lines.push(("session id", id.to_lower_hex_string()));
        }
        if let Some(what) = &sync.misbehavior {
            lines.push(("did wrong", visible(what)));
        }
        let mut text = facts(lines);
        for count in &traffic.messages {
            text.push_str(&format!(
                "  {}: {} received ({} bytes), {} sent ({} bytes)\n",
                visible(&count.command),
                count.received,
                count.bytes_received,
                count.sent,
                count.bytes_sent
            ));
        }
        Ok(text)
    }

    fn json(&self) -> Result<Value, Fault> {
        let (info, traffic, sync) = (&self.0.info, &self.0.traffic, &self.0.sync);
        let messages = traffic.messages.iter().map(|count| {
            json!({
                "command": count.command,
                "received": count.received,
                "bytes_received": count.bytes_received,
                "sent": count.sent,
                "bytes_sent": count.bytes_sent,
            })
        });
        Ok(json!({
            "id": info.id.0,
            "address": info.endpoint.to_string(),
            "connection_type": info.purpose.as_str(),
            "transport": info.transport.as_str(),
            "session_id": info.session_id.map(|id| id.to_lower_hex_string()),
            "version": info.version,
            "user_agent": info.user_agent,
            "services": info.services.to_u64(),
            "service_names": service_names(info.services),
            "features": info.features,
            "start_height": info.start_height,
            "relays_transactions": info.relay,
            "connected": seconds(traffic.connected),
            "time_offset_seconds": info.time_offset,
            "ping_ms": self.ping_ms(),
            "min_ping_ms": traffic.min_ping.map(millis),
            "bytes_received": traffic.bytes_received,
            "bytes_sent": traffic.bytes_sent,
            "last_received": traffic.last_received.map(seconds),
            "last_sent": traffic.last_sent.map(seconds),
            "best_hash": self.best_hash(),
            "best_height": sync.best.map(|(_, height)| height),
            "common_height": sync.common_height,
            "heights_in_flight": sync.in_flight,
            "presync_height": sync.presync_height,
            "compact_from": sync.compact_from,
            "compact_to": sync.compact_to,
            "last_block": sync.last_block.map(seconds),
            "last_transaction": sync.last_transaction.map(seconds),
            "addresses_processed": sync.addresses_processed,
            "addresses_rate_limited": sync.addresses_rate_limited,
            "misbehavior": sync.misbehavior,
            "messages": messages.collect::<Vec<_>>(),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("ID", Align::Right),
            ("ADDRESS", Align::Left),
            ("TYPE", Align::Left),
            ("OVER", Align::Left),
            ("HEIGHT", Align::Right),
            ("PING", Align::Right),
            ("IN", Align::Right),
            ("OUT", Align::Right),
            ("AGENT", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let (info, traffic) = (&self.0.info, &self.0.traffic);
        let none = || "-".to_owned();
        Ok(vec![
            info.id.to_string(),
            info.endpoint.to_string(),
            info.purpose.as_str().to_owned(),
            info.transport.as_str().to_owned(),
            self.height().map_or_else(none, |height| height.to_string()),
            self.ping_ms()
                .map_or_else(none, |ping| format!("{ping:.1} ms")),
            traffic.bytes_received.to_string(),
            traffic.bytes_sent.to_string(),
            visible(&info.user_agent),
        ])
    }
}

/// How far the node has synced.
#[derive(Clone)]
pub(crate) struct SyncValue(SyncProgress);

impl SyncValue {
    pub(crate) fn read(peers: &dyn Peers) -> SyncValue {
        SyncValue(peers.progress())
    }
}

impl Shown for SyncValue {
    const KIND: &'static str = "Sync";

    fn line(&self) -> String {
        let sync = &self.0;
        format!(
            "{}: height {} of {} headers, {} blocks in flight",
            sync.phase.as_str(),
            sync.best_height,
            sync.header_height,
            sync.blocks_in_flight
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let sync = &self.0;
        let mut lines = vec![
            ("phase", sync.phase.as_str().to_owned()),
            ("best height", sync.best_height.to_string()),
            ("headers", sync.header_height.to_string()),
            ("blocks in flight", sync.blocks_in_flight.to_string()),
            ("branches in flight", sync.branches_in_flight.to_string()),
            ("block bytes", sync.block_bytes.to_string()),
        ];
        if sync.presync_height > 0 {
            lines.insert(3, ("presync", sync.presync_height.to_string()));
        }
        if let Some(left) = sync.remaining {
            lines.push(("left", format!("about {} s", left.as_secs())));
        }
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        let sync = &self.0;
        Ok(json!({
            "phase": sync.phase.as_str(),
            "best_height": sync.best_height,
            "header_height": sync.header_height,
            "presync_height": Some(sync.presync_height).filter(|height| *height > 0),
            "blocks_in_flight": sync.blocks_in_flight,
            "branches_in_flight": sync.branches_in_flight,
            "block_bytes": sync.block_bytes,
            "remaining_seconds": sync.remaining.map(|left| left.as_secs()),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("PHASE", Align::Left),
            ("HEIGHT", Align::Right),
            ("HEADERS", Align::Right),
            ("IN FLIGHT", Align::Right),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let sync = &self.0;
        Ok(vec![
            sync.phase.as_str().to_owned(),
            sync.best_height.to_string(),
            sync.header_height.to_string(),
            sync.blocks_in_flight.to_string(),
        ])
    }
}

/// A subnet that the node has nothing to do with.
#[derive(Clone)]
pub(crate) struct BanValue(BanState);

impl BanValue {
    pub(crate) fn of(ban: BanState) -> BanValue {
        BanValue(ban)
    }

    pub(crate) fn list(peers: &dyn Peers) -> Array {
        let bans = peers.bans().into_iter();
        bans.map(|ban| Dynamic::from(BanValue(ban))).collect()
    }
}

impl Shown for BanValue {
    const KIND: &'static str = "Ban";

    fn line(&self) -> String {
        format!("{} until {}", self.0.subnet, seconds(self.0.until))
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(facts([
            ("subnet", self.0.subnet.clone()),
            ("since", seconds(self.0.created).to_string()),
            ("until", seconds(self.0.until).to_string()),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "subnet": self.0.subnet,
            "created": seconds(self.0.created),
            "until": seconds(self.0.until),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("SUBNET", Align::Left),
            ("SINCE", Align::Right),
            ("UNTIL", Align::Right),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.0.subnet.clone(),
            seconds(self.0.created).to_string(),
            seconds(self.0.until).to_string(),
        ])
    }
}

/// Unix seconds.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| int(since.as_secs()))
}

/// Milliseconds, three decimals of them.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Foreign text for a terminal: control characters as escapes.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            true => shown.extend(char.escape_unicode()),
            false => shown.push(char),
        }
    }
    shown
}

/// The unit value stands for none.
fn option<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<PeerValue>(engine, "a connected peer, as it was when it was asked for")
        .get("id", "the connection's number", |peer| {
            Ok(int(peer.0.info.id.0))
        })
        .get("address", "where it is", |peer| {
            Ok(peer.0.info.endpoint.to_string())
        })
        .get(
            "connection_type",
            "inbound, outbound-full-relay, block-relay-only, manual, feeler or addr-fetch",
            |peer| Ok(peer.0.info.purpose.as_str()),
        )
        .get("inbound", "whether it called us", |peer| {
            Ok(peer.0.info.purpose.is_inbound())
        })
        .get("transport", "v1, or v2 for an encrypted connection", |peer| {
            Ok(peer.0.info.transport.as_str())
        })
        .get("user_agent", "what it calls itself", |peer| {
            Ok(peer.0.info.user_agent.clone())
        })
        .get("version", "the protocol version that it speaks", |peer| {
            Ok(i64::from(peer.0.info.version))
        })
        .get("services", "what it offers, by name", |peer| {
            let names = service_names(peer.0.info.services).into_iter();
            Ok(names.map(Dynamic::from).collect::<Array>())
        })
        .get(
            "height",
            "the height it is known to have, or said; () if none",
            |peer| Ok(option(peer.height().map(i64::from))),
        )
        .get("best_hash", "the best block it is known to have", |peer| {
            Ok(option(peer.best_hash()))
        })
        .get("ping_ms", "the last round trip; () before there is one", |peer| {
            Ok(option(peer.ping_ms()))
        })
        .get("bytes_received", "bytes that it sent", |peer| {
            Ok(int(peer.0.traffic.bytes_received))
        })
        .get("bytes_sent", "bytes that it was sent", |peer| {
            Ok(int(peer.0.traffic.bytes_sent))
        })
        .get("in_flight", "heights of the blocks it was asked for", |peer| {
            let heights = peer.0.sync.in_flight.iter();
            let heights = heights.map(|height| Dynamic::from(i64::from(*height)));
            Ok(heights.collect::<Array>())
        })
        .get("connected", "since when, in Unix seconds", |peer| {
            Ok(seconds(peer.0.traffic.connected))
        })
        .get("misbehavior", "what it did wrong; () if nothing", |peer| {
            Ok(option(peer.0.sync.misbehavior.clone()))
        })
        .get(
            "messages",
            "what went back and forth, by type: maps with command, received, bytes_received, sent, bytes_sent",
            |peer| {
                let counts = peer.0.traffic.messages.iter().map(|count| {
                    let mut map = Map::new();
                    map.insert("command".into(), count.command.clone().into());
                    for (name, number) in [
                        ("received", count.received),
                        ("bytes_received", count.bytes_received),
                        ("sent", count.sent),
                        ("bytes_sent", count.bytes_sent),
                    ] {
                        map.insert(name.into(), int(number).into());
                    }
                    Dynamic::from(map)
                });
                Ok(counts.collect::<Array>())
            },
        )
        .equal_by(|peer| peer.0.info.id.0);
    book.kind::<SyncValue>(engine, "how far the node has synced")
        .get(
            "phase",
            "waiting, presync, headers, blocks or synced",
            |sync| Ok(sync.0.phase.as_str()),
        )
        .get("best_height", "height of the best world", |sync| {
            Ok(i64::from(sync.0.best_height))
        })
        .get(
            "header_height",
            "height of the header with the most work",
            |sync| Ok(i64::from(sync.0.header_height)),
        )
        .get(
            "blocks_in_flight",
            "blocks asked for and not there yet",
            |sync| Ok(i64::from(sync.0.blocks_in_flight)),
        )
        .get(
            "branches_in_flight",
            "tips on other branches whose blocks are being fetched",
            |sync| Ok(i64::from(sync.0.branches_in_flight)),
        )
        .get(
            "remaining_seconds",
            "how long the rest may take; () where that cannot be told",
            |sync| Ok(option(sync.0.remaining.map(|left| int(left.as_secs())))),
        );
    book.kind::<BanValue>(engine, "an address or a subnet that is banned")
        .get("subnet", "which", |ban| Ok(ban.0.subnet.clone()))
        .get("created", "since when, in Unix seconds", |ban| {
            Ok(seconds(ban.0.created))
        })
        // `until` is a word that Rhai keeps for itself.
        .get("ends", "until when, in Unix seconds", |ban| {
            Ok(seconds(ban.0.until))
        })
        .equal_by(|ban| ban.0.subnet.clone());
}
