//! A server in a process of its own, so that what it costs can be told from what its client does.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Tells the process that it is the server.
const SERVER: &str = "EVERETT_BENCH_SERVER";
/// `/proc` counts CPU time in these.
const TICK: Duration = Duration::from_millis(10);

/// Whether this process is the server.
pub(crate) fn is_server() -> bool {
    std::env::var_os(SERVER).is_some()
}

/// A node that serves until its standard input ends.
pub(crate) async fn serve() -> Result<(), Failure> {
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

pub(crate) struct Server {
    process: Child,
    pub(crate) uri: String,
}

impl Server {
    pub(crate) fn start() -> Result<Server, Failure> {
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

    pub(crate) fn stop(&mut self) -> Result<(), Failure> {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }

    /// CPU time that the server has used, where the system tells.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // After the name in parentheses: user and system time are the 12th and 13th fields.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let user: u32 = fields.next()?.parse().ok()?;
        let system: u32 = fields.next()?.parse().ok()?;
        Some(TICK * (user + system))
    }

    /// Memory that the server has, in bytes, where the system tells.
    #[allow(dead_code, reason = "not every bench asks")]
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    }
}
