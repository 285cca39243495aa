//! A node on loopback: how fast it takes headers, how fast it takes blocks, how soon a block is with all its peers.
//!
//! `cargo bench -p everett-p2p --bench network [-- headers|blocks|relay]`. With `BITCOIND_EXE`, blocks are also fetched
//! from Bitcoin Core, by the node and by nobody but a reader of the socket, side by side.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bitcoin::p2p::Magic;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_compact_blocks::SendCmpct;
use bitcoin::{BlockHash, Network};
use everett_ledger::Ledger;
use everett_net::{Connection, Endpoint, SessionConfig};
use everett_tests::big_chain;
use everett_tests::bitcoind::Bitcoind;
use everett_tests::false_peer::{Behaviour, FalseChain, FalsePeer};
use everett_tests::p2p_node::{P2pNode, ledger_config, on_loopback};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Headers of the chain whose headers are timed.
const HEADERS: u32 = 200_000;
/// Blocks whose download is timed, and bytes of each.
const BLOCKS: u32 = 400;
const SIZE: usize = 1_000_000;
/// Blocks that are relayed, and to how many peers each.
const RELAYED: u32 = 20;
const PEERS: usize = 100;
/// Runs of each; the median is told.
const RUNS: usize = 3;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.find(|argument| argument != "--bench");
    let wanted = |name| part.as_deref().is_none_or(|part| part == name);
    if wanted("headers") {
        headers();
    }
    if wanted("blocks") {
        blocks()?;
    }
    if wanted("relay") {
        relay()?;
    }
    Ok(())
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// From the call to the last header in the tree. No block is delivered.
fn headers() {
    let chain = FalseChain::headers_only(HEADERS);
    let tip = chain.tip();
    let run = |_| {
        let peer = FalsePeer::start(chain.clone(), Behaviour::Stalls);
        let node = P2pNode::start(on_loopback());
        let began = Instant::now();
        node.call(peer.address());
        node.wait_until("it has the headers", |node| {
            node.ledger().header(&tip).is_some()
        });
        f64::from(HEADERS) / began.elapsed().as_secs_f64()
    };
    let rate = median((0..RUNS).map(run).collect());
    println!("headers: {rate:.0} a second, {HEADERS} of them from one peer, stored");
}

/// From the call to the best world at the tip; the blocks are nearly all bytes that need no validation.
fn blocks() -> Result<(), Failure> {
    let origin = tempfile::tempdir()?;
    let ledger = Ledger::open(ledger_config(origin.path()))?;
    big_chain::mine(&ledger, 100, 0, 0);
    big_chain::mine(&ledger, BLOCKS, SIZE, 1);
    let tip = ledger.best().hash();
    let chain = FalseChain::of(&ledger, 100 + BLOCKS);
    drop(ledger);
    let megabytes = f64::from(BLOCKS) * SIZE as f64 / 1e6;
    let pull = |v2: bool, address: SocketAddr| {
        let node = P2pNode::start(everett_p2p::P2pConfig {
            v2,
            ..on_loopback()
        });
        let began = Instant::now();
        node.call(address);
        node.wait_until("it has the blocks", |node| {
            node.ledger().best().hash() == tip
        });
        megabytes / began.elapsed().as_secs_f64()
    };
    let everett = P2pNode::start_in(origin, on_loopback());
    for (transport, v2) in [("v1", false), ("v2", true)] {
        let rate = median((0..RUNS).map(|_| pull(v2, everett.address())).collect());
        println!("blocks: {rate:.0} MB/s from one Everett over {transport}, into the best world");
    }
    drop(everett);
    let quick = FalsePeer::start(chain, Behaviour::Answers);
    let rate = median((0..RUNS).map(|_| pull(false, quick.address())).collect());
    println!("blocks: {rate:.0} MB/s from a peer that has them in memory, over v1");
    let Some(program) = std::env::var_os("BITCOIND_EXE") else {
        println!("blocks: BITCOIND_EXE names no Bitcoin Core to fetch them from");
        return Ok(());
    };
    let core = Bitcoind::start(program.as_ref(), &[]);
    core.call("addnode", &[&quick.address().to_string(), "add"]);
    core.wait_until("it has the chain", |core| {
        core.best_hash() == tip.to_string()
    });
    let runtime = Runtime::new()?;
    for (transport, v2) in [("v1", false), ("v2", true)] {
        let node = median((0..RUNS).map(|_| pull(v2, core.p2p())).collect());
        let mut bare = Vec::new();
        for _ in 0..RUNS {
            bare.push(megabytes / runtime.block_on(read_blocks(core.p2p(), v2))?.as_secs_f64());
        }
        let bare = median(bare);
        println!(
            "blocks: {node:.0} MB/s from Bitcoin Core over {transport}; who only reads them gets {bare:.0} ({:.0} %)",
            100.0 * node / bare
        );
    }
    Ok(())
}

fn session(v2: bool) -> SessionConfig {
    SessionConfig {
        v2,
        ..SessionConfig::new(Magic::from(Network::Regtest))
    }
}

/// Headers, then all blocks with sixteen on the way, and nothing done with them.
async fn read_blocks(address: SocketAddr, v2: bool) -> Result<Duration, Failure> {
    let began = Instant::now();
    let mut connection = Connection::open(Endpoint::from(address), session(v2)).await?;
    let genesis = bitcoin::constants::genesis_block(Network::Regtest).block_hash();
    connection.send(NetworkMessage::GetHeaders(GetHeadersMessage {
        version: 70016,
        locator_hashes: vec![genesis],
        stop_hash: bitcoin::hashes::Hash::all_zeros(),
    }))?;
    let mut wanted = Vec::<BlockHash>::new().into_iter();
    let mut open = 0;
    loop {
        let message = connection.receive().await?;
        match message.command.as_str() {
            "headers" => {
                let NetworkMessage::Headers(headers) = message.decode()? else {
                    continue;
                };
                let hashes: Vec<BlockHash> = headers.iter().map(|it| it.block_hash()).collect();
                wanted = hashes.into_iter();
                let first: Vec<Inventory> = wanted
                    .by_ref()
                    .take(16)
                    .map(Inventory::WitnessBlock)
                    .collect();
                open = first.len();
                connection.send(NetworkMessage::GetData(first))?;
            }
            "block" => {
                open -= 1;
                if let Some(next) = wanted.next() {
                    open += 1;
                    connection
                        .send(NetworkMessage::GetData(vec![Inventory::WitnessBlock(next)]))?;
                }
                if open == 0 {
                    return Ok(began.elapsed());
                }
            }
            _ => {}
        }
    }
}

/// From the moment at which a block is handed to the ledger to the one at which a peer has all of it.
fn relay() -> Result<(), Failure> {
    let origin = tempfile::tempdir()?;
    let ledger = Ledger::open(ledger_config(origin.path()))?;
    big_chain::mine(&ledger, 100, 0, 0);
    drop(ledger);
    let ahead = tempfile::tempdir()?;
    let ledger = Ledger::open(ledger_config(ahead.path()))?;
    big_chain::mine(&ledger, 100, 0, 0);
    // The node is not in its initial download, or it would announce nothing.
    let recent = big_chain::mine_now(&ledger);
    let blocks = big_chain::mine(&ledger, RELAYED, SIZE, 1);
    drop(ledger);
    let node = P2pNode::start_in(origin, on_loopback());
    node.ledger().submit_block(&recent)?;
    let runtime = Runtime::new()?;
    let (told, mut arrivals) = mpsc::unbounded_channel();
    for _ in 0..PEERS {
        let (address, told) = (node.address(), told.clone());
        runtime.spawn(async move {
            let mut connection = Connection::open(Endpoint::from(address), session(false)).await?;
            connection.send(NetworkMessage::SendHeaders)?;
            connection.send(NetworkMessage::SendCmpct(SendCmpct {
                send_compact: false,
                version: 2,
            }))?;
            loop {
                let message = connection.receive().await?;
                match message.command.as_str() {
                    "headers" => {
                        let NetworkMessage::Headers(headers) = message.decode()? else {
                            continue;
                        };
                        let wanted = headers.iter().map(|it| it.block_hash());
                        let wanted = wanted.map(Inventory::WitnessBlock).collect();
                        connection.send(NetworkMessage::GetData(wanted))?;
                    }
                    "inv" => {
                        let NetworkMessage::Inv(items) = message.decode()? else {
                            continue;
                        };
                        let wanted = items.into_iter().map(|item| match item {
                            Inventory::Block(hash) => Inventory::WitnessBlock(hash),
                            other => other,
                        });
                        connection.send(NetworkMessage::GetData(wanted.collect()))?;
                    }
                    "block" => {
                        let _ = told.send(Instant::now());
                    }
                    _ => {}
                }
            }
            #[allow(unreachable_code)]
            Ok::<(), Failure>(())
        });
    }
    node.wait_until("all peers are there", |node| {
        node.peers().list().len() == PEERS
    });
    let mut taken = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let began = Instant::now();
        node.ledger().submit_block(block)?;
        for _ in 0..PEERS {
            let arrived = arrivals.blocking_recv().ok_or("the peers are gone")?;
            // The first is told by inv, and warms everything up.
            if number > 0 {
                taken.push(arrived - began);
            }
        }
    }
    taken.sort_unstable();
    let at = |thousandths: usize| taken[(taken.len() - 1) * thousandths / 1000];
    println!(
        "relay: a block of {SIZE} bytes is with {PEERS} peers after {:.1?} (p50), {:.1?} (p99); {:.0} MB/s in all",
        at(500),
        at(990),
        PEERS as f64 * SIZE as f64 / 1e6 / at(990).as_secs_f64()
    );
    Ok(())
}
