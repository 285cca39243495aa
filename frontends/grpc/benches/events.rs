//! Event streams over loopback: how long after a block was accepted a client knows of it, and what streams cost.
//!
//! `cargo bench -p everett-grpc --bench events [-- latency|streams]`. The first figure is taken in one process, from the
//! moment at which the ledger says that the block is durable; for the second the server is a process of its own, so that
//! its memory and CPU time can be told from the clients' (Linux only: read from `/proc`).

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use everett_proto::v1;
use everett_proto::v1::event_service_client::EventServiceClient;
use everett_proto::v1::lab_service_client::LabServiceClient;
use everett_proto::v1::stream_events_response::Message;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::support::{Failure, Server, is_server, serve};

/// Blocks whose way to the client is timed.
const BLOCKS: usize = 2_000;
/// Streams that are open at once, and connections that they share.
const STREAMS: usize = 1_000;
const CONNECTIONS: usize = 20;
/// Blocks that all streams are told of.
const TOLD: u32 = 100;
/// How long an event may take to arrive before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    if is_server() {
        return runtime.block_on(serve());
    }
    let part = std::env::args()
        .skip(1)
        .find(|argument| argument != "--bench");
    let wanted = |name| part.as_deref().is_none_or(|part| part == name);
    if wanted("latency") {
        runtime.block_on(latency())?;
    }
    if wanted("streams") {
        let mut server = Server::start()?;
        let outcome = runtime.block_on(streams(&server));
        server.stop()?;
        outcome?;
    }
    Ok(())
}

/// From the moment at which a block is durable to the one at which a client holds its event.
async fn latency() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    let grpc = Grpc::new(GrpcConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        ..GrpcConfig::default()
    });
    let address = grpc.bound_address();
    let node = Node::builder(NodeConfig::new(ledger))
        .frontend(grpc)
        .start()
        .await?;
    let address = address.get().ok_or("the server is not bound")?;
    let channel = Channel::from_shared(format!("http://{address}"))?
        .connect()
        .await?;
    let mut events = follow(channel).await?;
    let (sender, mut received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Some(hash)) = next_best(&mut events).await {
            let _ = sender.send((hash, Instant::now()));
        }
    });
    let handle = node.handle();
    let (mut after, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        let block = handle
            .read(|ledger| {
                let payout = bitcoin::ScriptBuf::from_bytes(vec![0x51]);
                everett_scenario::mine(ledger, &ledger.best(), vec![], &payout, None)
            })
            .await??;
        let handed_in = Instant::now();
        let accepted = handle
            .submit(move |ledger| ledger.submit_block(&block).map(|_| Instant::now()))
            .await??;
        let best = handle.ledger().best().hash().to_string();
        let (hash, at) = tokio::time::timeout(PATIENCE, received.recv())
            .await?
            .ok_or("the stream ended")?;
        if hash != best {
            return Err(format!("{hash} was told, {best} is the best").into());
        }
        after.push(at.saturating_duration_since(accepted));
        whole.push(at.duration_since(handed_in));
    }
    println!("{BLOCKS} blocks, one stream          p50          p99          most");
    line("accepted to event in the client", &mut after);
    line("handed in to event in the client", &mut whole);
    node.stop().await;
    Ok(())
}

fn line(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{what:<34} {:>9.3?} {:>12.3?} {:>12.3?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// A stream of changes of the best chain from now on; open when this returns.
async fn follow(channel: Channel) -> Result<Streaming<v1::StreamEventsResponse>, Failure> {
    let request = v1::StreamEventsRequest {
        kinds: vec![v1::EventKind::BestChanged.into()],
        ..Default::default()
    };
    let answer = EventServiceClient::new(channel)
        .stream_events(request)
        .await?;
    Ok(answer.into_inner())
}

/// The block that the next event leads to; `None` at the stream's end.
async fn next_best(
    events: &mut Streaming<v1::StreamEventsResponse>,
) -> Result<Option<String>, Failure> {
    while let Some(message) = events.message().await? {
        if let Some(Message::Event(event)) = message.message {
            return Ok(Some(event.to_hash));
        }
    }
    Ok(None)
}

/// What a thousand streams cost the server in memory, and in CPU time for each block that they are told of.
async fn streams(server: &Server) -> Result<(), Failure> {
    let mut lab = LabServiceClient::connect(server.uri.clone()).await?;
    let one = v1::MineBlocksRequest {
        count: 1,
        ..Default::default()
    };
    // What a block costs by itself, with nobody listening.
    let cpu = server.cpu_time();
    for _ in 0..TOLD {
        lab.mine_blocks(one.clone()).await?;
    }
    let alone = spent(server, cpu);
    let before = server.resident_bytes();
    let told = Arc::new(AtomicU64::new(0));
    for _ in 0..CONNECTIONS {
        let channel = Channel::from_shared(server.uri.clone())?.connect().await?;
        for _ in 0..STREAMS / CONNECTIONS {
            let mut events = follow(channel.clone()).await?;
            let told = told.clone();
            tokio::spawn(async move {
                while let Ok(Some(_)) = next_best(&mut events).await {
                    told.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    let open = server.resident_bytes();
    let cpu = server.cpu_time();
    let began = Instant::now();
    let mut spread = Vec::new();
    for number in 1..=u64::from(TOLD) {
        lab.mine_blocks(one.clone()).await?;
        let mined = Instant::now();
        while told.load(Ordering::Relaxed) < number * STREAMS as u64 {
            if mined.elapsed() > PATIENCE {
                return Err("events did not arrive".into());
            }
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        spread.push(mined.elapsed());
    }
    let took = began.elapsed();
    let with = spent(server, cpu);
    println!("{STREAMS} streams over {CONNECTIONS} connections, {TOLD} blocks in {took:.2?}");
    let mib =
        |bytes: Option<u64>| bytes.map_or(f64::NAN, |bytes| bytes as f64 / f64::from(1 << 20));
    println!(
        "server's memory: {:.1} MiB before, {:.1} MiB with all open, {:.1} MiB after; {:.1} KiB a stream",
        mib(before),
        mib(open),
        mib(server.resident_bytes()),
        (mib(open) - mib(before)) * 1024.0 / STREAMS as f64
    );
    let per_block = |cpu: Option<Duration>| {
        cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e3 / f64::from(TOLD))
    };
    println!(
        "server's CPU a block: {:.2} ms with nobody listening, {:.2} ms with all: {:.1} us an event",
        per_block(alone),
        per_block(with),
        (per_block(with) - per_block(alone)) * 1e3 / STREAMS as f64
    );
    line("block mined to the last stream", &mut spread);
    Ok(())
}

fn spent(server: &Server, since: Option<Duration>) -> Option<Duration> {
    Some(server.cpu_time()? - since?)
}
