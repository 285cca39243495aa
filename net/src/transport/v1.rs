//! Owns the v1 transport: how a message's name and bytes stand on the wire in the clear.
//! Promises to judge a length before setting anything aside for it, and to hash a payload while it comes.
//! Refuses to know what the payloads mean.
//!
//! ```text
//! magic 4 | command 12, padded with zeros | length u32 LE | checksum 4 | payload
//! ```
//!
//! As in Bitcoin Core, a wrong checksum or a name that is none costs the message, not the connection: the next one can
//! still be found. A wrong magic or a length beyond the limit ends it.

use std::cell::RefCell;

use bitcoin::p2p::Magic;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Dropped, Output, Received, make_room};
use crate::limits::payload_limit;
use crate::message::{Command, Message};

/// Bytes before the payload.
pub const HEADER_LENGTH: usize = 24;

/// From this length on, in bytes, the checksum of the last payload is remembered.
const LONG: usize = 65_536;

thread_local! {
    static LAST_LONG: RefCell<Option<(Bytes, [u8; 4])>> = const { RefCell::new(None) };
}

/// Why bytes are no v1 stream.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum V1Error {
    /// Another network's magic, or no frame at all.
    #[error(
        "a frame starts with {found:02x?}, not with the magic {wanted}; the peer is on another network"
    )]
    Magic {
        /// What stands there.
        found: [u8; 4],
        /// This network's.
        wanted: Magic,
    },
    /// The payload would be longer than messages of this name may be.
    #[error("a {command} message of {length} bytes is longer than the {limit} that it may have")]
    TooLong {
        /// The message's name; `?` for a name that is none.
        command: String,
        /// The length it claims.
        length: u32,
        /// The longest it may have.
        limit: u32,
    },
}

/// The state of a v1 stream's reading side; writing needs none but the magic.
pub struct V1 {
    magic: Magic,
    header: [u8; HEADER_LENGTH],
    /// How many bytes of the header are there.
    have: usize,
    body: Option<Body>,
}

struct Body {
    /// `None`: the name is none, so the payload is skipped.
    command: Option<Command>,
    sum: [u8; 4],
    length: usize,
    seen: usize,
    payload: Vec<u8>,
    hash: Sha256,
}

impl V1 {
    /// The beginning of a stream on the network with this magic.
    pub fn new(magic: Magic) -> V1 {
        V1 {
            magic,
            header: [0; HEADER_LENGTH],
            have: 0,
            body: None,
        }
    }

    /// Takes bytes from the front of `input` until a message is whole, or all of them (`None`).
    ///
    /// # Errors
    ///
    /// [`V1Error`], as soon as the bytes that show it are there. The stream is lost then.
    pub fn receive(&mut self, input: &mut &[u8], limit: u32) -> Result<Option<Received>, V1Error> {
        if self.body.is_none() {
            let taken = (HEADER_LENGTH - self.have).min(input.len());
            self.header[self.have..self.have + taken].copy_from_slice(&input[..taken]);
            *input = &input[taken..];
            self.have += taken;
            self.check_magic()?;
            if self.have < HEADER_LENGTH {
                return Ok(None);
            }
            self.body = Some(self.open_body(limit)?);
        }
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        let taken = (body.length - body.seen).min(input.len());
        let (piece, rest) = input.split_at(taken);
        *input = rest;
        body.seen += taken;
        if body.command.is_some() {
            make_room(&mut body.payload, taken, body.length);
            // Hashed while the piece is still in the processor's cache.
            body.hash.update(piece);
            body.payload.extend_from_slice(piece);
        }
        if body.seen < body.length {
            return Ok(None);
        }
        self.have = 0;
        Ok(self.body.take().map(Body::close))
    }

    fn check_magic(&self) -> Result<(), V1Error> {
        let seen = self.have.min(4);
        if self.header[..seen] != self.magic.to_bytes()[..seen] {
            let mut found = [0; 4];
            found[..seen].copy_from_slice(&self.header[..seen]);
            return Err(V1Error::Magic {
                found,
                wanted: self.magic,
            });
        }
        Ok(())
    }

    fn open_body(&self, limit: u32) -> Result<Body, V1Error> {
        let [_, _, _, _, rest @ ..] = &self.header;
        let [name @ .., l0, l1, l2, l3, s0, s1, s2, s3] = rest;
        let command = Command::from_wire(*name);
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
        let limit = command.as_ref().map_or(u32::MAX, payload_limit).min(limit);
        if length > limit {
            return Err(V1Error::TooLong {
                command: command.map_or_else(|| "?".to_owned(), |name| name.to_string()),
                length,
                limit,
            });
        }
        Ok(Body {
            command,
            sum: [*s0, *s1, *s2, *s3],
            length: length as usize,
            seen: 0,
            payload: Vec::new(),
            hash: Sha256::new(),
        })
    }

    /// Puts a message on the wire, which must be within its limit; its bytes there are returned. A long payload is not
    /// copied.
    pub(super) fn send(&self, message: &Message, output: &mut Output) -> usize {
        output.copy(&header(message, self.magic));
        output.share(&message.payload);
        HEADER_LENGTH + message.payload.len()
    }
}

impl Body {
    fn close(self) -> Received {
        let wire = HEADER_LENGTH + self.length;
        let Some(command) = self.command else {
            return Received::Dropped(Dropped::Name, wire);
        };
        if first_four(self.hash.finalize().into()) != self.sum {
            return Received::Dropped(Dropped::Checksum(command), wire);
        }
        let message = Message::new(command, Bytes::from(self.payload));
        Received::Message(message, wire)
    }
}

/// What stands before the message's payload on the wire. The payload must be within its limit.
pub fn header(message: &Message, magic: Magic) -> [u8; HEADER_LENGTH] {
    let mut header = [0; HEADER_LENGTH];
    header[..4].copy_from_slice(&magic.to_bytes());
    header[4..16].copy_from_slice(&message.command.to_wire());
    header[16..20].copy_from_slice(&(message.payload.len() as u32).to_le_bytes());
    header[20..].copy_from_slice(&checksum(&message.payload));
    header
}

/// The checksum of a payload. A block that goes to a hundred peers is hashed once a thread: the last long payload is kept
/// (shared, 4 MB at most), so that its address tells whether the next one is the same.
fn checksum(payload: &Bytes) -> [u8; 4] {
    if payload.len() < LONG {
        return first_four(Sha256::digest(payload).into());
    }
    LAST_LONG.with_borrow_mut(|last| match last {
        Some((known, sum))
            if known.as_ptr() == payload.as_ptr() && known.len() == payload.len() =>
        {
            *sum
        }
        _ => {
            let sum = first_four(Sha256::digest(payload).into());
            *last = Some((payload.clone(), sum));
            sum
        }
    })
}

/// The checksum is the first four bytes of the double hash.
fn first_four(once: [u8; 32]) -> [u8; 4] {
    let twice = Sha256::digest(once);
    [twice[0], twice[1], twice[2], twice[3]]
}

#[cfg(test)]
mod tests;
