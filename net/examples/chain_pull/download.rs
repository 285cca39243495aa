//! Which blocks are asked of whom, and putting them into their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Block, BlockHash};
use bytes::Bytes;
use everett_net::{Message, PeerId, PeerInfo, Pool};

use crate::file::Writer;

/// Blocks that may be asked for beyond the first that is missing.
const WINDOW: usize = 4_096;
/// Bytes of blocks that may be held in memory, out of order or waiting for the disk; then no more are asked for.
const MAX_HELD: u64 = 256 * 1024 * 1024;
/// Bytes of a header.
const HEADER: usize = 80;

/// A peer that blocks are asked of.
struct Source {
    /// The height up to which it has blocks.
    height: usize,
    /// Blocks that it was asked for and did not send.
    asked: usize,
    /// When it last sent one, or was first asked again.
    since: Instant,
}

/// Blocks on their way from peers to the file.
pub(crate) struct Download {
    hashes: Vec<BlockHash>,
    /// The first block that is not handed to the writer.
    next: usize,
    /// The first block that was never asked for.
    fresh: usize,
    /// Blocks to ask for again.
    again: BTreeSet<usize>,
    asked: HashMap<BlockHash, (usize, PeerId)>,
    /// Blocks that came before others below them.
    early: BTreeMap<usize, Bytes>,
    sources: HashMap<PeerId, Source>,
    in_flight: usize,
    writer: Writer,
    check: bool,
    /// Bytes of blocks that came.
    received: u64,
}

impl Download {
    /// Of the blocks of these hashes, the first of which is genesis, those from `kept` on.
    pub(crate) fn new(
        hashes: Vec<BlockHash>,
        kept: usize,
        in_flight: usize,
        writer: Writer,
        check: bool,
    ) -> Download {
        // The writer has genesis.
        let first = kept.max(1);
        Download {
            hashes,
            next: first,
            fresh: first,
            again: BTreeSet::new(),
            asked: HashMap::new(),
            early: BTreeMap::new(),
            sources: HashMap::new(),
            in_flight: in_flight.max(1),
            writer,
            check,
            received: 0,
        }
    }

    /// Whether every block was handed to the writer.
    pub(crate) fn is_done(&self) -> bool {
        self.next >= self.hashes.len()
    }

    /// Bytes of blocks that came.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received
    }

    /// Blocks that are in the file, of those that were missing.
    pub(crate) fn written_blocks(&self) -> u64 {
        self.writer.blocks()
    }

    /// A peer is there; one that told us the headers has all their blocks.
    pub(crate) fn connected(&mut self, info: &PeerInfo, has_all: bool) {
        let height = match has_all {
            true => usize::MAX,
            false => usize::try_from(info.start_height).unwrap_or(0),
        };
        self.sources.insert(
            info.id,
            Source {
                height,
                asked: 0,
                since: Instant::now(),
            },
        );
    }

    /// A peer is gone: what it was asked for is asked of others.
    pub(crate) fn lost(&mut self, peer: PeerId) {
        self.sources.remove(&peer);
        let again = &mut self.again;
        self.asked.retain(|_, (place, of)| {
            if *of == peer {
                again.insert(*place);
            }
            *of != peer
        });
    }

    /// Peers that sent nothing they were asked for.
    pub(crate) fn stalling(&self, patience: Duration) -> Vec<PeerId> {
        let waiting = self.sources.iter().filter(|(_, source)| source.asked > 0);
        let late = waiting.filter(|(_, source)| source.since.elapsed() > patience);
        late.map(|(peer, _)| *peer).collect()
    }

    /// Asks every peer that has room for more blocks.
    pub(crate) fn ask(&mut self, pool: &Pool) {
        let held = self.received - self.writer.bytes();
        if held > MAX_HELD {
            return;
        }
        for (peer, source) in &mut self.sources {
            if source.asked > self.in_flight / 2 {
                continue;
            }
            let mut places = Vec::new();
            while source.asked + places.len() < self.in_flight {
                let end = self
                    .hashes
                    .len()
                    .min(self.next + WINDOW)
                    .min(source.height.saturating_add(1));
                let place = match self.again.first().copied() {
                    Some(place) if place < end => {
                        self.again.pop_first();
                        place
                    }
                    _ if self.fresh < end => {
                        self.fresh += 1;
                        self.fresh - 1
                    }
                    _ => break,
                };
                places.push(place);
            }
            if places.is_empty() {
                continue;
            }
            let wanted = places
                .iter()
                .map(|place| Inventory::WitnessBlock(self.hashes[*place]));
            if pool
                .send(*peer, NetworkMessage::GetData(wanted.collect()))
                .is_err()
            {
                self.again.extend(places);
                continue;
            }
            if source.asked == 0 {
                source.since = Instant::now();
            }
            source.asked += places.len();
            let asked = places
                .into_iter()
                .map(|place| (self.hashes[place], (place, *peer)));
            self.asked.extend(asked);
        }
    }

    /// A message came. The inner error is the peer's fault, the outer one the file's.
    pub(crate) fn received(
        &mut self,
        peer: PeerId,
        message: Message,
    ) -> Result<Result<(), &'static str>> {
        if message.command.as_str() == "notfound" {
            return Ok(Err("it has not the blocks that it was asked for"));
        }
        if message.command.as_str() != "block" {
            return Ok(Ok(()));
        }
        let Some(header) = message.payload.get(..HEADER) else {
            return Ok(Err("a block is shorter than its header"));
        };
        let hash = BlockHash::from_raw_hash(sha256d::Hash::hash(header));
        let Some((place, of)) = self.asked.get(&hash).copied().filter(|(_, of)| *of == peer) else {
            return Ok(Ok(()));
        };
        if self.check && !is_whole(&message.payload) {
            return Ok(Err("a block's transactions are not those of its header"));
        }
        self.asked.remove(&hash);
        if let Some(source) = self.sources.get_mut(&of) {
            source.asked -= 1;
            source.since = Instant::now();
        }
        self.received += message.payload.len() as u64;
        self.early.insert(place, message.payload);
        while let Some(block) = self.early.remove(&self.next) {
            if !self.writer.write(block) {
                return Err(anyhow!("the file can no longer be written"));
            }
            self.next += 1;
        }
        Ok(Ok(()))
    }

    /// Waits until what came is on the disk; how many blocks were written, and how long the file is. Blocks that came
    /// before others below them are lost.
    pub(crate) fn finish(self) -> io::Result<(u64, u64)> {
        self.writer.finish()
    }
}

fn is_whole(payload: &[u8]) -> bool {
    bitcoin::consensus::deserialize::<Block>(payload).is_ok_and(|block| block.check_merkle_root())
}
