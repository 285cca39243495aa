//! Laws over random histories with forks, double spends, reorganisations and invalidated blocks: what one node serves, another
//! can use.

use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::{Block, BlockHash, Work};
use bytes::Bytes;
use everett_lab::Lab;
use everett_lab::chaos::Chaos;
use everett_ledger::{HeaderStatus, Ledger};
use everett_net::Message;
use everett_p2p::compact::{BlockTransactions, CompactBlock, PartialBlock};
use everett_p2p::presync::{ChainStart, End, Presync, PresyncParams, Step};
use everett_p2p::recent_transactions::{
    RecentLimits, RecentTransaction, RecentTransactions, Source,
};
use everett_p2p::serve::{Requests, ServeConfig, Serving};

/// Histories.
const SEEDS: u64 = 6;
/// Steps of each.
const STEPS: usize = 60;

fn serving() -> Serving {
    Serving::new(ServeConfig {
        limited: false,
        minimum_chain_work: Work::from_be_bytes([0; 32]),
        seed: 1,
    })
}

fn histories(mut after_each_step: impl FnMut(&Ledger, u64, usize)) {
    for seed in 0..SEEDS {
        let mut chaos = Chaos::in_lab(Lab::new(seed));
        for step in 0..STEPS {
            chaos.step().expect("a step");
            after_each_step(chaos.lab().ledger(), seed, step);
        }
    }
}

/// Every block of the tree, from its leaves down.
fn blocks(ledger: &Ledger) -> Vec<BlockHash> {
    let best = ledger.best().height();
    let heights = 0..=best + 50;
    let blocks = heights.flat_map(|height| ledger.blocks_at_height(height));
    blocks.map(|block| block.hash).collect()
}

fn answers(serving: &mut Serving, ledger: &Ledger, requests: &mut Requests) -> Vec<Message> {
    std::iter::from_fn(|| serving.next(requests, ledger).expect("an answer")).collect()
}

#[test]
fn every_validated_block_of_every_branch_is_served_by_its_hash_and_no_other() {
    let mut invalid = 0;
    histories(|ledger, seed, step| {
        let at_rest = step % 20 == 19;
        let invalidated = ledger
            .tips()
            .iter()
            .any(|tip| tip.status.as_str() == "invalid");
        if !at_rest && !invalidated {
            return;
        }
        let mut serving = serving();
        for hash in blocks(ledger) {
            let mut requests = Requests::new();
            requests
                .getdata(&[Inventory::WitnessBlock(hash)])
                .expect("one request");
            let answers = answers(&mut serving, ledger, &mut requests);
            let expected = match ledger.header(&hash).expect("a header").status {
                HeaderStatus::Validated => {
                    Message::block(ledger.block_bytes(&hash).expect("its bytes"))
                }
                _ => {
                    invalid += 1;
                    let entries = vec![Inventory::WitnessBlock(hash)];
                    Message::from(NetworkMessage::NotFound(entries))
                }
            };
            assert_eq!(
                answers,
                [expected],
                "seed {seed}, step {step}, block {hash}"
            );
        }
    });
    assert!(invalid > 0, "no history had an invalid block");
}

#[test]
fn every_block_of_every_branch_comes_back_from_its_compact_form_and_what_its_server_adds() {
    let (mut all, mut fetched) = (0, 0);
    histories(|ledger, seed, step| {
        if step + 1 < STEPS {
            return;
        }
        let mut serving = serving();
        let mut recent = RecentTransactions::new(RecentLimits::default());
        let mut seen = 0;
        // Lowest first, so that rivals of one height follow each other.
        for hash in blocks(ledger) {
            let header = ledger.header(&hash).expect("a header");
            if header.status != HeaderStatus::Validated {
                continue;
            }
            let bytes = Bytes::from(ledger.block_bytes(&hash).expect("its bytes"));
            serving.keep(hash, bytes.clone());
            // Half of the transactions were heard of before; some are in a rival block too.
            let block: Block = deserialize(&bytes).expect("a block");
            for transaction in block.txdata[1..].iter().step_by(2) {
                let message = Bytes::from(serialize(transaction));
                let transaction = RecentTransaction::within(&message, 0).expect("a transaction");
                recent.insert(&transaction, Source::Block);
            }
            let message = serving.compact(&hash).expect("a compact block");
            let compact = CompactBlock::decode(&message.payload).expect("a compact block");
            let partial = PartialBlock::begin(compact, recent.iter()).expect("no collision");
            all += partial.transactions() - 1;
            fetched += partial.missing().count();
            // What is missing is asked for and answered as it would be over the wire, if the block is recent.
            let mut missing = Vec::new();
            if let Some(request) = partial.request() {
                let Ok(NetworkMessage::GetBlockTxn(asked)) = request.decode() else {
                    panic!("{request:?}");
                };
                let mut requests = Requests::new();
                requests.getblocktxn(&asked).expect("one request");
                let answer = answers(&mut serving, ledger, &mut requests).remove(0);
                if answer.command.as_str() == "block" {
                    assert_eq!(answer.payload, bytes);
                    recent.insert_block(&bytes);
                    continue;
                }
                missing = BlockTransactions::decode(&answer.payload)
                    .expect("transactions")
                    .transactions;
            }
            let filled = partial.fill(missing, true).expect("the block");
            assert_eq!(filled, bytes, "seed {seed}, block {hash}");
            recent.insert_block(&bytes);
            seen += 1;
        }
        assert!(seen > 0, "seed {seed}: nothing was put together");
    });
    assert!(
        fetched < all,
        "{fetched} of {all} transactions were fetched"
    );
    println!("{fetched} of {all} transactions were fetched");
}

#[test]
fn a_new_node_gets_the_headers_of_any_branch_by_way_of_a_sync_of_little_work() {
    histories(|ledger, seed, step| {
        if step + 1 < STEPS {
            return;
        }
        let serving = serving();
        for tip in ledger.tips() {
            let tip = ledger.header(&tip.hash).expect("a header");
            if tip.status != HeaderStatus::Validated {
                continue;
            }
            let genesis = ledger.ancestor(&tip.hash, 0).expect("genesis");
            let start = ChainStart::new(&genesis, vec![genesis.hash]);
            let sizes = PresyncParams {
                commitment_period: 5,
                window: 60,
            };
            let now = u64::from(tip.header.time);
            let mut sync = Presync::with_sizes(sizes, start, tip.chainwork, now, [seed as u8; 32]);
            let mut kept: Vec<Header> = Vec::new();
            loop {
                // Messages of 40 headers, so that there are some.
                let asked = GetHeadersMessage::new(sync.locator(), tip.hash);
                let headers = serving.headers(ledger, &asked).expect("an answer");
                let mut headers = headers.expect("headers");
                headers.truncate(40);
                match sync.receive(&headers, headers.len() == 40, ledger.params()) {
                    Step::More { .. } => {}
                    Step::Ready { headers, next } => {
                        kept.extend(headers);
                        match next {
                            Ok(_) => {}
                            Err(end) => {
                                assert_eq!(end, End::Complete);
                                break;
                            }
                        }
                    }
                    step => panic!("{step:?}"),
                }
            }
            assert_eq!(kept.len(), tip.height as usize);
            assert_eq!(kept.last().map(Header::block_hash), Some(tip.hash));
        }
    });
}
