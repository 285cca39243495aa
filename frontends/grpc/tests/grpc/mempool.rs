//! MempoolService: transactions given in, judged in any world, listed, and followed.

use std::time::Duration;

use bitcoin::consensus::serialize;
use bitcoin::{Amount, OutPoint, Transaction, Txid};
use everett_grpc::{GrpcConfig, StreamLimits};
use everett_proto::v1;
use everett_proto::v1::mempool_service_client::MempoolServiceClient;
use everett_proto::v1::stream_transactions_response::Message;
use everett_proto::v1::{ErrorReason, MempoolEventKind, RemovalReason};
use everett_tests::signer::Signer;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::support::*;

type Events = Streaming<v1::StreamTransactionsResponse>;

fn client(node: &TestNode) -> MempoolServiceClient<Channel> {
    MempoolServiceClient::new(node.channel.clone())
}

/// A key with mature coins of 50 BTC: those of the coinbases at these heights.
struct Coins {
    signer: Signer,
    blocks: Vec<String>,
    coins: Vec<(OutPoint, Amount)>,
}

async fn coins(node: &TestNode, count: u32) -> Coins {
    let signer = Signer::new();
    let blocks = node
        .mine(None, 100 + count, script(signer.script.to_bytes()))
        .await;
    let mut coins = Vec::new();
    for hash in &blocks[..count as usize] {
        let request = v1::GetBlockRequest { world: at(hash) };
        let block = node.chain().get_block(request).await.unwrap().into_inner();
        let block: bitcoin::Block = bitcoin::consensus::deserialize(&block.block).unwrap();
        let coinbase = &block.txdata[0];
        coins.push((
            OutPoint::new(coinbase.compute_txid(), 0),
            coinbase.output[0].value,
        ));
    }
    Coins {
        signer,
        blocks,
        coins,
    }
}

impl Coins {
    fn spend(&self, which: usize, fee: u64) -> Transaction {
        let fee = Amount::from_sat(fee);
        self.signer.spend(&self.coins[which..=which], 2, fee).0
    }

    fn spend_first_output(&self, tx: &Transaction, fee: u64) -> Transaction {
        let coin = (OutPoint::new(tx.compute_txid(), 0), tx.output[0].value);
        self.signer.spend(&[coin], 1, Amount::from_sat(fee)).0
    }
}

fn submit(tx: &Transaction) -> v1::SubmitTransactionRequest {
    v1::SubmitTransactionRequest {
        transaction: serialize(tx),
        max_fee_rate_sat_per_kvb: None,
    }
}

fn test(world: Option<v1::WorldRef>, all: &[&Transaction]) -> v1::TestTransactionRequest {
    v1::TestTransactionRequest {
        world,
        transactions: all.iter().map(serialize_one).collect(),
    }
}

fn serialize_one(tx: &&Transaction) -> Vec<u8> {
    serialize(*tx)
}

async fn follow(node: &TestNode, after_change: Option<u64>) -> Events {
    let request = v1::StreamTransactionsRequest {
        after_change,
        include_raw: true,
        ..Default::default()
    };
    let stream = client(node).stream_transactions(request).await;
    stream.expect("a stream").into_inner()
}

async fn message(events: &mut Events) -> Message {
    let message = tokio::time::timeout(PATIENCE, events.message()).await;
    let message = message.expect("in time").expect("no failure");
    message.expect("no end").message.expect("set")
}

async fn event(events: &mut Events) -> v1::MempoolEvent {
    loop {
        if let Message::Event(event) = message(events).await {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_taken_known_and_refused_with_cores_words() {
    let node = TestNode::lab().await;
    let coins = coins(&node, 2).await;
    let mut client = client(&node);
    let tx = coins.spend(0, 1_000);
    let taken = client.submit_transaction(submit(&tx)).await.unwrap();
    let taken = taken.into_inner();
    let verdict = taken.verdict.unwrap();
    assert_eq!(verdict.txid, tx.compute_txid().to_string());
    assert_eq!(verdict.wtxid, tx.compute_wtxid().to_string());
    assert_eq!((verdict.allowed, verdict.fee_sat), (true, 1_000));
    assert_eq!(verdict.vsize, tx.vsize() as u64);
    assert!(!taken.known);
    assert!(taken.world.unwrap().best);
    let again = client.submit_transaction(submit(&tx)).await.unwrap();
    let again = again.into_inner();
    assert!(again.known);
    assert_eq!(again.verdict.unwrap().fee_sat, 1_000);

    let cheaper = coins.spend(0, 900);
    let refusal = client.submit_transaction(submit(&cheaper)).await;
    let details = refused(refusal, Code::FailedPrecondition, ErrorReason::TxRejected);
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!(metadata["reject_reason"], "insufficient fee");
    assert_eq!(metadata["txid"], cheaper.compute_txid().to_string());
    assert!(metadata["reject_debug_message"].contains("rejecting replacement"));

    let dear = coins.spend(1, 5_000_000);
    let wrong = client.submit_transaction(submit(&dear)).await;
    let wrong = refused_field(wrong, "max_fee_rate_sat_per_kvb");
    assert!(wrong.contains("it would pay 5000000 satoshis"), "{wrong}");
    let mut meant = submit(&dear);
    meant.max_fee_rate_sat_per_kvb = Some(0);
    client.submit_transaction(meant).await.unwrap();
    let mut negative = submit(&dear);
    negative.max_fee_rate_sat_per_kvb = Some(-1);
    refused_field(
        client.submit_transaction(negative).await,
        "max_fee_rate_sat_per_kvb",
    );
    for garbage in [Vec::new(), vec![1, 2, 3]] {
        let request = v1::SubmitTransactionRequest {
            transaction: garbage,
            max_fee_rate_sat_per_kvb: None,
        };
        refused_field(client.submit_transaction(request).await, "transaction");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_rival_world_is_judged_and_listed_there() {
    let node = TestNode::lab().await;
    let coins = coins(&node, 2).await;
    let mut client = client(&node);
    // On the best chain the coin is spent by one transaction, on a rival as long by nobody.
    let fork = coins.blocks[100].clone();
    let spent = coins.spend(0, 1_000);
    let request = v1::MineBlocksRequest {
        parent: None,
        count: 2,
        transactions: vec![serialize(&spent)],
        ..Default::default()
    };
    node.make().mine_blocks(request).await.unwrap();
    let rival = node.mine(at(&fork), 1, None).await[0].clone();
    let other = coins.spend(0, 2_000);

    let here = client.test_transaction(test(None, &[&other])).await;
    let here = here.unwrap().into_inner();
    assert!(here.world.unwrap().best);
    assert!(!here.verdicts[0].allowed);
    assert_eq!(here.verdicts[0].reject_reason, "missing-inputs");
    let there = client.test_transaction(test(at(&rival), &[&other])).await;
    let there = there.unwrap().into_inner();
    assert_eq!(there.world.unwrap().tip_hash, rival);
    // What the best chain has would wait there: this one would take its place.
    assert!(there.verdicts[0].allowed, "{:?}", there.verdicts[0]);
    assert_eq!(there.verdicts[0].fee_sat, 2_000);
    let replaced = [spent.compute_txid().to_string()];
    assert_eq!(there.verdicts[0].replaced_txids, replaced);

    let list = |world| v1::ListTransactionsRequest {
        world,
        ..Default::default()
    };
    let none = client.list_transactions(list(None)).await.unwrap();
    assert_eq!(none.into_inner().total_count, 0);
    let waits = client.list_transactions(list(at(&rival))).await.unwrap();
    let waits = waits.into_inner();
    assert_eq!(waits.world.unwrap().tip_hash, rival);
    assert_eq!(waits.transactions[0].txid, spent.compute_txid().to_string());

    // A child is judged with its parent.
    let child = coins.spend_first_output(&other, 500);
    let alone = client.test_transaction(test(at(&rival), &[&child])).await;
    let alone = alone.unwrap().into_inner();
    assert_eq!(alone.verdicts[0].reject_reason, "missing-inputs");
    let parent = coins.spend(1, 700);
    let child = coins.spend_first_output(&parent, 500);
    let both = client
        .test_transaction(test(None, &[&parent, &child]))
        .await;
    let both = both.unwrap().into_inner();
    let allowed: Vec<bool> = both.verdicts.iter().map(|one| one.allowed).collect();
    assert_eq!(allowed, [true, true], "{both:?}");
    let backwards = client
        .test_transaction(test(None, &[&child, &parent]))
        .await;
    let backwards = backwards.unwrap().into_inner();
    assert_eq!(backwards.package_reject_reason, "package-not-sorted");

    refused_field(
        client.test_transaction(test(None, &[])).await,
        "transactions",
    );
    refused(
        client
            .test_transaction(test(at(&nowhere()), &[&child]))
            .await,
        Code::NotFound,
        ErrorReason::WorldUnknown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_listed_page_by_page_once() {
    let node = TestNode::lab().await;
    let coins = coins(&node, 7).await;
    let mut client = client(&node);
    let mut txids = Vec::new();
    for which in 0..7 {
        let tx = coins.spend(which, 1_000);
        client.submit_transaction(submit(&tx)).await.unwrap();
        txids.push(tx.compute_txid().to_string());
    }
    txids.sort();
    let mut request = v1::ListTransactionsRequest {
        page_size: 3,
        include_raw: true,
        ..Default::default()
    };
    let mut listed = Vec::new();
    let mut pages = 0;
    loop {
        let page = client.list_transactions(request.clone()).await.unwrap();
        let page = page.into_inner();
        assert_eq!(page.total_count, 7);
        assert_eq!(page.min_fee_rate_sat_per_kvb, 100);
        pages += 1;
        for tx in &page.transactions {
            let raw: Transaction = bitcoin::consensus::deserialize(&tx.raw).unwrap();
            assert_eq!(raw.compute_txid().to_string(), tx.txid);
            assert_eq!((tx.fee_sat, tx.modified_fee_sat), (1_000, 1_000));
            assert_eq!((tx.ancestor_count, tx.descendant_count), (1, 1));
            let vsize = raw.vsize() as i64;
            // The rate is of the weight, which virtual bytes round up.
            let rate = 1_000_000 / vsize;
            assert!((rate..rate + 60).contains(&tx.mining_fee_rate_sat_per_kvb));
            assert_eq!(tx.received_height, 107);
            assert!(tx.unbroadcast);
        }
        listed.extend(page.transactions.into_iter().map(|tx| tx.txid));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, listed), (3, txids));
    request.page_token = "00".to_owned();
    refused_field(client.list_transactions(request).await, "page_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_enters_and_leaves_is_told_in_order_and_from_any_change_on() {
    let node = TestNode::lab().await;
    let coins = coins(&node, 2).await;
    let mut client = client(&node);
    let mut events = follow(&node, None).await;
    let Message::Heartbeat(begin) = message(&mut events).await else {
        panic!("the first message says where the stream begins");
    };
    let first = coins.spend(0, 1_000);
    let better = coins.spend(0, 5_000);
    let other = coins.spend(1, 1_000);
    for tx in [&first, &better, &other] {
        client.submit_transaction(submit(tx)).await.unwrap();
    }
    let told = |event: &v1::MempoolEvent| {
        let txid: Txid = event.txid.parse().unwrap();
        (txid, event.kind(), event.reason())
    };
    let (accepted, removed) = (MempoolEventKind::Accepted, MempoolEventKind::Removed);
    let entered = event(&mut events).await;
    let nothing = RemovalReason::Unspecified;
    assert_eq!(told(&entered), (first.compute_txid(), accepted, nothing));
    assert_eq!(entered.raw, serialize(&first));
    assert_eq!((entered.fee_sat, entered.last), (1_000, true));
    // A replacement is one change: out with the old one, in with the new one.
    let mut both = [event(&mut events).await, event(&mut events).await];
    assert_eq!(both[0].change, both[1].change);
    assert_eq!([both[0].last, both[1].last], [false, true]);
    both.sort_by_key(|event| event.kind);
    assert_eq!(
        both.each_ref().map(told),
        [
            (better.compute_txid(), accepted, nothing),
            (first.compute_txid(), removed, RemovalReason::Replaced)
        ]
    );
    let third = event(&mut events).await;
    assert_eq!(third.txid, other.compute_txid().to_string());
    assert!(third.sequence > both[0].sequence.max(both[1].sequence));

    let request = v1::MineBlocksRequest {
        transactions: vec![serialize(&better)],
        ..Default::default()
    };
    let block = node.make().mine_blocks(request).await.unwrap();
    let block = block.into_inner().block_hashes[0].clone();
    let mined = event(&mut events).await;
    assert_eq!(
        told(&mined),
        (better.compute_txid(), removed, RemovalReason::Block)
    );
    assert_eq!(mined.block_hash, block);

    // Whoever comes back goes on where it was.
    let mut again = follow(&node, Some(begin.change)).await;
    assert!(matches!(message(&mut again).await, Message::Heartbeat(_)));
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.push(event(&mut again).await.sequence);
    }
    assert!(seen.is_sorted());
    assert_eq!(seen.last(), Some(&mined.sequence));
    // It says which run it was: the same number of another one is none of this.
    assert_eq!(begin.run.len(), 16);
    let request = v1::StreamTransactionsRequest {
        after_change: Some(begin.change),
        run: begin.run.clone(),
        ..Default::default()
    };
    client.stream_transactions(request.clone()).await.unwrap();
    let listed = client.list_transactions(v1::ListTransactionsRequest::default());
    assert_eq!(listed.await.unwrap().into_inner().run, begin.run);
    let other = TestNode::lab().await;
    let answer = self::client(&other).stream_transactions(request).await;
    refused(
        answer.map(|_| ()),
        Code::OutOfRange,
        ErrorReason::CursorOfOtherRun,
    );
    let request = v1::StreamTransactionsRequest {
        after_change: Some(1_000_000),
        ..Default::default()
    };
    let answer = client.stream_transactions(request).await;
    refused(
        answer.map(|_| ()),
        Code::OutOfRange,
        ErrorReason::CursorAhead,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_with_where_it_stood() {
    let node = TestNode::start(Shape {
        grpc: GrpcConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            streams: StreamLimits {
                max_streams: 1,
                slow_consumer: Duration::from_millis(300),
            },
            ..GrpcConfig::default()
        },
        ..Shape::default()
    })
    .await;
    let coins = coins(&node, 1).await;
    let mut events = follow(&node, None).await;
    let answer = client(&node)
        .stream_transactions(v1::StreamTransactionsRequest::default())
        .await;
    refused(
        answer.map(|_| ()),
        Code::ResourceExhausted,
        ErrorReason::Overloaded,
    );
    // Replacements with large transactions fill whatever lies between.
    let mempool = node.node.handle().mempool().clone();
    for fee in 1..400_u64 {
        let fee = Amount::from_sat(fee * 200_000);
        let (tx, _) = coins.signer.spend(&coins.coins, 2_000, fee);
        let tx = std::sync::Arc::new(everett_ledger::decode::DecodedTransaction::new(tx));
        mempool.accept(&tx).unwrap().unwrap();
        if fee.to_sat().is_multiple_of(20_000_000) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // Where a busy node had not come to wait for a reader yet, it does behind what is read here.
    let mut read = 0;
    let failed = loop {
        if read % 200 == 0 {
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        read += 1;
        let message = tokio::time::timeout(PATIENCE, events.message());
        match message.await.expect("in time") {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    let details = refused(failed, Code::ResourceExhausted, ErrorReason::SlowConsumer);
    let metadata = &details.error_info().unwrap().metadata;
    assert!(metadata["change"].parse::<u64>().unwrap() < 400);
}
