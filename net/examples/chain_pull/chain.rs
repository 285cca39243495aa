//! The chain of headers, as one peer tells it after another.

use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::GetHeadersMessage;
use bitcoin::params::Params;
use bitcoin::{BlockHash, Network, Target};
use everett_net::{MAX_HEADERS, Message, PeerId, PeerInfo, Pool};

/// Headers from genesis on, of which only the hashes are kept.
pub(crate) struct Chain {
    hashes: Vec<BlockHash>,
    /// How many of them are blocks of the file; fewer when the peer's chain leaves the file's.
    kept: usize,
    most: Target,
    /// Who is asked now, and since when.
    source: Option<(PeerId, Duration)>,
    others: Vec<(PeerId, i32)>,
    new: usize,
    whole: bool,
}

impl Chain {
    /// Beginning with the blocks of a file; the first is genesis, also when the file is empty.
    pub(crate) fn new(hashes: Vec<BlockHash>, network: Network) -> Chain {
        Chain {
            kept: hashes.len(),
            hashes: match hashes.is_empty() {
                true => vec![bitcoin::constants::genesis_block(network).block_hash()],
                false => hashes,
            },
            most: Params::new(network).max_attainable_target,
            source: None,
            others: Vec::new(),
            new: 0,
            whole: false,
        }
    }

    /// Whether the peer has no more of them.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many there are.
    pub(crate) fn length(&self) -> usize {
        self.hashes.len()
    }

    /// How many came from peers.
    pub(crate) fn new_headers(&self) -> usize {
        self.new
    }

    /// How many blocks of the file are on this chain, all hashes, and who told the last of them.
    pub(crate) fn into_parts(self) -> (usize, Vec<BlockHash>, Option<PeerId>) {
        (self.kept, self.hashes, self.source.map(|(peer, _)| peer))
    }

    /// A peer is there. The first is asked; another only when that one is lost.
    pub(crate) fn connected(&mut self, pool: &Pool, info: &PeerInfo) {
        self.others.push((info.id, info.start_height));
        if self.source.is_none() {
            self.ask_best(pool);
        }
    }

    /// A peer is gone.
    pub(crate) fn lost(&mut self, peer: PeerId) {
        self.others.retain(|(other, _)| *other != peer);
        if self.source.is_some_and(|(source, _)| source == peer) {
            self.source = None;
        }
    }

    /// Gives up a peer that does not answer.
    pub(crate) fn tick(&mut self, pool: &Pool, patience: Duration) {
        match self.source {
            Some((peer, since)) if pool.now().saturating_sub(since) > patience => {
                pool.disconnect(peer, "it does not answer when asked for headers");
                self.lost(peer);
            }
            Some(_) => (),
            None => self.ask_best(pool),
        }
    }

    /// A message came; only headers matter.
    pub(crate) fn received(&mut self, pool: &Pool, peer: PeerId, message: &Message) {
        if message.command.as_str() != "headers"
            || self.source.is_none_or(|(source, _)| source != peer)
        {
            return;
        }
        let headers = match message.decode() {
            Ok(NetworkMessage::Headers(headers)) => headers,
            _ => return self.refuse(pool, peer, "its headers do not decode"),
        };
        let is_last = headers.len() < MAX_HEADERS;
        if let Err(why) = self.append(headers) {
            return self.refuse(pool, peer, why);
        }
        match is_last {
            true => self.whole = true,
            false => self.ask(pool, peer),
        }
    }

    fn refuse(&mut self, pool: &Pool, peer: PeerId, why: &str) {
        pool.disconnect(peer, why);
        self.lost(peer);
    }

    fn append(&mut self, headers: Vec<Header>) -> Result<(), &'static str> {
        let Some(first) = headers.first() else {
            return Ok(());
        };
        let parent = self
            .hashes
            .iter()
            .rposition(|hash| *hash == first.prev_blockhash);
        let parent = parent.ok_or("its headers follow none that we know")?;
        let mut tip = first.prev_blockhash;
        let mut hashes = Vec::with_capacity(headers.len());
        for header in headers {
            if header.prev_blockhash != tip {
                return Err("its headers do not follow each other");
            }
            let target = header.target();
            if target > self.most {
                return Err("a header has too little work");
            }
            tip = header
                .validate_pow(target)
                .map_err(|_| "a header has not its work")?;
            hashes.push(tip);
        }
        let same = hashes
            .iter()
            .zip(&self.hashes[parent + 1..])
            .take_while(|(a, b)| a == b)
            .count();
        let shared = parent + 1 + same;
        if same < hashes.len() {
            self.hashes.truncate(shared);
            self.kept = self.kept.min(shared);
            self.new += hashes.len() - same;
            self.hashes.extend(&hashes[same..]);
        }
        Ok(())
    }

    fn ask_best(&mut self, pool: &Pool) {
        let best = self.others.iter().max_by_key(|(_, height)| *height);
        if let Some((peer, _)) = best.copied() {
            self.ask(pool, peer);
        }
    }

    fn ask(&mut self, pool: &Pool, peer: PeerId) {
        let ask = GetHeadersMessage::new(self.locator(), BlockHash::all_zeros());
        if pool.send(peer, NetworkMessage::GetHeaders(ask)).is_ok() {
            self.source = Some((peer, pool.now()));
        }
    }

    /// Hashes from the last one back: ten in a row, then twice as far each time, and genesis.
    fn locator(&self) -> Vec<BlockHash> {
        let mut locator = Vec::new();
        let (mut place, mut step) = (self.hashes.len() - 1, 1);
        while place > 0 {
            locator.push(self.hashes[place]);
            if locator.len() >= 10 {
                step *= 2;
            }
            place = place.saturating_sub(step);
        }
        locator.push(self.hashes[0]);
        locator
    }
}
