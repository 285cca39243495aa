//! Branches of empty regtest blocks, and a ledger to put them into. For tests.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::consensus::serialize;
use bitcoin::{Block, BlockHash, Transaction};

use crate::clock::Clock;
use crate::config::LedgerConfig;
use crate::decode::DecodedBlock;
use crate::ledger::Ledger;
use crate::params::{Network, Params};
use crate::rules::fixtures::{ListChain, block, coinbase};
use crate::rules::{HeaderFacts, ScriptsAssumedValid};
use crate::submission::Outcome;

/// Unix seconds late enough for all blocks that tests make.
pub(crate) fn late(params: &Params) -> u64 {
    u64::from(params.genesis.header.time) + 10 * 365 * 86_400
}

/// Settings for tests, with a horizon of ten blocks.
pub(crate) fn settings(mut config: LedgerConfig) -> LedgerConfig {
    config.clock = Clock::fixed(late(&config.params));
    config.scripts = Arc::new(ScriptsAssumedValid);
    config.horizon = Some(10);
    config
}

pub(crate) fn in_memory() -> Ledger {
    let config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    Ledger::open(settings(config)).unwrap()
}

/// A chain of blocks from genesis.
#[derive(Clone)]
pub(crate) struct Branch {
    pub(crate) chain: ListChain,
    /// Those above genesis.
    pub(crate) blocks: Vec<DecodedBlock>,
}

impl Branch {
    pub(crate) fn genesis() -> Branch {
        Branch {
            chain: ListChain::regular(&Params::new(Network::Regtest), 0, 0x207f_ffff),
            blocks: Vec::new(),
        }
    }

    /// This branch with `count` blocks more, which pay `sat` satoshis: branches that pay other sums are others.
    pub(crate) fn grown(&self, count: usize, sat: u64) -> Branch {
        let mut branch = self.clone();
        for _ in 0..count {
            let new = block(
                &branch.chain,
                vec![coinbase(branch.chain.0.len() as u32, sat)],
            );
            branch.push(new);
        }
        branch
    }

    /// This branch with a block that claims more than it may.
    pub(crate) fn greedy(&self) -> Branch {
        self.grown(1, 51 * 100_000_000)
    }

    /// As far as `height`.
    pub(crate) fn cut(&self, height: u32) -> Branch {
        let mut branch = self.clone();
        branch.chain.0.truncate(height as usize + 1);
        branch.blocks.truncate(height as usize);
        branch
    }

    fn push(&mut self, block: DecodedBlock) {
        self.chain.0.push(HeaderFacts {
            hash: block.hash,
            version: block.header.version.to_consensus(),
            time: block.header.time,
            bits: block.header.bits.to_consensus(),
        });
        self.blocks.push(block);
    }

    pub(crate) fn hash_at(&self, height: u32) -> BlockHash {
        self.chain.0[height as usize].hash
    }

    pub(crate) fn tip(&self) -> BlockHash {
        self.hash_at(self.blocks.len() as u32)
    }

    pub(crate) fn headers(&self) -> Vec<Header> {
        self.blocks.iter().map(|block| block.header).collect()
    }

    /// Submits all headers, which must be accepted.
    pub(crate) fn announce(&self, ledger: &Ledger) {
        assert_eq!(ledger.submit_headers(&self.headers()).unwrap(), Ok(()));
    }

    /// Submits all blocks above `height`.
    pub(crate) fn deliver(&self, ledger: &Ledger, height: u32) {
        let blocks: Vec<Vec<u8>> = self.blocks[height as usize..].iter().map(bytes).collect();
        ledger.submit_blocks(&blocks).unwrap();
    }

    /// Submits the block at one height.
    pub(crate) fn deliver_one(&self, ledger: &Ledger, height: u32) -> Outcome {
        let block = bytes(&self.blocks[height as usize - 1]);
        ledger.submit_block(&block).unwrap().outcome
    }
}

/// A block as the network carries it.
pub(crate) fn bytes(block: &DecodedBlock) -> Vec<u8> {
    let txdata: Vec<Transaction> = block.transactions.iter().map(|tx| tx.tx.clone()).collect();
    serialize(&Block {
        header: block.header,
        txdata,
    })
}
