//! Owns one connection as a state machine: its transport, its handshake, pings, timeouts, limits and figures.
//! Promises to be deterministic: bytes, time and randomness come in, bytes and events go out.
//! Refuses to own a socket, a task or a clock, so that simulations and fuzzers drive what runs in production.
//!
//! ```text
//!            receive(bytes, now)            next() -> Established, Message
//!   socket ----------------------> Session ------------------------------> owner
//!          <----------------------         <------------------------------
//!            output()                       send(message), tick(now)
//! ```
//!
//! Order of the handshake (`->` the side that called):
//!
//! ```text
//! -> version    <- version wtxidrelay sendaddrv2 [features] verack    -> wtxidrelay sendaddrv2 [features] verack
//! ```

mod config;
mod error;
mod time;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::consensus::Decodable;
use bitcoin::secp256k1::rand::rngs::StdRng;
use bitcoin::secp256k1::rand::{Rng, RngCore, SeedableRng};
use bytes::Bytes;

use crate::capture::{Direction, Packet};
use crate::counters::Counters;
use crate::endpoint::Endpoint;
use crate::handshake::{Hello, MIN_VERSION, NEGOTIATION_VERSION, PING_NONCE_ABOVE};
use crate::limits::{Buckets, MAX_HANDSHAKE_MESSAGES, MAX_HANDSHAKE_PAYLOAD, MAX_PAYLOAD, Verdict};
use crate::message::{Command, Message, why};
use crate::peer::{PeerId, PeerInfo, Purpose};
use crate::transport::v2::{MAX_GARBAGE, Secrets};
use crate::transport::{
    Dropped, Output, Received, Transport, TransportError, UnsendableError, V2Error,
};

pub use config::{OwnNonces, SessionConfig, Timeouts, user_agent};
pub use error::{HandshakeStage, SessionError};

/// Most names of messages between `version` and `verack` that are kept as [`PeerInfo::features`].
pub const MAX_FEATURES: usize = 16;

/// What the log's lines about single messages are called, one at `TRACE` for each that is sent or received.
pub const PACKET_TARGET: &str = "everett_net::packet";

/// Messages with a wrong checksum or without a name that are borne. As in Bitcoin Core one costs the message alone, but
/// without a limit they would cost us as much hashing as the peer likes.
pub const MAX_GARBLED: u64 = 100;

/// From this many events on the queue gives its memory back when it is empty.
const KEPT_EVENTS: usize = 16;

/// What came of the bytes that were received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// The handshake is over: messages come and can be sent from now on. Happens once.
    Established(PeerInfo),
    /// A message. Pings and pongs are answered inside and do not show here, unless
    /// [`SessionConfig::deliver_pings`] says so.
    Message(Message),
}

enum Stage {
    /// The transport's own handshake (v2), or who speaks what is not known yet.
    Transport,
    /// `version` is waited for.
    Version,
    /// `verack` is waited for.
    Verack(Box<Agreed>),
    Established {
        /// The lower of both sides' versions.
        version: u32,
    },
}

/// What the peer has said so far.
struct Agreed {
    hello: Hello,
    version: u32,
    wtxid_relay: bool,
    addrv2: bool,
    features: Vec<String>,
}

/// One connection.
pub struct Session {
    config: Arc<SessionConfig>,
    id: PeerId,
    purpose: Purpose,
    endpoint: Endpoint,
    transport: Transport,
    output: Output,
    stage: Stage,
    /// Bytes before the handshake is over are few, so messages are counted.
    handshake_messages: u32,
    events: VecDeque<SessionEvent>,
    failed: Option<SessionError>,
    counters: Counters,
    buckets: Buckets,
    /// The nonce of our `version`.
    nonce: u64,
    random: u64,
    ping_nonce: Option<u64>,
    next_ping: Duration,
    /// When the last whole message came: bytes alone do not count, so that no peer holds a connection with one a minute.
    last_message: Duration,
}

impl Session {
    /// A connection that has just been made at `now`, to `endpoint`.
    ///
    /// `seed` is where its randomness comes from (the v2 key, garbage, nonces): outside tests and simulations it must
    /// come from the operating system.
    pub fn new(
        config: impl Into<Arc<SessionConfig>>,
        id: PeerId,
        purpose: Purpose,
        endpoint: Endpoint,
        now: Duration,
        seed: [u8; 32],
    ) -> Session {
        let config = config.into();
        let mut random = StdRng::from_seed(seed);
        let mut output = Output::default();
        let mut failed = None;
        let transport = match (config.v2, purpose.is_inbound()) {
            (false, _) => Transport::v1(config.magic),
            (true, true) => Transport::responder(config.magic, secrets(&mut random)),
            (true, false) => {
                let secrets = secrets(&mut random);
                Transport::v2_initiator(config.magic, secrets, &mut output).unwrap_or_else(
                    |error| {
                        failed = Some(SessionError::Transport(error));
                        Transport::v1(config.magic)
                    },
                )
            }
        };
        let nonce = random.next_u64();
        if !purpose.is_inbound() {
            config.nonces.insert(nonce, endpoint.clone());
        }
        let mut session = Session {
            id,
            purpose,
            endpoint,
            transport,
            output,
            stage: Stage::Transport,
            handshake_messages: 0,
            events: VecDeque::new(),
            failed,
            counters: Counters::new(now),
            buckets: Buckets::default(),
            nonce,
            random: random.next_u64() | 1,
            ping_nonce: None,
            next_ping: now,
            last_message: now,
            config,
        };
        if session.transport.is_ready() && session.failed.is_none() {
            session.transport_ready(now);
        }
        session
    }

    /// Its number.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Where the peer is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the handshake is over.
    pub fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Established { .. })
    }

    /// Whether a peer that hung up now should be called again with v1: v2 was tried, and not a byte
    /// was heard or one in the clear.
    pub fn should_fall_back(&self) -> bool {
        const CLEAR: TransportError = TransportError::V2(V2Error::AnsweredInTheClear);
        let answered_in_the_clear = self.failed == Some(SessionError::Transport(CLEAR));
        !self.purpose.is_inbound() && (self.transport.should_fall_back() || answered_in_the_clear)
    }

    /// Its figures.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes bytes that came from the peer at `now`; [`Session::next`] tells what they amount to.
    ///
    /// At most the messages that are whole in `bytes`, and one that is not, are kept: who reads no events should give no
    /// bytes. After an error all bytes are dropped.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        if self.failed.is_some() {
            return;
        }
        self.counters.bytes_received += bytes.len() as u64;
        self.counters.last_received = Some(now);
        let mut input = bytes;
        loop {
            let limit = match self.stage {
                Stage::Established { .. } => MAX_PAYLOAD,
                _ => MAX_HANDSHAKE_PAYLOAD,
            };
            let handled = match self.transport.receive(&mut input, limit, &mut self.output) {
                Ok(None) => break,
                Ok(Some(received)) => self.received(received, now),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = handled {
                self.failed = Some(error);
                break;
            }
        }
    }

    /// The next thing that happened; `None` if there is none until more bytes come.
    ///
    /// # Errors
    ///
    /// [`SessionError`], after all that happened before it: the connection is to be closed.
    #[expect(
        clippy::should_implement_trait,
        reason = "it can fail, and goes on after it had nothing"
    )]
    pub fn next(&mut self) -> Result<Option<SessionEvent>, SessionError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        if self.events.capacity() > KEPT_EVENTS {
            self.events = VecDeque::new();
        }
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// Queues a message to be written.
    ///
    /// # Errors
    ///
    /// [`UnsendableError`] before the handshake is over, or if it is longer than its name allows.
    pub fn send(&mut self, message: &Message, now: Duration) -> Result<(), UnsendableError> {
        if !self.is_established() {
            return Err(UnsendableError::NotReady);
        }
        self.put(message, now)
    }

    /// The next bytes to be written to the peer; `None` if there are none.
    pub fn output(&mut self) -> Option<Bytes> {
        let piece = self.output.next_piece()?;
        self.counters.bytes_sent += piece.len() as u64;
        Some(piece)
    }

    /// Bytes that wait to be written.
    pub fn output_length(&self) -> usize {
        self.output.len()
    }

    /// The first pieces that wait to be written, for a vectored write; how many is returned.
    pub fn output_slices<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.output.slices(slices)
    }

    /// Takes off the front what was written of [`Session::output_slices`].
    pub fn output_written(&mut self, bytes: usize) {
        self.output.advance(bytes);
        self.counters.bytes_sent += bytes as u64;
    }

    fn received(&mut self, received: Received, now: Duration) -> Result<(), SessionError> {
        match received {
            Received::Ready => {
                self.transport_ready(now);
                Ok(())
            }
            Received::Message(message, bytes) => {
                self.counters.count_received(&message.command, bytes);
                self.record(Direction::Received, &message);
                self.message(message, now)
            }
            Received::Dropped(dropped, _) => {
                match dropped {
                    Dropped::Checksum(command) => {
                        self.counters.wrong_checksums += 1;
                        let (peer, endpoint) = (self.id, &self.endpoint);
                        tracing::debug!(%peer, address = %endpoint, %command, "a wrong checksum");
                    }
                    Dropped::Name => {
                        self.counters.wrong_names += 1;
                        let (peer, endpoint) = (self.id, &self.endpoint);
                        tracing::debug!(%peer, address = %endpoint, "a message without a name");
                    }
                    Dropped::Decoy => self.counters.decoys += 1,
                }
                if self.counters.wrong_checksums + self.counters.wrong_names > MAX_GARBLED {
                    return Err(SessionError::Garbled { limit: MAX_GARBLED });
                }
                Ok(())
            }
        }
    }

    fn transport_ready(&mut self, now: Duration) {
        self.stage = Stage::Version;
        if !self.purpose.is_inbound() {
            self.say_hello(now);
        }
    }

    fn message(&mut self, message: Message, now: Duration) -> Result<(), SessionError> {
        match (self.buckets).take(&message.command, message.payload.len(), now) {
            Verdict::Pass => {}
            Verdict::Drop => {
                self.counters.too_often += 1;
                return Ok(());
            }
            Verdict::Disconnect => {
                return Err(SessionError::Flood {
                    command: message.command,
                });
            }
        }
        if let Stage::Established { version } = self.stage {
            self.last_message = now;
            return self.established_message(message, version, now);
        }
        self.handshake_messages += 1;
        if self.handshake_messages > MAX_HANDSHAKE_MESSAGES {
            return Err(SessionError::HandshakeFlood);
        }
        match (message.command.as_str(), &mut self.stage) {
            ("version", Stage::Version) => self.version(&message, now),
            // Before `version` nothing counts, after it nothing but what is agreed on before `verack`; as in Bitcoin
            // Core the rest is left alone.
            (_, Stage::Transport | Stage::Version) | ("version", _) => {
                self.out_of_order(&message);
                Ok(())
            }
            ("verack", Stage::Verack(_)) => {
                self.verack(now);
                Ok(())
            }
            ("wtxidrelay", Stage::Verack(agreed)) => {
                agreed.wtxid_relay |= agreed.version >= NEGOTIATION_VERSION;
                Ok(())
            }
            ("sendaddrv2", Stage::Verack(agreed)) => {
                agreed.addrv2 = true;
                Ok(())
            }
            (name, Stage::Verack(agreed)) => {
                let new = !agreed.features.iter().any(|feature| feature == name);
                if new && agreed.features.len() < MAX_FEATURES {
                    agreed.features.push(name.to_owned());
                }
                Ok(())
            }
            (_, Stage::Established { .. }) => Ok(()),
        }
    }

    fn version(&mut self, message: &Message, now: Duration) -> Result<(), SessionError> {
        let hello = Hello::decode(&message.payload)
            .map_err(|error| SessionError::MalformedVersion { error: why(&error) })?;
        if self.purpose.expects_services() && !self.config.suffices(hello.services) {
            return Err(SessionError::MissingServices {
                offered: hello.services,
                wanted: self.config.sufficient_services.clone(),
            });
        }
        if hello.version < MIN_VERSION {
            return Err(SessionError::ObsoleteVersion {
                version: hello.version,
            });
        }
        if self.purpose.is_inbound()
            && let Some(called) = self.config.nonces.endpoint(hello.nonce)
        {
            return Err(SessionError::SelfConnection { called });
        }
        if self.purpose.is_inbound() {
            self.say_hello(now);
        }
        let version = (hello.version as u32).min(self.config.version);
        self.counters.time_offset = hello.time.saturating_sub(self.config.unix_time(now));
        if version >= NEGOTIATION_VERSION {
            self.put_named("wtxidrelay", now);
            self.put_named("sendaddrv2", now);
            let config = self.config.clone();
            if hello.user_agent.starts_with(&config.features_to) {
                for feature in &config.features {
                    self.put_unfailing(&Message::new(*feature, Bytes::new()), now);
                }
            }
        }
        self.put_named("verack", now);
        self.stage = Stage::Verack(Box::new(Agreed {
            hello,
            version,
            wtxid_relay: false,
            addrv2: false,
            features: Vec::new(),
        }));
        Ok(())
    }

    fn verack(&mut self, now: Duration) {
        let Stage::Verack(agreed) = std::mem::replace(&mut self.stage, Stage::Version) else {
            return;
        };
        let Agreed {
            hello,
            version,
            wtxid_relay,
            addrv2,
            features,
        } = *agreed;
        self.stage = Stage::Established { version };
        self.config.nonces.remove(self.nonce);
        self.last_message = now;
        self.events.push_back(SessionEvent::Established(PeerInfo {
            id: self.id,
            endpoint: self.endpoint.clone(),
            purpose: self.purpose,
            transport: self.transport.version(),
            session_id: self.transport.session_id(),
            version: hello.version as u32,
            services: hello.services,
            user_agent: hello.user_agent,
            start_height: hello.start_height,
            relay: hello.relay,
            wtxid_relay,
            addrv2,
            features,
            time_offset: self.counters.time_offset,
            our_address: hello.receiver,
        }));
        self.ping(now);
    }

    fn established_message(
        &mut self,
        message: Message,
        version: u32,
        now: Duration,
    ) -> Result<(), SessionError> {
        match message.command.as_str() {
            "version" | "verack" => {
                self.out_of_order(&message);
                return Ok(());
            }
            "wtxidrelay" | "sendaddrv2" | "feature" => {
                return Err(SessionError::AfterVerack {
                    command: message.command,
                });
            }
            "ping" => {
                if version > PING_NONCE_ABOVE {
                    match u64::consensus_decode(&mut &message.payload[..]) {
                        Ok(nonce) => self.put_nonce("pong", nonce, now),
                        Err(_) => self.counters.undecodable += 1,
                    }
                }
                if !self.config.deliver_pings {
                    return Ok(());
                }
            }
            "pong" => {
                self.pong(&message.payload, now);
                if !self.config.deliver_pings {
                    return Ok(());
                }
            }
            _ => {}
        }
        self.events.push_back(SessionEvent::Message(message));
        Ok(())
    }

    fn out_of_order(&mut self, message: &Message) {
        self.counters.out_of_order += 1;
        let (peer, endpoint, command) = (self.id, &self.endpoint, &message.command);
        tracing::debug!(%peer, address = %endpoint, %command, "out of its order in the handshake");
    }

    fn say_hello(&mut self, now: Duration) {
        let config = self.config.clone();
        let hello = Hello {
            version: config.version as i32,
            services: config.services,
            time: config.unix_time(now),
            // As Bitcoin Core: an address that only we can call tells the other side nothing.
            receiver: Some(self.endpoint.clone()).filter(Endpoint::is_routable),
            nonce: self.nonce,
            user_agent: config.user_agent.clone(),
            start_height: config.start_height,
            relay: config.relay && self.purpose.relays(),
        };
        self.put_unfailing(&hello.encode(), now);
    }

    fn put_named(&mut self, name: &str, now: Duration) {
        let command = Command::new(name).expect("a name of the protocol");
        self.put_unfailing(&Message::new(command, Bytes::new()), now);
    }

    fn put_nonce(&mut self, name: &str, nonce: u64, now: Duration) {
        let command = Command::new(name).expect("a name of the protocol");
        let payload = Bytes::copy_from_slice(&nonce.to_le_bytes());
        self.put_unfailing(&Message::new(command, payload), now);
    }

    /// For messages of our own, which are short. If the cipher fails the connection does.
    fn put_unfailing(&mut self, message: &Message, now: Duration) {
        if let Err(error) = self.put(message, now) {
            self.failed.get_or_insert(SessionError::Unsendable(error));
        }
    }

    fn put(&mut self, message: &Message, now: Duration) -> Result<(), UnsendableError> {
        let bytes = self.transport.send(message, &mut self.output)?;
        self.counters.count_sent(&message.command, bytes, now);
        self.record(Direction::Sent, message);
        Ok(())
    }

    fn record(&self, direction: Direction, message: &Message) {
        tracing::trace!(
            target: PACKET_TARGET,
            peer = %self.id,
            address = %self.endpoint,
            direction = direction.as_str(),
            command = %message.command,
            bytes = message.payload.len(),
        );
        if let Some(capture) = &self.config.capture {
            let packet = Packet::new(self.id, direction, &self.endpoint, message);
            capture.record(packet);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.config.nonces.remove(self.nonce);
    }
}

fn secrets(random: &mut StdRng) -> Secrets {
    let mut key = [0; 32];
    random.fill_bytes(&mut key);
    let mut garbage = vec![0; random.gen_range(0..=MAX_GARBAGE)];
    random.fill_bytes(&mut garbage);
    Secrets {
        key,
        garbage,
        decoys: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
