//! Owns the record of a packet: those fields of `everett.v1.LogRecord` (`proto/everett/v1/log.proto`) that captures use.
//! Promises to pass over the records of others.
//! Refuses to depend on the crate of the whole schema: the network's library is used without a node.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{Direction, Packet};
use crate::message::Command;
use crate::peer::PeerId;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LogRecord {
    #[prost(uint64, tag = "1")]
    pub(super) seq: u64,
    #[prost(message, optional, tag = "2")]
    pub(super) time: Option<Timestamp>,
    #[prost(message, optional, tag = "8")]
    pub(super) records_dropped: Option<RecordsDropped>,
    #[prost(message, optional, tag = "9")]
    pub(super) packet: Option<PacketRecord>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RecordsDropped {
    #[prost(uint64, tag = "1")]
    pub(super) count: u64,
    #[prost(string, tag = "2")]
    pub(super) reason: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PacketRecord {
    #[prost(uint64, tag = "1")]
    pub(super) connection_id: u64,
    #[prost(int32, tag = "2")]
    pub(super) direction: i32,
    #[prost(string, tag = "3")]
    pub(super) peer: String,
    #[prost(string, tag = "4")]
    pub(super) command: String,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) payload: Bytes,
    #[prost(uint32, tag = "6")]
    pub(super) payload_bytes: u32,
}

impl Timestamp {
    pub(super) fn of(time: SystemTime) -> Timestamp {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: since.subsec_nanos() as i32,
        }
    }

    fn time(self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.seconds).ok()?;
        let nanos = u32::try_from(self.nanos)
            .ok()
            .filter(|nanos| *nanos < 1_000_000_000)?;
        UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
    }
}

/// The record of a packet, without its number.
pub(super) fn of_packet(packet: &Packet) -> LogRecord {
    LogRecord {
        seq: 0,
        time: Some(Timestamp::of(packet.time)),
        records_dropped: None,
        packet: Some(PacketRecord {
            connection_id: packet.peer.0,
            direction: match packet.direction {
                Direction::Received => 1,
                Direction::Sent => 2,
            },
            peer: packet.endpoint.to_string(),
            command: packet.command.as_str().to_owned(),
            payload: packet.payload.clone(),
            payload_bytes: packet.payload_bytes,
        }),
    }
}

/// The packet of a record, or the field that is not what it should be.
pub(super) fn to_packet(
    record: PacketRecord,
    time: Option<Timestamp>,
) -> Result<Packet, &'static str> {
    Ok(Packet {
        time: time.and_then(Timestamp::time).ok_or("time")?,
        peer: PeerId(record.connection_id),
        direction: match record.direction {
            1 => Direction::Received,
            2 => Direction::Sent,
            _ => return Err("direction"),
        },
        endpoint: record.peer.parse().map_err(|_| "peer")?,
        command: Command::new(&record.command).ok_or("command")?,
        payload: record.payload,
        payload_bytes: record.payload_bytes,
    })
}
