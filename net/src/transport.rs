//! Owns how messages stand on the wire: v1 in the clear, v2 encrypted (BIP324), and telling them apart.
//! Promises that no more is set aside for a message than has come of it, 256 KiB ahead at most, and never beyond its limit.
//! Refuses to know sockets, clocks and what messages mean.
//!
//! ```text
//!  bytes in  --> Transport::receive --> Received::{Message, Dropped, Ready}
//!  message   --> Transport::send    --> Output: pieces of bytes, payloads not copied in v1
//!
//!  Detecting (16 bytes) --magic + "version"--> V1
//!       \--anything else--> Shaking (BIP324 handshake) --> V2
//! ```

mod output;
pub mod v1;
pub mod v2;

use bitcoin::p2p::Magic;

use crate::message::{Command, Message};
use crate::peer::TransportVersion;

pub use output::Output;
pub use v1::V1Error;
pub use v2::V2Error;

/// Bytes that tell whether a caller speaks v1: the magic, and `version` padded with zeros.
const V1_PREFIX: usize = 16;

/// Bytes beyond those that have come that are set aside for a payload, as Bitcoin Core does.
const AHEAD: usize = 256 * 1024;

/// Why a stream can no longer be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransportError {
    /// In the clear.
    #[error("v1 transport: {0}")]
    V1(#[from] V1Error),
    /// Encrypted.
    #[error("v2 transport: {0}")]
    V2(#[from] V2Error),
}

/// What bytes amounted to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// It can carry messages now.
    Ready,
    /// A message, and its bytes on the wire.
    Message(Message, usize),
    /// Something that was skipped, and its bytes on the wire.
    Dropped(Dropped, usize),
}

/// A message that was skipped; the stream goes on after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// Its checksum does not fit (v1).
    Checksum(Command),
    /// Its name is none, or a number that stands for none (v2).
    Name,
    /// A decoy (v2), or a packet of no bytes.
    Decoy,
}

/// One connection's way of putting messages on the wire.
pub struct Transport {
    state: State,
}

enum State {
    V1(v1::V1),
    /// A responder that takes both: the first bytes of the caller.
    Detecting {
        magic: Magic,
        secrets: Box<v2::Secrets>,
        prefix: Vec<u8>,
    },
    Shaking(Box<v2::Handshake>),
    V2(Box<v2::V2>),
}

impl Transport {
    /// In the clear, ready at once.
    pub fn v1(magic: Magic) -> Transport {
        Transport {
            state: State::V1(v1::V1::new(magic)),
        }
    }

    /// Encrypted, as the side that calls: its key is put into `output`.
    ///
    /// # Errors
    ///
    /// [`V2Error::Cipher`] if the secrets make no key, which one in 2^127 does.
    pub fn v2_initiator(
        magic: Magic,
        secrets: v2::Secrets,
        output: &mut Output,
    ) -> Result<Transport, TransportError> {
        let mut handshake = v2::Handshake::new(magic, v2::Role::Initiator, secrets);
        handshake.receive(&mut &[][..], output)?;
        Ok(Transport {
            state: State::Shaking(Box::new(handshake)),
        })
    }

    /// As the side that is called, taking v1 and v2: the caller's first bytes decide.
    pub fn responder(magic: Magic, secrets: v2::Secrets) -> Transport {
        Transport {
            state: State::Detecting {
                magic,
                secrets: Box::new(secrets),
                prefix: Vec::new(),
            },
        }
    }

    /// Whether messages can be sent.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::V1(_) | State::V2(_))
    }

    /// Which it is, as far as is known: a responder that waits for the caller's first bytes says v1.
    pub fn version(&self) -> TransportVersion {
        match self.state {
            State::V1(_) | State::Detecting { .. } => TransportVersion::V1,
            State::Shaking(_) | State::V2(_) => TransportVersion::V2,
        }
    }

    /// Both sides' name of an encrypted connection.
    pub fn session_id(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::V2(v2) => Some(v2.session_id()),
            _ => None,
        }
    }

    /// Whether the side that called v2 has not heard a byte: a peer that knows v1 only hangs up on it, and should be
    /// called again with v1.
    pub fn should_fall_back(&self) -> bool {
        matches!(&self.state, State::Shaking(handshake) if handshake.heard_nothing())
    }

    /// Takes bytes from the front of `input` until something is complete or `input` is empty (`None`).
    ///
    /// `limit` caps payloads on top of each message's own limit. What the transport itself has to say goes into
    /// `output`.
    ///
    /// # Errors
    ///
    /// [`TransportError`]: the stream is lost; nothing may be read from it any more.
    pub fn receive(
        &mut self,
        input: &mut &[u8],
        limit: u32,
        output: &mut Output,
    ) -> Result<Option<Received>, TransportError> {
        loop {
            match &mut self.state {
                State::V1(v1) => return Ok(v1.receive(input, limit)?),
                State::V2(v2) => return Ok(v2.receive(input, limit)?),
                State::Detecting {
                    magic,
                    secrets,
                    prefix,
                } => {
                    let wanted = V1_PREFIX.saturating_sub(prefix.len()).min(input.len());
                    let (taken, rest) = input.split_at(wanted);
                    prefix.extend_from_slice(taken);
                    *input = rest;
                    match detect(prefix, *magic)? {
                        None => return Ok(None),
                        Some(TransportVersion::V1) => {
                            let mut v1 = v1::V1::new(*magic);
                            // The prefix is shorter than a header: nothing can be complete.
                            v1.receive(&mut prefix.as_slice(), limit)?;
                            self.state = State::V1(v1);
                            return Ok(Some(Received::Ready));
                        }
                        Some(TransportVersion::V2) => {
                            let secrets = std::mem::take(&mut **secrets);
                            let mut handshake =
                                v2::Handshake::new(*magic, v2::Role::Responder, secrets);
                            handshake.receive(&mut prefix.as_slice(), output)?;
                            self.state = State::Shaking(Box::new(handshake));
                        }
                    }
                }
                State::Shaking(handshake) => {
                    return match handshake.receive(input, output)? {
                        None => Ok(None),
                        Some(v2) => {
                            self.state = State::V2(Box::new(v2));
                            Ok(Some(Received::Ready))
                        }
                    };
                }
            }
        }
    }

    /// The bytes that the handshake read beyond its end are handed back by [`Transport::receive`]; this puts a message
    /// on the wire and says how many bytes it takes there.
    ///
    /// # Errors
    ///
    /// [`UnsendableError`]: what no peer would take is not sent.
    pub fn send(
        &mut self,
        message: &Message,
        output: &mut Output,
    ) -> Result<usize, UnsendableError> {
        let limit = crate::limits::payload_limit(&message.command);
        if message.payload.len() > limit as usize {
            return Err(UnsendableError::TooLong {
                command: message.command,
                length: message.payload.len(),
                limit,
            });
        }
        match &mut self.state {
            State::V1(v1) => Ok(v1.send(message, output)),
            State::V2(v2) => v2.send(message, output),
            State::Detecting { .. } | State::Shaking(_) => Err(UnsendableError::NotReady),
        }
    }
}

/// Why a message was not put on the wire.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnsendableError {
    /// No peer would take it.
    #[error("a {command} message of {length} bytes is longer than the {limit} that it may have")]
    TooLong {
        /// Its name.
        command: Command,
        /// Its bytes.
        length: usize,
        /// The most it may have.
        limit: u32,
    },
    /// The handshake is not over.
    #[error("nothing can be sent before the handshake is over")]
    NotReady,
    /// The cipher refused it.
    #[error("it cannot be encrypted: {0}")]
    Cipher(bip324::Error),
}

/// Which transport the caller's first bytes speak; `None` if more of them are needed.
fn detect(prefix: &[u8], magic: Magic) -> Result<Option<TransportVersion>, TransportError> {
    const VERSION: &[u8; 12] = b"version\0\0\0\0\0";
    let (led, named) = prefix.split_at(prefix.len().min(4));
    if !VERSION.starts_with(named) {
        return Ok(Some(TransportVersion::V2));
    }
    match <[u8; 4]>::try_from(led) {
        Ok(found) if prefix.len() == V1_PREFIX => {
            if found == magic.to_bytes() {
                return Ok(Some(TransportVersion::V1));
            }
            let wanted = magic;
            Err(V1Error::Magic { found, wanted }.into())
        }
        _ => Ok(None),
    }
}

/// Makes room for `more` bytes of a payload of `total`, growing as they come.
fn make_room(payload: &mut Vec<u8>, more: usize, total: usize) {
    let needed = payload.len() + more;
    if payload.capacity() < needed {
        let room = total.min(needed + AHEAD.max(payload.len()));
        payload.reserve_exact(room - payload.len());
    }
}
