//! Owns the frame of the v1 transport: how a message's name and bytes stand on the wire.
//! Promises to ask for more bytes only up to a message type's limit, and to check before it copies.
//! Refuses to know what the payloads mean.
//!
//! ```text
//! magic 4 | command 12, padded with zeros | length u32 LE | checksum 4 | payload
//! ```

use bitcoin::p2p::Magic;
use sha2::{Digest, Sha256};

/// Bytes before the payload.
pub const HEADER_LENGTH: usize = 24;

/// Longest payload of any message, in bytes: Bitcoin Core's `MAX_PROTOCOL_MESSAGE_LENGTH`.
pub const MAX_PAYLOAD: u32 = 4_000_000;

/// Bytes of a command name.
const COMMAND_LENGTH: usize = 12;

/// A message as it stands on the wire: its name and its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The message's name: 1 to 12 printable ASCII characters.
    pub command: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Why bytes are no frame. The stream is lost after each but [`FrameError::Checksum`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// Another network's magic, or no frame at all.
    #[error(
        "the frame starts with {found:02x?}, not with the magic {wanted}; the peer is on another network"
    )]
    Magic {
        /// What stands there.
        found: [u8; 4],
        /// This network's.
        wanted: Magic,
    },
    /// The name has characters that no name has, or bytes after its padding.
    #[error("the command {0:02x?} is no name")]
    Command([u8; 12]),
    /// The payload would be longer than messages of this name may be.
    #[error("a {command} message of {length} bytes is longer than the {limit} that it may have")]
    TooLong {
        /// The message's name.
        command: String,
        /// The length it claims.
        length: u32,
        /// The longest it may have.
        limit: u32,
    },
    /// The payload is not what the sender hashed. The next frame can still be read.
    #[error("the checksum of a {command} message does not fit its payload")]
    Checksum {
        /// The message's name.
        command: String,
        /// Bytes of this frame, to be skipped.
        length: usize,
    },
}

/// The longest payload of a message, in bytes, by its name: what the protocol lets its content grow to.
pub fn payload_limit(command: &str) -> u32 {
    match command {
        "verack" | "getaddr" | "mempool" | "sendheaders" | "wtxidrelay" | "sendaddrv2" => 0,
        "ping" | "pong" | "feefilter" => 8,
        "sendcmpct" => 9,
        "version" => 1_024,
        // 1,000 addresses: time, services, up to 512 bytes of address, port.
        "addr" | "addrv2" => 3 + 1_000 * (4 + 9 + 1 + 3 + 512 + 2),
        // 50,000 entries of type and hash.
        "inv" | "getdata" | "notfound" => 3 + 50_000 * 36,
        // 2,000 headers with their count of transactions.
        "headers" => 3 + 2_000 * 81,
        // Version, 101 hashes, the hash to stop at.
        "getheaders" | "getblocks" => 4 + 1 + 101 * 32 + 32,
        _ => MAX_PAYLOAD,
    }
}

impl Frame {
    /// Its bytes on the wire of the network with this magic.
    ///
    /// # Errors
    ///
    /// [`FrameError::Command`] and [`FrameError::TooLong`]: what no peer would take is not sent.
    pub fn encode(&self, magic: Magic) -> Result<Vec<u8>, FrameError> {
        let mut name = [0; COMMAND_LENGTH];
        let bytes = self.command.as_bytes();
        let length = bytes.len().min(COMMAND_LENGTH);
        name[..length].copy_from_slice(&bytes[..length]);
        if length < bytes.len() || parse_command(&name).is_none() {
            return Err(FrameError::Command(name));
        }
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        check_length(&self.command, length)?;
        let mut wire = Vec::with_capacity(HEADER_LENGTH + self.payload.len());
        wire.extend_from_slice(&magic.to_bytes());
        wire.extend_from_slice(&name);
        wire.extend_from_slice(&length.to_le_bytes());
        wire.extend_from_slice(&checksum(&self.payload));
        wire.extend_from_slice(&self.payload);
        Ok(wire)
    }

    /// The first frame of `wire` and how many bytes it takes; `None` if more bytes are needed.
    ///
    /// A wrong magic or name, or a length beyond the message's limit, is told as soon as its bytes are there.
    pub fn decode(wire: &[u8], magic: Magic) -> Result<Option<(Frame, usize)>, FrameError> {
        let Some((found, rest)) = wire.split_first_chunk::<4>() else {
            return Ok(None);
        };
        if *found != magic.to_bytes() {
            return Err(FrameError::Magic {
                found: *found,
                wanted: magic,
            });
        }
        let Some((name, rest)) = rest.split_first_chunk::<COMMAND_LENGTH>() else {
            return Ok(None);
        };
        let command = parse_command(name).ok_or(FrameError::Command(*name))?;
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length);
        check_length(&command, length)?;
        let Some((sum, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some(payload) = rest.get(..length as usize) else {
            return Ok(None);
        };
        let taken = HEADER_LENGTH + payload.len();
        if *sum != checksum(payload) {
            return Err(FrameError::Checksum {
                command,
                length: taken,
            });
        }
        Ok(Some((
            Frame {
                command,
                payload: payload.to_vec(),
            },
            taken,
        )))
    }
}

fn check_length(command: &str, length: u32) -> Result<(), FrameError> {
    let limit = payload_limit(command);
    if length > limit {
        return Err(FrameError::TooLong {
            command: command.to_owned(),
            length,
            limit,
        });
    }
    Ok(())
}

fn parse_command(name: &[u8; COMMAND_LENGTH]) -> Option<String> {
    let end = name
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(COMMAND_LENGTH);
    let (text, padding) = name.split_at(end);
    let printable = !text.is_empty() && text.iter().all(|byte| (0x20..0x7f).contains(byte));
    (printable && padding.iter().all(|byte| *byte == 0))
        .then(|| String::from_utf8_lossy(text).into_owned())
}

/// The first four bytes of the payload's double SHA-256.
fn checksum(payload: &[u8]) -> [u8; 4] {
    let twice = Sha256::digest(Sha256::digest(payload));
    [twice[0], twice[1], twice[2], twice[3]]
}

#[cfg(test)]
mod tests;
