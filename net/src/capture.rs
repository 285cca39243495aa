//! Owns the capture of messages: what went over the wire, with whom, which way and when.
//! Promises that capturing never makes the network wait: what finds no room is dropped and counted, and the capture says so.
//! Refuses to take a message apart: its payload is kept as it was, or as much of it as was asked for.
//!
//! A capture is a binary log (`docs/src/monitoring.md`) in which only packets are, so `everett log cat FILE` reads it, and
//! [`Reader`] reads the packets of a node's log:
//!
//! ```text
//!   marker 9e 45 56 0a | length u32 LE | CRC-32 of length and record, u32 LE | record (protobuf, everett.v1.LogRecord)
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::endpoint::Endpoint;
use crate::message::{Command, Message};
use crate::peer::PeerId;

mod frame;
mod read;
mod record;
mod write;

pub use read::{ReadError, Reader};
pub use write::{CaptureConfig, CaptureFile, CaptureTotals};

#[cfg(test)]
mod tests;

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// From the peer to us.
    Received,
    /// From us to the peer.
    Sent,
}

impl Direction {
    /// `received` or `sent`.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Received => "received",
            Direction::Sent => "sent",
        }
    }
}

/// A message that went over the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// When, by this machine's clock; to the nanosecond.
    pub time: SystemTime,
    /// The connection's number in its process.
    pub peer: PeerId,
    /// Which way.
    pub direction: Direction,
    /// The peer's address.
    pub endpoint: Endpoint,
    /// The message's name.
    pub command: Command,
    /// Its bytes, or the first of them.
    pub payload: Bytes,
    /// How many it had.
    pub payload_bytes: u32,
}

impl Packet {
    /// A whole message, now. Its bytes are shared, not copied.
    pub fn new(
        peer: PeerId,
        direction: Direction,
        endpoint: &Endpoint,
        message: &Message,
    ) -> Packet {
        Packet {
            time: SystemTime::now(),
            peer,
            direction,
            endpoint: endpoint.clone(),
            command: message.command,
            payload: message.payload.clone(),
            payload_bytes: u32::try_from(message.payload.len()).unwrap_or(u32::MAX),
        }
    }

    /// The message; `None` if only a part of it was kept.
    pub fn message(&self) -> Option<Message> {
        let whole = self.payload.len() == self.payload_bytes as usize;
        whole.then(|| Message::new(self.command, self.payload.clone()))
    }

    /// Keeps the first bytes of the payload only.
    #[must_use]
    pub fn cut(mut self, most: usize) -> Packet {
        self.payload.truncate(most);
        self
    }
}

/// Where packets go: whoever calls [`Capture::record`] is not to wait. Clones go to the same place.
#[derive(Clone)]
pub struct Capture(Arc<dyn Fn(Packet) + Send + Sync>);

impl Capture {
    /// Hands packets to a function, which must return at once: a node's log takes them like that, or a test.
    pub fn new(take: impl Fn(Packet) + Send + Sync + 'static) -> Capture {
        Capture(Arc::new(take))
    }

    /// Takes a packet.
    pub fn record(&self, packet: Packet) {
        (self.0)(packet);
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture")
    }
}
