mod addresses;

use std::io::ErrorKind;

use bitcoin::Network;
use bitcoin::p2p::Magic;
use bitcoin::p2p::message::NetworkMessage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::connection::{Permit, RECEIVE_BUDGET};
use crate::message::Command;
use crate::peer::{PeerInfo, TransportVersion};
use crate::session::{HandshakeStage, SessionError, Timeouts};
use crate::transport::{TransportError, V1Error, V2Error, v1};

/// Nothing here takes so long, however slow the machine.
const LONG: Duration = Duration::from_secs(30);

fn config() -> PoolConfig {
    let mut config = PoolConfig::new(Network::Regtest);
    config.outgoing = 0;
    config.block_relay_only = 0;
    config.backoff.first = Duration::from_millis(20);
    config
}

fn listener() -> PoolConfig {
    PoolConfig {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        incoming: 300,
        ..config()
    }
}

fn v1(mut config: PoolConfig) -> PoolConfig {
    config.session.v2 = false;
    config
}

/// A listener that has less patience in what a test is about: all else may take as long as it does on a busy machine.
fn hasty(change: impl FnOnce(&mut Timeouts)) -> PoolConfig {
    let mut config = listener();
    change(&mut config.session.timeouts);
    config
}

fn start(config: PoolConfig) -> (Pool, PoolEvents) {
    Pool::start(config).unwrap()
}

fn at(pool: &Pool) -> Endpoint {
    pool.listening()[0].into()
}

async fn next(events: &mut PoolEvents) -> PoolEvent {
    timeout(LONG, events.next()).await.unwrap().unwrap()
}

async fn established(events: &mut PoolEvents) -> PeerInfo {
    match next(events).await {
        PoolEvent::Established(info) => info,
        other => panic!("{other:?}"),
    }
}

async fn failed(events: &mut PoolEvents) -> FailedReason {
    match next(events).await {
        PoolEvent::Failed { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

async fn lost(events: &mut PoolEvents) -> LostReason {
    loop {
        if let PoolEvent::Lost { reason, .. } = next(events).await {
            return reason;
        }
    }
}

async fn message(events: &mut PoolEvents) -> (PeerId, Message, Permit) {
    loop {
        if let PoolEvent::Message(peer, message, permit) = next(events).await {
            return (peer, message, permit);
        }
    }
}

fn raw(name: &str, payload: Vec<u8>) -> Message {
    Message::new(Command::new(name).unwrap(), payload)
}

fn wire(message: &Message) -> Vec<u8> {
    [&v1::header(message, Magic::REGTEST)[..], &message.payload].concat()
}

#[tokio::test]
async fn who_is_to_be_called_in_the_clear_never_sees_an_attempt_to_encrypt() {
    let (b, mut at_b) = start(v1(listener()));
    let (a, mut at_a) = start(config());
    a.connect_with(at(&b), Purpose::Manual, false);
    // Neither at first nor when it is called again.
    for _ in 0..2 {
        let seen = established(&mut at_a).await;
        assert_eq!(seen.transport, TransportVersion::V1);
        assert!(matches!(next(&mut at_b).await, PoolEvent::Established(_)));
        assert!(a.disconnect(seen.id, "once more"));
        lost(&mut at_a).await;
        lost(&mut at_b).await;
    }
    a.shut_down().await;
    b.shut_down().await;
}

#[tokio::test]
async fn a_call_in_the_clear_says_nothing_about_later_ones() {
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(config());
    for (v2, transport) in [(false, TransportVersion::V1), (true, TransportVersion::V2)] {
        a.connect_once(at(&b), Purpose::Manual, v2);
        let seen = established(&mut at_a).await;
        assert_eq!((seen.transport, seen.purpose), (transport, Purpose::Manual));
        assert!(matches!(next(&mut at_b).await, PoolEvent::Established(_)));
        // It is not called again by itself.
        assert!(a.manual().is_empty());
        assert!(a.disconnect(seen.id, "enough"));
        lost(&mut at_a).await;
        lost(&mut at_b).await;
    }
    a.shut_down().await;
    b.shut_down().await;
}

#[tokio::test]
async fn two_pools_meet_over_either_transport_and_talk() {
    for (caller, called, transport) in [
        (config(), listener(), TransportVersion::V2),
        (v1(config()), listener(), TransportVersion::V1),
        (v1(config()), v1(listener()), TransportVersion::V1),
        // The called one hangs up on what it does not know, and is called again.
        (config(), v1(listener()), TransportVersion::V1),
    ] {
        let (b, mut at_b) = start(called);
        let (a, mut at_a) = start(caller);
        a.connect(at(&b), Purpose::Manual);
        let seen = established(&mut at_a).await;
        assert_eq!(seen.transport, transport);
        // The called one has seen the attempt in v2 fail before.
        let caller = loop {
            match next(&mut at_b).await {
                PoolEvent::Established(info) => break info,
                PoolEvent::Failed { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(caller.purpose, Purpose::Inbound);
        assert_eq!(seen.session_id, caller.session_id);

        let block = raw("block", vec![7; 3_000_000]);
        a.send(seen.id, block.clone()).unwrap();
        let (peer, came, permit) = message(&mut at_b).await;
        assert_eq!((peer, &came), (caller.id, &block));
        assert!(b.held() > 3_000_000);
        drop(permit);
        assert_eq!(b.held(), 0);
        b.send(caller.id, NetworkMessage::GetAddr).unwrap();
        assert_eq!(message(&mut at_a).await.1.command.as_str(), "getaddr");

        let peers = a.peers();
        assert_eq!(peers.len(), 1);
        let blocks = peers[0].counters.sent_of(&block.command);
        assert_eq!(blocks.messages, 1);
        assert!(a.disconnect(seen.id, "enough"));
        let reason = lost(&mut at_a).await;
        assert_eq!(reason.to_string(), "disconnected: enough");
        assert_eq!(lost(&mut at_b).await, LostReason::Closed);
        a.shut_down().await;
        b.shut_down().await;
        assert!(at_b.next().await.is_none());
    }
}

/// A socket that is connected to a pool, to say what no session says.
async fn rogue(pool: &Pool) -> TcpStream {
    TcpStream::connect(pool.listening()[0]).await.unwrap()
}

async fn end_of(events: &mut PoolEvents) -> LostReason {
    match failed(events).await {
        FailedReason::Handshake(reason) => reason,
        other => panic!("{other}"),
    }
}

fn version() -> Message {
    use crate::handshake::Hello;
    let hello = Hello {
        version: 70_016,
        services: bitcoin::p2p::ServiceFlags::NONE,
        time: 0,
        receiver: None,
        nonce: 5,
        user_agent: String::new(),
        start_height: 0,
        relay: false,
    };
    hello.encode()
}

#[tokio::test]
async fn bad_bytes_get_their_reason_and_nobody_else_notices() {
    let (pool, mut events) = start(listener());
    let honest = SessionConfig::new(Magic::REGTEST);
    let mut connection = crate::Connection::open(at(&pool), honest).await.unwrap();
    established(&mut events).await;

    let mut socket = rogue(&pool).await;
    let mut magic = wire(&version());
    magic[..4].copy_from_slice(&Magic::BITCOIN.to_bytes());
    socket.write_all(&magic).await.unwrap();
    let told = end_of(&mut events).await;
    assert!(matches!(
        told,
        LostReason::Session(SessionError::Transport(TransportError::V1(
            V1Error::Magic { .. }
        )))
    ));
    assert_eq!(socket.read(&mut [0; 10]).await.unwrap_or(0), 0);

    let mut socket = rogue(&pool).await;
    let mut long = wire(&version());
    long[16..20].copy_from_slice(&[0xff; 4]);
    socket.write_all(&long).await.unwrap();
    assert!(end_of(&mut events).await.to_string().contains("longer"));

    let mut socket = rogue(&pool).await;
    socket.write_all(&[0x5a; 6_000]).await.unwrap();
    let told = end_of(&mut events).await;
    assert!(matches!(
        told,
        LostReason::Session(SessionError::Transport(TransportError::V2(
            V2Error::Garbage
        )))
    ));

    let mut socket = rogue(&pool).await;
    socket.write_all(&wire(&version())[..50]).await.unwrap();
    drop(socket);
    assert_eq!(end_of(&mut events).await, LostReason::Closed);

    // A wrong checksum costs the message only.
    let mut socket = rogue(&pool).await;
    socket.write_all(&wire(&version())).await.unwrap();
    socket
        .write_all(&wire(&raw("verack", vec![])))
        .await
        .unwrap();
    let info = established(&mut events).await;
    let mut wrong = wire(&raw("inv", vec![0]));
    wrong[24] ^= 1;
    socket.write_all(&wrong).await.unwrap();
    socket
        .write_all(&wire(&raw("mempool", vec![])))
        .await
        .unwrap();
    let (peer, came, _) = message(&mut events).await;
    assert_eq!((peer, came.command.as_str()), (info.id, "mempool"));
    assert_eq!(pool.peer(peer).unwrap().counters().wrong_checksums, 1);

    connection.send(NetworkMessage::GetAddr).unwrap();
    assert_eq!(message(&mut events).await.1.command.as_str(), "getaddr");
    assert_eq!(connection.info().transport, TransportVersion::V2);
    pool.shut_down().await;
    assert_eq!(connection.receive().await, Err(LostReason::Closed));
}

#[tokio::test]
async fn who_never_answers_or_by_one_byte_is_let_go_in_time() {
    let after = Duration::from_millis(300);
    let (pool, mut events) = start(hasty(|times| times.handshake = after));
    let silent = rogue(&pool).await;
    let told = end_of(&mut events).await;
    let stage = HandshakeStage::Nothing;
    assert_eq!(told, SessionError::HandshakeTimeout { stage, after }.into());
    drop(silent);

    let mut slow = rogue(&pool).await;
    let bytes = wire(&version());
    for byte in &bytes {
        if slow.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = end_of(&mut events).await;
    assert!(matches!(
        told,
        LostReason::Session(SessionError::HandshakeTimeout { .. })
    ));
    pool.shut_down().await;

    // After the handshake: it sends bytes, but never a whole message.
    let (pool, mut events) = start(hasty(|times| {
        times.ping_interval = Duration::from_millis(200);
        times.inactivity = Duration::from_millis(600);
    }));
    let mut slow = rogue(&pool).await;
    slow.write_all(&wire(&version())).await.unwrap();
    slow.write_all(&wire(&raw("verack", vec![]))).await.unwrap();
    established(&mut events).await;
    let tx = wire(&raw("tx", vec![0; 1_000]));
    for byte in &tx {
        if slow.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = lost(&mut events).await;
    assert!(matches!(
        told,
        LostReason::Session(SessionError::Inactive { .. } | SessionError::PingTimeout { .. })
    ));
    pool.shut_down().await;

    // It sends, reads nothing, and is sent much.
    let (pool, mut events) = start(hasty(|times| {
        times.write_stall = Duration::from_millis(500);
    }));
    let mut deaf = rogue(&pool).await;
    deaf.write_all(&wire(&version())).await.unwrap();
    deaf.write_all(&wire(&raw("verack", vec![]))).await.unwrap();
    let info = established(&mut events).await;
    let block = raw("block", vec![0; 4_000_000]);
    let refused = (0..10).find_map(|_| pool.send(info.id, block.clone()).err());
    assert!(matches!(refused, Some(SendError::QueueFull { .. })));
    let inv = wire(&raw("inv", vec![0]));
    let told = async {
        loop {
            let _ = deaf.write_all(&inv).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            match events.try_next() {
                Some(PoolEvent::Lost { reason, .. }) => break reason,
                _ => continue,
            }
        }
    };
    let told = timeout(LONG, told).await.unwrap();
    assert!(matches!(told, LostReason::WriteStalled { .. }), "{told}");
    pool.shut_down().await;
}

#[tokio::test]
async fn a_peer_that_sends_more_than_is_dealt_with_is_not_read_from() {
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(config());
    a.connect(at(&b), Purpose::Manual);
    let to_b = established(&mut at_a).await.id;
    established(&mut at_b).await;
    let block = raw("block", vec![1; 1_000_000]);
    for _ in 0..19 {
        a.send(to_b, block.clone()).unwrap();
    }
    assert!(a.queued(to_b) > 10_000_000);
    let mut held = Vec::new();
    while b.held() <= RECEIVE_BUDGET {
        held.push(message(&mut at_b).await.2);
    }
    // What came already is in there; more does not come.
    while let Ok(Some(event)) = timeout(Duration::from_millis(500), at_b.next()).await {
        if let PoolEvent::Message(_, _, permit) = event {
            held.push(permit);
        }
    }
    assert!(b.held() < RECEIVE_BUDGET + 2_000_000, "{}", b.held());
    let mut came = held.len();
    held.clear();
    while came < 19 {
        drop(message(&mut at_b).await.2);
        came += 1;
    }
    assert_eq!(b.held(), 0);
    // And the sender hears that its queue is short again.
    while !matches!(next(&mut at_a).await, PoolEvent::Drained(peer) if peer == to_b) {}
    assert!(a.queued(to_b) < 1_000_000);
    a.shut_down().await;
    b.shut_down().await;
}

#[tokio::test]
async fn a_lost_manual_peer_is_called_again_and_one_that_is_not_there_less_and_less_often() {
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(PoolConfig {
        connect: vec![at(&b)],
        ..config()
    });
    for _ in 0..3 {
        let caller = established(&mut at_b).await;
        established(&mut at_a).await;
        b.disconnect(caller.id, "again");
        assert_eq!(lost(&mut at_a).await, LostReason::Closed);
        lost(&mut at_b).await;
    }
    b.shut_down().await;
    let mut refused = 0;
    while refused < 3 {
        match next(&mut at_a).await {
            PoolEvent::Failed {
                error: FailedReason::Dial(_),
                ..
            } => refused += 1,
            PoolEvent::Failed { .. } | PoolEvent::Established(_) | PoolEvent::Lost { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(a.forget(&at(&b)));
    a.shut_down().await;
}

#[tokio::test]
async fn a_pool_that_calls_itself_notices_and_never_does_it_again() {
    let (pool, mut events) = start(listener());
    pool.connect(at(&pool), Purpose::Manual);
    for _ in 0..2 {
        let told = end_of(&mut events).await;
        let LostReason::Session(SessionError::SelfConnection { called }) = told else {
            panic!("{told}");
        };
        assert_eq!(called, at(&pool));
    }
    pool.connect(at(&pool), Purpose::OutboundFullRelay);
    assert!(matches!(failed(&mut events).await, FailedReason::Ourselves));
    pool.shut_down().await;
}

#[tokio::test]
async fn callers_beyond_the_limit_are_refused_or_others_make_room() {
    let (pool, mut events) = start(PoolConfig {
        incoming: 3,
        ..listener()
    });
    let mut connections = Vec::new();
    for _ in 0..3 {
        let config = SessionConfig::new(Magic::REGTEST);
        connections.push(crate::Connection::open(at(&pool), config).await.unwrap());
        established(&mut events).await;
    }
    let config = SessionConfig::new(Magic::REGTEST);
    assert!(crate::Connection::open(at(&pool), config).await.is_err());
    assert!(matches!(failed(&mut events).await, FailedReason::Full));
    assert_eq!(pool.peers().len(), 3);
    // v2 got no answer, so it was called again with v1, and refused again.
    assert!(matches!(failed(&mut events).await, FailedReason::Full));
    pool.shut_down().await;
}

#[tokio::test]
async fn two_hundred_connections_hold_and_all_are_closed_in_the_end() {
    const PEERS: usize = 200;
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(config());
    let mut pools = Vec::new();
    // Some of them from a pool each, the others single ones of either transport.
    for _ in 0..PEERS / 20 {
        let (pool, events) = start(config());
        pool.connect(at(&b), Purpose::Manual);
        pools.push((pool, events));
    }
    let mut single = Vec::new();
    for n in 0..PEERS - pools.len() {
        let mut config = SessionConfig::new(Magic::REGTEST);
        config.v2 = n % 2 == 0;
        single.push(crate::Connection::open(at(&b), config).await.unwrap());
    }
    for _ in 0..PEERS {
        established(&mut at_b).await;
    }
    assert_eq!(b.peers().len(), PEERS);
    for peer in b.handles() {
        peer.send(raw("inv", vec![0])).unwrap();
    }
    for connection in &mut single {
        let came = connection.receive().await.unwrap();
        assert_eq!(came.command.as_str(), "inv");
    }
    b.shut_down().await;
    assert!(b.inner.tasks().is_empty());
    assert!(b.peers().is_empty());
    for connection in &mut single {
        assert_eq!(connection.receive().await, Err(LostReason::Closed));
    }
    // Nobody listens there any more.
    a.connect(at(&b), Purpose::OutboundFullRelay);
    assert!(matches!(failed(&mut at_a).await, FailedReason::Dial(_)));
    for (pool, _) in &pools {
        pool.shut_down().await;
    }
    a.shut_down().await;
}

#[tokio::test]
async fn a_pool_needs_a_runtime_and_an_address_that_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = vec![taken.local_addr().unwrap()];
    let started = Pool::start(PoolConfig { listen, ..config() });
    assert!(matches!(started, Err(PoolError::Listen { .. })));
    let without = std::thread::spawn(|| Pool::start(config()).map(|_| ())).join();
    assert!(matches!(without.unwrap(), Err(PoolError::NoRuntime)));
}

#[tokio::test]
async fn all_messages_are_recorded_those_of_the_handshake_too() {
    let (sender, mut packets) = mpsc::unbounded_channel();
    let mut recording = config();
    recording.session.capture = Some(crate::capture::Capture::new(move |packet| {
        let _ = sender.send(packet);
    }));
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(recording);
    a.connect(at(&b), Purpose::Manual);
    established(&mut at_a).await;
    established(&mut at_b).await;
    a.shut_down().await;
    b.shut_down().await;
    let mut names = Vec::new();
    while let Ok(packet) = packets.try_recv() {
        names.push((packet.direction.as_str(), packet.command.to_string()));
    }
    for (direction, name) in [
        ("sent", "version"),
        ("received", "verack"),
        ("sent", "ping"),
    ] {
        assert!(names.contains(&(direction, name.to_owned())), "{names:?}");
    }
}

#[tokio::test]
async fn callers_are_counted_before_their_tasks_run_and_nobody_is_evicted_twice() {
    const PLACES: usize = 60;
    let (pool, _events) = start(PoolConfig {
        incoming: PLACES,
        ..config()
    });
    let mut places = Vec::new();
    let mut refused = 0;
    for n in 0..100u8 {
        let caller = SocketAddr::from(([50 + n, 1, 2, 3], 8333)).into();
        match accept::judge(&pool.inner, &caller, None) {
            Ok(place) => places.push(place),
            Err(error) => {
                assert!(matches!(error, FailedReason::Full), "{error}");
                refused += 1;
            }
        }
        let callers = pool.inner.state().count(Purpose::Inbound);
        assert_eq!(callers, PLACES.min(usize::from(n) + 1));
    }
    assert!(places.len() > PLACES, "somebody makes room");
    assert_eq!(places.len() + refused, 100);
    assert_eq!(pool.inner.state().members.len(), places.len());
    places.clear();
    assert!(pool.inner.state().members.is_empty());
    pool.shut_down().await;
}

#[tokio::test]
async fn an_abandoned_pool_closes_everything_without_being_waited_for() {
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(config());
    a.connect(at(&b), Purpose::Manual);
    established(&mut at_a).await;
    established(&mut at_b).await;
    a.abandon();
    assert_eq!(lost(&mut at_b).await, LostReason::Closed);
    let end = async { while at_a.next().await.is_some() {} };
    timeout(LONG, end).await.unwrap();
    while !a.peers().is_empty() {
        tokio::task::yield_now().await;
    }
    let sent = a.traffic();
    assert!(sent.bytes_sent > 0 && sent == a.traffic());
    a.shut_down().await;
    b.shut_down().await;
}
