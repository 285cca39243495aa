//! Holds up to a thousand connections and writes down when each transaction and block was announced, and by how many.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use clap::Parser;
use everett_net::address_book::GOSSIP_PENALTY;
use everett_net::{Endpoint, PeerId, Pool, PoolEvent, seeds};
use options::{Options, close_capture, counted, end, news, report};

mod options;

/// Write down when each transaction and block was first announced, and how it spread
///
/// Connections are held to as many peers as --connections says. For each item a line tells when it was first announced,
/// by whom, how many peers announced it within the window after that, and how long half and nine tenths of them took.
/// Without peers on the command line the seeds are asked, and then the peers themselves for more.
#[derive(Parser, Debug)]
#[command(after_help = "Examples:
  inv_tracker --output items.csv
      a thousand peers of the network, until Ctrl-C
  inv_tracker --network regtest 127.0.0.1 127.0.0.2 --format jsonl --window 5 --for 60
      a minute with nodes of one's own

Columns: kind (tx, wtx, block), id, first_ms (Unix time), first_peer, peers, p50_ms, p90_ms, last_ms (after the first).
With --announcements a line is kind, id, seen_ms, peer.")]
struct Arguments {
    #[command(flatten)]
    options: Options,

    /// Hold so many connections
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    connections: usize,

    /// What to write: csv, or jsonl for an object a line
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    format: Format,

    /// Where to write; standard output unless it is given
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Count announcements for so many seconds after an item's first
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    window: u64,

    /// Write a line for each announcement at once, instead of one for each item
    #[arg(long)]
    announcements: bool,

    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// Items whose window is open; beyond it the oldest is written early.
const MAX_ITEMS: usize = 200_000;
/// Items that are remembered after they were written, so that a late announcement begins no new one.
const MAX_WRITTEN: usize = 1_000_000;

/// An item that was announced.
struct Item {
    first: Duration,
    first_peer: Endpoint,
    /// Who announced it; a peer counts once.
    peers: HashSet<PeerId>,
    /// How long after the first each did, in the order in which they came.
    delays: Vec<Duration>,
}

struct Tracker {
    window: Duration,
    items: HashMap<Inventory, Item>,
    order: VecDeque<Inventory>,
    written: HashSet<Inventory>,
    announcements: u64,
    count: u64,
    each: bool,
    format: Format,
    /// The Unix time when the pool's clock began.
    epoch: Duration,
    output: Box<dyn Write>,
}

fn kind(inventory: &Inventory) -> Option<(&'static str, String)> {
    match inventory {
        Inventory::Transaction(txid) => Some(("tx", txid.to_string())),
        Inventory::WTx(wtxid) => Some(("wtx", wtxid.to_string())),
        Inventory::Block(hash) => Some(("block", hash.to_string())),
        _ => None,
    }
}

impl Tracker {
    fn heading(&mut self) -> io::Result<()> {
        match (self.format, self.each) {
            (Format::Jsonl, _) => Ok(()),
            (Format::Csv, true) => writeln!(self.output, "kind,id,seen_ms,peer"),
            (Format::Csv, false) => {
                writeln!(
                    self.output,
                    "kind,id,first_ms,first_peer,peers,p50_ms,p90_ms,last_ms"
                )
            }
        }
    }

    fn announced(
        &mut self,
        inventory: Inventory,
        peer: PeerId,
        from: &Endpoint,
        now: Duration,
    ) -> io::Result<()> {
        if self.written.contains(&inventory) || kind(&inventory).is_none() {
            return Ok(());
        }
        let item = match self.items.entry(inventory) {
            Entry::Occupied(item) => item.into_mut(),
            Entry::Vacant(place) => {
                self.order.push_back(inventory);
                place.insert(Item {
                    first: now,
                    first_peer: from.clone(),
                    peers: HashSet::new(),
                    delays: Vec::new(),
                })
            }
        };
        if !item.peers.insert(peer) {
            return Ok(());
        }
        item.delays.push(now.saturating_sub(item.first));
        self.announcements += 1;
        if self.each {
            self.write_announcement(&inventory, from, now)?;
        }
        if self.items.len() > MAX_ITEMS {
            self.close_oldest()?;
        }
        Ok(())
    }

    /// Writes the items whose window is over, or all of them.
    fn close(&mut self, now: Option<Duration>) -> io::Result<()> {
        while let Some(oldest) = self.order.front().and_then(|it| self.items.get(it)) {
            if now.is_some_and(|now| now < oldest.first + self.window) {
                break;
            }
            self.close_oldest()?;
        }
        self.output.flush()
    }

    fn close_oldest(&mut self) -> io::Result<()> {
        let Some(inventory) = self.order.pop_front() else {
            return Ok(());
        };
        if self.written.len() >= MAX_WRITTEN {
            self.written.clear();
        }
        self.written.insert(inventory);
        self.count += 1;
        match self.items.remove(&inventory) {
            Some(item) if !self.each => self.write_item(&inventory, &item),
            _ => Ok(()),
        }
    }

    fn unix_ms(&self, time: Duration) -> u64 {
        (self.epoch + time).as_millis() as u64
    }

    fn write_item(&mut self, inventory: &Inventory, item: &Item) -> io::Result<()> {
        let Some((kind, id)) = kind(inventory) else {
            return Ok(());
        };
        let after = |part: usize| {
            let place = (item.delays.len() * part).div_ceil(100).max(1) - 1;
            item.delays
                .get(place)
                .map_or(0.0, |delay| delay.as_secs_f64() * 1_000.0)
        };
        let (first, peer, peers) = (
            self.unix_ms(item.first),
            &item.first_peer,
            item.delays.len(),
        );
        let [p50, p90, last] = [after(50), after(90), after(100)];
        match self.format {
            Format::Csv => writeln!(
                self.output,
                "{kind},{id},{first},{peer},{peers},{p50:.1},{p90:.1},{last:.1}"
            ),
            Format::Jsonl => writeln!(
                self.output,
                "{}",
                serde_json::json!({
                    "kind": kind, "id": id, "first_ms": first, "first_peer": peer.to_string(), "peers": peers,
                    "p50_ms": p50, "p90_ms": p90, "last_ms": last,
                })
            ),
        }
    }

    fn write_announcement(
        &mut self,
        inventory: &Inventory,
        peer: &Endpoint,
        now: Duration,
    ) -> io::Result<()> {
        let Some((kind, id)) = kind(inventory) else {
            return Ok(());
        };
        let seen = self.unix_ms(now);
        match self.format {
            Format::Csv => writeln!(self.output, "{kind},{id},{seen},{peer}"),
            Format::Jsonl => writeln!(
                self.output,
                "{}",
                serde_json::json!({"kind": kind, "id": id, "seen_ms": seen, "peer": peer.to_string()})
            ),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    report(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> Result<()> {
    let options = &arguments.options;
    let mut peers = options.peers().await?;
    let capture = options.open_capture()?;
    peers.truncate(arguments.connections);
    let mut config = options.pool(peers.clone(), capture.as_ref());
    config.calls_at_once = 128;
    if options.named() == 0 {
        // The seeds' peers are where it begins; the pool looks for more among those that they know.
        config.connect.clear();
        config.outgoing = arguments.connections;
        config.block_relay_only = 0;
        config.one_per_group = false;
        config.dns_seeds = seeds::dns_seeds(options.network)
            .iter()
            .map(|it| (*it).to_owned())
            .collect();
        config.fixed_seeds = true;
    }
    let output: Box<dyn Write> = match &arguments.output {
        Some(path) => {
            let file = std::fs::File::create(path);
            Box::new(BufWriter::new(
                file.with_context(|| format!("cannot write {}", path.display()))?,
            ))
        }
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let (pool, mut events) = Pool::start(config)?;
    let unix = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut tracker = Tracker {
        window: Duration::from_secs(arguments.window),
        items: HashMap::new(),
        order: VecDeque::new(),
        written: HashSet::new(),
        announcements: 0,
        count: 0,
        each: arguments.announcements,
        format: arguments.format,
        epoch: unix.saturating_sub(pool.now()),
        output,
    };
    let mut endpoints: HashMap<PeerId, Endpoint> = HashMap::new();
    let mut end = pin!(end(arguments.seconds));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut ticks = 0;
    // Who reads our output may have gone: that ends the run as Ctrl-C does.
    let mut written = tracker.heading();
    while written.is_ok() {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tick.tick() => {
                written = tracker.close(Some(pool.now()));
                ticks += 1;
                if ticks % 10 == 0 {
                    eprintln!(
                        "{}, {}, {}",
                        counted(endpoints.len() as u64, "connection"),
                        counted(tracker.count + tracker.items.len() as u64, "item"),
                        counted(tracker.announcements, "announcement")
                    );
                }
                continue;
            }
            () = &mut end => break,
        };
        let Some(event) = event else { break };
        // Of a thousand that are found, most cannot be reached.
        if options.named() > 0
            && let Some(line) = news(&event)
        {
            eprintln!("{line}");
        }
        match event {
            PoolEvent::Established(info) => {
                if options.named() == 0 && endpoints.len() < arguments.connections {
                    let _ = pool.send(info.id, NetworkMessage::GetAddr);
                }
                endpoints.insert(info.id, info.endpoint);
            }
            PoolEvent::Lost { peer, .. } => _ = endpoints.remove(&peer),
            PoolEvent::Message(peer, message, _permit) => {
                let now = pool.now();
                let Some(from) = endpoints.get(&peer) else {
                    continue;
                };
                let unix = unix.as_secs() + now.as_secs();
                match message.decode() {
                    Ok(NetworkMessage::Inv(announced)) => {
                        for inventory in announced {
                            written = tracker.announced(inventory, peer, from, now);
                            if written.is_err() {
                                break;
                            }
                        }
                    }
                    Ok(NetworkMessage::AddrV2(heard)) if heard.len() <= 1_000 => {
                        pool.address_book().add(&heard, from, GOSSIP_PENALTY, unix);
                    }
                    Ok(NetworkMessage::Addr(heard)) if heard.len() <= 1_000 => {
                        let heard = heard
                            .iter()
                            .map(|(time, it)| Endpoint::from(it).to_message(*time, it.services));
                        let heard: Vec<_> = heard.collect();
                        pool.address_book().add(&heard, from, GOSSIP_PENALTY, unix);
                    }
                    Ok(_) => (),
                    Err(error) => _ = pool.disconnect(peer, error.to_string()),
                }
            }
            _ => (),
        }
    }
    let _ = written.and_then(|()| tracker.close(None));
    eprintln!(
        "{}, {}",
        counted(tracker.count, "item"),
        counted(tracker.announcements, "announcement")
    );
    pool.shut_down().await;
    close_capture(capture)
}
