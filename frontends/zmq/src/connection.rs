//! Owns the talk with one subscriber.
//! Promises to end it when it says what it should not, or nothing at all at the beginning.

use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use crate::queue::Queue;
use crate::wire::{Frame, WireError, pong, shake_hands};

/// How long a subscriber may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Talks with a subscriber until the connection ends; `joined` is called once it has said who it is.
pub(crate) async fn talk<S>(
    stream: S,
    queue: &Queue,
    joined: impl FnOnce(),
) -> Result<(), WireError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut stream = stream;
    tokio::time::timeout(HANDSHAKE, shake_hands(&mut stream))
        .await
        .map_err(|_| WireError::Slow)??;
    joined();
    let (read, mut write) = tokio::io::split(stream);
    let hear = async {
        let mut read = BufReader::new(read);
        loop {
            heed(queue, Frame::read(&mut read).await?)?;
        }
    };
    let tell = async {
        loop {
            write.write_all(&queue.next().await).await?;
        }
    };
    tokio::select! {
        ended = hear => ended,
        ended = tell => ended,
    }
}

/// Does what a subscriber says.
fn heed(queue: &Queue, frame: Frame) -> Result<(), WireError> {
    match frame {
        // Version 3.0: a byte that says which, and how the topics begin.
        Frame::Message(mut message) => match message.first() {
            Some(1) => {
                message.advance(1);
                queue.subscribe(message)
            }
            Some(0) => {
                queue.cancel(&message[1..]);
                Ok(())
            }
            // Nobody listens to what subscribers have to say.
            _ => Ok(()),
        },
        Frame::Command(name, body) => command(queue, &name, body),
    }
}

fn command(queue: &Queue, name: &[u8], body: Bytes) -> Result<(), WireError> {
    match name {
        b"SUBSCRIBE" => return queue.subscribe(body),
        b"CANCEL" => queue.cancel(&body),
        b"PING" => queue.answer(pong(&body)),
        b"ERROR" => return Err(WireError::Frame("it found an error")),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{GREETING_BYTES, greeting, message};
    use tokio::io::AsyncReadExt;

    /// READY of a subscriber.
    const READY: &[u8] = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB";
    /// Bytes of what a publisher says first.
    const HELLO_BYTES: usize = GREETING_BYTES + READY.len();

    #[tokio::test]
    async fn a_subscriber_hears_its_topics_and_its_pings_come_back() {
        let (near, mut far) = tokio::io::duplex(4096);
        let queue = std::sync::Arc::new(Queue::new(10));
        let talking = tokio::spawn({
            let queue = queue.clone();
            async move { talk(near, &queue, || ()).await }
        });
        far.write_all(&greeting()).await.unwrap();
        far.write_all(READY).await.unwrap();
        let mut hello = [0; HELLO_BYTES];
        far.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello[hello.len() - 3..], b"PUB");
        far.write_all(b"\x00\x07\x01hashtx").await.unwrap();
        far.write_all(b"\x04\x0d\x09SUBSCRIBEraw").await.unwrap();
        far.write_all(b"\x04\x09\x04PING\x00\x01hi").await.unwrap();
        let mut answer = [0; 9];
        far.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"\x04\x07\x04PONGhi");
        for topic in ["hashblock", "rawtx", "hashtx"] {
            queue.push(topic, &message(&[topic.as_bytes()]));
        }
        let mut heard = [0; 15];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"\x00\x05rawtx\x00\x06hashtx");
        far.write_all(b"\x09\x00").await.unwrap();
        assert!(talking.await.unwrap().is_err());
    }
}
