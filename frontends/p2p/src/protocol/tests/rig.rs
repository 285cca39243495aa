//! A protocol over a ledger in memory, whose driver does what it is told at once, and peers made by hand.

use std::net::Ipv4Addr;
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Block, BlockHash, ScriptBuf};
use bytes::Bytes;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_net::{Endpoint, Message, PeerId, PeerInfo, Purpose, TransportVersion};
use everett_scenario::assemble::Template;

use crate::protocol::{Action, Protocol, ProtocolConfig, Reason};
use crate::transactions::{MempoolAnswer, MempoolWork};

/// Regtest's genesis block has this time.
const GENESIS_TIME: u64 = 1_296_688_602;

/// An empty ledger in memory, whose clock stands a while after the genesis block.
pub(super) fn ledger(clock: &Clock) -> Ledger {
    let params = Params::new(Network::Regtest);
    let mut config = LedgerConfig::in_memory(params);
    config.clock = clock.clone();
    Ledger::open(config).expect("a ledger in memory opens")
}

pub(super) fn clock(after_genesis: u64) -> Clock {
    Clock::fixed(GENESIS_TIME + after_genesis)
}

/// Blocks on top of one of the ledger's worlds; those of another `salt` are others. The ledger does not get them.
pub(super) fn blocks(ledger: &Ledger, on: &BlockHash, count: u32, salt: u64) -> Vec<Block> {
    let world = ledger.world(on).expect("the parent has a world");
    let next = ledger.next_block(&world);
    let mut parent = (world.hash(), world.header().time);
    let mut made = Vec::new();
    for offset in 0..count {
        let height = next.height + offset;
        let template = Template {
            height,
            parent: parent.0,
            time: next.min_time.max(parent.1 + 1),
            bits: next.bits,
            version: next.version,
            reward: ledger.params().subsidy(height),
            witness_active: true,
            payout: ScriptBuf::new_op_return([1]),
            extra_nonce: Some(salt),
        };
        let block = template
            .block(Vec::new())
            .expect("regtest's blocks are easy");
        parent = (block.block_hash(), block.header.time);
        made.push(block);
    }
    made
}

/// The same, handed to the ledger. The last one's hash.
pub(super) fn mine(ledger: &Ledger, on: &BlockHash, count: u32, salt: u64) -> BlockHash {
    let blocks = blocks(ledger, on, count, salt);
    let bytes: Vec<Vec<u8>> = blocks.iter().map(serialize).collect();
    ledger.submit_blocks(&bytes).expect("memory does not fail");
    blocks.last().map_or(*on, Block::block_hash)
}

/// All headers of a chain but genesis.
pub(super) fn headers(ledger: &Ledger, tip: &BlockHash) -> Vec<Header> {
    let genesis = ledger.params().genesis.block_hash();
    ledger.headers_after(&[genesis], None, tip, usize::MAX >> 33)
}

pub(super) struct Rig {
    pub(super) ledger: Ledger,
    pub(super) mempool: Mempool,
    pub(super) clock: Clock,
    pub(super) protocol: Protocol,
    pub(super) now: Duration,
    next: u64,
    /// What the protocol wanted and the driver did not do itself.
    pub(super) done: Vec<Action>,
    /// Whether blocks wait on their way to the ledger, once it has found them sound.
    pub(super) slow: bool,
    waiting: Vec<(BlockHash, Bytes)>,
    /// Whether work on the mempool waits.
    pub(super) busy: bool,
    works: Vec<MempoolWork>,
}

impl Rig {
    /// A node whose clock stands `after_genesis` seconds after the genesis block.
    pub(super) fn new(after_genesis: u64) -> Rig {
        Rig::with(after_genesis, ProtocolConfig::default())
    }

    pub(super) fn with(after_genesis: u64, config: ProtocolConfig) -> Rig {
        let clock = clock(after_genesis);
        let ledger = ledger(&clock);
        let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
        mempool.set_loaded();
        let protocol = Protocol::new(config, mempool.clone(), 7, Duration::ZERO);
        Rig {
            ledger,
            mempool,
            clock,
            protocol,
            now: Duration::ZERO,
            next: 1,
            done: Vec::new(),
            slow: false,
            waiting: Vec::new(),
            busy: false,
            works: Vec::new(),
        }
    }

    /// The ledger judges what waits.
    pub(super) fn judge(&mut self) {
        for (hash, bytes) in std::mem::take(&mut self.waiting) {
            let answer = self.ledger.submit_block(&bytes).expect("memory");
            self.protocol.blocks_taken(vec![(hash, answer)], self.now);
        }
        self.run();
    }

    /// The work on the mempool that waits is done. How much it was.
    pub(super) fn catch_up(&mut self) -> usize {
        self.busy = false;
        let works = std::mem::take(&mut self.works);
        let count = works.len();
        for work in works {
            if let Some(answer) = work.run(&self.mempool) {
                self.protocol.mempool_answered(answer, self.now);
            }
        }
        self.run();
        count
    }

    /// The same, but the protocol does not get the answers yet.
    pub(super) fn work(&mut self) -> Vec<MempoolAnswer> {
        let works = std::mem::take(&mut self.works).into_iter();
        works.filter_map(|work| work.run(&self.mempool)).collect()
    }

    /// Now it does.
    pub(super) fn answer(&mut self, answers: Vec<MempoolAnswer>) {
        for answer in answers {
            self.protocol.mempool_answered(answer, self.now);
        }
        self.run();
    }

    pub(super) fn genesis(&self) -> BlockHash {
        self.ledger.params().genesis.block_hash()
    }

    /// A node of the same network and clock, to have blocks from.
    pub(super) fn other(&self) -> Ledger {
        ledger(&self.clock)
    }

    pub(super) fn connect(&mut self, purpose: Purpose) -> PeerId {
        self.connect_with(purpose, |_| {})
    }

    pub(super) fn connect_with(
        &mut self,
        purpose: Purpose,
        change: impl FnOnce(&mut PeerInfo),
    ) -> PeerId {
        let id = PeerId(self.next);
        self.next += 1;
        let mut info = PeerInfo {
            id,
            endpoint: Endpoint {
                host: AddrV2::Ipv4(Ipv4Addr::new(8, 8, 0, id.0 as u8)),
                port: 8333,
            },
            purpose,
            transport: TransportVersion::V1,
            session_id: None,
            version: 70_016,
            services: ServiceFlags::NETWORK | ServiceFlags::WITNESS,
            user_agent: "/hand:1/".into(),
            start_height: 0,
            relay: true,
            wtxid_relay: true,
            addrv2: true,
            features: Vec::new(),
            time_offset: 0,
            our_address: None,
        };
        change(&mut info);
        self.protocol.connected(info, self.now);
        self.run();
        id
    }

    pub(super) fn say(&mut self, id: PeerId, message: NetworkMessage) {
        self.say_raw(id, Message::from(message));
    }

    pub(super) fn say_raw(&mut self, id: PeerId, message: Message) {
        self.protocol.received(id, message, self.now);
        self.run();
    }

    pub(super) fn say_block(&mut self, id: PeerId, block: &Block) {
        self.say_raw(id, Message::block(serialize(block)));
    }

    /// Time passes, in tenths of seconds.
    pub(super) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += Duration::from_millis(100).min(until - self.now);
            self.protocol.tick(self.now);
            self.run();
        }
    }

    /// The same in fewer steps.
    pub(super) fn wait_long(&mut self, time: Duration, step: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += step;
            self.protocol.tick(self.now);
            self.run();
        }
    }

    /// Does what the driver does until nothing is left to do.
    pub(super) fn run(&mut self) {
        loop {
            let actions = self.protocol.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::SubmitHeaders { headers, .. } => {
                        let answer = self.ledger.submit_headers(&headers).expect("memory");
                        self.protocol.headers_taken(answer, self.now);
                    }
                    Action::SubmitBlock { hash, bytes, .. } if self.slow => {
                        self.waiting.push((hash, bytes));
                        self.protocol.sound_block(&hash, self.now);
                    }
                    Action::SubmitBlock { hash, bytes, .. } => {
                        let answer = self.ledger.submit_block(&bytes).expect("memory");
                        self.protocol.blocks_taken(vec![(hash, answer)], self.now);
                    }
                    Action::Work(work) if self.busy => self.works.push(work),
                    Action::Work(work) => {
                        if let Some(answer) = work.run(&self.mempool) {
                            self.protocol.mempool_answered(answer, self.now);
                        }
                    }
                    action => self.done.push(action),
                }
            }
        }
    }

    /// What was sent to a peer since this was last asked.
    pub(super) fn heard(&mut self, id: PeerId) -> Vec<NetworkMessage> {
        let mut heard = Vec::new();
        self.done.retain(|action| match action {
            Action::Send(to, message) if *to == id => {
                heard.push(message.decode().expect("what we send decodes"));
                false
            }
            _ => true,
        });
        heard
    }

    /// Blocks that a peer was asked for since this was last asked.
    pub(super) fn asked(&mut self, id: PeerId) -> Vec<BlockHash> {
        let mut hashes = Vec::new();
        for message in self.heard(id) {
            if let NetworkMessage::GetData(entries) = message {
                hashes.extend(entries.iter().filter_map(|entry| match entry {
                    Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => Some(*hash),
                    _ => None,
                }));
            }
        }
        hashes
    }

    /// Gives a peer's answers, out of a ledger, to all it is asked for, until it is asked for nothing more.
    pub(super) fn serve(&mut self, id: PeerId, from: &Ledger) {
        loop {
            let mut quiet = true;
            for message in self.heard(id) {
                match message {
                    NetworkMessage::GetHeaders(asked) => {
                        let stop = from.header(&asked.stop_hash).map(|info| info.hash);
                        let tip = stop.unwrap_or(from.best_header().hash);
                        let headers = from.headers_after(&asked.locator_hashes, stop, &tip, 2_000);
                        quiet = false;
                        self.say(id, NetworkMessage::Headers(headers));
                    }
                    NetworkMessage::GetData(entries) => {
                        for entry in entries {
                            let (Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash)) =
                                entry
                            else {
                                continue;
                            };
                            if let Ok(bytes) = from.block_bytes(&hash) {
                                quiet = false;
                                self.say_raw(id, Message::block(bytes));
                            }
                        }
                    }
                    _ => {}
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// Why a peer was let go, if it was.
    pub(super) fn fate(&self, id: PeerId) -> Option<(bool, Reason)> {
        self.done.iter().find_map(|action| match action {
            Action::Discourage(to, reason) if *to == id => Some((true, reason.clone())),
            Action::Disconnect(to, reason) if *to == id => Some((false, reason.clone())),
            _ => None,
        })
    }

    pub(super) fn best_height(&self) -> u32 {
        self.ledger.best().height()
    }
}
