//! Owns the bytes of ZMTP 3 (ZeroMQ's RFC 23): greeting, commands, frames.
//! Promises to answer as version 3.0, in which subscriptions are messages, and to read those of 3.1 as well.
//! Refuses frames longer than a publisher has any use for, and mechanisms other than NULL.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a greeting: signature (10), version (2), mechanism (20), as-server (1), filler (31).
pub(crate) const GREETING_BYTES: usize = 64;
/// Most bytes of a frame that a subscriber sends: a topic, or a command with some properties.
pub(crate) const MAX_FRAME_BYTES: u64 = 4096;
/// Most bytes of a command's or property's name.
const MAX_NAME_BYTES: usize = 255;
/// Most bytes that a ping wants back.
const MAX_PING_CONTEXT_BYTES: usize = 16;

/// Another frame of the same message follows.
const MORE: u8 = 1;
/// The length has eight bytes.
const LONG: u8 = 2;
/// It is a command, no message.
const COMMAND: u8 = 4;

/// Why a subscriber is given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not speak ZMTP 3 without encryption.
    #[error("it does not greet as ZMTP 3 does")]
    Greeting,
    /// A frame that makes no sense.
    #[error("it sent a frame that makes no sense here: {0}")]
    Frame(&'static str),
    /// A frame that is longer than anything a subscriber says.
    #[error("it sent a frame of {0} bytes")]
    TooLong(u64),
    /// It is no subscriber.
    #[error("it is a socket of another kind than SUB")]
    Kind,
    /// It did not come to the point.
    #[error("it took too long to say who it is")]
    Slow,
    /// It subscribed to more than is kept.
    #[error("it has too many subscriptions")]
    Subscriptions,
}

/// What each side sends first.
pub(crate) fn greeting() -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// Whether what the other side sent first is a greeting of ZMTP 3 with the mechanism NULL.
pub(crate) fn is_greeting(bytes: &[u8; GREETING_BYTES]) -> bool {
    let mut mechanism = [0; 20];
    mechanism[..4].copy_from_slice(b"NULL");
    bytes[0] == 0xff && bytes[9] & 1 == 1 && bytes[10] >= 3 && bytes[12..32] == mechanism
}

/// A frame that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    /// A message in one frame.
    Message(Bytes),
    /// A command: its name and what it says.
    Command(Bytes, Bytes),
}

impl Frame {
    /// Reads the next one.
    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Frame, WireError> {
        let flags = from.read_u8().await?;
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & MORE != 0 {
            return Err(WireError::Frame("unknown flags, or more than one part"));
        }
        let length = match flags & LONG {
            0 => u64::from(from.read_u8().await?),
            _ => from.read_u64().await?,
        };
        if length > MAX_FRAME_BYTES {
            return Err(WireError::TooLong(length));
        }
        let mut body = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        from.read_exact(&mut body).await?;
        let mut body = Bytes::from(body);
        if flags & COMMAND == 0 {
            return Ok(Frame::Message(body));
        }
        let length = body.first().copied().map_or(0, usize::from);
        if body.len() <= length {
            return Err(WireError::Frame("a command without its name"));
        }
        let mut name = body.split_to(length + 1);
        Ok(Frame::Command(name.split_off(1), body))
    }
}

fn put_frame(into: &mut BytesMut, flags: u8, body: &[&[u8]]) {
    let length: usize = body.iter().map(|part| part.len()).sum();
    match u8::try_from(length) {
        Ok(length) => {
            into.put_u8(flags);
            into.put_u8(length);
        }
        Err(_) => {
            into.put_u8(flags | LONG);
            into.put_u64(length as u64);
        }
    }
    for part in body {
        into.put_slice(part);
    }
}

/// A message of several parts.
pub(crate) fn message(parts: &[&[u8]]) -> Bytes {
    let room = parts.iter().map(|part| part.len() + 9).sum();
    let mut bytes = BytesMut::with_capacity(room);
    for (index, part) in parts.iter().enumerate() {
        let flags = if index + 1 < parts.len() { MORE } else { 0 };
        put_frame(&mut bytes, flags, &[part]);
    }
    bytes.freeze()
}

fn command(name: &str, body: &[u8]) -> Bytes {
    let length = [u8::try_from(name.len().min(MAX_NAME_BYTES)).unwrap_or(u8::MAX)];
    let mut bytes = BytesMut::new();
    put_frame(&mut bytes, COMMAND, &[&length, name.as_bytes(), body]);
    bytes.freeze()
}

/// What a publisher says of itself.
pub(crate) fn ready() -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(11);
    body.put_slice(b"Socket-Type");
    body.put_u32(3);
    body.put_slice(b"PUB");
    command("READY", &body)
}

/// Why the other side is turned away.
pub(crate) fn error(reason: &str) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(u8::try_from(reason.len()).unwrap_or(u8::MAX));
    body.put_slice(reason.as_bytes());
    command("ERROR", &body)
}

/// The answer to a ping, which has a time to live (2 bytes) and what is to come back.
pub(crate) fn pong(ping: &[u8]) -> Bytes {
    let context = ping.get(2..).unwrap_or_default();
    command(
        "PONG",
        &context[..context.len().min(MAX_PING_CONTEXT_BYTES)],
    )
}

/// A property of READY, by its name in any case.
fn property<'a>(mut properties: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    loop {
        let (length, rest) = properties.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(value);
        }
        properties = rest;
    }
}

/// Whether READY is that of a subscriber.
pub(crate) fn is_subscriber(properties: &[u8]) -> bool {
    matches!(property(properties, "Socket-Type"), Some(b"SUB" | b"XSUB"))
}

/// Greets, and hears who is there.
pub(crate) async fn shake_hands(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<(), WireError> {
    stream.write_all(&greeting()).await?;
    stream.flush().await?;
    let mut theirs = [0; GREETING_BYTES];
    stream.read_exact(&mut theirs).await?;
    if !is_greeting(&theirs) {
        return Err(WireError::Greeting);
    }
    stream.write_all(&ready()).await?;
    stream.flush().await?;
    match Frame::read(stream).await? {
        Frame::Command(name, properties) if &name[..] == b"READY" => {
            match is_subscriber(&properties) {
                true => Ok(()),
                false => {
                    stream.write_all(&error("Invalid socket type")).await?;
                    Err(WireError::Kind)
                }
            }
        }
        _ => Err(WireError::Frame("it should have been READY")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Frame, WireError> {
        let mut bytes = bytes;
        Frame::read(&mut bytes).await
    }

    #[tokio::test]
    async fn a_message_has_a_frame_for_each_part() {
        let long = vec![7; 300];
        let bytes = message(&[b"rawtx", &long, &[1, 0, 0, 0]]);
        assert_eq!(&bytes[..7], b"\x01\x05rawtx");
        assert_eq!(&bytes[7..16], [3, 0, 0, 0, 0, 0, 0, 1, 44]);
        assert_eq!(&bytes[316..], [0, 4, 1, 0, 0, 0]);
    }

    #[tokio::test]
    async fn frames_come_in_and_wrong_ones_are_refused() {
        assert_eq!(
            read(b"\x00\x02\x01a").await.unwrap(),
            Frame::Message(Bytes::from_static(b"\x01a"))
        );
        assert_eq!(
            read(&pong(b"\x00\x01abc")).await.unwrap(),
            Frame::Command(Bytes::from_static(b"PONG"), Bytes::from_static(b"abc"))
        );
        for wrong in [
            &b"\x01\x01a"[..],
            b"\x08\x00",
            b"\x04\x00",
            b"\x04\x02\x05a",
        ] {
            assert!(
                matches!(read(wrong).await, Err(WireError::Frame(_))),
                "{wrong:?}"
            );
        }
        let huge = b"\x02\xff\xff\xff\xff\xff\xff\xff\xff";
        assert!(matches!(read(huge).await, Err(WireError::TooLong(_))));
        assert!(matches!(read(b"\x00\x05ab").await, Err(WireError::Io(_))));
    }

    #[test]
    fn properties_are_found_and_what_is_cut_off_is_not() {
        let properties = b"\x08Identity\x00\x00\x00\x00\x0bsocket-type\x00\x00\x00\x03SUB";
        assert!(is_subscriber(properties));
        assert!(!is_subscriber(&properties[..properties.len() - 1]));
        assert!(!is_subscriber(b"\x0bSocket-Type\x00\x00\x00\x03PUB"));
        assert!(!is_subscriber(b"\x0bSocket-Type\xff\xff\xff\xffSUB"));
        assert!(!is_subscriber(b""));
    }

    #[tokio::test]
    async fn a_subscriber_is_let_in_and_another_kind_of_socket_is_not() {
        let shake = |theirs: Vec<u8>| async move {
            let (mut near, mut far) = tokio::io::duplex(4096);
            far.write_all(&theirs).await.unwrap();
            shake_hands(&mut near).await
        };
        let properties = b"\x0bSocket-Type\x00\x00\x00\x03SUB";
        let hello = |name, properties| [&greeting()[..], &command(name, properties)].concat();
        shake(hello("READY", properties)).await.unwrap();
        let other = b"\x0bSocket-Type\x00\x00\x00\x03REQ";
        assert!(matches!(
            shake(hello("READY", other)).await,
            Err(WireError::Kind)
        ));
        assert!(matches!(
            shake(hello("HELLO", properties)).await,
            Err(WireError::Frame(_))
        ));
        let mut old = hello("READY", properties);
        old[10] = 2;
        assert!(matches!(shake(old).await, Err(WireError::Greeting)));
    }
}
