//! What is told of blocks, and when.

use super::*;

/// A node near its tip, a peer that wants compact blocks right away and knows the tip, and the next block.
fn scene() -> (Rig, PeerId, Block) {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let taker = rig.connect(Purpose::Inbound);
    let wish = SendCmpct {
        send_compact: true,
        version: 2,
    };
    rig.say(taker, NetworkMessage::SendCmpct(wish));
    let known = headers(&rig.ledger, &tip);
    rig.say(taker, NetworkMessage::Headers(known));
    rig.heard(taker);
    let next = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    (rig, taker, next)
}

fn compact_blocks(heard: &[NetworkMessage]) -> Vec<BlockHash> {
    (heard.iter())
        .filter_map(|message| match message {
            NetworkMessage::CmpctBlock(block) => Some(block.compact_block.header.block_hash()),
            _ => None,
        })
        .collect()
}

fn serve_all(rig: &mut Rig, id: PeerId) -> Vec<NetworkMessage> {
    while rig.protocol.serve(id, rig.now) {}
    rig.run();
    rig.heard(id)
}

#[test]
fn who_wants_compact_blocks_at_once_has_them_before_the_verdict_and_others_after_it() {
    let (mut rig, taker, next) = scene();
    let hash = next.block_hash();
    let other = rig.connect(Purpose::Inbound);
    let giver = rig.connect(Purpose::Inbound);
    for id in [other, giver] {
        rig.heard(id);
    }
    rig.slow = true;
    rig.say_block(giver, &next);
    assert_eq!(compact_blocks(&rig.heard(taker)), [hash]);
    assert!(rig.heard(other).is_empty());
    // It is given in parts, but whole only when it is valid.
    let parts = GetBlockTxn {
        txs_request: BlockTransactionsRequest {
            block_hash: hash,
            indexes: vec![0],
        },
    };
    rig.say(taker, NetworkMessage::GetBlockTxn(parts));
    assert!(matches!(
        &serve_all(&mut rig, taker)[..],
        [NetworkMessage::BlockTxn(answer)] if answer.transactions.transactions == next.txdata
    ));
    let whole = vec![Inventory::WitnessBlock(hash)];
    rig.say(taker, NetworkMessage::GetData(whole));
    assert!(serve_all(&mut rig, taker).is_empty());
    assert!(rig.protocol.has_requests(taker));
    rig.judge();
    assert_eq!(rig.ledger.best().hash(), hash);
    assert!(compact_blocks(&rig.heard(taker)).is_empty(), "told before");
    assert!(matches!(
        &serve_all(&mut rig, taker)[..],
        [NetworkMessage::Block(block)] if *block == next
    ));
    assert_eq!(
        rig.heard(other),
        [NetworkMessage::Inv(vec![Inventory::Block(hash)])]
    );
    assert!(rig.heard(giver).iter().all(|m| m.cmd() != "inv"));
}

#[test]
fn a_block_that_was_passed_on_and_turns_out_to_be_invalid_is_served_to_nobody() {
    let (mut rig, taker, mut bad) = scene();
    bad.txdata[0].output[0].value = Amount::from_sat(5_100_000_000);
    bad.header.merkle_root = bad.compute_merkle_root().unwrap();
    let target = bad.header.target();
    while bad.header.validate_pow(target).is_err() {
        bad.header.nonce += 1;
    }
    let hash = bad.block_hash();
    let giver = rig.connect(Purpose::Inbound);
    rig.slow = true;
    rig.say_block(giver, &bad);
    assert_eq!(compact_blocks(&rig.heard(taker)), [hash]);
    let whole = vec![Inventory::WitnessBlock(hash)];
    rig.say(taker, NetworkMessage::GetData(whole.clone()));
    assert!(serve_all(&mut rig, taker).is_empty());
    rig.judge();
    assert!(matches!(rig.fate(giver), Some((true, _))));
    assert_eq!(
        serve_all(&mut rig, taker),
        [NetworkMessage::NotFound(whole)]
    );
    let parts = GetBlockTxn {
        txs_request: BlockTransactionsRequest {
            block_hash: hash,
            indexes: vec![0],
        },
    };
    // Who was told of it may still ask what it needs to see for itself.
    rig.say(taker, NetworkMessage::GetBlockTxn(parts));
    assert!(matches!(
        &serve_all(&mut rig, taker)[..],
        [NetworkMessage::BlockTxn(_)]
    ));
    // Of the same height no other is passed on before its verdict; a good one is after it.
    let good = blocks(&rig.ledger, &rig.ledger.best().hash(), 1, 3).remove(0);
    let second = rig.connect(Purpose::Inbound);
    rig.say_block(second, &good);
    assert!(compact_blocks(&rig.heard(taker)).is_empty());
    rig.judge();
    assert_eq!(compact_blocks(&rig.heard(taker)), [good.block_hash()]);
}

#[test]
fn a_block_is_not_passed_on_early_to_who_lacks_its_parent() {
    let mut rig = Rig::new(HOUR);
    let tip = mine(&rig.ledger, &rig.genesis(), 5, 1);
    rig.protocol.best_changed(rig.now);
    let taker = rig.connect(Purpose::Inbound);
    let wish = SendCmpct {
        send_compact: true,
        version: 2,
    };
    rig.say(taker, NetworkMessage::SendCmpct(wish));
    rig.heard(taker);
    let next = blocks(&rig.ledger, &tip, 1, 2).remove(0);
    let giver = rig.connect(Purpose::Inbound);
    rig.slow = true;
    rig.say_block(giver, &next);
    assert!(rig.heard(taker).is_empty());
    rig.judge();
    assert_eq!(
        rig.heard(taker),
        [NetworkMessage::Inv(vec![Inventory::Block(
            next.block_hash()
        )])]
    );
}
