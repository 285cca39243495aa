use bitcoin::bip152::BlockTransactionsRequest;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::p2p::message_compact_blocks::{BlockTxn, GetBlockTxn};
use bitcoin::{Amount, Block, Txid, Wtxid};
use everett_lab::{At, Lab};

use super::*;
use crate::compact::CompactBlock;

fn config() -> ServeConfig {
    ServeConfig {
        limited: false,
        minimum_chain_work: Work::from_be_bytes([0; 32]),
        seed: 5,
    }
}

fn hash(lab: &Lab, height: u32) -> BlockHash {
    lab.ledger().best_hash_at(height).unwrap()
}

fn serving() -> Serving {
    Serving::new(config())
}

fn getheaders(locator: Vec<BlockHash>, stop: BlockHash) -> GetHeadersMessage {
    GetHeadersMessage::new(locator, stop)
}

fn answered(serving: &Serving, lab: &Lab, asked: &GetHeadersMessage) -> Vec<BlockHash> {
    let headers = serving.headers(lab.ledger(), asked).unwrap();
    let headers = headers.expect("an answer");
    headers.iter().map(Header::block_hash).collect()
}

fn best(lab: &Lab, heights: std::ops::RangeInclusive<u32>) -> Vec<BlockHash> {
    heights.map(|height| hash(lab, height)).collect()
}

/// All answers to what one peer asked for.
fn all(serving: &mut Serving, requests: &mut Requests, lab: &Lab) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(message) = serving.next(requests, lab.ledger()).unwrap() {
        messages.push(message);
    }
    assert!(requests.is_empty());
    messages
}

fn asked(serving: &mut Serving, lab: &Lab, entries: &[Inventory]) -> Vec<Message> {
    let mut requests = Requests::new();
    requests.getdata(entries).unwrap();
    all(serving, &mut requests, lab)
}

fn names(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.command.as_str())
        .collect()
}

fn not_found(message: &Message) -> Vec<Inventory> {
    match message.decode().unwrap() {
        NetworkMessage::NotFound(entries) => entries,
        other => panic!("{other:?}"),
    }
}

/// A chain of 120 blocks whose last two hold payments with witnesses.
fn lab_with_payments() -> Lab {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    lab.fund(&alice).unwrap();
    lab.grow(At::Best, 118 - lab.best().height()).unwrap();
    for _ in 0..2 {
        let payment = lab.pay(&alice, &bob, Amount::from_sat(50_000)).unwrap();
        lab.mine(At::Best, [payment]).unwrap();
    }
    assert_eq!(lab.best().height(), 120);
    lab
}

#[test]
fn headers_follow_what_the_locator_and_the_best_chain_share() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 50).unwrap();
    let serving = serving();
    let zero = BlockHash::all_zeros();
    let ask = |locator: Vec<BlockHash>, stop| answered(&serving, &lab, &getheaders(locator, stop));

    assert_eq!(
        ask(vec![hash(&lab, 40), hash(&lab, 0)], zero),
        best(&lab, 41..=50)
    );
    assert_eq!(
        ask(vec![hash(&lab, 40)], hash(&lab, 45)),
        best(&lab, 41..=45)
    );
    // A stop that is behind the locator stops nothing.
    assert_eq!(
        ask(vec![hash(&lab, 40)], hash(&lab, 30)),
        best(&lab, 41..=50)
    );
    assert_eq!(ask(vec![zero, hash(&lab, 40)], zero), best(&lab, 41..=50));
    assert_eq!(ask(vec![zero], zero), best(&lab, 1..=50));
    assert_eq!(ask(vec![hash(&lab, 50)], zero), []);
    assert_eq!(ask(vec![], hash(&lab, 7)), [hash(&lab, 7)]);
    assert_eq!(
        serving
            .headers(lab.ledger(), &getheaders(vec![], zero))
            .unwrap(),
        None
    );
}

#[test]
fn a_stop_on_a_side_branch_gets_that_branch() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 20).unwrap();
    let mut side = lab.fork(10).unwrap();
    let mut branch = Vec::new();
    for _ in 0..5 {
        branch.push(side.mine([]).unwrap().hash());
    }
    let serving = serving();
    let ask = |locator: Vec<BlockHash>, stop| answered(&serving, &lab, &getheaders(locator, stop));
    assert_eq!(
        ask(
            vec![
                hash(&lab, 20),
                hash(&lab, 15),
                hash(&lab, 10),
                hash(&lab, 0)
            ],
            branch[4]
        ),
        branch
    );
    assert_eq!(
        ask(vec![hash(&lab, 20), hash(&lab, 8)], branch[2]),
        [best(&lab, 9..=10), branch[..3].to_vec()].concat()
    );
    assert_eq!(
        ask(vec![branch[1], hash(&lab, 10)], branch[3]),
        branch[2..4]
    );
    assert_eq!(ask(vec![], branch[3]), branch[3..4]);
    // From a side branch to the best chain.
    assert_eq!(
        ask(vec![branch[4], hash(&lab, 10)], BlockHash::all_zeros()),
        best(&lab, 11..=20)
    );

    lab.invalidate(branch[2]).unwrap();
    assert_eq!(ask(vec![hash(&lab, 20)], branch[4]), []);
    assert_eq!(
        serving
            .headers(lab.ledger(), &getheaders(vec![], branch[4]))
            .unwrap(),
        None
    );
}

#[test]
fn a_chain_of_too_little_work_is_not_told_of_and_long_locators_are_refused() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 5).unwrap();
    let serving = Serving::new(ServeConfig {
        minimum_chain_work: lab.best().chainwork() + lab.best().header().work(),
        ..config()
    });
    let zero = BlockHash::all_zeros();
    assert_eq!(
        answered(&serving, &lab, &getheaders(vec![hash(&lab, 1)], zero)),
        []
    );
    lab.grow(At::Best, 1).unwrap();
    assert_eq!(
        answered(&serving, &lab, &getheaders(vec![hash(&lab, 1)], zero)).len(),
        5
    );

    let long = vec![zero; MAX_LOCATOR_HASHES + 1];
    let error = serving
        .headers(lab.ledger(), &getheaders(long.clone(), zero))
        .unwrap_err();
    assert!(
        matches!(error, ServeError::LongLocator { count: 102 }),
        "{error}"
    );
    let asked = GetBlocksMessage::new(long, zero);
    assert!(
        serving
            .inventory(&mut Requests::new(), lab.ledger(), &asked)
            .is_err()
    );
}

#[test]
fn whoever_asks_for_the_last_of_five_hundred_blocks_is_told_of_the_tip() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 520).unwrap();
    let mut serving = serving();
    let mut requests = Requests::new();
    let ask = |serving: &Serving, requests: &mut Requests, from: u32, stop| {
        let asked = GetBlocksMessage::new(vec![hash(&lab, from)], stop);
        let message = serving.inventory(requests, lab.ledger(), &asked).unwrap();
        message.map(|message| match message.decode().unwrap() {
            NetworkMessage::Inv(entries) => entries,
            other => panic!("{other:?}"),
        })
    };
    let blocks = |heights| -> Vec<Inventory> {
        best(&lab, heights)
            .into_iter()
            .map(Inventory::Block)
            .collect()
    };
    let zero = BlockHash::all_zeros();
    assert_eq!(
        ask(&serving, &mut requests, 515, zero),
        Some(blocks(516..=520))
    );
    assert_eq!(
        ask(&serving, &mut requests, 515, hash(&lab, 518)),
        Some(blocks(516..=517))
    );
    assert_eq!(ask(&serving, &mut requests, 520, zero), None);
    assert_eq!(requests.continuation, None);
    assert_eq!(ask(&serving, &mut requests, 5, zero), Some(blocks(6..=505)));

    requests.getdata(&blocks(504..=505)).unwrap();
    requests.getdata(&blocks(6..=6)).unwrap();
    let messages = all(&mut serving, &mut requests, &lab);
    assert_eq!(names(&messages), ["block", "block", "inv", "block"]);
    let tip = Message::from(NetworkMessage::Inv(blocks(520..=520)));
    assert_eq!(messages[2], tip);
    // Once.
    requests.getdata(&blocks(505..=505)).unwrap();
    assert_eq!(names(&all(&mut serving, &mut requests, &lab)), ["block"]);
}

#[test]
fn a_block_is_sent_in_the_form_that_was_asked_for() {
    let lab = lab_with_payments();
    let mut serving = serving();
    let tip = hash(&lab, 120);
    let stored = lab.ledger().block_bytes(&tip).unwrap();
    let block: Block = deserialize(&stored).unwrap();
    assert!(
        block.txdata[1]
            .input
            .iter()
            .any(|input| !input.witness.is_empty())
    );

    let messages = asked(
        &mut serving,
        &lab,
        &[
            Inventory::WitnessBlock(tip),
            Inventory::Block(tip),
            Inventory::CompactBlock(tip),
        ],
    );
    assert_eq!(names(&messages), ["block", "block", "cmpctblock"]);
    assert_eq!(messages[0].payload, stored);
    let mut stripped = block.clone();
    for input in stripped.txdata.iter_mut().flat_map(|tx| &mut tx.input) {
        input.witness.clear();
    }
    assert_eq!(messages[1].payload, serialize(&stripped));
    let compact = CompactBlock::decode(&messages[2].payload).unwrap();
    assert_eq!((compact.hash, compact.transactions()), (tip, 2));
    assert_eq!(serving.compact(&tip).as_ref(), Some(&messages[2]));

    // A block without witnesses but the coinbase's, and one that is too deep to be compact.
    let messages = asked(
        &mut serving,
        &lab,
        &[
            Inventory::CompactBlock(hash(&lab, 115)),
            Inventory::CompactBlock(hash(&lab, 114)),
        ],
    );
    assert_eq!(names(&messages), ["cmpctblock", "block"]);
    assert_eq!(
        messages[1].payload,
        lab.ledger().block_bytes(&hash(&lab, 114)).unwrap()
    );
}

#[test]
fn what_is_not_there_is_told_in_one_message_and_unknown_kinds_are_left_alone() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 3).unwrap();
    let mut serving = serving();
    let nowhere = BlockHash::from_byte_array([9; 32]);
    let missing = [
        Inventory::Transaction(Txid::from_byte_array([1; 32])),
        Inventory::WTx(Wtxid::from_byte_array([2; 32])),
        Inventory::WitnessTransaction(Txid::from_byte_array([3; 32])),
        Inventory::WitnessBlock(nowhere),
        Inventory::CompactBlock(nowhere),
    ];
    let filtered = Inventory::Unknown {
        inv_type: 3,
        hash: hash(&lab, 1).to_byte_array(),
    };
    let tip = Inventory::WitnessBlock(hash(&lab, 3));
    let entries = [
        &[filtered, tip],
        &missing[..3],
        &[filtered, tip, tip],
        &missing[3..],
    ]
    .concat();
    let messages = asked(&mut serving, &lab, &entries);
    assert_eq!(
        names(&messages),
        ["block", "notfound", "block", "block", "notfound"],
    );
    assert_eq!(not_found(&messages[1]), missing[..3]);
    assert_eq!(not_found(&messages[4]), missing[3..]);
    assert_eq!(asked(&mut serving, &lab, &[filtered]), []);
}

#[test]
fn stale_blocks_are_served_and_invalid_ones_are_not() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 20).unwrap();
    let mut side = lab.fork(10).unwrap();
    let first = side.mine([]).unwrap().hash();
    let second = side.mine([]).unwrap().hash();
    let mut serving = serving();
    let entries = [
        Inventory::WitnessBlock(first),
        Inventory::WitnessBlock(second),
    ];
    assert_eq!(
        names(&asked(&mut serving, &lab, &entries)),
        ["block", "block"]
    );

    // Also what was read before is not served any more.
    lab.invalidate(second).unwrap();
    let messages = asked(&mut serving, &lab, &entries);
    assert_eq!(names(&messages), ["block", "notfound"]);
    assert_eq!(not_found(&messages[1]), entries[1..]);
    serving.forget(&second);
    assert!(serving.compact(&second).is_none());
}

#[test]
fn a_block_is_not_served_before_it_is_validated() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 5).unwrap();
    let other = Lab::new(0);
    other.grow(At::Best, 5).unwrap();
    let new = other.mine(At::Best, []).unwrap().hash();
    let bytes = Bytes::from(other.ledger().block_bytes(&new).unwrap());
    let header = other.best().header();
    lab.ledger().submit_headers(&[header]).unwrap().unwrap();

    let mut serving = serving();
    let wanted = [Inventory::WitnessBlock(new)];
    assert_eq!(names(&asked(&mut serving, &lab, &wanted)), ["notfound"]);
    serving.keep(new, bytes.clone());
    assert_eq!(names(&asked(&mut serving, &lab, &wanted)), ["notfound"]);
    lab.ledger().submit_block(&bytes).unwrap();
    assert_eq!(asked(&mut serving, &lab, &wanted), [Message::block(bytes)]);
}

#[test]
fn a_pruned_node_serves_what_it_promises_and_no_more() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 300).unwrap();
    let mut serving = Serving::new(ServeConfig {
        limited: true,
        ..config()
    });
    let deepest = 300 - LIMITED_DEPTH;
    let entry = |height| Inventory::WitnessBlock(hash(&lab, height));
    assert_eq!(
        names(&asked(&mut serving, &lab, &[entry(deepest)])),
        ["block"]
    );
    let mut requests = Requests::new();
    requests.getdata(&[entry(deepest - 1), entry(300)]).unwrap();
    let error = serving.next(&mut requests, lab.ledger()).unwrap_err();
    assert!(matches!(error, ServeError::TooDeep { .. }), "{error}");
    assert!(!error.is_misbehaviour());
    assert_eq!(names(&all(&mut serving, &mut requests, &lab)), ["block"]);

    let ask = |from: u32| {
        let asked = GetBlocksMessage::new(vec![hash(&lab, from)], BlockHash::all_zeros());
        let mut requests = Requests::new();
        serving
            .inventory(&mut requests, lab.ledger(), &asked)
            .unwrap()
            .is_some()
    };
    assert!(!ask(300 - 283) && ask(300 - 282));
}

fn getblocktxn(block_hash: BlockHash, indexes: &[u64]) -> GetBlockTxn {
    GetBlockTxn {
        txs_request: BlockTransactionsRequest {
            block_hash,
            indexes: indexes.to_vec(),
        },
    }
}

#[test]
fn single_transactions_of_recent_blocks_are_sent_and_older_blocks_whole() {
    let lab = lab_with_payments();
    let mut serving = serving();
    let mut requests = Requests::new();
    let tip = hash(&lab, 120);
    let block: Block = deserialize(&lab.ledger().block_bytes(&tip).unwrap()).unwrap();
    requests.getblocktxn(&getblocktxn(tip, &[1])).unwrap();
    requests.getblocktxn(&getblocktxn(tip, &[0, 1])).unwrap();
    requests
        .getblocktxn(&getblocktxn(hash(&lab, 110), &[0]))
        .unwrap();
    requests
        .getblocktxn(&getblocktxn(hash(&lab, 109), &[0]))
        .unwrap();
    requests
        .getblocktxn(&getblocktxn(BlockHash::all_zeros(), &[0]))
        .unwrap();
    let messages = all(&mut serving, &mut requests, &lab);
    assert_eq!(
        names(&messages),
        ["blocktxn", "blocktxn", "blocktxn", "block"]
    );
    for (message, expected) in messages.iter().zip([&block.txdata[1..], &block.txdata[..]]) {
        let Ok(NetworkMessage::BlockTxn(BlockTxn { transactions })) = message.decode() else {
            panic!("{message:?}");
        };
        assert_eq!(transactions.block_hash, tip);
        assert_eq!(transactions.transactions, expected);
    }

    requests.getblocktxn(&getblocktxn(tip, &[0, 2])).unwrap();
    let error = serving.next(&mut requests, lab.ledger()).unwrap_err();
    assert!(error.is_misbehaviour(), "{error}");
    let error = requests
        .getblocktxn(&getblocktxn(tip, &[65_536]))
        .unwrap_err();
    assert!(error.is_misbehaviour(), "{error}");
}

#[test]
fn what_waits_is_bounded_and_looked_at_in_portions() {
    let lab = Lab::new(0);
    let mut serving = serving();
    let mut requests = Requests::new();
    let unknown = vec![Inventory::WTx(Wtxid::from_byte_array([1; 32])); MAX_INVENTORY + 1];
    let error = requests.getdata(&unknown).unwrap_err();
    assert!(error.is_misbehaviour(), "{error}");
    requests.getdata(&unknown[1..]).unwrap();
    let error = requests.getdata(&unknown[..1]).unwrap_err();
    assert!(matches!(error, ServeError::Backlog), "{error}");
    assert_eq!(requests.len(), MAX_INVENTORY);
    let messages = all(&mut serving, &mut requests, &lab);
    assert_eq!(messages.len(), MAX_INVENTORY / MAX_MISSING);
    assert!(
        messages
            .iter()
            .all(|message| not_found(message).len() == MAX_MISSING)
    );
    assert_eq!((requests.weight, requests.queue.capacity()), (0, 0));

    let places: Vec<u64> = (0..60_000).collect();
    let large = getblocktxn(BlockHash::all_zeros(), &places);
    let error = std::iter::repeat_with(|| requests.getblocktxn(&large)).find_map(Result::err);
    assert!(matches!(error, Some(ServeError::Backlog)));
    assert!(requests.len() < 14);
}

#[test]
fn many_peers_that_ask_for_the_same_block_are_given_the_same_bytes() {
    let lab = lab_with_payments();
    let mut serving = serving();
    let tip = hash(&lab, 120);
    for form in [
        Inventory::WitnessBlock(tip),
        Inventory::Block(tip),
        Inventory::CompactBlock(tip),
    ] {
        let first = asked(&mut serving, &lab, &[form]).remove(0);
        for _ in 0..100 {
            let again = asked(&mut serving, &lab, &[form]).remove(0);
            assert_eq!(again.payload.as_ptr(), first.payload.as_ptr());
        }
    }
}

#[test]
fn a_peer_that_downloads_the_chain_does_not_push_out_the_newest_blocks() {
    let lab = Lab::new(0);
    lab.grow(At::Best, 60).unwrap();
    let mut serving = serving();
    let newest = hash(&lab, 60);
    serving.keep(
        newest,
        Bytes::from(lab.ledger().block_bytes(&newest).unwrap()),
    );
    for height in 1..60 {
        asked(
            &mut serving,
            &lab,
            &[Inventory::WitnessBlock(hash(&lab, height))],
        );
    }
    assert!(serving.recent.contains(&newest));
    for height in 20..60 {
        let old = hash(&lab, height);
        serving.keep(old, Bytes::from(vec![0; 3 << 20]));
        assert!(serving.recent.bytes() <= MAX_RECENT_BYTES);
    }
    serving.keep(hash(&lab, 1), Bytes::from(vec![0; 40 << 20]));
    assert!(serving.recent.contains(&hash(&lab, 1)) && !serving.recent.contains(&hash(&lab, 59)));
}
