//! LedgerService.

use everett_ledger::ScriptHash;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use tonic::Code;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_depends_on_the_world_and_not_on_how_the_script_is_named() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    let bob = story.party("bob");
    let hash = ScriptHash::of(bitcoin::Script::from_bytes(&bob.script_pubkey)).to_string();
    for (world, expected, utxos) in [("delivered", 20_0000_0000, 1), ("double-spend", 0, 0)] {
        for named in [
            script(bob.script_pubkey.clone()),
            address(&bob.address),
            script_hash(&hash),
        ] {
            let request = v1::GetBalanceRequest {
                world: story.at(world),
                script: named.clone(),
            };
            let answer = node.ledger().get_balance(request).await.expect("a balance");
            let balance = answer.into_inner().balance.expect("set");
            assert_eq!(
                (
                    balance.confirmed_sat,
                    balance.immature_sat,
                    balance.utxo_count
                ),
                (expected, 0, utxos)
            );
            assert_eq!(balance.script, named);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coinbases_are_immature_for_a_hundred_blocks() {
    let node = TestNode::lab().await;
    node.mine(None, 2, script([1])).await;
    node.mine(None, 99, None).await;
    let request = v1::GetBalanceRequest {
        world: None,
        script: script([1]),
    };
    let answer = node.ledger().get_balance(request).await.expect("a balance");
    let balance = answer.into_inner().balance.expect("set");
    assert_eq!(balance.confirmed_sat, 100_0000_0000);
    assert_eq!(
        (balance.immature_sat, balance.utxo_count),
        (50_0000_0000, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_balances_come_from_one_world_in_the_order_asked() {
    let node = TestNode::lab().await;
    node.mine(None, 1, script([1])).await;
    node.mine(None, 2, script([2])).await;
    let mut request = v1::BatchGetBalancesRequest {
        world: best(),
        scripts: [[2u8], [3], [1]].into_iter().filter_map(script).collect(),
    };
    let answer = node.ledger().batch_get_balances(request.clone()).await;
    let answer = answer.expect("balances").into_inner();
    assert!(answer.world.expect("set").best);
    let found: Vec<i64> = answer.balances.iter().map(|b| b.confirmed_sat).collect();
    assert_eq!(found, [100_0000_0000, 0, 50_0000_0000]);

    request.scripts = vec![script([1]).expect("set"); everett_grpc::MAX_BATCH_SCRIPTS];
    let answer = node.ledger().batch_get_balances(request.clone()).await;
    assert_eq!(answer.expect("balances").into_inner().balances.len(), 1_000);
    request.scripts.push(script([1]).expect("set"));
    let wrong = refused_field(
        node.ledger().batch_get_balances(request.clone()).await,
        "scripts",
    );
    assert!(wrong.contains("1 to 1000"), "{wrong}");
    request.scripts.clear();
    refused_field(
        node.ledger().batch_get_balances(request.clone()).await,
        "scripts",
    );
    request.scripts = vec![script([1]).expect("set"), v1::Script::default()];
    refused_field(
        node.ledger().batch_get_balances(request).await,
        "scripts[1]",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unspent_outputs_come_in_order_over_pages_to_the_end_while_blocks_arrive() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 25, script([1])).await;
    let mut request = v1::ListUnspentOutputsRequest {
        world: best(),
        script: script([1]),
        page_size: 10,
        ..Default::default()
    };
    let mut sizes = Vec::new();
    let mut found = Vec::new();
    loop {
        let page = node.ledger().list_unspent_outputs(request.clone()).await;
        let page = page.expect("a page").into_inner();
        assert_eq!(page.world.expect("set").tip_hash, blocks[24]);
        sizes.push(page.outputs.len());
        found.extend(page.outputs);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        node.mine(None, 1, script([1])).await;
    }
    assert_eq!(sizes, [10, 10, 5]);
    let mut heights: Vec<u32> = found.iter().map(|output| output.height).collect();
    heights.sort_unstable();
    assert_eq!(heights, (1..=25).collect::<Vec<_>>());
    let keys: Vec<_> = found
        .iter()
        .map(|output| output.txid.parse::<bitcoin::Txid>().expect("a txid"))
        .collect();
    assert!(keys.is_sorted(), "by txid bytes as hashed");
    assert!(found.iter().all(|output| output.coinbase
        && output.amount_sat == 50_0000_0000
        && output.script_pubkey == [1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_its_block_script_and_list_only() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 3, script([1])).await;
    let request = v1::ListUnspentOutputsRequest {
        world: at(&blocks[2]),
        script: script([1]),
        page_size: 1,
        ..Default::default()
    };
    let page = node.ledger().list_unspent_outputs(request.clone()).await;
    let token = page.expect("a page").into_inner().next_page_token;
    let with = |token: &str| v1::ListUnspentOutputsRequest {
        page_token: token.to_owned(),
        ..request.clone()
    };

    let mut elsewhere = with(&token);
    elsewhere.world = at(&blocks[1]);
    let wrong = refused_field(
        node.ledger().list_unspent_outputs(elsewhere).await,
        "page_token",
    );
    assert!(
        wrong.contains(&blocks[1]) && wrong.contains(&blocks[2]),
        "{wrong}"
    );

    let mut other = with(&token);
    other.script = script([2]);
    refused_field(
        node.ledger().list_unspent_outputs(other).await,
        "page_token",
    );

    let headers = v1::ListHeadersRequest {
        page_token: token.clone(),
        ..Default::default()
    };
    let wrong = refused_field(node.chain().list_headers(headers).await, "page_token");
    assert!(wrong.contains("another list"), "{wrong}");

    let mut damaged = token.clone().into_bytes();
    damaged[10] ^= 1;
    let damaged = String::from_utf8(damaged).expect("text");
    for garbage in ["x", "00", "zz", &"00".repeat(10_000), &token[2..], &damaged] {
        refused_field(
            node.ledger().list_unspent_outputs(with(garbage)).await,
            "page_token",
        );
    }
    let page = node.ledger().list_unspent_outputs(with(&token)).await;
    assert_eq!(page.expect("a page").into_inner().outputs.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn page_sizes_are_coerced_and_never_negative() {
    let node = TestNode::lab().await;
    node.mine(None, 101, script([1])).await;
    for (asked, expected) in [(0, 100), (50, 50), (1_000_000, 101)] {
        let request = v1::ListUnspentOutputsRequest {
            script: script([1]),
            page_size: asked,
            ..Default::default()
        };
        let page = node.ledger().list_unspent_outputs(request).await;
        let page = page.expect("a page").into_inner();
        assert_eq!(page.outputs.len(), expected);
        assert_eq!(page.next_page_token.is_empty(), expected == 101);
    }
    let request = v1::ListUnspentOutputsRequest {
        script: script([1]),
        page_size: -1,
        ..Default::default()
    };
    refused_field(
        node.ledger().list_unspent_outputs(request).await,
        "page_size",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_is_there_in_one_world_and_not_in_another() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    let request = v1::ListUnspentOutputsRequest {
        world: story.at("delivered"),
        script: story.script("bob"),
        ..Default::default()
    };
    let listed = node.ledger().list_unspent_outputs(request).await;
    let output = listed.expect("listed").into_inner().outputs.remove(0);
    let ask = |label| v1::GetTransactionOutputRequest {
        world: story.at(label),
        outpoint: Some(v1::OutPoint {
            txid: output.txid.clone(),
            vout: output.vout,
        }),
    };
    let there = node.ledger().get_transaction_output(ask("delivered")).await;
    let there = there.expect("an answer").into_inner();
    assert_eq!(there.output, Some(output.clone()));
    assert_eq!(there.confirmations, 2);
    let gone = node
        .ledger()
        .get_transaction_output(ask("double-spend"))
        .await;
    let gone = gone.expect("an answer").into_inner();
    assert_eq!((gone.output, gone.confirmations), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_found_on_the_chain_of_its_world_only() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    let request = v1::ListConflictsRequest {
        a: story.at("delivered"),
        b: story.at("double-spend"),
        ..Default::default()
    };
    let conflicts = node.worlds().list_conflicts(request).await.expect("listed");
    let conflict = conflicts.into_inner().conflicts.remove(0);
    let ask = |label, block: &str| v1::GetTransactionRequest {
        world: story.at(label),
        txid: conflict.txid_a.clone(),
        block_hash: block.to_owned(),
    };
    for hint in ["", &conflict.block_a] {
        let found = node.ledger().get_transaction(ask("delivered", hint)).await;
        let found = found.expect("found").into_inner().transaction.expect("set");
        assert_eq!(found.txid, conflict.txid_a);
        assert_eq!(found.block_hash, conflict.block_a);
        assert_eq!(
            (found.index, found.height, found.confirmations),
            (1, 102, 2)
        );
        let raw: bitcoin::Transaction =
            bitcoin::consensus::deserialize(&found.raw).expect("a transaction");
        assert_eq!(raw.compute_wtxid().to_string(), found.wtxid);
    }
    let details = refused(
        node.ledger().get_transaction(ask("double-spend", "")).await,
        Code::NotFound,
        ErrorReason::TxUnknown,
    );
    assert_eq!(
        details.error_info().expect("set").metadata["txid"],
        conflict.txid_a
    );
    refused(
        node.ledger()
            .get_transaction(ask("double-spend", &conflict.block_b))
            .await,
        Code::NotFound,
        ErrorReason::TxUnknown,
    );
    refused_field(
        node.ledger()
            .get_transaction(ask("double-spend", &conflict.block_a))
            .await,
        "block_hash",
    );
    refused(
        node.ledger()
            .get_transaction(ask("delivered", &nowhere()))
            .await,
        Code::NotFound,
        ErrorReason::BlockUnknown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_index_a_transaction_tells_of_its_worlds_its_depths_and_its_rivals() {
    let node = TestNode::start(Shape {
        tx_index: true,
        ..Shape::default()
    })
    .await;
    let story = node.play().await;
    let between = v1::ListConflictsRequest {
        a: story.at("delivered"),
        b: story.at("double-spend"),
        ..Default::default()
    };
    let conflicts = node.worlds().list_conflicts(between).await;
    let conflict = conflicts
        .expect("conflicts")
        .into_inner()
        .conflicts
        .remove(0);
    let ask = |world, txid: &str| v1::GetTransactionRequest {
        world,
        txid: txid.to_owned(),
        block_hash: String::new(),
    };
    // The payment that was taken back: the best world does not hold it, the one that does is read.
    let car = node
        .ledger()
        .get_transaction(ask(None, &conflict.txid_a))
        .await;
    let car = car.expect("found").into_inner();
    let world = car.world.expect("set");
    assert!(car.indexed && !world.best);
    assert_eq!(world.tip_hash, story.hash("delivered"));
    assert_eq!(car.transaction.expect("set").confirmations, 2);
    assert_eq!((car.place_count, car.places.len()), (1, 1));
    let place = &car.places[0];
    assert_eq!(place.block_hash, conflict.block_a);
    assert_eq!((place.height, place.index), (102, 1));
    assert_eq!(place.status(), v1::WorldStatus::ValidFork);
    assert_eq!((place.world_count, place.worlds.len()), (1, 1));
    let deep = &place.worlds[0];
    assert_eq!(deep.tip_hash, story.hash("delivered"));
    assert_eq!(
        (deep.tip_height, deep.confirmations, deep.best),
        (103, 2, false)
    );
    assert_eq!(car.conflicts, std::slice::from_ref(&conflict));

    // Its rival, from the other side.
    let rival = node
        .ledger()
        .get_transaction(ask(None, &conflict.txid_b))
        .await;
    let rival = rival.expect("found").into_inner();
    assert!(rival.world.expect("set").best);
    assert_eq!(rival.places[0].worlds[0].confirmations, 3);
    let back = &rival.conflicts[0];
    assert_eq!(
        (&back.txid_a, &back.txid_b),
        (&conflict.txid_b, &conflict.txid_a)
    );
    assert_eq!(
        (&back.block_a, &back.block_b),
        (&conflict.block_b, &conflict.block_a)
    );
    assert_eq!(back.amount_sat, conflict.amount_sat);

    // A coinbase below the fork is in all three worlds.
    let block = v1::GetBlockRequest {
        world: at_height(1),
    };
    let block = node
        .chain()
        .get_block(block)
        .await
        .expect("a block")
        .into_inner()
        .block;
    let block: bitcoin::Block = bitcoin::consensus::deserialize(&block).expect("a block");
    let coinbase = block.txdata[0].compute_txid().to_string();
    let shared = node.ledger().get_transaction(ask(None, &coinbase)).await;
    let shared = shared.expect("found").into_inner();
    let depths: Vec<_> = shared.places[0]
        .worlds
        .iter()
        .map(|world| (world.confirmations, world.best))
        .collect();
    assert_eq!(depths, [(104, true), (103, false), (102, false)]);
    assert!(shared.conflicts.is_empty());

    // Taken back by hand, no world holds it; the block does.
    let invalid = v1::InvalidateBlockRequest {
        block_hash: conflict.block_a.clone(),
    };
    node.make().invalidate_block(invalid).await.expect("done");
    let gone = node
        .ledger()
        .get_transaction(ask(None, &conflict.txid_a))
        .await;
    let gone = gone.expect("found").into_inner();
    assert!(gone.world.expect("set").best);
    let found = gone.transaction.expect("set");
    assert_eq!(
        (&found.block_hash, found.confirmations),
        (&conflict.block_a, 0)
    );
    assert_eq!(gone.places[0].status(), v1::WorldStatus::Invalid);
    assert_eq!(
        (gone.places[0].world_count, gone.places[0].worlds.len()),
        (0, 0)
    );

    // A world that is named is the one that is asked.
    refused(
        node.ledger()
            .get_transaction(ask(best(), &conflict.txid_a))
            .await,
        Code::NotFound,
        ErrorReason::TxUnknown,
    );
    refused(
        node.ledger().get_transaction(ask(None, &nowhere())).await,
        Code::NotFound,
        ErrorReason::TxUnknown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_only_an_index_would_find_says_so() {
    let node = TestNode::start(Shape {
        horizon: Some(5),
        ..Shape::default()
    })
    .await;
    // The base follows 100 blocks behind the horizon: what it holds is searched no more.
    node.mine(None, 200, None).await;
    let request = v1::GetTransactionRequest {
        world: None,
        txid: nowhere(),
        block_hash: String::new(),
    };
    let details = refused(
        node.ledger().get_transaction(request).await,
        Code::FailedPrecondition,
        ErrorReason::IndexDisabled,
    );
    assert_eq!(details.error_info().expect("set").metadata["index"], "txs");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_utxo_set_is_summed_up_at_any_world() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 3, None).await;
    let info = |world| v1::GetUtxoSetInfoRequest { world };
    let low = node.ledger().get_utxo_set_info(info(at(&blocks[0]))).await;
    let low = low.expect("an answer").into_inner();
    assert_eq!((low.txouts, low.total_amount_sat), (1, 50_0000_0000));
    assert_eq!(low.world.expect("set").tip_hash, blocks[0]);
    let high = node.ledger().get_utxo_set_info(info(None)).await;
    let high = high.expect("an answer").into_inner();
    assert_eq!((high.txouts, high.total_amount_sat), (3, 150_0000_0000));
    assert_eq!((high.muhash.len(), high.hash_serialized_3.len()), (64, 64));
    assert_ne!(high.muhash, low.muhash);
}
