//! Owns how peers, bans and the progress of syncing are shown.
//! Promises that what a peer says of itself cannot move the cursor or colour the terminal.

use std::time::{Duration, SystemTime};

use everett_proto::v1;
use indicatif::HumanBytes;
use serde::Serialize;

use super::added_peer::AddedPeerView;
use super::words::{exact, visible};
use super::world::seconds;
use crate::output::View;
use crate::table::{Align, Table};

/// A length of time in milliseconds, with three decimals.
fn millis(duration: Option<prost_types::Duration>) -> Option<f64> {
    let duration = Duration::try_from(duration?).ok()?;
    Some((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// -1 stands for none.
fn height(height: i32) -> Option<u32> {
    u32::try_from(height).ok()
}

/// Empty stands for none.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Unix seconds, if the time is set.
fn moment(time: Option<prost_types::Timestamp>) -> Option<u64> {
    time.map(|_| seconds(time))
}

/// What went back and forth of one type of message.
#[derive(Debug, Serialize)]
pub(crate) struct MessageView {
    command: String,
    received: u64,
    bytes_received: u64,
    sent: u64,
    bytes_sent: u64,
}

/// A connected peer.
#[derive(Debug, Serialize)]
pub(crate) struct PeerView {
    id: u64,
    address: String,
    connection_type: String,
    transport: String,
    session_id: Option<String>,
    version: u32,
    user_agent: String,
    services: u64,
    service_names: Vec<String>,
    features: Vec<String>,
    start_height: i32,
    relays_transactions: bool,
    connected: u64,
    time_offset_seconds: i64,
    ping_ms: Option<f64>,
    min_ping_ms: Option<f64>,
    bytes_received: u64,
    bytes_sent: u64,
    last_received: Option<u64>,
    last_sent: Option<u64>,
    best_hash: Option<String>,
    best_height: Option<u32>,
    common_height: Option<u32>,
    heights_in_flight: Vec<u32>,
    presync_height: Option<u32>,
    compact_from: bool,
    compact_to: bool,
    last_block: Option<u64>,
    last_transaction: Option<u64>,
    addresses_processed: u64,
    addresses_rate_limited: u64,
    misbehavior: Option<String>,
    messages: Vec<MessageView>,
}

impl From<v1::Peer> for PeerView {
    fn from(peer: v1::Peer) -> PeerView {
        let message = |count: v1::MessageCount| MessageView {
            command: count.command,
            received: count.received,
            bytes_received: count.bytes_received,
            sent: count.sent,
            bytes_sent: count.bytes_sent,
        };
        PeerView {
            id: peer.peer_id,
            address: peer.address,
            connection_type: peer.connection_type,
            transport: peer.transport,
            session_id: some(peer.session_id),
            version: peer.version,
            user_agent: peer.user_agent,
            services: peer.services,
            service_names: peer.service_names,
            features: peer.features,
            start_height: peer.start_height,
            relays_transactions: peer.relays_transactions,
            connected: seconds(peer.connected_time),
            time_offset_seconds: peer.time_offset.map_or(0, |offset| offset.seconds),
            ping_ms: millis(peer.ping),
            min_ping_ms: millis(peer.min_ping),
            bytes_received: peer.bytes_received,
            bytes_sent: peer.bytes_sent,
            last_received: moment(peer.last_received_time),
            last_sent: moment(peer.last_sent_time),
            best_hash: some(peer.best_block_hash),
            best_height: height(peer.best_height),
            common_height: height(peer.common_height),
            heights_in_flight: peer.heights_in_flight,
            presync_height: height(peer.presync_height),
            compact_from: peer.compact_from,
            compact_to: peer.compact_to,
            last_block: moment(peer.last_block_time),
            last_transaction: moment(peer.last_transaction_time),
            addresses_processed: peer.addresses_processed,
            addresses_rate_limited: peer.addresses_rate_limited,
            misbehavior: some(peer.misbehavior),
            messages: peer.messages.into_iter().map(message).collect(),
        }
    }
}

impl PeerView {
    fn row(&self) -> [String; 9] {
        // What it is known to have, or else what it said when it connected.
        let said = u32::try_from(self.start_height).ok();
        let height = self.best_height.or(said);
        [
            self.id.to_string(),
            visible(&self.address),
            visible(&self.connection_type),
            visible(&self.transport),
            height.map_or_else(|| "-".to_owned(), |height| height.to_string()),
            self.ping_ms
                .map_or_else(|| "-".to_owned(), |ping| format!("{ping:.1} ms")),
            HumanBytes(self.bytes_received).to_string(),
            HumanBytes(self.bytes_sent).to_string(),
            visible(&self.user_agent),
        ]
    }

    /// What went back and forth, by type of message.
    fn messages(&self) -> String {
        let mut table = Table::new([
            ("  MESSAGE", Align::Left),
            ("RECEIVED", Align::Right),
            ("BYTES", Align::Right),
            ("SENT", Align::Right),
            ("BYTES", Align::Right),
        ]);
        for count in &self.messages {
            table.row([
                format!("  {}", visible(&count.command)),
                count.received.to_string(),
                count.bytes_received.to_string(),
                count.sent.to_string(),
                count.bytes_sent.to_string(),
            ]);
        }
        format!("\npeer {}, {}\n{table}", self.id, visible(&self.address))
    }
}

/// How far a node has synced.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SyncView {
    /// One word: waiting, presync, headers, blocks, synced.
    pub(crate) phase: &'static str,
    pub(crate) best_height: u32,
    pub(crate) header_height: u32,
    pub(crate) presync_height: Option<u32>,
    pub(crate) blocks_in_flight: u32,
    pub(crate) branches_in_flight: u32,
    pub(crate) block_bytes: u64,
    pub(crate) remaining_seconds: Option<u64>,
}

impl From<v1::SyncProgress> for SyncView {
    fn from(sync: v1::SyncProgress) -> SyncView {
        let remaining = sync.remaining.map(|remaining| remaining.seconds);
        SyncView {
            phase: match sync.phase() {
                v1::SyncPhase::Waiting => "waiting",
                v1::SyncPhase::Presync => "presync",
                v1::SyncPhase::Headers => "headers",
                v1::SyncPhase::Blocks => "blocks",
                v1::SyncPhase::Synced => "synced",
                v1::SyncPhase::Unspecified => "unknown",
            },
            best_height: sync.best_height,
            header_height: sync.header_height,
            presync_height: Some(sync.presync_height).filter(|height| *height > 0),
            blocks_in_flight: sync.blocks_in_flight,
            branches_in_flight: sync.branches_in_flight,
            block_bytes: sync.block_bytes,
            remaining_seconds: remaining.and_then(|seconds| u64::try_from(seconds).ok()),
        }
    }
}

impl SyncView {
    /// One line, without its end.
    pub(crate) fn line(&self) -> String {
        let mut parts = vec![match (self.phase, self.presync_height) {
            ("presync", Some(presync)) => format!(
                "presync: height {}, looking at headers up to {presync}",
                self.best_height
            ),
            ("blocks", _) => {
                let share = match self.header_height {
                    0 => 100.0,
                    headers => f64::from(self.best_height) / f64::from(headers) * 100.0,
                };
                format!(
                    "blocks: height {} of {} headers ({share:.1} %)",
                    self.best_height, self.header_height
                )
            }
            (phase, _) => format!(
                "{phase}: height {}, headers {}",
                self.best_height, self.header_height
            ),
        }];
        if self.blocks_in_flight > 0 {
            parts.push(format!("{} blocks in flight", self.blocks_in_flight));
        }
        match self.branches_in_flight {
            0 => {}
            1 => parts.push("1 other branch being fetched".to_owned()),
            branches => parts.push(format!("{branches} other branches being fetched")),
        }
        if let Some(seconds) = self.remaining_seconds {
            let left = indicatif::HumanDuration(Duration::from_secs(seconds));
            parts.push(format!("about {left} left"));
        }
        parts.join(", ")
    }
}

/// The peers of a node.
#[derive(Debug, Serialize)]
pub(crate) struct PeersView {
    sync: SyncView,
    listening: Vec<String>,
    added: Vec<AddedPeerView>,
    known_addresses: u64,
    bytes_received: u64,
    bytes_sent: u64,
    peers: Vec<PeerView>,
    /// Whether the text has a table for each.
    #[serde(skip)]
    pub(crate) messages: bool,
}

impl From<v1::ListPeersResponse> for PeersView {
    fn from(answer: v1::ListPeersResponse) -> PeersView {
        PeersView {
            sync: answer.sync.unwrap_or_default().into(),
            listening: answer.listening_addresses,
            added: answer
                .added_peers
                .into_iter()
                .map(AddedPeerView::from)
                .collect(),
            known_addresses: answer.known_addresses,
            bytes_received: answer.bytes_received,
            bytes_sent: answer.bytes_sent,
            peers: answer.peers.into_iter().map(PeerView::from).collect(),
            messages: false,
        }
    }
}

impl View for PeersView {
    fn text(&self) -> String {
        let mut text = String::new();
        if !self.peers.is_empty() {
            let mut table = Table::new([
                ("ID", Align::Right),
                ("ADDRESS", Align::Left),
                ("TYPE", Align::Left),
                ("OVER", Align::Left),
                ("HEIGHT", Align::Right),
                ("PING", Align::Right),
                ("IN", Align::Right),
                ("OUT", Align::Right),
                ("AGENT", Align::Left),
            ]);
            for peer in &self.peers {
                table.row(peer.row());
            }
            text = table.to_string();
        }
        for peer in &self.peers {
            if let Some(what) = &peer.misbehavior {
                let what = visible(what);
                text.push_str(&format!("peer {} did something wrong: {what}\n", peer.id));
            }
        }
        let inbound = |peer: &&PeerView| peer.connection_type == "inbound";
        let inbound = self.peers.iter().filter(inbound).count();
        let count = match self.peers.len() {
            0 => "no peers".to_owned(),
            1 => "1 peer".to_owned(),
            peers => format!("{peers} peers"),
        };
        let listening = match self.listening.is_empty() {
            true => "listening nowhere".to_owned(),
            false => format!("listening on {}", self.listening.join(", ")),
        };
        text.push_str(&format!(
            "{count}, {inbound} of them called us; {listening}; {} addresses known\n",
            self.known_addresses
        ));
        for added in &self.added {
            text.push_str(&added.line(SystemTime::now()));
        }
        text.push_str(&format!("sync: {}\n", self.sync.line()));
        if self.messages {
            let tables = self.peers.iter().map(PeerView::messages);
            text.push_str(&tables.collect::<String>());
        }
        text
    }
}

/// A peer that will be called.
#[derive(Debug, Serialize)]
pub(crate) struct AddedView {
    pub(crate) address: String,
    pub(crate) once: bool,
}

impl View for AddedView {
    fn text(&self) -> String {
        let address = visible(&self.address);
        match self.once {
            true => format!("calling {address} once; `everett peers` shows whether it answers\n"),
            false => format!(
                "calling {address} now, and whenever it is not connected; `everett disconnect {address}` ends that\n"
            ),
        }
    }
}

/// A connection that is being ended.
#[derive(Debug, Serialize)]
pub(crate) struct DisconnectedView {
    pub(crate) disconnected: String,
}

impl View for DisconnectedView {
    fn text(&self) -> String {
        format!("{} is being disconnected\n", visible(&self.disconnected))
    }
}

/// A ban.
#[derive(Debug, Serialize)]
pub(crate) struct BanView {
    pub(crate) subnet: String,
    pub(crate) created: u64,
    pub(crate) until: u64,
    pub(crate) reason: String,
}

impl From<v1::Ban> for BanView {
    fn from(ban: v1::Ban) -> BanView {
        BanView {
            subnet: ban.subnet,
            created: seconds(ban.create_time),
            until: seconds(ban.until_time),
            reason: ban.reason,
        }
    }
}

impl View for BanView {
    fn text(&self) -> String {
        format!(
            "{} is banned for {}; `everett ban --remove {}` takes it back\n",
            self.subnet,
            exact(self.until.saturating_sub(self.created)),
            self.subnet
        )
    }
}

/// A ban that was taken back.
#[derive(Debug, Serialize)]
pub(crate) struct UnbannedView {
    pub(crate) unbanned: String,
}

impl View for UnbannedView {
    fn text(&self) -> String {
        format!("{} is not banned any more\n", visible(&self.unbanned))
    }
}

/// All bans.
#[derive(Debug, Serialize)]
pub(crate) struct BansView {
    pub(crate) bans: Vec<BanView>,
    /// Unix seconds.
    #[serde(skip)]
    pub(crate) now: u64,
}

impl View for BansView {
    fn text(&self) -> String {
        if self.bans.is_empty() {
            return "no bans\n".to_owned();
        }
        let mut table = Table::new([
            ("SUBNET", Align::Left),
            ("LASTS", Align::Left),
            ("LEFT", Align::Left),
            ("REASON", Align::Left),
        ]);
        for ban in &self.bans {
            let left = Duration::from_secs(ban.until.saturating_sub(self.now));
            table.row([
                ban.subnet.clone(),
                exact(ban.until.saturating_sub(ban.created)),
                indicatif::HumanDuration(left).to_string(),
                visible(&ban.reason),
            ]);
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_of_itself_cannot_leave_its_cell() {
        assert_eq!(visible("/Satoshi:30.0.0/"), "/Satoshi:30.0.0/");
        assert_eq!(
            visible("a\u{1b}[2J\nb\u{202e}"),
            "a\\u{1b}[2J\\u{a}b\\u{202e}"
        );
    }

    #[test]
    fn lengths_of_bans_are_not_rounded() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (61, "61 seconds"),
            (5_400, "90 minutes"),
            (86_400, "1 day"),
            (1_209_600, "2 weeks"),
        ] {
            assert_eq!(exact(seconds), words);
        }
    }

    #[test]
    fn the_line_of_a_sync_says_what_is_known() {
        let mut sync = v1::SyncProgress {
            best_height: 1_000,
            header_height: 4_000,
            blocks_in_flight: 3,
            branches_in_flight: 1,
            remaining: Some(prost_types::Duration {
                seconds: 90,
                nanos: 0,
            }),
            ..v1::SyncProgress::default()
        };
        sync.set_phase(v1::SyncPhase::Blocks);
        assert_eq!(
            SyncView::from(sync).line(),
            "blocks: height 1000 of 4000 headers (25.0 %), 3 blocks in flight, 1 other branch being fetched, \
             about 2 minutes left"
        );
        let mut sync = v1::SyncProgress::default();
        sync.set_phase(v1::SyncPhase::Waiting);
        assert_eq!(SyncView::from(sync).line(), "waiting: height 0, headers 0");
        sync.presync_height = 70_000;
        sync.set_phase(v1::SyncPhase::Presync);
        assert_eq!(
            SyncView::from(sync).line(),
            "presync: height 0, looking at headers up to 70000"
        );
    }
}
