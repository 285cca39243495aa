//! Owns peers that are not what they should be: they speak the protocol over real sockets, and then stall or lie.
//! Promises that all they say is well formed, up to the one thing that is wrong.
//! Refuses to be a node: a false peer has a list of blocks, and no rules.

use std::collections::HashMap;
use std::net::SocketAddr;

use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::{Block, BlockHash};
use everett_ledger::Ledger;
use everett_net::{MAX_HEADERS, Message, PeerId, Pool, PoolConfig, PoolEvent, PoolEvents};
use tokio::runtime::Runtime;

use crate::corrupt;

/// What a false peer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// Answers all that it is asked for out of its chain.
    Answers,
    /// Tells headers, and never delivers a block.
    Stalls,
}

/// A chain of blocks, as a peer tells of it.
#[derive(Clone, Debug, Default)]
pub struct FalseChain {
    headers: Vec<Header>,
    /// Where each stands.
    places: HashMap<BlockHash, usize>,
    blocks: HashMap<BlockHash, Vec<u8>>,
}

impl FalseChain {
    /// The best chain of a ledger up to a height.
    pub fn of(ledger: &Ledger, height: u32) -> FalseChain {
        let mut chain = FalseChain::default();
        for height in 1..=height {
            let hash = ledger.best_hash_at(height).expect("the chain is so long");
            chain.push(ledger.block_bytes(&hash).expect("it is stored"));
        }
        chain
    }

    /// Headers with their proof of work, on top of regtest's genesis block; there are no blocks to them.
    pub fn headers_only(count: u32) -> FalseChain {
        let mut header = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
        let mut chain = FalseChain::default();
        for _ in 0..count {
            header.prev_blockhash = header.block_hash();
            header.time += 600;
            header.version = bitcoin::block::Version::from_consensus(0x2000_0000);
            while !header.target().is_met_by(header.block_hash()) {
                header.nonce = header.nonce.wrapping_add(1);
            }
            chain
                .places
                .insert(header.block_hash(), chain.headers.len());
            chain.headers.push(header);
        }
        chain
    }

    fn push(&mut self, block: Vec<u8>) {
        let header: Header = deserialize(&block[..80]).expect("a block begins with its header");
        self.places.insert(header.block_hash(), self.headers.len());
        self.headers.push(header);
        self.blocks.insert(header.block_hash(), block);
    }

    /// Makes the block on top of the last one pay its miner too much, and `more` empty blocks on that one, all with
    /// their proof of work.
    pub fn lie(&mut self, more: u32) {
        let last = self.headers.last().expect("a chain to lie about");
        let mut parent: Block =
            deserialize(&self.blocks[&last.block_hash()]).expect("the block is one");
        for number in 0..=more {
            let mut block = parent.clone();
            block.txdata.truncate(1);
            block.header.prev_blockhash = parent.block_hash();
            block.header.time += 1;
            let coinbase = &mut block.txdata[0];
            let height = self.headers.len() as i64 + 1;
            coinbase.input[0].script_sig = bitcoin::script::Builder::new()
                .push_int(height)
                .push_int(0)
                .into_script();
            if number == 0 {
                coinbase.output[0].value = bitcoin::Amount::from_sat(2_099_999_999_999_999);
            }
            corrupt::seal(&mut block);
            corrupt::mine(&mut block);
            self.push(serialize(&block));
            parent = block;
        }
    }

    /// The hash of its last block.
    pub fn tip(&self) -> BlockHash {
        self.headers.last().expect("a chain").block_hash()
    }

    fn after(&self, request: &GetHeadersMessage) -> Vec<Header> {
        let place = |hash: &BlockHash| self.places.get(hash);
        let known = request.locator_hashes.iter().find_map(place);
        let from = known.map_or(0, |place| place + 1);
        self.headers[from..]
            .iter()
            .take(MAX_HEADERS)
            .copied()
            .collect()
    }
}

/// A false peer that listens on loopback. Dropping it closes its connections.
pub struct FalsePeer {
    runtime: Runtime,
    pool: Pool,
}

impl FalsePeer {
    /// Begins to listen.
    pub fn start(chain: FalseChain, behaviour: Behaviour) -> FalsePeer {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut config = PoolConfig::new(bitcoin::Network::Regtest);
        config.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.session.services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
        config.session.start_height = chain.headers.len() as i32;
        let (pool, events) = {
            let _inside = runtime.enter();
            Pool::start(config).expect("a free port")
        };
        runtime.spawn(answer(pool.clone(), events, chain, behaviour));
        FalsePeer { runtime, pool }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.pool.listening()[0]
    }

    /// How many peers it has.
    pub fn connections(&self) -> usize {
        self.pool.peers().len()
    }
}

impl Drop for FalsePeer {
    fn drop(&mut self) {
        self.runtime.block_on(self.pool.shut_down());
    }
}

async fn answer(pool: Pool, mut events: PoolEvents, chain: FalseChain, behaviour: Behaviour) {
    while let Some(event) = events.next().await {
        let PoolEvent::Message(peer, message, _) = event else {
            continue;
        };
        match message.decode() {
            Ok(NetworkMessage::GetHeaders(request)) => {
                say(
                    &pool,
                    peer,
                    NetworkMessage::Headers(chain.after(&request)).into(),
                );
            }
            Ok(NetworkMessage::GetData(wanted)) if behaviour != Behaviour::Stalls => {
                for item in wanted {
                    let (Inventory::Block(hash)
                    | Inventory::WitnessBlock(hash)
                    | Inventory::CompactBlock(hash)) = item
                    else {
                        continue;
                    };
                    if let Some(block) = chain.blocks.get(&hash) {
                        say(&pool, peer, Message::block(block.clone()));
                    }
                }
            }
            _ => {}
        }
    }
}

fn say(pool: &Pool, peer: PeerId, message: Message) {
    // Who has hung up does not hear it.
    let _ = pool.send(peer, message);
}
