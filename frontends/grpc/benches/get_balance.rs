//! GetBalance over loopback: calls per second, and CPU time of the server per call.
//!
//! The server is a process of its own, so that its CPU time can be told from the client's (Linux only: it is read from
//! `/proc`). `cargo bench -p everett-grpc --bench get_balance [-- SECONDS]`; both share the machine's cores.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everett_proto::v1;
use everett_proto::v1::lab_service_client::LabServiceClient;
use everett_proto::v1::ledger_service_client::LedgerServiceClient;
use everett_proto::v1::script::Script as Named;
use everett_proto::v1::world_ref::Ref;
use tonic::transport::Channel;

use crate::support::{Failure, Server, is_server, serve};

/// How long each figure is measured unless the command line says otherwise.
const DEFAULT_SECONDS: u64 = 5;
/// Blocks on the trunk, and on the rival branch above their fork.
const TRUNK: u32 = 200;
const RIVAL: u32 = 100;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    if is_server() {
        return runtime.block_on(serve());
    }
    let seconds = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(DEFAULT_SECONDS);
    let mut server = Server::start()?;
    let outcome = runtime.block_on(measure(&server, Duration::from_secs(seconds)));
    server.stop()?;
    outcome
}

async fn measure(server: &Server, time: Duration) -> Result<(), Failure> {
    let rival = make_history(server).await?;
    println!("world   connections  in flight  calls/s  latency us  server CPU us/call");
    for (name, hash) in [("best", None), ("rival", Some(rival))] {
        for (connections, in_flight) in [(1, 1), (1, 16), (2, 32)] {
            let request = v1::GetBalanceRequest {
                world: hash.clone().map(|hash| v1::WorldRef {
                    r#ref: Some(Ref::BlockHash(hash)),
                }),
                script: script(2),
            };
            let cpu = server.cpu_time();
            let begin = Instant::now();
            let calls = load(server, connections, in_flight, request, time).await?;
            let elapsed = begin.elapsed();
            let cpu = match (cpu, server.cpu_time()) {
                (Some(before), Some(after)) => {
                    format!("{:.1}", (after - before).as_secs_f64() * 1e6 / calls as f64)
                }
                _ => "not told".to_owned(),
            };
            let rate = calls as f64 / elapsed.as_secs_f64();
            let latency = f64::from(connections * in_flight) * 1e6 / rate;
            println!(
                "{name:<7} {connections:>11} {in_flight:>10} {rate:>8.0} {latency:>11.0} {cpu:>19}"
            );
        }
    }
    Ok(())
}

/// Two branches; the tip of the one that is behind.
async fn make_history(server: &Server) -> Result<String, Failure> {
    let mut lab = LabServiceClient::connect(server.uri.clone()).await?;
    let mut request = v1::MineBlocksRequest {
        count: TRUNK,
        payout: script(1),
        ..Default::default()
    };
    let trunk = lab.mine_blocks(request.clone()).await?.into_inner();
    request.count = RIVAL;
    request.payout = script(2);
    lab.mine_blocks(request.clone()).await?;
    request.count = RIVAL - 1;
    request.parent = trunk.world.map(|world| v1::WorldRef {
        r#ref: Some(Ref::BlockHash(world.tip_hash)),
    });
    let rival = lab.mine_blocks(request).await?.into_inner();
    Ok(rival.world.ok_or("the rival has no world")?.tip_hash)
}

/// Calls made in `time` with so many always in flight.
async fn load(
    server: &Server,
    connections: u32,
    in_flight: u32,
    request: v1::GetBalanceRequest,
    time: Duration,
) -> Result<u64, Failure> {
    let calls = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for _ in 0..connections {
        let channel = Channel::from_shared(server.uri.clone())?.connect().await?;
        for _ in 0..in_flight {
            let mut client = LedgerServiceClient::new(channel.clone());
            let (calls, over, request) = (calls.clone(), over.clone(), request.clone());
            callers.push(tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    client.get_balance(request.clone()).await?;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), Failure>(())
            }));
        }
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    Ok(calls.load(Ordering::Relaxed))
}

/// A script by a small number.
fn script(number: u8) -> Option<v1::Script> {
    Some(v1::Script {
        script: Some(Named::ScriptPubkey(vec![1, number])),
    })
}
