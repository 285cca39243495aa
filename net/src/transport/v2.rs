//! Owns the v2 transport (BIP324): packets that look random, and the short numbers of messages in them.
//! Promises that every length is judged as soon as it is decrypted, and that no packet is kept longer than it needs.
//! Refuses to be told from noise: there is nothing in the clear.
//!
//! ```text
//! packet:   length 3 (encrypted) | header 1 | contents | tag 16      header's high bit: a decoy
//! contents: number 1 | payload                  for the messages of BIP324's table
//!           0 | name 12 | payload               for all others
//! ```

mod handshake;

use bip324::{CipherSession, InboundCipher, OutboundCipher, PacketType};
use bytes::{Buf, Bytes};

use super::{Dropped, Output, Received, UnsendableError, make_room};
use crate::limits::{MAX_PAYLOAD, payload_limit};
use crate::message::{Command, Message};

pub use bip324::Role;
pub use handshake::{Handshake, MAX_GARBAGE, Secrets};

/// Bytes of a packet's encrypted length.
const LENGTH_BYTES: usize = 3;

/// Bytes of a packet's header and tag.
const HEADER_AND_TAG: usize = 1 + 16;

/// Longest contents of a packet, in bytes: a long name and the longest payload, as in Bitcoin Core.
const MAX_CONTENTS: usize = 1 + 12 + MAX_PAYLOAD as usize;

/// Names by their number, BIP324's table with BIP434's `feature`; an empty one stands for none.
const NUMBERED: [&str; 38] = [
    "",
    "addr",
    "block",
    "blocktxn",
    "cmpctblock",
    "feefilter",
    "filteradd",
    "filterclear",
    "filterload",
    "getblocks",
    "getblocktxn",
    "getdata",
    "getheaders",
    "headers",
    "inv",
    "mempool",
    "merkleblock",
    "notfound",
    "ping",
    "pong",
    "sendcmpct",
    "tx",
    "getcfilters",
    "cfilter",
    "getcfheaders",
    "cfheaders",
    "getcfcheckpt",
    "cfcheckpt",
    "addrv2",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "feature",
];

/// Names with a number of which it is known that every peer reads it: those of the BIP's first version.
const SENT_AS_NUMBER: usize = 29;

/// Why bytes are no v2 stream.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum V2Error {
    /// A packet is longer than any message.
    #[error("a packet of {length} bytes is longer than the {MAX_CONTENTS} that one may have")]
    TooLong {
        /// The length of its contents.
        length: usize,
    },
    /// A message is longer than those of its name may be.
    #[error("a {command} message of {length} bytes is longer than the {limit} that it may have")]
    MessageTooLong {
        /// Its name.
        command: Command,
        /// Its bytes.
        length: usize,
        /// The most it may have.
        limit: u32,
    },
    /// No terminator came within the garbage that a peer may send.
    #[error("{MAX_GARBAGE} bytes of garbage came without their terminator")]
    Garbage,
    /// A packet was not encrypted with this connection's keys, or was changed on the way.
    #[error("a packet does not decrypt")]
    Decryption,
    /// The side that was called answered in the clear.
    #[error("the peer answered in the clear (v1)")]
    AnsweredInTheClear,
    /// Keys could not be made.
    #[error("the cipher failed: {0}")]
    Cipher(bip324::Error),
}

/// An encrypted stream after its handshake.
pub struct V2 {
    session_id: [u8; 32],
    inbound: InboundCipher,
    outbound: OutboundCipher,
    /// What the handshake read beyond its end.
    early: Bytes,
    length: [u8; LENGTH_BYTES],
    /// How many bytes of the length are there.
    have: usize,
    /// The packet that is coming: its length without the three bytes, and what is there of it.
    packet: Option<(usize, Vec<u8>)>,
}

impl V2 {
    fn new(session: CipherSession, early: Bytes) -> V2 {
        let session_id = *session.id();
        let (inbound, outbound) = session.into_split();
        V2 {
            session_id,
            inbound,
            outbound,
            early,
            length: [0; LENGTH_BYTES],
            have: 0,
            packet: None,
        }
    }

    /// Both sides' name of this connection.
    pub fn session_id(&self) -> [u8; 32] {
        self.session_id
    }

    /// Takes bytes from the front of `input` until a packet is whole, or all of them (`None`).
    pub(super) fn receive(
        &mut self,
        input: &mut &[u8],
        limit: u32,
    ) -> Result<Option<Received>, V2Error> {
        if !self.early.is_empty() {
            let mut early = std::mem::take(&mut self.early);
            let mut rest = &early[..];
            let received = self.take(&mut rest, limit)?;
            let taken = early.len() - rest.len();
            early.advance(taken);
            if !early.is_empty() {
                self.early = early;
            }
            if received.is_some() {
                return Ok(received);
            }
        }
        self.take(input, limit)
    }

    fn take(&mut self, input: &mut &[u8], limit: u32) -> Result<Option<Received>, V2Error> {
        if self.packet.is_none() {
            let taken = (LENGTH_BYTES - self.have).min(input.len());
            self.length[self.have..self.have + taken].copy_from_slice(&input[..taken]);
            *input = &input[taken..];
            self.have += taken;
            if self.have < LENGTH_BYTES {
                return Ok(None);
            }
            let length = self.inbound.decrypt_packet_len(self.length);
            check_length(length)?;
            self.packet = Some((length, Vec::new()));
        }
        let Some((length, packet)) = &mut self.packet else {
            return Ok(None);
        };
        let taken = (*length - packet.len()).min(input.len());
        let (piece, rest) = input.split_at(taken);
        *input = rest;
        make_room(packet, taken, *length);
        packet.extend_from_slice(piece);
        if packet.len() < *length {
            return Ok(None);
        }
        self.have = 0;
        match self.packet.take() {
            Some((_, packet)) => self.open(packet, limit).map(Some),
            None => Ok(None),
        }
    }

    fn open(&mut self, mut packet: Vec<u8>, limit: u32) -> Result<Received, V2Error> {
        let wire = LENGTH_BYTES + packet.len();
        self.inbound
            .decrypt_in_place(&mut packet, None)
            .map_err(|_| V2Error::Decryption)?;
        let end = packet.len() - 16;
        let decoy = packet[0] & bip324::DECOY_BYTE != 0;
        // A packet of no contents is no message; Bitcoin Core drops it too.
        if decoy || end < 2 {
            return Ok(Received::Dropped(Dropped::Decoy, wire));
        }
        let Some((command, start)) = read_name(&packet[1..end]) else {
            return Ok(Received::Dropped(Dropped::Name, wire));
        };
        let payload = Bytes::from(packet).slice(1 + start..end);
        let limit = payload_limit(&command).min(limit);
        if payload.len() > limit as usize {
            return Err(V2Error::MessageTooLong {
                command,
                length: payload.len(),
                limit,
            });
        }
        Ok(Received::Message(Message::new(command, payload), wire))
    }

    /// Puts a message on the wire; its bytes there are returned.
    pub(super) fn send(
        &mut self,
        message: &Message,
        output: &mut Output,
    ) -> Result<usize, UnsendableError> {
        let name = message.command.as_str();
        let number = NUMBERED[1..SENT_AS_NUMBER]
            .iter()
            .position(|known| *known == name);
        let mut contents = Vec::with_capacity(13 + message.payload.len());
        match number {
            Some(at) => contents.push(at as u8 + 1),
            None => {
                contents.push(0);
                contents.extend_from_slice(&message.command.to_wire());
            }
        }
        contents.extend_from_slice(&message.payload);
        let length = OutboundCipher::encryption_buffer_len(contents.len());
        let outbound = &mut self.outbound;
        output
            .write(length, |packet| {
                outbound.encrypt(&contents, packet, PacketType::Genuine, None)
            })
            .map_err(UnsendableError::Cipher)?;
        Ok(length)
    }
}

/// A length as it is decrypted: header, contents and tag.
fn check_length(length: usize) -> Result<(), V2Error> {
    let contents = length.saturating_sub(HEADER_AND_TAG);
    if contents > MAX_CONTENTS {
        return Err(V2Error::TooLong { length: contents });
    }
    Ok(())
}

/// A message's name and where its payload begins; `None` if it has none.
fn read_name(contents: &[u8]) -> Option<(Command, usize)> {
    let (number, rest) = contents.split_first()?;
    if *number == 0 {
        let name = rest.first_chunk::<12>()?;
        return Some((Command::from_wire(*name)?, 13));
    }
    let name = NUMBERED.get(usize::from(*number))?;
    Some((Command::new(name)?, 1))
}

#[cfg(test)]
mod tests;
