//! Owns a trunk so long that a whole message of headers has less work than a chain must have to be kept: two thousand
//! blocks without coins, and on them those of every simulation.
//! Promises that it is made once, with a node's directory that has the blocks without coins.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness,
    absolute, opcodes, transaction,
};
use everett_ledger::{Ledger, Network, Params};
use everett_tests::corrupt;
use everett_tests::mint::{Mint, Parent};
use everett_tests::naive::{GENESIS, NaiveLedger};
use everett_tests::walk::{TRUNK, scratch};

use super::node::settings;

/// Blocks without coins.
const FOUNDATION: u32 = 2_450;
/// Above this the branches are; those who are deeper have as much work to be kept as the tip less so many blocks.
pub(crate) const HORIZON: u32 = 250;
/// Headers of a chain that never has enough work: a whole message of them and some.
const LOW_WORK: usize = 2_150;

/// The trunk, what made it, and a directory with its foundation.
pub(crate) struct Deep {
    pub(crate) naive: NaiveLedger,
    pub(crate) mint: Mint,
    foundation: tempfile::TempDir,
    /// Headers on genesis with their proof of work; there are no blocks to them.
    pub(crate) low_work: Vec<Header>,
}

impl Deep {
    /// A node's directory begins with the foundation.
    pub(crate) fn copy_to(&self, directory: &Path) {
        copy(self.foundation.path(), directory);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("room for a directory");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        let place = to.join(entry.file_name());
        match entry.file_type().expect("it has one").is_dir() {
            true => copy(&entry.path(), &place),
            false => {
                fs::copy(entry.path(), &place).expect("room for a copy");
            }
        }
    }
}

/// The only one.
pub(crate) fn deep() -> &'static Deep {
    static DEEP: OnceLock<Deep> = OnceLock::new();
    DEEP.get_or_init(|| {
        let mut naive = NaiveLedger::new(&Params::new(Network::Regtest), FOUNDATION + TRUNK, 0);
        let mut mint = Mint::new(1);
        let mut bytes = Vec::new();
        for height in 1..=FOUNDATION + TRUNK {
            let parent = naive.parent(naive.best());
            let (block, flaw) = match height <= FOUNDATION {
                true => (without_coins(&parent), None),
                false => mint.block(&parent, 2, None),
            };
            if height <= FOUNDATION {
                bytes.push(serialize(&block));
            }
            let index = naive.add(block, flaw);
            naive.submit(index, None);
            naive.commit(&HashSet::new());
        }
        let foundation = scratch();
        let ledger = Ledger::open(settings(foundation.path(), None, Some(HORIZON)));
        let ledger = ledger.expect("the directory is new");
        ledger.submit_blocks(&bytes).expect("the disk holds");
        drop(ledger);
        let low_work = low_work(&naive.entry(GENESIS).block.header);
        Deep {
            naive,
            mint,
            foundation,
            low_work,
        }
    })
}

/// A block whose coinbase burns what it has.
fn without_coins(parent: &Parent) -> Block {
    let script_sig = Builder::new()
        .push_int(i64::from(parent.height) + 1)
        .push_int(0)
        .into_script();
    let coinbase = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from_bytes(vec![opcodes::all::OP_RETURN.to_u8()]),
        }],
    };
    let mut block = Block {
        header: Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: parent.hash,
            merkle_root: TxMerkleNode::all_zeros(),
            time: parent.time + 60,
            bits: bitcoin::CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        },
        txdata: vec![coinbase],
    };
    corrupt::seal(&mut block);
    corrupt::mine(&mut block);
    block
}

fn low_work(genesis: &Header) -> Vec<Header> {
    let mut header = *genesis;
    let mut headers = Vec::with_capacity(LOW_WORK);
    for _ in 0..LOW_WORK {
        header.prev_blockhash = header.block_hash();
        header.time += 60;
        header.version = Version::from_consensus(0x2000_0000);
        while !header.target().is_met_by(header.block_hash()) {
            header.nonce = header.nonce.wrapping_add(1);
        }
        headers.push(header);
    }
    headers
}
