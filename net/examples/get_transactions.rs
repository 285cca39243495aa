//! Asks peers for every transaction that they announce, and prints each once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Network, Transaction, Txid, Wtxid};
use clap::Parser;
use everett_net::{PeerId, Pool, PoolEvent};
use options::{Options, close_capture, counted, end, news, report, say};

mod options;

/// Print the transactions that peers announce
///
/// Each transaction is asked of the first peer that announces it, and of the next one if that one does not answer. It is
/// printed once: its id, its virtual size, what it pays and to how many.
#[derive(Parser, Debug)]
#[command(after_help = "Examples:
  get_transactions --for 60
      a minute of the network's transactions, from peers that the seeds name
  get_transactions --network regtest 127.0.0.1 --json --count 1
      the next transaction of a node of one's own, as JSON")]
struct Arguments {
    #[command(flatten)]
    options: Options,

    /// Print JSON, an object a line, with the transaction's bytes
    #[arg(long)]
    json: bool,

    /// Ask for what is in the peers' pools already; most answer only those they trust, and hang up on others
    #[arg(long)]
    mempool: bool,

    /// Hold connections to so many peers
    #[arg(long, value_name = "N", default_value_t = 8)]
    peers_at_once: usize,

    /// End after so many transactions
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Transactions that are remembered, so that none is printed twice.
const MAX_SEEN: usize = 1_000_000;
/// Transactions that are asked for at once; what is announced beyond them is left out.
const MAX_ASKED: usize = 50_000;
/// How long a peer may take to send a transaction before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was asked for and not sent yet.
struct Asked {
    since: Duration,
    /// Others that announced it too, to be asked next.
    others: VecDeque<PeerId>,
}

#[derive(Default)]
struct Transactions {
    /// By what a peer announces: a txid or a wtxid, as bytes.
    seen: HashSet<[u8; 32]>,
    asked: HashMap<Inventory, Asked>,
}

impl Transactions {
    /// What to ask of a peer that announces these.
    fn wanted(&mut self, peer: PeerId, announced: &[Inventory], now: Duration) -> Vec<Inventory> {
        /// Peers that are remembered for one transaction.
        const MAX_OTHERS: usize = 8;
        let mut wanted = Vec::new();
        for inventory in announced {
            let (id, ask) = match inventory {
                Inventory::WTx(wtxid) => (wtxid.to_byte_array(), *inventory),
                Inventory::Transaction(txid) => {
                    (txid.to_byte_array(), Inventory::WitnessTransaction(*txid))
                }
                _ => continue,
            };
            if self.seen.contains(&id) {
                continue;
            }
            let is_full = self.asked.len() >= MAX_ASKED;
            match self.asked.get_mut(&ask) {
                Some(asked) if asked.others.len() < MAX_OTHERS => asked.others.push_back(peer),
                Some(_) => (),
                None if is_full => (),
                None => {
                    let others = VecDeque::new();
                    self.asked.insert(ask, Asked { since: now, others });
                    wanted.push(ask);
                }
            }
        }
        wanted
    }

    /// Whether a transaction is new.
    fn took(&mut self, txid: Txid, wtxid: Wtxid) -> bool {
        self.asked.remove(&Inventory::WTx(wtxid));
        self.asked.remove(&Inventory::WitnessTransaction(txid));
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        let is_new = self.seen.insert(wtxid.to_byte_array());
        self.seen.insert(txid.to_byte_array());
        is_new
    }

    /// Whom to ask again for what did not come.
    fn overdue(&mut self, now: Duration) -> Vec<(PeerId, Inventory)> {
        let mut again = Vec::new();
        self.asked.retain(|inventory, asked| {
            if now.saturating_sub(asked.since) < PATIENCE {
                return true;
            }
            asked.since = now;
            let next = asked.others.pop_front();
            again.extend(next.map(|peer| (peer, *inventory)));
            next.is_some()
        });
        again
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

    let mut transactions = Transactions::default();
    let mut end = pin!(end(arguments.seconds));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut count = 0;
    while arguments.count.is_none_or(|most| count < most) {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tick.tick() => {
                for (peer, inventory) in transactions.overdue(pool.now()) {
                    // Who is gone does not answer, and the one after it is asked in its turn.
                    let _ = pool.send(peer, NetworkMessage::GetData(vec![inventory]));
                }
                continue;
            }
            () = &mut end => break,
        };
        let Some(event) = event else { break };
        if let Some(line) = news(&event) {
            eprintln!("{line}");
        }
        match event {
            PoolEvent::Established(info) if arguments.mempool => {
                // Who is gone already is told of next.
                let _ = pool.send(info.id, NetworkMessage::MemPool);
            }
            PoolEvent::Message(peer, message, _permit) => match message.decode() {
                Ok(NetworkMessage::Inv(announced)) => {
                    let wanted = transactions.wanted(peer, &announced, pool.now());
                    if !wanted.is_empty() {
                        let _ = pool.send(peer, NetworkMessage::GetData(wanted));
                    }
                }
                Ok(NetworkMessage::Tx(transaction)) => {
                    let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
                    if transactions.took(txid, wtxid) {
                        count += 1;
                        if !print(&transaction, txid, arguments.json, options.network) {
                            break;
                        }
                    }
                }
                Ok(_) => (),
                Err(error) => _ = pool.disconnect(peer, error.to_string()),
            },
            _ => (),
        }
    }
    pool.shut_down().await;
    eprintln!("{}", counted(count, "transaction"));
    close_capture(capture)
}

fn print(transaction: &Transaction, txid: Txid, json: bool, network: Network) -> bool {
    let paid: u64 = transaction
        .output
        .iter()
        .map(|output| output.value.to_sat())
        .sum();
    let (size, inputs, outputs) = (
        transaction.vsize(),
        transaction.input.len(),
        transaction.output.len(),
    );
    if json {
        let hex = bitcoin::consensus::encode::serialize_hex(transaction);
        let line = serde_json::json!({
            "network": network.to_core_arg(), "txid": txid, "wtxid": transaction.compute_wtxid(), "vsize": size,
            "inputs": inputs, "outputs": outputs, "paid_sat": paid, "hex": hex,
        });
        return say(format_args!("{line}"));
    }
    let paid = bitcoin::Amount::from_sat(paid);
    say(format_args!(
        "{txid}  {size:6} vB  {inputs:3} in  {outputs:3} out  {paid}"
    ))
}
