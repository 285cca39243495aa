//! Figures of the pool on this machine, over loopback between two processes of this program:
//!
//! ```text
//! cargo run --release -p everett-net --example pool_figures
//! cargo run --release -p everett-net --example pool_figures -- 1000 10    connections, seconds
//! ```
//!
//! Memory and processor time are those of the process that holds the pool, read from `/proc`; the other process plays
//! the peers. Blocks are 1 MB of noise.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::time::{Duration, Instant};

use bitcoin::Network;
use bitcoin::p2p::Magic;
use everett_net::{
    Command, Connection, Endpoint, Message, Pool, PoolConfig, PoolEvent, PoolEvents, SessionConfig,
};

/// Blocks of one run, and their size in bytes.
const BLOCKS: usize = 500;
const BLOCK: usize = 1_000_000;

/// Announcements a second on each connection.
const INVS: u32 = 7;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, address, rest @ ..] = &arguments[..]
        && role == "peers"
    {
        return peers(address.parse()?, rest).await;
    }
    let number =
        |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let connections = number(0, 1_000)? as usize;
    let seconds = number(1, 10)?;
    for v2 in [false, true] {
        idle(connections, seconds, v2).await?;
    }
    for v2 in [false, true] {
        blocks(v2).await?;
    }
    Ok(())
}

fn start(incoming: usize) -> Outcome<(Pool, PoolEvents)> {
    let mut config = PoolConfig::new(Network::Regtest);
    config.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.incoming = incoming;
    config.outgoing = 0;
    config.block_relay_only = 0;
    Ok(Pool::start(config)?)
}

/// The other process; a line to its standard input starts its next act.
fn spawn(pool: &Pool, rest: &[String]) -> Outcome<(Child, ChildStdin)> {
    let mut child = Process::new(env::current_exe()?)
        .arg("peers")
        .arg(pool.listening()[0].to_string())
        .args(rest)
        .stdin(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take().ok_or("no pipe to the other process")?;
    Ok((child, stdin))
}

async fn idle(connections: usize, seconds: u64, v2: bool) -> Outcome<()> {
    let (pool, mut events) = start(connections)?;
    let before = resident()?;
    let arguments = [connections.to_string(), v2.to_string()];
    let (mut child, mut stdin) = spawn(&pool, &arguments)?;
    let begun = Instant::now();
    let mut established = 0;
    while established < connections {
        match events.next().await {
            Some(PoolEvent::Established(_)) => established += 1,
            Some(_) => {}
            None => return Err("the pool is gone".into()),
        }
    }
    let took = begun.elapsed();
    let (asleep, _) = over(Duration::from_secs(seconds), &mut events).await?;
    let each = resident()?.saturating_sub(before) / connections as u64;
    writeln!(stdin)?;
    over(Duration::from_secs(1), &mut events).await?;
    let (awake, came) = over(Duration::from_secs(seconds), &mut events).await?;
    let after = resident()?.saturating_sub(before) / connections as u64;
    println!(
        "{} {connections} connections: made in {:.1} s; {each} bytes each when idle, {after} after {} inv; \
         {:.2} % of a core when idle, {:.1} % at {:.0} inv/s",
        name(v2),
        took.as_secs_f64(),
        came,
        asleep * 100.0,
        awake * 100.0,
        came as f64 / seconds as f64,
    );
    drop(stdin);
    pool.shut_down().await;
    child.wait()?;
    Ok(())
}

/// Lets time pass; the part of a core that this process took, and the messages that came.
async fn over(time: Duration, events: &mut PoolEvents) -> Outcome<(f64, u64)> {
    let (begun, used) = (Instant::now(), processor_seconds()?);
    let mut came = 0;
    while let Some(left) = time.checked_sub(begun.elapsed()) {
        if let Ok(Some(PoolEvent::Message(..))) = tokio::time::timeout(left, events.next()).await {
            came += 1;
        }
    }
    let used = processor_seconds()? - used;
    Ok((used / begun.elapsed().as_secs_f64(), came))
}

async fn blocks(v2: bool) -> Outcome<()> {
    let (pool, mut events) = start(1)?;
    let (mut child, mut stdin) = spawn(&pool, &["blocks".to_owned(), v2.to_string()])?;
    while !matches!(events.next().await, Some(PoolEvent::Established(_))) {}
    writeln!(stdin)?;
    let mut came = 0;
    let mut begun = Instant::now();
    let mut used = processor_seconds()?;
    while came < BLOCKS {
        if let Some(PoolEvent::Message(_, message, _)) = events.next().await {
            assert_eq!(message.payload.len(), BLOCK);
            if came == 0 {
                begun = Instant::now();
                used = processor_seconds()?;
            }
            came += 1;
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} blocks of 1 MB: {:.0} MB/s; receiving takes {:.2} ms of a core for each",
        name(v2),
        (BLOCKS - 1) as f64 / took,
        (processor_seconds()? - used) * 1_000.0 / (BLOCKS - 1) as f64,
    );
    pool.shut_down().await;
    child.wait()?;
    Ok(())
}

/// The other process.
async fn peers(address: SocketAddr, rest: &[String]) -> Outcome<()> {
    let [act, v2] = rest else {
        return Err("an act, and whether v2".into());
    };
    let mut config = SessionConfig::new(Magic::REGTEST);
    config.v2 = v2 == "true";
    let endpoint = Endpoint::from(address);
    if act == "blocks" {
        let connection = Connection::open(endpoint, config).await?;
        wait_for_line().await?;
        let noise: Vec<u8> = (0..BLOCK as u32)
            .map(|n| (n * 2_654_435_761 >> 24) as u8)
            .collect();
        let block = Message::block(noise);
        for _ in 0..BLOCKS {
            connection.peer().drained().await;
            connection.send(block.clone())?;
        }
        let mut connection = connection;
        while connection.receive().await.is_ok() {}
        return Ok(());
    }
    let mut connections = Vec::new();
    for _ in 0..act.parse::<usize>()? {
        connections.push(Connection::open(endpoint.clone(), config.clone()).await?);
    }
    wait_for_line().await?;
    let inv = Command::new("inv").ok_or("no name")?;
    let payload = [&[1, 1, 0, 0, 0][..], &[7; 32]].concat();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / INVS);
    loop {
        ticks.tick().await;
        for connection in &connections {
            if connection.send(Message::new(inv, payload.clone())).is_err() {
                return Ok(());
            }
        }
    }
}

async fn wait_for_line() -> Outcome<()> {
    tokio::task::spawn_blocking(|| BufReader::new(std::io::stdin()).read_line(&mut String::new()))
        .await??;
    Ok(())
}

fn name(v2: bool) -> &'static str {
    if v2 { "v2" } else { "v1" }
}

/// Bytes of memory that this process has.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.ok_or("no VmRSS")?.parse::<u64>()? * 1_024)
}

/// Seconds of processor time that this process has taken; the system counts in hundredths.
fn processor_seconds() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().ok_or("no stat")?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || -> Outcome<f64> { Ok(times.next().ok_or("no times")?.parse()?) };
    Ok((next()? + next()?) / 100.0)
}
