//! GetBalance over loopback: calls per second, and CPU time of the server per call.
//!
//! The server is a process of its own, so that its CPU time can be told from the client's (Linux only: it is read from
//! `/proc`). `cargo bench -p everett-grpc --bench get_balance [-- SECONDS]`; both share the machine's cores.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use everett_proto::v1;
use everett_proto::v1::lab_service_client::LabServiceClient;
use everett_proto::v1::ledger_service_client::LedgerServiceClient;
use everett_proto::v1::script::Script as Named;
use everett_proto::v1::world_ref::Ref;
use tonic::transport::Channel;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Tells the process that it is the server.
const SERVER: &str = "EVERETT_BENCH_SERVER";
/// How long each figure is measured unless the command line says otherwise.
const DEFAULT_SECONDS: u64 = 5;
/// Blocks on the trunk, and on the rival branch above their fork.
const TRUNK: u32 = 200;
const RIVAL: u32 = 100;
/// `/proc` counts CPU time in these.
const TICK: Duration = Duration::from_millis(10);

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    if std::env::var_os(SERVER).is_some() {
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

/// A node that serves until its standard input ends.
async fn serve() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    let mut config = NodeConfig::new(ledger);
    config.lab = true;
    let grpc = Grpc::new(GrpcConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        ..GrpcConfig::default()
    });
    let address = grpc.bound_address();
    let node = Node::builder(config).frontend(grpc).start().await?;
    println!("{}", address.get().ok_or("the server is not bound")?);
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    node.stop().await;
    Ok(())
}

struct Server {
    process: Child,
    uri: String,
}

impl Server {
    fn start() -> Result<Server, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        let uri = format!("http://{}", address.trim());
        Ok(Server { process, uri })
    }

    fn stop(&mut self) -> Result<(), Failure> {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }

    /// CPU time that the server has used, where the system tells.
    fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // After the name in parentheses: user and system time are the 12th and 13th fields.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let user: u32 = fields.next()?.parse().ok()?;
        let system: u32 = fields.next()?.parse().ok()?;
        Some(TICK * (user + system))
    }
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

/// A script by a small number.
fn script(number: u8) -> Option<v1::Script> {
    Some(v1::Script {
        script: Some(Named::ScriptPubkey(vec![1, number])),
    })
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
