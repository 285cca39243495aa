use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::wire::{GREETING_BYTES, greeting, message};

/// READY of a subscriber.
const READY: &[u8] = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn subscribe(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    stream.write_all(&greeting()).await.unwrap();
    stream.write_all(READY).await.unwrap();
    let mut hello = [0; GREETING_BYTES + READY.len()];
    stream.read_exact(&mut hello).await.unwrap();
    stream.write_all(b"\x00\x01\x01").await.unwrap();
    // A ping that comes back says that what went before was read.
    stream.write_all(b"\x04\x07\x04PING\x00\x01").await.unwrap();
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\x04\x05\x04PONG");
}

async fn tcp(socket: &Socket) -> TcpStream {
    let Address::Tcp(address) = socket.address() else {
        panic!("it is bound to TCP");
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    subscribe(&mut stream).await;
    stream
}

fn loopback() -> Address {
    "tcp://127.0.0.1:0".parse().unwrap()
}

#[tokio::test]
async fn who_does_not_read_loses_messages_and_holds_up_nobody() {
    const COUNT: u32 = 3000;
    let socket = Socket::bind(&loopback(), 100, StopSignal::new())
        .await
        .unwrap();
    let mut slow = tcp(&socket).await;
    let mut fast = tcp(&socket).await;
    let body = vec![7; 50_000];
    let size = message(&[b"rawblock", &body, &0_u32.to_le_bytes()]).len();
    let reading = tokio::spawn(async move {
        let mut last = 0;
        let mut bytes = vec![0; size];
        while last + 1 < COUNT {
            fast.read_exact(&mut bytes).await.unwrap();
            let number: [u8; 4] = bytes[size - 4..].try_into().unwrap();
            last = u32::from_le_bytes(number);
        }
    });
    for number in 0..COUNT {
        let number = number.to_le_bytes();
        socket.publish("rawblock", &message(&[b"rawblock", &body, &number]));
        // As often as blocks come, somebody who reads keeps up.
        tokio::task::yield_now().await;
        if number[0] == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // The last one is told until it arrives: the fast one may be behind by more than the mark, too.
    let last = message(&[b"rawblock", &body, &(COUNT - 1).to_le_bytes()]);
    let heard = async {
        while !reading.is_finished() {
            socket.publish("rawblock", &last);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap();
    reading.await.unwrap();
    let kept: Vec<Arc<Queue>> = socket.subscribers.lock().clone();
    assert!(kept.iter().any(|queue| queue.dropped() > 1000));
    // What it hears when it reads again is whole, and begins with the first.
    let mut bytes = vec![0; size];
    slow.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes[size - 4..], [0; 4]);
}

#[tokio::test]
async fn a_subscriber_that_leaves_is_forgotten_and_a_dropped_socket_ends_all() {
    let socket = Socket::bind(&loopback(), 1, StopSignal::new())
        .await
        .unwrap();
    let gone = tcp(&socket).await;
    let mut stays = tcp(&socket).await;
    assert_eq!(socket.subscribers.lock().len(), 2);
    drop(gone);
    let left = async {
        while socket.subscribers.lock().len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, left).await.unwrap();
    drop(socket);
    let mut end = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stays.read_to_end(&mut end));
    assert!(ended.await.is_ok());
}

#[tokio::test]
async fn a_socket_of_the_file_system_goes_with_its_publisher_and_what_a_killed_one_left_is_replaced()
 {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zmq");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let address: Address = format!("ipc://{}", path.display()).parse().unwrap();
    let stop = StopSignal::new();
    let socket = Socket::bind(&address, 1, stop.clone()).await.unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    subscribe(&mut stream).await;
    let second = Socket::bind(&address, 1, StopSignal::new()).await;
    assert!(second.is_err(), "somebody listens there");
    stop.give();
    let gone = async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    drop(socket);
    let file = directory.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    let address: Address = format!("ipc://{}", file.display()).parse().unwrap();
    assert!(Socket::bind(&address, 1, StopSignal::new()).await.is_err());
    assert!(file.exists());
}
