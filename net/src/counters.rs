//! Owns the figures of one connection: bytes and messages by name, both ways, pings, clocks, what was dropped.
//! Promises plain numbers that are copied as a whole.
//! Refuses to judge: limits are `limits`'.

use std::time::Duration;

use crate::message::Command;

#[cfg(test)]
mod tests;

/// The names that are counted on their own, in order; all others are counted together.
pub const NAMES: [&str; 41] = [
    "addr",
    "addrv2",
    "alert",
    "block",
    "blocktxn",
    "cfcheckpt",
    "cfheaders",
    "cfilter",
    "cmpctblock",
    "feature",
    "feefilter",
    "filteradd",
    "filterclear",
    "filterload",
    "getaddr",
    "getblocks",
    "getblocktxn",
    "getcfcheckpt",
    "getcfheaders",
    "getcfilters",
    "getdata",
    "getheaders",
    "headers",
    "inv",
    "mempool",
    "merkleblock",
    "notfound",
    "ping",
    "pong",
    "reject",
    "sendaddrv2",
    "sendcmpct",
    "sendheaders",
    "sendtips",
    "sendtxrcncl",
    "submitblock",
    "tx",
    "verack",
    "version",
    "wtxidrelay",
    "~other",
];

/// How many names are counted, the one for all others included.
pub const KINDS: usize = NAMES.len();

/// Where a name stands in [`NAMES`]; the last place for those that do not.
pub(crate) fn kind(command: &Command) -> usize {
    NAMES[..KINDS - 1]
        .binary_search(&command.as_str())
        .unwrap_or(KINDS - 1)
}

/// Messages of one name.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// How many.
    pub messages: u64,
    /// Their bytes on the wire, with what the transport adds to each.
    pub bytes: u64,
}

/// A connection's figures. Times are since the owner's clock began.
#[derive(Clone, PartialEq, Debug)]
pub struct Counters {
    received: [Tally; KINDS],
    sent: [Tally; KINDS],
    /// Bytes that came, all in all.
    pub bytes_received: u64,
    /// Bytes that were made ready for sending, all in all.
    pub bytes_sent: u64,
    /// When the connection began.
    pub connected: Duration,
    /// When the last bytes came.
    pub last_received: Option<Duration>,
    /// When a message was last made ready for sending.
    pub last_sent: Option<Duration>,
    /// The last round trip of a ping.
    pub ping: Option<Duration>,
    /// The shortest round trip of a ping.
    pub min_ping: Option<Duration>,
    /// Since when a pong is waited for.
    pub ping_since: Option<Duration>,
    /// The peer's clock minus ours, in seconds, when it said hello.
    pub time_offset: i64,
    /// Messages dropped because their checksum was wrong (v1).
    pub wrong_checksums: u64,
    /// Messages dropped because their name was none, or a short number that stands for none (v2).
    pub wrong_names: u64,
    /// Messages dropped because they came too often.
    pub too_often: u64,
    /// Messages dropped because they came before the handshake was over, or came again after it.
    pub out_of_order: u64,
    /// Messages dropped because their bytes were not what their name says.
    pub undecodable: u64,
    /// Decoy packets (v2).
    pub decoys: u64,
}

impl Counters {
    /// Adds what went over another connection: messages, bytes, and what was dropped.
    pub fn add(&mut self, other: &Counters) {
        let tallies = self.received.iter_mut().zip(&other.received);
        for (tally, other) in tallies.chain(self.sent.iter_mut().zip(&other.sent)) {
            tally.messages += other.messages;
            tally.bytes += other.bytes;
        }
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.wrong_checksums += other.wrong_checksums;
        self.wrong_names += other.wrong_names;
        self.too_often += other.too_often;
        self.out_of_order += other.out_of_order;
        self.undecodable += other.undecodable;
        self.decoys += other.decoys;
    }

    /// Zeros, for a connection that begins now.
    pub fn new(now: Duration) -> Counters {
        Counters {
            received: [Tally::default(); KINDS],
            sent: [Tally::default(); KINDS],
            bytes_received: 0,
            bytes_sent: 0,
            connected: now,
            last_received: None,
            last_sent: None,
            ping: None,
            min_ping: None,
            ping_since: None,
            time_offset: 0,
            wrong_checksums: 0,
            wrong_names: 0,
            too_often: 0,
            out_of_order: 0,
            undecodable: 0,
            decoys: 0,
        }
    }

    /// What came, by name: only names of which something came.
    pub fn received(&self) -> impl Iterator<Item = (&'static str, Tally)> + '_ {
        named(&self.received)
    }

    /// What was sent, by name: only names of which something was sent.
    pub fn sent(&self) -> impl Iterator<Item = (&'static str, Tally)> + '_ {
        named(&self.sent)
    }

    /// What came of one name. Names that are not in [`NAMES`] are counted together.
    pub fn received_of(&self, command: &Command) -> Tally {
        self.received[kind(command)]
    }

    /// What was sent of one name. Names that are not in [`NAMES`] are counted together.
    pub fn sent_of(&self, command: &Command) -> Tally {
        self.sent[kind(command)]
    }

    /// Messages that were dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.wrong_checksums
            + self.wrong_names
            + self.too_often
            + self.out_of_order
            + self.undecodable
    }

    pub(crate) fn count_received(&mut self, command: &Command, bytes: usize) {
        let tally = &mut self.received[kind(command)];
        tally.messages += 1;
        tally.bytes += bytes as u64;
    }

    pub(crate) fn count_sent(&mut self, command: &Command, bytes: usize, now: Duration) {
        let tally = &mut self.sent[kind(command)];
        tally.messages += 1;
        tally.bytes += bytes as u64;
        self.last_sent = Some(now);
    }

    pub(crate) fn pong(&mut self, now: Duration) {
        if let Some(since) = self.ping_since.take() {
            let took = now.saturating_sub(since);
            self.ping = Some(took);
            self.min_ping = Some(self.min_ping.map_or(took, |least| least.min(took)));
        }
    }
}

fn named(tallies: &[Tally; KINDS]) -> impl Iterator<Item = (&'static str, Tally)> + '_ {
    NAMES
        .into_iter()
        .zip(tallies.iter().copied())
        .filter(|(_, tally)| tally.messages > 0)
}
