//! With a real Bitcoin Core, whose `bitcoind` the environment variable `BITCOIND_EXE` names; without it these tests say
//! that they skip.

#[path = "../../tests/suites/src/ports.rs"]
pub mod ports;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use bitcoin::Network;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::GetHeadersMessage;
use bitcoin::p2p::{Magic, ServiceFlags};
use everett_net::{
    Connection, Endpoint, Pool, PoolConfig, PoolEvent, Purpose, SessionConfig, TransportVersion,
};
use ports::free_port;

/// Nothing here takes so long, however slow the machine.
const LONG: Duration = Duration::from_secs(60);

/// A node of regtest in a directory of its own; it ends with this.
struct Core {
    child: Child,
    rpc: u16,
    p2p: u16,
    directory: tempfile::TempDir,
}

impl Core {
    /// `None` without `BITCOIND_EXE`.
    fn start(options: &[&str]) -> Option<Core> {
        let Ok(program) = std::env::var("BITCOIND_EXE") else {
            eprintln!("skipped: BITCOIND_EXE names no bitcoind");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let (rpc, p2p) = (free_port(), free_port());
        let child = Process::new(program)
            .arg("-regtest")
            .arg(format!("-datadir={}", directory.path().display()))
            .arg(format!("-rpcport={rpc}"))
            .arg(format!("-bind=127.0.0.1:{p2p}"))
            .args([
                "-listen=1",
                "-dnsseed=0",
                "-fixedseeds=0",
                "-printtoconsole=0",
                "-debug=net",
            ])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let core = Core {
            child,
            rpc,
            p2p,
            directory,
        };
        let begun = Instant::now();
        while core.call("getblockcount", "").is_none() {
            assert!(begun.elapsed() < LONG, "bitcoind does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(core)
    }

    fn endpoint(&self) -> Endpoint {
        SocketAddr::from(([127, 0, 0, 1], self.p2p)).into()
    }

    /// What a call to its RPC answers, as text; `None` if it does not.
    fn call(&self, method: &str, parameters: &str) -> Option<String> {
        let cookie = self.directory.path().join("regtest/.cookie");
        let cookie = std::fs::read_to_string(Path::new(&cookie)).ok()?;
        let body = format!(r#"{{"method":"{method}","params":[{parameters}],"id":1}}"#);
        let mut stream = TcpStream::connect(("127.0.0.1", self.rpc)).ok()?;
        let login = data_encoding::BASE64.encode(cookie.as_bytes());
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.0\r\nAuthorization: Basic {login}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, result) = answer.split_once("\r\n\r\n")?;
        result
            .contains(r#""error":null"#)
            .then(|| result.to_owned())
    }

    /// Waits until its peers look like this.
    fn wait_for_peers(&self, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let begun = Instant::now();
        loop {
            let answer = self.call("getpeerinfo", "").unwrap();
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            if fits(&answer["result"]) {
                return answer["result"].clone();
            }
            assert!(begun.elapsed() < LONG, "{answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _ = self.call("stop", "");
        let _ = self.child.wait();
    }
}

fn config(v2: bool) -> SessionConfig {
    SessionConfig {
        v2,
        user_agent: "/everett-test:1/".into(),
        services: ServiceFlags::NETWORK | ServiceFlags::WITNESS | ServiceFlags::P2P_V2,
        start_height: 5,
        ..SessionConfig::new(Magic::REGTEST)
    }
}

async fn next(events: &mut everett_net::PoolEvents) -> PoolEvent {
    tokio::time::timeout(LONG, events.next())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_us_over_v2_and_v1_and_answers() {
    let Some(core) = Core::start(&[]) else {
        return;
    };
    for (v2, name, version) in [
        (true, "v2", TransportVersion::V2),
        (false, "v1", TransportVersion::V1),
    ] {
        let mut connection = Connection::open(core.endpoint(), config(v2)).await.unwrap();
        let info = connection.info().clone();
        assert_eq!(info.transport, version);
        assert!(info.wtxid_relay && info.addrv2);
        assert!(
            info.services
                .has(ServiceFlags::NETWORK | ServiceFlags::P2P_V2)
        );
        assert!(info.user_agent.starts_with("/Satoshi:"));
        let peers = core.wait_for_peers(|peers| peers[0]["minping"].is_number());
        let peer = &peers[0];
        assert_eq!(peer["transport_protocol_type"], name);
        assert_eq!(peer["subver"], "/everett-test:1/");
        assert_eq!(peer["inbound"], true);
        assert_eq!(peer["startingheight"].as_i64().unwrap_or(5), 5);
        if let Some(id) = info.session_id {
            let id = data_encoding::HEXLOWER.encode(&id);
            assert_eq!(peer["session_id"], id);
        }
        let genesis = bitcoin::constants::genesis_block(Network::Regtest).block_hash();
        let ask = GetHeadersMessage::new(vec![genesis], genesis);
        connection.send(NetworkMessage::GetHeaders(ask)).unwrap();
        loop {
            let message = connection.receive().await.unwrap();
            if message.command.as_str() == "headers" {
                break;
            }
        }
        assert!(connection.peer().counters().min_ping.is_some());
        connection.close().await;
        core.wait_for_peers(|peers| peers.as_array().is_some_and(Vec::is_empty));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_calls_us_and_v2_falls_back_to_a_core_that_speaks_v1_only() {
    let Some(core) = Core::start(&[]) else {
        return;
    };
    let mut called = PoolConfig::new(Network::Regtest);
    called.session = config(true);
    called.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    called.outgoing = 0;
    called.block_relay_only = 0;
    let (pool, mut events) = Pool::start(called).unwrap();
    let address = pool.listening()[0];
    for (v2, version) in [
        ("true", TransportVersion::V2),
        ("false", TransportVersion::V1),
    ] {
        let asked = core.call("addnode", &format!(r#""{address}","onetry",{v2}"#));
        assert!(asked.is_some());
        let PoolEvent::Established(info) = next(&mut events).await else {
            panic!("not established");
        };
        assert_eq!((info.transport, info.purpose), (version, Purpose::Inbound));
        assert_eq!(info.start_height, 0);
        core.wait_for_peers(|peers| peers[0]["version"] == 70_016);
        pool.disconnect(info.id, "next");
        while !matches!(next(&mut events).await, PoolEvent::Lost { .. }) {}
        core.wait_for_peers(|peers| peers.as_array().is_some_and(Vec::is_empty));
    }
    pool.shut_down().await;
    drop(core);

    let core = Core::start(&["-v2transport=0"]).unwrap();
    let connection = Connection::open(core.endpoint(), config(true)).await;
    let connection = connection.unwrap();
    assert_eq!(connection.info().transport, TransportVersion::V1);
    let mut calling = PoolConfig::new(Network::Regtest);
    calling.session = config(true);
    calling.connect = vec![core.endpoint()];
    let (pool, mut events) = Pool::start(calling).unwrap();
    let PoolEvent::Established(info) = next(&mut events).await else {
        panic!("not established");
    };
    assert_eq!(
        (info.transport, info.purpose),
        (TransportVersion::V1, Purpose::Manual)
    );
    core.wait_for_peers(|peers| peers.as_array().is_some_and(|peers| peers.len() == 2));
    pool.shut_down().await;
    core.wait_for_peers(|peers| peers.as_array().is_some_and(|peers| peers.len() == 1));
}
