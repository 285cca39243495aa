//! A sink that keeps its cursor with its effects: one file, replaced whole.

use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::{BlockInfo, Cursor, Delivery, Event, EventKind, Ledger};
use sha2::{Digest, Sha256};

/// What a subscriber has made of the events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct State {
    /// Where it stands.
    pub(crate) cursor: Cursor,
    /// The best chain, by taking back and putting on, from genesis.
    pub(crate) chain: Vec<BlockHash>,
    /// A hash over every event of the log, in order.
    pub(crate) digest: [u8; 32],
    /// Whether it has seen every one of them.
    pub(crate) whole: bool,
}

impl State {
    /// Before the first event.
    pub(crate) fn new(genesis: BlockHash) -> State {
        State {
            cursor: Cursor {
                seq: 0,
                block: genesis,
            },
            chain: vec![genesis],
            digest: [0; 32],
            whole: true,
        }
    }

    /// Does what an event says; panics where it does not follow from the one before.
    pub(crate) fn take(&mut self, seq: Option<u64>, event: &Event, cursor: Cursor) {
        if let (true, Some(seq)) = (self.whole, seq) {
            assert_eq!(
                seq, self.cursor.seq,
                "no event is left out, none comes twice"
            );
        }
        if event.kind == EventKind::BestChanged {
            assert_eq!(
                Some(&event.from),
                self.chain.last(),
                "it starts where the last ended"
            );
            for undone in &event.undone {
                assert_eq!(
                    self.chain.pop().as_ref(),
                    Some(undone),
                    "taken back from the top"
                );
            }
            assert_eq!(self.chain.last(), Some(&event.fork), "down to the fork");
            self.chain.extend(&event.applied);
            assert_eq!(self.chain.last(), Some(&event.to), "up to where it ends");
        }
        if seq.is_some() {
            let mut hasher = Sha256::new();
            hasher.update(self.digest);
            hasher.update(format!("{event:?}"));
            self.digest = hasher.finalize().into();
        }
        self.cursor = cursor;
        assert_eq!(
            self.chain.last(),
            Some(&cursor.block),
            "the cursor says where it stands"
        );
    }

    /// The state that a replay from the first event up to a sequence comes to.
    pub(crate) fn replay(ledger: &Ledger, genesis: BlockHash, seq: u64) -> State {
        let mut state = State::new(genesis);
        let events = ledger.events(0, seq as usize).unwrap();
        assert_eq!(events.len() as u64, seq, "all of them are there");
        for (seq, event) in events {
            let block = match event.kind {
                EventKind::BestChanged => event.to,
                _ => state.cursor.block,
            };
            let cursor = Cursor {
                seq: seq + 1,
                block,
            };
            state.take(Some(seq), &event, cursor);
        }
        state
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = self.cursor.seq.to_le_bytes().to_vec();
        bytes.push(u8::from(self.whole));
        bytes.extend_from_slice(&self.digest);
        for hash in &self.chain {
            bytes.extend_from_slice(hash.as_byte_array());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> State {
        let (seq, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (whole, rest) = rest.split_first().unwrap();
        let (digest, rest) = rest.split_first_chunk::<32>().unwrap();
        let chain: Vec<BlockHash> = rest
            .chunks(32)
            .map(|hash| BlockHash::from_slice(hash).unwrap())
            .collect();
        State {
            cursor: Cursor {
                seq: u64::from_le_bytes(*seq),
                block: *chain.last().unwrap(),
            },
            chain,
            digest: *digest,
            whole: *whole == 1,
        }
    }
}

/// A state and the file it lies in.
pub(crate) struct Sink {
    path: PathBuf,
    pub(crate) state: State,
}

impl Sink {
    /// The state that the file has; that of a beginner if there is none.
    pub(crate) fn open(path: &Path, genesis: BlockHash) -> Sink {
        let state = match std::fs::read(path) {
            Ok(bytes) => State::read(&bytes),
            Err(_) => State::new(genesis),
        };
        Sink {
            path: path.to_path_buf(),
            state,
        }
    }

    /// Does what a delivery says, and keeps effects and cursor at one stroke.
    pub(crate) fn take(&mut self, delivery: &Delivery) {
        self.state
            .take(delivery.seq, &delivery.event, delivery.cursor);
        self.store();
    }

    /// Events were missed, and it goes on from its block: from here on only the chain can be right.
    pub(crate) fn missed_some(&mut self, cursor: Cursor) {
        assert_eq!(cursor.block, self.state.cursor.block);
        self.state.cursor = cursor;
        self.state.whole = false;
        self.store();
    }

    fn store(&self) {
        let new = self.path.with_extension("new");
        std::fs::write(&new, self.state.write()).unwrap();
        std::fs::rename(&new, &self.path).unwrap();
    }
}

/// The chain to a block, from genesis, by the tree.
pub(crate) fn chain_to(ledger: &Ledger, block: BlockHash) -> Vec<BlockHash> {
    let info = |hash: &BlockHash| -> BlockInfo { ledger.block_info(hash).unwrap() };
    let mut chain = vec![block];
    let mut at = info(&block);
    while at.height > 0 {
        chain.push(at.header.prev_blockhash);
        at = info(&at.header.prev_blockhash);
    }
    chain.reverse();
    chain
}
