use std::str::FromStr;

use bitcoin::constants::genesis_block;
use bitcoin::{Address, Network};

use super::*;

fn template(parent: &Block, height: u32, payout: &ScriptBuf) -> Template {
    Template {
        height,
        parent: parent.block_hash(),
        time: 1_296_688_602 + height.max(1),
        bits: CompactTarget::from_consensus(0x207f_ffff),
        version: 0x2000_0000,
        reward: Amount::from_sat(50_0000_0000),
        witness_active: true,
        payout: payout.clone(),
        extra_nonce: None,
    }
}

/// Bitcoin Core's own test generates these 100 blocks with its clock at genesis + 1 and pins the
/// hash: the median time past moves the time one second every other block.
#[test]
fn a_hundred_blocks_are_bitcoin_cores_byte_for_byte() {
    let payout = Address::from_str("mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z")
        .unwrap()
        .require_network(Network::Regtest)
        .unwrap()
        .script_pubkey();
    let mut chain = vec![genesis_block(Network::Regtest)];
    for height in 1..=100 {
        let mut times: Vec<u32> = chain.iter().rev().take(11).map(|b| b.header.time).collect();
        times.sort_unstable();
        let median = times[times.len() / 2];
        let parent = chain.last().unwrap();
        let template = Template {
            time: 1_296_688_603.max(median + 1),
            ..template(parent, height, &payout)
        };
        chain.push(template.block(vec![]).unwrap());
    }
    assert_eq!(
        chain[100].block_hash().to_string(),
        "220aee93f0f5409631f35488898258f0930952bd620063cb4d7d87f7c28a8f50"
    );
}

#[test]
fn a_block_commits_to_witnesses_only_where_segwit_is_active() {
    let genesis = genesis_block(Network::Regtest);
    let with = template(&genesis, 1, &ScriptBuf::new());
    let without = Template {
        witness_active: false,
        ..with.clone()
    };
    let with = with.block(vec![]).unwrap();
    let without = without.block(vec![]).unwrap();
    assert_eq!(with.txdata[0].output.len(), 2);
    assert!(with.check_witness_commitment());
    assert_eq!(without.txdata[0].output.len(), 1);
    assert!(without.txdata[0].input[0].witness.is_empty());
    assert!(with.check_merkle_root() && without.check_merkle_root());
}

#[test]
fn a_target_beyond_a_processor_is_refused_before_hashing() {
    let genesis = genesis_block(Network::Bitcoin);
    let hard = Template {
        bits: genesis.header.bits,
        ..template(&genesis, 1, &ScriptBuf::new())
    };
    assert!(matches!(hard.block(vec![]), Err(MineError::TooHard { .. })));
}
