//! Pulls a whole chain from peers into a file, as fast as they send it.

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use everett_net::{Pool, PoolEvent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use chain::Chain;
use download::Download;
use file::ChainFile;
use options::{Options, close_capture, counted, news, report, say};

mod chain;
mod download;
mod file;
#[path = "../options/mod.rs"]
mod options;

/// Pull the chain from peers into a bootstrap.dat
///
/// Headers come first, then the blocks, asked of all peers that were named and written in the order of the chain. The file
/// is what `everett import` and Bitcoin Core's -loadblock read: for each block the network's magic, its length and its
/// bytes. Ctrl-C ends the run at any time; run again, it goes on where it was. If the peers have another chain meanwhile,
/// the blocks that are no longer on it are cut off.
///
/// Only headers are checked: that each has its work and follows the one before. Blocks are written as they come, unless
/// --check is given.
#[derive(Parser, Debug)]
#[command(after_help = "Examples:
  chain_pull --network regtest 127.0.0.1 --output bootstrap.dat
      the chain of a node of one's own
  chain_pull --network signet 10.0.0.1 10.0.0.2 10.0.0.3
      from three peers at once
  chain_pull --network signet 10.0.0.1
      after Ctrl-C: the rest, into the same file")]
struct Arguments {
    #[command(flatten)]
    options: Options,

    /// The file to write, or to go on with
    #[arg(long, short, value_name = "FILE", default_value = "bootstrap.dat")]
    output: PathBuf,

    /// Ask one peer for so many blocks ahead
    #[arg(long, value_name = "N", default_value_t = 128)]
    in_flight: usize,

    /// Give a peer up that sends none of the blocks it was asked for within so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,

    /// Stop at this height
    #[arg(long, value_name = "HEIGHT")]
    height: Option<usize>,

    /// Check that each block decodes and that its transactions are those of its header
    #[arg(long)]
    check: bool,

    /// Show no progress, only what came of it
    #[arg(long, short)]
    quiet: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    report(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> Result<()> {
    let options = &arguments.options;
    // First, so that a mistake leaves no files behind.
    let peers = options.peers().await?;
    let capture = options.open_capture()?;
    let (file, hashes) = ChainFile::open(&arguments.output, options.network)
        .with_context(|| format!("cannot go on with {}", arguments.output.display()))?;
    let had = hashes.len();
    let (pool, mut events) = Pool::start(options.pool(peers, capture.as_ref()))?;

    let bar = progress(arguments.quiet);
    let mut chain = Chain::new(hashes, options.network);
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let patience = Duration::from_secs(arguments.patience);
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut known = Vec::new();

    // First the headers, from one peer; the others wait.
    let started = Instant::now();
    let mut interrupted = false;
    while !chain.is_whole() {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tick.tick() => {
                chain.tick(&pool, patience);
                bar.set_message(format!("{} headers", chain.length()));
                continue;
            }
            _ = &mut interrupt => { interrupted = true; break }
        };
        let Some(event) = event else { break };
        if let Some(line) = news(&event) {
            // Also where nobody watches the bar.
            bar.suspend(|| eprintln!("{line}"));
        }
        match event {
            PoolEvent::Established(info) => {
                chain.connected(&pool, &info);
                known.push(info);
            }
            PoolEvent::Lost { peer, .. } => {
                chain.lost(peer);
                known.retain(|info| info.id != peer);
            }
            PoolEvent::Message(peer, message, _permit) => chain.received(&pool, peer, &message),
            _ => (),
        }
    }
    let headers = chain.new_headers();
    let took = started.elapsed().as_secs_f64();

    // Then the blocks, from all of them.
    let (kept, mut hashes, source) = chain.into_parts();
    hashes.truncate(
        arguments
            .height
            .map_or(usize::MAX, |height| height + 1)
            .max(kept),
    );
    if kept < had {
        let gone = counted((had - kept) as u64, "block");
        bar.suspend(|| eprintln!("no longer on the peers' chain, and cut off: {gone}"));
    }
    let writer = file.write_after(kept)?;
    let blocks = hashes.len() - kept;
    bar.set_length(blocks as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} blocks  {msg}  {eta} left",
    )?);
    let mut download = Download::new(hashes, kept, arguments.in_flight, writer, arguments.check);
    let started = Instant::now();
    for info in &known {
        download.connected(info, Some(info.id) == source);
    }
    let mut stopped = None;
    while !interrupted && !download.is_done() {
        download.ask(&pool);
        let event = tokio::select! {
            event = events.next() => event,
            _ = tick.tick() => {
                for peer in download.stalling(patience) {
                    pool.disconnect(peer, "it sent none of the blocks that it was asked for");
                }
                bar.set_position(download.written_blocks());
                let rate = download.received_bytes() as f64 / 1e6 / started.elapsed().as_secs_f64();
                bar.set_message(format!("{rate:.1} MB/s"));
                continue;
            }
            _ = &mut interrupt => { interrupted = true; break }
        };
        let Some(event) = event else { break };
        if let Some(line) = news(&event) {
            // Also where nobody watches the bar.
            bar.suspend(|| eprintln!("{line}"));
        }
        match event {
            PoolEvent::Established(info) => download.connected(&info, false),
            PoolEvent::Lost { peer, .. } => download.lost(peer),
            PoolEvent::Message(peer, message, _permit) => match download.received(peer, message) {
                Ok(Ok(())) => (),
                Ok(Err(why)) => _ = pool.disconnect(peer, why),
                Err(error) => {
                    stopped = Some(error);
                    break;
                }
            },
            _ => (),
        }
    }
    let bytes = download.received_bytes();
    let written = download.finish();
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    pool.shut_down().await;
    let (count, length) =
        written.with_context(|| format!("cannot write {}", arguments.output.display()))?;
    if let Some(error) = stopped {
        bail!(error);
    }
    say(format_args!(
        "{} in {took:.2} s; {}, {:.1} MB in {seconds:.2} s: {:.1} MB/s",
        counted(headers as u64, "header"),
        counted(count, "block"),
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds.max(1e-9)
    ));
    let name = arguments.output.display();
    match interrupted || count < blocks as u64 {
        true => say(format_args!(
            "{name} has {}; run again to go on",
            counted(kept as u64 + count, "block")
        )),
        false => say(format_args!(
            "{name} has the whole chain: {}, {length} bytes",
            counted(kept as u64 + count, "block")
        )),
    };
    close_capture(capture)
}

fn progress(quiet: bool) -> ProgressBar {
    let target = match quiet {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    ProgressBar::with_draw_target(None, target)
}
