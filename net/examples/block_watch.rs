//! Waits for blocks that peers announce, fetches each once, and prints it.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Amount, Block, BlockHash};
use clap::Parser;
use everett_net::{PeerId, Pool, PoolEvent};
use options::{Options, close_capture, counted, end, news, report, say};

mod options;

/// Print each block as peers announce it
///
/// A block is fetched from the first peer that announces it, and from the next one if that one does not send it. Its
/// proof of work and its transactions' root are checked, nothing else: it may still be invalid, or on a branch.
#[derive(Parser, Debug)]
#[command(after_help = "Examples:
  block_watch
      blocks of the network, from peers that the seeds name
  block_watch --network regtest 127.0.0.1 --txns --count 3
      the next three blocks of a node of one's own, with their transactions")]
struct Arguments {
    #[command(flatten)]
    options: Options,

    /// Print the transactions of each block as well
    #[arg(long)]
    txns: bool,

    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,

    /// Hold connections to so many peers
    #[arg(long, value_name = "N", default_value_t = 8)]
    peers_at_once: usize,

    /// End after so many blocks
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Blocks that are remembered, so that none is printed twice, and that are waited for.
const MAX_BLOCKS: usize = 10_000;
/// How long a peer may take to send a block before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// A block that was announced.
struct Announced {
    first: Duration,
    asked: Duration,
    peers: u32,
    /// Others that announced it, to be asked next.
    others: VecDeque<PeerId>,
    has_come: bool,
}

#[derive(Default)]
struct Blocks {
    announced: HashMap<BlockHash, Announced>,
    order: VecDeque<BlockHash>,
}

impl Blocks {
    /// Whether a block is to be asked of the peer that announces it.
    fn wants(&mut self, peer: PeerId, hash: BlockHash, now: Duration) -> bool {
        if let Some(known) = self.announced.get_mut(&hash) {
            known.peers += 1;
            if !known.has_come && known.others.len() < 8 {
                known.others.push_back(peer);
            }
            return false;
        }
        if self.order.len() >= MAX_BLOCKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.announced.remove(&oldest);
        }
        self.order.push_back(hash);
        self.announced.insert(
            hash,
            Announced {
                first: now,
                asked: now,
                peers: 1,
                others: VecDeque::new(),
                has_come: false,
            },
        );
        true
    }

    fn overdue(&mut self, now: Duration) -> Vec<(PeerId, BlockHash)> {
        let waiting = self.announced.iter_mut().filter(|(_, it)| !it.has_come);
        let late = waiting.filter(|(_, it)| now.saturating_sub(it.asked) > PATIENCE);
        late.filter_map(|(hash, it)| {
            it.asked = now;
            it.others.pop_front().map(|peer| (peer, *hash))
        })
        .collect()
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
    peers.truncate(arguments.peers_at_once);
    let (pool, mut events) = Pool::start(options.pool(peers, capture.as_ref()))?;
    let ask = |peer: PeerId, hash: BlockHash| {
        // A peer that is gone sends nothing; the next one is asked when its time is over.
        let _ = pool.send(
            peer,
            NetworkMessage::GetData(vec![Inventory::WitnessBlock(hash)]),
        );
    };

    let mut blocks = Blocks::default();
    let mut end = pin!(end(arguments.seconds));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut count = 0;
    while arguments.count.is_none_or(|most| count < most) {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tick.tick() => {
                blocks.overdue(pool.now()).into_iter().for_each(|(peer, hash)| ask(peer, hash));
                continue;
            }
            () = &mut end => break,
        };
        let Some(event) = event else { break };
        if let Some(line) = news(&event) {
            eprintln!("{line}");
        }
        let PoolEvent::Message(peer, message, _permit) = event else {
            continue;
        };
        match message.decode() {
            Ok(NetworkMessage::Inv(announced)) => {
                for inventory in announced {
                    if let Inventory::Block(hash) = inventory
                        && blocks.wants(peer, hash, pool.now())
                    {
                        ask(peer, hash);
                    }
                }
            }
            Ok(NetworkMessage::Block(block)) => {
                let hash = block.block_hash();
                let Some(known) = blocks.announced.get_mut(&hash).filter(|it| !it.has_come) else {
                    continue;
                };
                let target = block.header.target();
                if block.header.validate_pow(target).is_err() || !block.check_merkle_root() {
                    pool.disconnect(peer, "it sent a block that is none");
                    continue;
                }
                known.has_come = true;
                count += 1;
                let took = pool.now().saturating_sub(known.first);
                if !print(&block, took, known.peers, &arguments) {
                    break;
                }
            }
            Ok(_) => (),
            Err(error) => _ = pool.disconnect(peer, error.to_string()),
        }
    }
    pool.shut_down().await;
    eprintln!("{}", counted(count, "block"));
    close_capture(capture)
}

/// The height that a block says in its coinbase (BIP34); the first sixteen say it with an opcode of their own.
fn height(block: &Block) -> Option<u64> {
    let said = block.coinbase()?.input.first()?.script_sig.as_bytes();
    match said.first()? {
        small @ 0x51..=0x60 => Some(u64::from(small - 0x50)),
        _ => block.bip34_block_height().ok(),
    }
}

fn print(block: &Block, took: Duration, peers: u32, arguments: &Arguments) -> bool {
    let (hash, parent) = (block.block_hash(), block.header.prev_blockhash);
    let height = height(block);
    let (size, count) = (block.total_size(), block.txdata.len());
    let milliseconds = took.as_millis() as u64;
    let paid =
        |it: &bitcoin::Transaction| -> u64 { it.output.iter().map(|out| out.value.to_sat()).sum() };
    if arguments.json {
        let mut line = serde_json::json!({
            "hash": hash, "parent": parent, "height": height, "time": block.header.time, "bytes": size,
            "transactions": count, "fetched_ms": milliseconds, "announced_by": peers,
        });
        if arguments.txns {
            let all = block.txdata.iter().map(|it| {
                serde_json::json!({"txid": it.compute_txid(), "vsize": it.vsize(), "paid_sat": paid(it)})
            });
            line["txns"] = all.collect();
        }
        return say(format_args!("{line}"));
    }
    let transactions = counted(count as u64, "transaction");
    let height = height.map_or("?".to_owned(), |height| height.to_string());
    let mut goes_on = say(format_args!(
        "{hash}  height {height}  {transactions}  {size} bytes  fetched in {milliseconds} ms"
    ));
    for it in block.txdata.iter().filter(|_| arguments.txns) {
        let paid = Amount::from_sat(paid(it));
        goes_on &= say(format_args!(
            "  {}  {:6} vB  {paid}",
            it.compute_txid(),
            it.vsize()
        ));
    }
    goes_on
}
