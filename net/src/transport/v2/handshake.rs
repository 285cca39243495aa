//! Owns the handshake of BIP324: keys, garbage, decoys and the version packet, until messages can go either way.
//! Promises to keep no more than the garbage that a peer may send and one packet.
//! Refuses to look at a clock: who waits too long is the session's to judge.
//!
//! ```text
//! initiator                          responder
//! key 64 | garbage 0-4095      -->
//!                              <--   key 64 | garbage | terminator 16 | version packet
//! terminator | version packet  -->
//! ```
//!
//! The crate's handshake borrows both sides' garbage from one step to the next, so it cannot be kept in a struct while
//! bytes are waited for. It is written as a coroutine instead, that reads from one buffer and writes into another, and
//! is resumed by hand whenever bytes have come.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bip324::{FillBytes, GarbageResult, Initialized, Role, VersionResult};
use bitcoin::p2p::Magic;
use bitcoin::secp256k1::{Secp256k1, SignOnly};
use bytes::BytesMut;

use super::super::Output;
use super::{LENGTH_BYTES, V2, V2Error, check_length};

/// Most bytes of garbage before its terminator (BIP324).
pub const MAX_GARBAGE: usize = 4_095;

/// Bytes of a public key in its random-looking form.
const KEY_BYTES: usize = 64;

/// Bytes of a garbage terminator.
const TERMINATOR_BYTES: usize = 16;

/// Fewest bytes that follow a terminator: an empty packet. So garbage need only be looked through again when as many
/// have come, which keeps a peer that sends it byte by byte from costing a search each.
const LEAST_PACKET: usize = 20;

static CURVE: LazyLock<Secp256k1<SignOnly>> = LazyLock::new(Secp256k1::signing_only);

/// What a side must not tell before, and never again: its secret key and its garbage.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The secret key. Must be random, and used once.
    pub key: [u8; 32],
    /// Garbage to send after the public key, at most [`MAX_GARBAGE`] bytes: it hides how long the handshake is.
    pub garbage: Vec<u8>,
    /// Contents of decoy packets to send before the version packet.
    pub decoys: Vec<Vec<u8>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl FillBytes for Secrets {
    fn fill_bytes(&mut self, dest: &mut [u8; 32]) {
        *dest = self.key;
    }
}

/// The two buffers that the coroutine reads from and writes into.
#[derive(Default)]
struct Wire {
    input: BytesMut,
    output: Vec<u8>,
}

#[derive(Clone, Default)]
struct Buffers(Arc<Mutex<Wire>>);

impl Buffers {
    fn with<T>(&self, action: impl FnOnce(&mut Wire) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next `count` bytes, once they are there.
    async fn read(&self, count: usize) -> BytesMut {
        poll_fn(|_| {
            self.with(|wire| {
                if wire.input.len() < count {
                    return Poll::Pending;
                }
                Poll::Ready(wire.input.split_to(count))
            })
        })
        .await
    }

    /// All bytes that are there, once there are at least `count`. They stay.
    async fn peek(&self, count: usize) -> BytesMut {
        poll_fn(|_| {
            self.with(|wire| {
                if wire.input.len() < count {
                    return Poll::Pending;
                }
                Poll::Ready(wire.input.clone())
            })
        })
        .await
    }
}

type Steps = Pin<Box<dyn Future<Output = Result<V2, V2Error>> + Send>>;

/// A handshake that is under way.
pub struct Handshake {
    steps: Steps,
    buffers: Buffers,
    heard: bool,
}

impl Handshake {
    /// One that begins: [`Handshake::receive`] with no bytes makes the initiator's first ones.
    pub fn new(magic: Magic, role: Role, secrets: Secrets) -> Handshake {
        let buffers = Buffers::default();
        Handshake {
            steps: Box::pin(steps(magic, role, secrets, buffers.clone())),
            buffers,
            heard: false,
        }
    }

    /// Whether not a byte has come.
    pub fn heard_nothing(&self) -> bool {
        !self.heard
    }

    /// Takes all of `input`, and puts into `output` what there is to say. The stream, once it can carry messages.
    ///
    /// # Errors
    ///
    /// [`V2Error`]: the stream is lost.
    pub fn receive(
        &mut self,
        input: &mut &[u8],
        output: &mut Output,
    ) -> Result<Option<V2>, V2Error> {
        self.heard |= !input.is_empty();
        self.buffers
            .with(|wire| wire.input.extend_from_slice(input));
        *input = &[];
        let polled = self
            .steps
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        self.buffers.with(|wire| {
            output.copy(&wire.output);
            wire.output = Vec::new();
        });
        match polled {
            Poll::Pending => Ok(None),
            Poll::Ready(done) => done.map(Some),
        }
    }
}

async fn steps(
    magic: Magic,
    role: Role,
    mut secrets: Secrets,
    wire: Buffers,
) -> Result<V2, V2Error> {
    let start = bip324::Handshake::<Initialized>::new_with_rng(
        magic.to_bytes(),
        role,
        &mut secrets,
        &CURVE,
    )
    .map_err(V2Error::Cipher)?;
    let garbage = Some(secrets.garbage.as_slice());
    let mut key = vec![0; bip324::Handshake::<Initialized>::send_key_len(garbage)];
    let sent_key = start.send_key(garbage, &mut key).map_err(V2Error::Cipher)?;
    wire.with(|wire| wire.output = key);

    let mut their_key = [0; KEY_BYTES];
    their_key.copy_from_slice(&wire.read(KEY_BYTES).await);
    let received_key = sent_key
        .receive_key(their_key)
        .map_err(|error| match error {
            bip324::Error::V1Protocol => V2Error::AnsweredInTheClear,
            error => V2Error::Cipher(error),
        })?;
    let decoys: Vec<&[u8]> = secrets.decoys.iter().map(Vec::as_slice).collect();
    let mut version =
        vec![0; bip324::Handshake::<bip324::ReceivedKey<'_>>::send_version_len(Some(&decoys))];
    let mut sent_version = received_key
        .send_version(&mut version, Some(&decoys))
        .map_err(V2Error::Cipher)?;
    wire.with(|wire| wire.output.append(&mut version));

    let mut looked_at = 0;
    loop {
        let enough = (looked_at + LEAST_PACKET).min(MAX_GARBAGE + TERMINATOR_BYTES);
        let seen = wire.peek(enough).await;
        looked_at = seen.len();
        match sent_version.receive_garbage(&seen) {
            Ok(GarbageResult::NeedMoreData(again)) => sent_version = again,
            Ok(GarbageResult::FoundGarbage {
                handshake,
                consumed_bytes,
            }) => {
                wire.read(consumed_bytes).await;
                return receive_version(handshake, wire).await;
            }
            Err(_) => return Err(V2Error::Garbage),
        }
    }
}

async fn receive_version(
    mut handshake: bip324::Handshake<bip324::ReceivedGarbage<'_>>,
    wire: Buffers,
) -> Result<V2, V2Error> {
    loop {
        let mut length = [0; LENGTH_BYTES];
        length.copy_from_slice(&wire.read(LENGTH_BYTES).await);
        let length = handshake
            .decrypt_packet_len(length)
            .map_err(V2Error::Cipher)?;
        check_length(length)?;
        let mut packet = wire.read(length).await;
        match handshake
            .receive_version(&mut packet)
            .map_err(|_| V2Error::Decryption)?
        {
            VersionResult::Complete { cipher } => {
                let early = wire.with(|wire| std::mem::take(&mut wire.input).freeze());
                return Ok(V2::new(cipher, early));
            }
            VersionResult::Decoy(next) => handshake = next,
        }
    }
}
