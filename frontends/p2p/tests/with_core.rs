//! The parts against Bitcoin Core, over one plain connection: it downloads a chain from [`Serving`] by way of its own sync of
//! headers of little work, takes compact blocks of ours and their transactions, and its own come back as blocks here.
//!
//! `BITCOIND_EXE` names the daemon; without it the test says that it was skipped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_compact_blocks::SendCmpct;
use bitcoin::p2p::message_network::VersionMessage;
use bitcoin::p2p::{Address, Magic, ServiceFlags};
use bitcoin::{Amount, Block, BlockHash, Work};
use bytes::Bytes;
use everett_lab::{At, Lab};
use everett_net::Message;
use everett_p2p::compact::{BlockTransactions, COMPACT_VERSION, CompactBlock, PartialBlock};
use everett_p2p::presync::{ChainStart, End, Presync, PresyncParams, Step};
use everett_p2p::serve::{Requests, ServeConfig, Serving};
use everett_tests::ports::free_port;

/// Longer than one message of headers.
const BLOCKS: u32 = 4_300;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A connection to the daemon, after the handshake.
struct Core {
    stream: TcpStream,
    serving: Serving,
    requests: Requests,
    /// Names of what it sent.
    heard: Vec<String>,
    _daemon: Daemon,
}

impl Core {
    /// Starts the daemon; it thinks that it is `time`, and that chains of less than `minimum` are nothing.
    fn start(program: &str, directory: &std::path::Path, time: u32, minimum: Work) -> Core {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let rpc = free_port();
        let work: String = minimum
            .to_be_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let daemon = Command::new(program)
            .args([
                "-regtest",
                "-noconnect",
                "-dnsseed=0",
                "-listenonion=0",
                "-v2transport=0",
            ])
            .arg(format!("-datadir={}", directory.display()))
            .arg(format!("-bind={address}"))
            .arg(format!("-rpcport={rpc}"))
            .arg(format!("-mocktime={time}"))
            .arg(format!("-minimumchainwork={work}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let daemon = Daemon(daemon);
        let begun = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "it does not listen: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut core = Core {
            stream,
            serving: Serving::new(ServeConfig {
                limited: false,
                minimum_chain_work: Work::from_be_bytes([0; 32]),
                seed: 9,
            }),
            requests: Requests::new(),
            heard: Vec::new(),
            _daemon: daemon,
        };
        core.shake_hands(address);
        core
    }

    fn shake_hands(&mut self, address: SocketAddr) {
        let services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
        let mut version = VersionMessage::new(
            services,
            0,
            Address::new(&address, services),
            Address::new(&address, services),
            7,
            "/everett-test/".to_owned(),
            BLOCKS as i32,
        );
        version.version = 70_016;
        self.send(&NetworkMessage::Version(version).into());
        while !matches!(self.hear(), NetworkMessage::Verack) {}
        self.send(&NetworkMessage::Verack.into());
        self.send(
            &NetworkMessage::SendCmpct(SendCmpct {
                send_compact: false,
                version: COMPACT_VERSION,
            })
            .into(),
        );
    }

    fn send(&mut self, message: &Message) {
        let mut frame = Magic::REGTEST.to_bytes().to_vec();
        frame.extend(message.command.to_wire());
        frame.extend((message.payload.len() as u32).to_le_bytes());
        let hash =
            <bitcoin::hashes::sha256d::Hash as bitcoin::hashes::Hash>::hash(&message.payload);
        frame.extend(&<_ as AsRef<[u8]>>::as_ref(&hash)[..4]);
        frame.extend(&message.payload[..]);
        self.stream.write_all(&frame).unwrap();
    }

    /// The next message, in the other implementation's reading.
    fn hear(&mut self) -> NetworkMessage {
        let mut frame = vec![0; 24];
        self.stream.read_exact(&mut frame).unwrap();
        let length = u32::from_le_bytes(frame[16..20].try_into().unwrap()) as usize;
        frame.resize(24 + length, 0);
        self.stream.read_exact(&mut frame[24..]).unwrap();
        let message: RawNetworkMessage = deserialize(&frame).unwrap();
        self.heard.push(message.command().to_string());
        message.into_payload()
    }

    /// Answers what it asks until it says what is waited for.
    fn until<T>(&mut self, lab: &Lab, wanted: impl Fn(&NetworkMessage) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "it said {:?}", self.heard);
            let message = self.hear();
            if let Some(found) = wanted(&message) {
                return found;
            }
            match &message {
                NetworkMessage::Ping(nonce) => self.send(&NetworkMessage::Pong(*nonce).into()),
                NetworkMessage::GetHeaders(asked) => {
                    let headers = self.serving.headers(lab.ledger(), asked).unwrap();
                    self.send(&NetworkMessage::Headers(headers.unwrap()).into());
                }
                NetworkMessage::GetData(entries) => self.requests.getdata(entries).unwrap(),
                NetworkMessage::GetBlockTxn(asked) => self.requests.getblocktxn(asked).unwrap(),
                _ => {}
            }
            while let Some(answer) = self.serving.next(&mut self.requests, lab.ledger()).unwrap() {
                self.send(&answer);
            }
        }
    }

    /// Asks for its headers until its chain ends with a block; whoever tells it of one gets asked for it first.
    fn wait_for_tip(&mut self, lab: &Lab, tip: BlockHash) {
        let parent = lab.ledger().header(&tip).unwrap().parent.unwrap();
        let begun = Instant::now();
        loop {
            let asked = GetHeadersMessage::new(vec![parent], tip);
            self.send(&NetworkMessage::GetHeaders(asked).into());
            let headers = self.until(lab, headers);
            if headers.iter().any(|header| header.block_hash() == tip) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "its chain does not get to {tip}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn headers(message: &NetworkMessage) -> Option<Vec<Header>> {
    match message {
        NetworkMessage::Headers(headers) => Some(headers.clone()),
        _ => None,
    }
}

/// A lab whose chain has that many blocks, and payments in its last.
fn lab() -> Lab {
    let lab = Lab::new(3);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.fund(&alice).unwrap();
    let left = BLOCKS - 1 - lab.best().height();
    lab.grow(At::Best, left).unwrap();
    pay(&lab, &alice, &bob);
    lab
}

/// A block with a payment; its bytes.
fn pay(lab: &Lab, from: &everett_lab::Party, to: &everett_lab::Party) -> Bytes {
    let payment = lab.pay(from, to, Amount::from_sat(50_000)).unwrap();
    let tip = lab.mine(At::Best, [payment]).unwrap();
    Bytes::from(lab.ledger().block_bytes(&tip.hash()).unwrap())
}

#[test]
fn bitcoin_core_syncs_from_what_is_served_and_compact_blocks_go_both_ways() {
    let Ok(program) = std::env::var("BITCOIND_EXE") else {
        println!("SKIPPED: BITCOIND_EXE names no bitcoind");
        return;
    };
    let begun = Instant::now();
    let lab = lab();
    println!("{BLOCKS} blocks are made: {:?}", begun.elapsed());
    let directory = tempfile::tempdir().unwrap();
    let time = lab.best().header().time + 60;
    let minimum = lab
        .ledger()
        .header(&lab.ledger().best_hash_at(BLOCKS - 100).unwrap());
    let mut core = Core::start(&program, directory.path(), time, minimum.unwrap().chainwork);

    println!("it has started: {:?}", begun.elapsed());
    // It asks for headers by itself, twice for each, then for blocks.
    core.wait_for_tip(&lab, lab.best().hash());
    println!("it is synced: {:?}", begun.elapsed());
    let asked = core
        .heard
        .iter()
        .filter(|name| *name == "getheaders")
        .count();
    assert!(
        asked >= 6,
        "two downloads of three messages each: {:?}",
        core.heard
    );

    takes_our_compact_block(&mut core, &lab);
    gives_us_a_compact_block(&mut core, &lab);
    gives_us_headers_for_a_sync_of_little_work(&mut core, &lab);
}

/// It hears of a block by its header, asks for its compact form, then for its transactions.
fn takes_our_compact_block(core: &mut Core, lab: &Lab) {
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let bytes = pay(lab, &alice, &bob);
    let block: Block = deserialize(&bytes).unwrap();
    core.heard.clear();
    core.serving.keep(block.block_hash(), bytes);
    core.send(&NetworkMessage::Headers(vec![block.header]).into());
    let compact = core.until(lab, |message| match message {
        NetworkMessage::GetData(entries) => Some(entries.clone()),
        _ => None,
    });
    assert_eq!(compact, [Inventory::CompactBlock(block.block_hash())]);
    core.requests.getdata(&compact).unwrap();
    let answer = core.serving.next(&mut core.requests, lab.ledger()).unwrap();
    core.send(&answer.unwrap());
    core.wait_for_tip(lab, block.block_hash());
    assert!(
        core.heard.iter().any(|name| name == "getblocktxn"),
        "{:?}",
        core.heard
    );
    // Once, for the compact form: it did not have to fetch the block whole.
    let asked = core.heard.iter().filter(|name| *name == "getdata").count();
    assert_eq!(asked, 1, "{:?}", core.heard);
}

/// What it makes of a block is what we make of it, and its answer completes it.
fn gives_us_a_compact_block(core: &mut Core, lab: &Lab) {
    let tip = lab.best().hash();
    let bytes = lab.ledger().block_bytes(&tip).unwrap();
    core.send(&NetworkMessage::GetData(vec![Inventory::CompactBlock(tip)]).into());
    let theirs = core.until(lab, |message| match message {
        NetworkMessage::CmpctBlock(message) => Some(message.compact_block.clone()),
        _ => None,
    });
    let ours = everett_p2p::compact::compact_block(&bytes, theirs.nonce).unwrap();
    assert_eq!(ours.payload, serialize(&theirs));
    let partial = PartialBlock::begin(CompactBlock::decode(&ours.payload).unwrap(), []).unwrap();
    core.send(&partial.request().expect("a payment is missing"));
    let answer = core.until(lab, |message| match message {
        NetworkMessage::BlockTxn(message) => Some(serialize(&message.transactions)),
        _ => None,
    });
    let answer = BlockTransactions::decode(&Bytes::from(answer)).unwrap();
    assert_eq!(answer.hash, tip);
    assert_eq!(partial.fill(answer.transactions, true).unwrap(), bytes);
}

fn gives_us_headers_for_a_sync_of_little_work(core: &mut Core, lab: &Lab) {
    let ledger = lab.ledger();
    let genesis = ledger.header(&ledger.best_hash_at(0).unwrap()).unwrap();
    let start = ChainStart::new(&genesis, vec![genesis.hash]);
    let sizes = PresyncParams {
        commitment_period: 20,
        window: 1_000,
    };
    let now = u64::from(lab.best().header().time);
    let needed = lab.best().chainwork();
    let mut sync = Presync::with_sizes(sizes, start, needed, now, [4; 32]);
    let mut kept = Vec::new();
    loop {
        let asked = GetHeadersMessage::new(sync.locator(), bitcoin::hashes::Hash::all_zeros());
        core.send(&NetworkMessage::GetHeaders(asked).into());
        let headers = core.until(lab, headers);
        match sync.receive(&headers, headers.len() == 2_000, ledger.params()) {
            Step::More { .. } => {}
            Step::Ready { headers, next } => {
                kept.extend(headers);
                if let Err(end) = next {
                    assert_eq!(end, End::Complete);
                    break;
                }
            }
            step => panic!("{step:?}"),
        }
    }
    let served = ledger.headers_after(&[genesis.hash], None, &lab.best().hash(), 10_000);
    assert_eq!(kept, served);
}
