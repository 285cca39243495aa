//! Owns the reasons for which a session ends by itself.
//! Promises that each says what the peer did and what was expected.
//! Refuses to punish: whether a peer is discouraged is its owner's to decide.

use std::fmt;
use std::time::Duration;

use bitcoin::p2p::ServiceFlags;

use crate::endpoint::Endpoint;
use crate::limits::{FLOOD_PATIENCE, MAX_HANDSHAKE_MESSAGES};
use crate::message::Command;
use crate::transport::{TransportError, UnsendableError};

/// How far a handshake had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandshakeStage {
    /// Not a byte had come.
    Nothing,
    /// The transport was not agreed on, or its keys were not.
    Transport,
    /// `version` had not come.
    Version,
    /// `verack` had not come.
    Verack,
}

impl fmt::Display for HandshakeStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandshakeStage::Nothing => "a first byte",
            HandshakeStage::Transport => "the transport's handshake",
            HandshakeStage::Version => "a version message",
            HandshakeStage::Verack => "a verack message",
        })
    }
}

/// Why a connection is to be closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionError {
    /// What came is no stream of messages.
    #[error("{0}")]
    Transport(#[from] TransportError),
    /// Its `version` does not decode.
    #[error("its version message does not decode: {error}")]
    MalformedVersion {
        /// What is wrong.
        error: String,
    },
    /// More of its messages were garbled than any line does by itself.
    #[error("more than {limit} of its messages had a wrong checksum or no name")]
    Garbled {
        /// How many are borne.
        limit: u64,
    },
    /// It speaks a version of the protocol that is too old.
    #[error("it speaks version {version} of the protocol, which is obsolete (at least 31800)")]
    ObsoleteVersion {
        /// The version.
        version: i32,
    },
    /// It does not offer what it was called for.
    #[error("it offers {offered}, but was called for {}", alternatives(wanted))]
    MissingServices {
        /// What it offers.
        offered: ServiceFlags,
        /// What it should: any one of these.
        wanted: Vec<ServiceFlags>,
    },
    /// We have called ourselves.
    #[error("it is ourselves, called at {called}")]
    SelfConnection {
        /// The address that we called.
        called: Endpoint,
    },
    /// The handshake took too long.
    #[error("{stage} did not come within {after:?}")]
    HandshakeTimeout {
        /// What was waited for.
        stage: HandshakeStage,
        /// How long.
        after: Duration,
    },
    /// Too many messages came before `verack`.
    #[error("more than {MAX_HANDSHAKE_MESSAGES} messages came before the handshake was over")]
    HandshakeFlood,
    /// A message came after `verack` that belongs before it.
    #[error("a {command} message came after verack")]
    AfterVerack {
        /// The message.
        command: Command,
    },
    /// Messages came far too often.
    #[error("more than {FLOOD_PATIENCE} {command} messages came beyond their rate")]
    Flood {
        /// The messages.
        command: Command,
    },
    /// No whole message came for too long.
    #[error("no message came for {after:?}")]
    Inactive {
        /// How long.
        after: Duration,
    },
    /// A ping was not answered.
    #[error("a ping was not answered for {after:?}")]
    PingTimeout {
        /// How long.
        after: Duration,
    },
    /// A message of our own could not be put on the wire.
    #[error("{0}")]
    Unsendable(UnsendableError),
}

fn alternatives(services: &[ServiceFlags]) -> String {
    let services: Vec<String> = services.iter().map(ServiceFlags::to_string).collect();
    services.join(" or ")
}

impl SessionError {
    /// Whether only a broken or hostile peer does this: what an owner may discourage it for. Timeouts, old versions and
    /// our own calls to ourselves are not.
    pub fn is_misbehaviour(&self) -> bool {
        match self {
            SessionError::Transport(_)
            | SessionError::MalformedVersion { .. }
            | SessionError::HandshakeFlood
            | SessionError::AfterVerack { .. }
            | SessionError::Garbled { .. }
            | SessionError::Flood { .. } => true,
            SessionError::ObsoleteVersion { .. }
            | SessionError::MissingServices { .. }
            | SessionError::SelfConnection { .. }
            | SessionError::HandshakeTimeout { .. }
            | SessionError::Inactive { .. }
            | SessionError::PingTimeout { .. }
            | SessionError::Unsendable(_) => false,
        }
    }
}
