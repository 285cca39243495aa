//! A chain with sixty forks, of which Core wrote down the UTXO set at every block.

use std::collections::HashMap;
use std::fs::read_to_string;

use bitcoin::BlockHash;
use everett_ledger::decode::decode_header;
use everett_ledger::delta::Delta;
use everett_ledger::params::{Network, Params};
use everett_ledger::rules::{Chain, HeaderFacts};
use serde_json::Value;

use crate::naive::{NaiveWorld, facts};
use crate::vectors::{find, frames, shown};

/// Blocks that were accepted, on all branches.
struct Tree {
    blocks: HashMap<BlockHash, (BlockHash, HeaderFacts, Delta)>,
}

impl Tree {
    /// Moves the world to another block: back to where the branches part, then up the other one.
    fn travel(&self, world: &mut NaiveWorld, to: BlockHash) {
        let mut ahead = Vec::new();
        let mut above = to;
        while !(0..=world.height()).any(|height| world.header(height).hash == above) {
            ahead.push(above);
            above = self.blocks[&above].0;
        }
        while world.header(world.height()).hash != above {
            let tip = world.header(world.height()).hash;
            world.undo(&self.blocks[&tip].2);
        }
        for block in ahead.iter().rev() {
            let (_, facts, delta) = &self.blocks[block];
            world.apply(*facts, delta);
        }
    }
}

#[test]
fn the_utxo_set_is_cores_at_every_block_of_every_branch() {
    let Some(folder) = find("worlds/regtest-60-forks") else {
        return;
    };
    let mut world = NaiveWorld::new(Params::new(Network::Regtest));
    let blocks = frames(&folder.join("blocks.dat"), world.params.magic);
    let known = read_to_string(folder.join("blocks.jsonl")).unwrap();
    let known: HashMap<String, Value> = known
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|block| (block["hash"].as_str().unwrap().to_owned(), block))
        .collect();

    let mut tree = Tree {
        blocks: HashMap::new(),
    };
    for bytes in &blocks[1..] {
        let (header, _) = decode_header(bytes).unwrap();
        tree.travel(&mut world, header.prev_blockhash);
        let (block, delta) = world.judge(bytes, u64::from(header.time)).unwrap();
        world.apply(facts(&block), &delta);
        tree.blocks
            .insert(block.hash, (header.prev_blockhash, facts(&block), delta));

        let known = &known[&block.hash.to_string()];
        let info = world.set_info();
        assert_eq!(u64::from(world.height()), known["height"].as_u64().unwrap());
        assert_eq!(info.txouts, known["txouts"].as_u64().unwrap());
        assert_eq!(info.total_sat, known["total_sat"].as_u64().unwrap());
        assert_eq!(info.bogosize, known["bogosize"].as_u64().unwrap());
        assert_eq!(shown(info.muhash), known["muhash"].as_str().unwrap());
        assert_eq!(
            shown(info.hash_serialized_3),
            known["hash_serialized_3"].as_str().unwrap()
        );
    }
    assert_eq!(tree.blocks.len() + 1, known.len());
}
