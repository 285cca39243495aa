//! Owns which records of a log are wanted.
//! Promises that a name or a peer that cannot be is told before anything is read; refuses to look into payloads.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everett_log::{record, time};
use everett_net::{Command, Endpoint};
use everett_proto::v1::log_record::Body;
use everett_proto::v1::{LogRecord, Packet};

use crate::args::ReadArgs;
use crate::failure::Failure;

/// What a user asked for.
pub(super) struct Filter {
    since: Option<SystemTime>,
    kinds: Vec<String>,
    messages: Vec<Command>,
    peers: Vec<Peer>,
}

/// A peer as a user names it.
enum Peer {
    /// The connection's number.
    Number(u64),
    /// The address; port 0 is any.
    At(Endpoint),
}

impl Filter {
    pub(super) fn new(args: &ReadArgs) -> Result<Filter, Failure> {
        let since = args.since.as_ref();
        let since = since.map(|text| time::parse(text, SystemTime::now()));
        if let Some(kind) = args.kind.iter().find(|kind| !record::is_kind(kind)) {
            return Err(Failure::usage(format!(
                "no record is of kind `{kind}`; there are {}, and the groups node, event, warning, error",
                record::KINDS.join(", ")
            )));
        }
        let message = |name: &String| {
            Command::new(name).ok_or_else(|| {
                Failure::usage(format!(
                    "no message of the network is called `{name}`; names are up to 12 letters, such as inv, block, getdata"
                ))
            })
        };
        let peer = |text: &String| match text.parse() {
            Ok(number) => Ok(Peer::Number(number)),
            Err(_) => Endpoint::parse(text, 0)
                .map(Peer::At)
                .map_err(|error| Failure::usage(format!("--peer: {error}, or the peer's number"))),
        };
        Ok(Filter {
            since: since.transpose().map_err(Failure::usage)?,
            kinds: args.kind.clone(),
            messages: args.message.iter().map(message).collect::<Result<_, _>>()?,
            peers: args.peer.iter().map(peer).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it says where to begin.
    pub(super) fn has_beginning(&self) -> bool {
        self.since.is_some()
    }

    /// Whether a record is wanted: late enough, and of a kind that was named. Messages of the network that were named,
    /// by their names or peers, are wanted beside those kinds.
    pub(super) fn wants(&self, record: &LogRecord) -> bool {
        let named_packets = !self.messages.is_empty() || !self.peers.is_empty();
        let named_kind = || self.kinds.iter().any(|kind| record::is_of(record, kind));
        let wanted = match &record.body {
            Some(Body::Packet(packet)) if named_packets => self.wants_packet(packet),
            _ if self.kinds.is_empty() => !named_packets,
            _ => named_kind(),
        };
        wanted && self.is_late_enough(record)
    }

    fn wants_packet(&self, packet: &Packet) -> bool {
        let of_name = |name: &Command| name.as_str() == packet.command;
        let of_peer = |peer: &Peer| match peer {
            Peer::Number(number) => *number == packet.connection_id,
            Peer::At(wanted) => packet.peer.parse().is_ok_and(|peer: Endpoint| {
                peer.host == wanted.host && (wanted.port == 0 || peer.port == wanted.port)
            }),
        };
        (self.messages.is_empty() || self.messages.iter().any(of_name))
            && (self.peers.is_empty() || self.peers.iter().any(of_peer))
    }

    fn is_late_enough(&self, record: &LogRecord) -> bool {
        self.since.is_none_or(|since| {
            let written = record.time.as_ref().and_then(|time| {
                let seconds = u64::try_from(time.seconds).ok()?;
                let nanos = u32::try_from(time.nanos).ok()?;
                UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
            });
            written.is_some_and(|written| written >= since)
        })
    }
}

#[cfg(test)]
mod tests {
    use everett_proto::v1::{LogLevel, LogMessage};

    use super::*;

    fn packet(number: u64, peer: &str, command: &str) -> LogRecord {
        LogRecord {
            body: Some(Body::Packet(Packet {
                connection_id: number,
                peer: peer.to_owned(),
                command: command.to_owned(),
                ..Packet::default()
            })),
            ..LogRecord::default()
        }
    }

    fn filter(kinds: &[&str], messages: &[&str], peers: &[&str]) -> Result<Filter, Failure> {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Filter::new(&ReadArgs {
            files: Vec::new(),
            since: None,
            kind: list(kinds),
            message: list(messages),
            peer: list(peers),
        })
    }

    #[test]
    fn packets_are_found_by_name_and_by_peer_and_beside_other_kinds() {
        let records = [
            packet(1, "192.0.2.7:8333", "inv"),
            packet(1, "192.0.2.7:8333", "block"),
            packet(2, "[2001:db8::1]:8333", "inv"),
            packet(3, "nobody", "inv"),
            LogRecord {
                body: Some(Body::Message(LogMessage {
                    level: LogLevel::Warn.into(),
                    ..LogMessage::default()
                })),
                ..LogRecord::default()
            },
        ];
        let found = |kinds: &[&str], messages: &[&str], peers: &[&str]| {
            let filter = filter(kinds, messages, peers).ok().unwrap();
            let wanted = records.iter().map(|record| filter.wants(record));
            wanted.map(u8::from).collect::<Vec<u8>>()
        };
        assert_eq!(found(&[], &[], &[]), [1, 1, 1, 1, 1]);
        assert_eq!(found(&["packet"], &[], &[]), [1, 1, 1, 1, 0]);
        assert_eq!(found(&[], &["inv"], &[]), [1, 0, 1, 1, 0]);
        assert_eq!(found(&["packet"], &["inv"], &["1"]), [1, 0, 0, 0, 0]);
        assert_eq!(found(&["warning"], &["inv"], &["3"]), [0, 0, 0, 1, 1]);
        assert_eq!(found(&[], &[], &["192.0.2.7"]), [1, 1, 0, 0, 0]);
        assert_eq!(found(&[], &[], &["192.0.2.7:1"]), [0; 5]);
        let two = &["[2001:db8::1]:8333", "3"];
        assert_eq!(found(&[], &["block", "inv"], two), [0, 0, 1, 1, 0]);
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (kind, message, peer) in [
            ("nothing", "inv", "1"),
            ("packet", "a name too long", "1"),
            ("packet", "inv", "seed.example.org"),
        ] {
            assert!(
                filter(&[kind], &[message], &[peer]).is_err(),
                "{kind} {message} {peer}"
            );
        }
    }
}
