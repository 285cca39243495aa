//! Payments: made ready, sent, replaced, sped up, given up; coins and what is said of them.

use bitcoin::Psbt;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::send_transaction_request::Payment;
use tonic::Code;

use super::scene::*;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_built_verified_and_sent_and_both_sides_tell_of_it() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "rent").await;
    let mut wanted = terms(&alice, 30 * BTC);
    wanted.comment = "for March".to_owned();
    wanted.recipients.push(v1::Recipient {
        script: script(bitcoin::ScriptBuf::new_op_return(b"note").to_bytes()),
        ..Default::default()
    });
    let built = scene
        .client
        .build_transaction(build("miner", wanted.clone()))
        .await
        .unwrap();
    let built = built.into_inner().built.unwrap();
    assert!(built.complete);
    assert_eq!(built.outputs.len(), 3);
    assert_eq!(built.inputs[0].amount_sat, 50 * BTC);
    assert_eq!(built.inputs[0].confirmations, 101);
    assert!(built.inputs[0].safe && !built.inputs[0].reused);
    assert!(built.fee_rate_sat_per_kvb >= 2_000);
    let change = built.change_position.unwrap() as usize;
    assert!(built.outputs[change].change && built.outputs[change].mine);
    // Nothing was sent.
    assert_eq!(scene.spendable("miner").await, 50 * BTC);
    let sent = v1::SendTransactionRequest {
        request_id: String::new(),
        wallet: Some("miner".to_owned()),
        max_fee_sat: None,
        payment: Some(v1::send_transaction_request::Payment::Psbt(
            built.psbt.clone(),
        )),
    };
    let sent = scene
        .client
        .send_transaction(sent)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (sent.txid.as_str(), sent.raw.as_slice()),
        (built.txid.as_str(), built.raw.as_slice())
    );
    assert_eq!(sent.fee_sat, Some(built.fee_sat));

    let payment = scene.payment("miner", &built.txid).await;
    assert!(payment.sent);
    assert_eq!(payment.net_sat, -(30 * BTC) - built.fee_sat);
    assert_eq!(payment.fee_sat, Some(built.fee_sat));
    assert!(payment.states[0].in_mempool);
    let received = scene.payment("alice", &built.txid).await;
    assert_eq!(
        (received.net_sat, received.fee_sat),
        (30 * BTC, Some(built.fee_sat))
    );
    let mine: Vec<&v1::PaymentOutput> = received
        .outputs
        .iter()
        .filter(|output| output.mine)
        .collect();
    assert_eq!(
        (mine[0].address.as_str(), mine[0].label.as_str()),
        (alice.as_str(), "rent")
    );

    // Sending it once more changes nothing; sending what spends the same is refused.
    let request = v1::SetLabelRequest {
        wallet: Some("miner".to_owned()),
        label: Some(v1::WalletLabel {
            kind: v1::LabelKind::Tx.into(),
            reference: built.txid.clone(),
            label: "rent, March".to_owned(),
        }),
    };
    scene.client.set_label(request).await.unwrap();
    assert_eq!(
        scene.payment("miner", &built.txid).await.label,
        "rent, March"
    );

    scene.block_with(None, &[built.raw]).await;
    scene.node.mine(None, 5, None).await;
    let balances = scene.wallet("alice").await.balances;
    assert_eq!(
        (balances[0].confirmed_sat, balances[0].coin_count),
        (30 * BTC, 1)
    );
    let coins = scene.coins("alice", None).await;
    assert_eq!(coins[0].label, "rent");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_replaced_or_sped_up_by_a_child() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    let paid = scene.send("miner", &alice, 10 * BTC).await;
    let low = v1::BumpFeeRequest {
        wallet: Some("miner".to_owned()),
        txid: paid.clone(),
        fee: rate(1_000),
        only_build: false,
    };
    refused(
        scene.client.bump_fee(low.clone()).await,
        Code::FailedPrecondition,
        ErrorReason::FeeUnfit,
    );
    let high = v1::BumpFeeRequest {
        fee: rate(9_000),
        ..low
    };
    let bumped = scene
        .client
        .bump_fee(high.clone())
        .await
        .unwrap()
        .into_inner();
    let built = bumped.built.unwrap();
    assert!(built.complete && built.fee_sat > bumped.old_fee_sat);
    let old = scene.payment("miner", &paid).await;
    assert_eq!(old.replaced_by_txid, built.txid);
    assert_eq!(old.states[0].kind(), v1::PaymentStateKind::Conflicted);
    let gone = v1::BumpFeeRequest {
        txid: "00".repeat(32),
        ..high
    };
    refused(
        scene.client.bump_fee(gone).await,
        Code::NotFound,
        ErrorReason::PaymentUnknown,
    );

    // Alice lifts what she is paid by a child of hers.
    let child = v1::BumpWithChildRequest {
        wallet: Some("alice".to_owned()),
        txid: built.txid.clone(),
        fee: rate(50_000),
        only_build: false,
    };
    let child = scene
        .client
        .bump_with_child(child)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(child.package_rate_sat_per_kvb, 50_000);
    let child = child.built.unwrap();
    assert_eq!(child.inputs[0].outpoint.as_ref().unwrap().txid, built.txid);
    assert_eq!(
        scene.payment("alice", &child.txid).await.net_sat,
        -child.fee_sat
    );
    let unknown = v1::BumpWithChildRequest {
        wallet: Some("alice".to_owned()),
        txid: "00".repeat(32),
        ..Default::default()
    };
    refused(
        scene.client.bump_with_child(unknown).await,
        Code::NotFound,
        ErrorReason::PaymentUnknown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_is_refused_with_what_is_wrong() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    macro_rules! field {
        ($terms:expr, $field:expr) => {
            refused_field(
                scene.client.build_transaction(build("miner", $terms)).await,
                $field,
            )
        };
    }
    field!(terms(&alice, 0), "terms.recipients[0].amount_sat");
    field!(terms(&alice, -5), "terms.recipients[0].amount_sat");
    let dust = field!(terms(&alice, 100), "terms.recipients[0].amount_sat");
    assert!(dust.contains("is dust"), "{dust}");
    field!(
        terms("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", BTC),
        "terms.recipients[0].script.address"
    );
    field!(v1::PaymentTerms::default(), "terms.recipients");
    let mut wrong = terms(&alice, BTC);
    wrong.fee = rate(-1);
    field!(wrong, "terms.fee.rate_sat_per_kvb");
    let mut wrong = terms(&alice, BTC);
    wrong.fee = Some(v1::FeeChoice {
        fee: Some(v1::fee_choice::Fee::TargetBlocks(2_000)),
    });
    field!(wrong, "terms.fee.target_blocks");

    let much = scene
        .client
        .send_transaction(send("miner", terms(&alice, 51 * BTC)))
        .await;
    let details = refused(
        much,
        Code::FailedPrecondition,
        ErrorReason::InsufficientFunds,
    );
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!(metadata["available_sat"], (50 * BTC).to_string());
    assert!(!metadata.contains_key("block_hash"));
    let mut dear = terms(&alice, BTC);
    dear.fee = rate(900_000_000);
    let dear = scene.client.send_transaction(send("miner", dear)).await;
    refused(dear, Code::FailedPrecondition, ErrorReason::FeeUnfit);

    // A locked coin is not chosen; one that is named is refused.
    let coin = scene.coins("miner", None).await[0].outpoint.clone();
    let lock = v1::LockCoinRequest {
        wallet: Some("miner".to_owned()),
        outpoint: coin.clone(),
        until_restart: true,
    };
    scene.client.lock_coin(lock).await.unwrap();
    assert!(scene.coins("miner", None).await[0].locked);
    let none = scene
        .client
        .send_transaction(send("miner", terms(&alice, BTC)))
        .await;
    refused(
        none,
        Code::FailedPrecondition,
        ErrorReason::InsufficientFunds,
    );
    let mut named = terms(&alice, BTC);
    named.coins = coin.clone().into_iter().collect();
    let named = scene.client.send_transaction(send("miner", named)).await;
    let details = refused(
        named,
        Code::FailedPrecondition,
        ErrorReason::CoinUnspendable,
    );
    let outpoint = coin.clone().unwrap();
    assert_eq!(
        details.error_info().unwrap().metadata["outpoint"],
        format!("{}:{}", outpoint.txid, outpoint.vout)
    );
    let unlock = v1::UnlockCoinRequest {
        wallet: Some("miner".to_owned()),
        outpoint: coin,
    };
    scene.client.unlock_coin(unlock.clone()).await.unwrap();
    refused_field(scene.client.unlock_coin(unlock).await, "outpoint");

    // All of it, and nothing comes back. Who takes the rest pays the fee, and nobody else.
    let mut all = terms(&alice, 0);
    all.recipients[0].takes_rest = true;
    let mut both = all.clone();
    let mut other = terms(&alice, BTC).recipients.remove(0);
    other.pays_fee = true;
    both.recipients.push(other);
    refused_field(
        scene.client.send_transaction(send("miner", both)).await,
        "terms.recipients[1].pays_fee",
    );
    let sent = scene
        .client
        .send_transaction(send("miner", all))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(sent.change_position, None);
    assert_eq!(scene.spendable("miner").await, 0);
    let abandoned = v1::AbandonPaymentRequest {
        wallet: Some("miner".to_owned()),
        txid: sent.txid,
    };
    refused(
        scene.client.abandon_payment(abandoned).await,
        Code::FailedPrecondition,
        ErrorReason::PaymentFixed,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_psbt_goes_from_one_who_watches_to_one_who_signs() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    // The watching wallet has the miner's public descriptors.
    let request = v1::CreateWalletRequest {
        watch_only: true,
        ..new_wallet("watch")
    };
    scene.client.create_wallet(request).await.unwrap();
    let mut request = v1::ListDescriptorsRequest {
        wallet: Some("miner".to_owned()),
        ..Default::default()
    };
    let public = scene.client.list_descriptors(request.clone()).await;
    let public = public.unwrap().into_inner();
    assert_eq!(public.descriptors.len(), 8);
    assert_eq!(public.next_page_token, "");
    // Page by page they are the same.
    request.page_size = 3;
    let mut paged = Vec::new();
    for size in [3, 3, 2] {
        let page = scene.client.list_descriptors(request.clone()).await;
        let page = page.unwrap().into_inner();
        assert_eq!(page.descriptors.len(), size);
        paged.extend(page.descriptors);
        request.page_token = page.next_page_token;
    }
    assert_eq!(
        (paged, request.page_token.as_str()),
        (public.descriptors.clone(), "")
    );
    let imports = public.descriptors.iter().map(|one| v1::DescriptorImport {
        descriptor: one.descriptor.clone(),
        active: true,
        internal: Some(one.internal),
        range_end: Some(one.range_end),
        ..Default::default()
    });
    let request = v1::ImportDescriptorsRequest {
        wallet: Some("watch".to_owned()),
        imports: imports.collect(),
        skip_rescan: false,
    };
    let imported = scene
        .client
        .import_descriptors(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(imported.rescanned_from_height, Some(0));
    assert_eq!(scene.spendable("watch").await, 50 * BTC);

    let sent = scene
        .client
        .send_transaction(send("watch", terms(&alice, BTC)))
        .await;
    refused(sent, Code::FailedPrecondition, ErrorReason::KeysMissing);
    let mut request = build("watch", terms(&alice, BTC));
    request.sign = false;
    let built = scene
        .client
        .build_transaction(request)
        .await
        .unwrap()
        .into_inner();
    let built = built.built.unwrap();
    assert!(!built.complete && built.raw.is_empty());
    let unsigned = v1::SendTransactionRequest {
        request_id: String::new(),
        wallet: Some("watch".to_owned()),
        max_fee_sat: None,
        payment: Some(v1::send_transaction_request::Payment::Psbt(
            built.psbt.clone(),
        )),
    };
    let details = refused(
        scene.client.send_transaction(unsigned).await,
        Code::FailedPrecondition,
        ErrorReason::NotSigned,
    );
    assert_eq!(details.error_info().unwrap().metadata["input"], "0");
    let request = v1::SignPsbtRequest {
        wallet: Some("miner".to_owned()),
        psbt: built.psbt.clone(),
        only_update: false,
        leave_unfinished: true,
    };
    let signed = scene.client.sign_psbt(request).await.unwrap().into_inner();
    assert!(signed.complete);
    let request = v1::CombinePsbtsRequest {
        psbts: vec![built.psbt, signed.psbt],
    };
    let combined = scene
        .client
        .combine_psbts(request)
        .await
        .unwrap()
        .into_inner();
    let request = v1::FinalizePsbtRequest {
        psbt: combined.psbt,
    };
    let finished = scene
        .client
        .finalize_psbt(request)
        .await
        .unwrap()
        .into_inner();
    assert!(finished.complete);
    assert_eq!(finished.raw, signed.raw);
    let psbt = Psbt::deserialize(&finished.psbt).unwrap();
    assert!(psbt.inputs[0].final_script_witness.is_some());
    let request = v1::SendTransactionRequest {
        request_id: String::new(),
        wallet: Some("watch".to_owned()),
        max_fee_sat: None,
        payment: Some(v1::send_transaction_request::Payment::Transaction(
            finished.raw,
        )),
    };
    let sent = scene
        .client
        .send_transaction(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(sent.txid, signed.txid);
    scene.node.mine(None, 1, None).await;
    for garbage in [Vec::new(), vec![1, 2, 3]] {
        let request = v1::FinalizePsbtRequest { psbt: garbage };
        refused_field(scene.client.finalize_psbt(request).await, "psbt");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_and_payments_come_page_by_page_each_once_and_stay_at_their_block() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    let mut all = terms(&alice, BTC);
    for amount in 2..=7 {
        all.recipients.push(v1::Recipient {
            script: address(&alice),
            amount_sat: amount * BTC,
            ..Default::default()
        });
    }
    let request = send("miner", all);
    let sent = scene
        .client
        .send_transaction(request)
        .await
        .unwrap()
        .into_inner();
    scene.block_with(None, &[sent.raw]).await;
    for _ in 0..4 {
        scene.send("miner", &alice, BTC / 10).await;
    }

    let mut request = v1::ListCoinsRequest {
        wallet: Some("alice".to_owned()),
        page_size: 3,
        ..Default::default()
    };
    let (mut vouts, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = scene
            .client
            .list_coins(request.clone())
            .await
            .unwrap()
            .into_inner();
        let world = page.world.unwrap();
        pages.push(world.tip_hash);
        let confirmed = page.coins.iter().filter(|coin| coin.confirmations > 0);
        vouts.extend(confirmed.map(|coin| coin.outpoint.clone().unwrap().vout));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
        // The best world moves on; the list does not.
        scene.node.mine(None, 1, None).await;
    }
    assert_eq!(vouts.len(), 7);
    vouts.sort_unstable();
    vouts.dedup();
    assert_eq!(vouts.len(), 7);
    pages.dedup();
    assert_eq!(pages.len(), 1);

    let mut request = v1::ListPaymentsRequest {
        wallet: Some("miner".to_owned()),
        page_size: 2,
        ..Default::default()
    };
    let mut txids = Vec::new();
    loop {
        let page = scene
            .client
            .list_payments(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(page.payments.len() <= 2);
        txids.extend(page.payments.into_iter().map(|payment| payment.txid));
        request.page_token = page.next_page_token.clone();
        if page.next_page_token.is_empty() {
            break;
        }
    }
    // A coinbase, the payment to many, and four small ones: the latest first.
    assert_eq!(txids.len(), 6);
    assert_eq!(txids[4], sent.txid);
    txids.sort_unstable();
    txids.dedup();
    assert_eq!(txids.len(), 6);
    request.page_token = "feed".to_owned();
    refused_field(scene.client.list_payments(request).await, "page_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_is_answered_with_the_payment_that_it_made() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    let mut request = send("miner", terms(&alice, BTC));
    request.request_id = "order 7".to_owned();
    let answer = scene.client.send_transaction(request.clone()).await;
    let first = answer.unwrap().into_inner();
    assert!(!first.repeated);
    let answer = scene.client.send_transaction(request.clone()).await;
    let again = answer.unwrap().into_inner();
    assert!(again.repeated);
    assert_eq!(
        v1::SendTransactionResponse {
            repeated: false,
            ..again
        },
        first
    );
    // Another payment is not taken for it, and not made.
    request.payment = send("miner", terms(&alice, 2 * BTC)).payment;
    let refused = scene.client.send_transaction(request.clone()).await;
    let status = refused.expect_err("the id is taken");
    assert_eq!(status.code(), Code::AlreadyExists);
    assert!(status.message().contains(&first.txid), "{status:?}");
    // What was made is the same with its signatures and without an amount said again.
    request.payment = Some(Payment::Transaction(first.raw.clone()));
    let answer = scene.client.send_transaction(request.clone()).await;
    assert!(answer.unwrap().into_inner().repeated);
    assert_eq!(scene.wallet("alice").await.balances[0].pending_sat, BTC);
    request.request_id = "x".repeat(65);
    refused_field(scene.client.send_transaction(request).await, "request_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_that_are_told_to_be_safe_are_worth_what_is_safe() {
    let mut scene = Scene::new().await;
    let own = scene.address("miner", "").await;
    scene.node.mine(None, 1, address(&own)).await;
    let parent = scene.best().await;
    // A coinbase of one branch alone, which is mature there; the other branch is as long.
    scene.node.mine(at(&parent), 1, address(&own)).await;
    scene.node.mine(None, 120, None).await;
    scene.node.mine(at(&parent), 120, None).await;
    let told = scene.wallet("miner").await;
    let safe = told.safe.unwrap();
    assert_eq!(safe.world_count, 2);
    assert!(safe.at_risk_sat > 0 && safe.safe_sat > 0);
    let coins = scene.coins("miner", None).await;
    let worth = |safe: bool| -> i64 {
        let coins = coins.iter().filter(|coin| coin.safe == safe);
        coins.map(|coin| coin.amount_sat).sum()
    };
    assert_eq!(worth(true), safe.safe_sat);
    assert_eq!(worth(false), safe.at_risk_sat);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_an_address_that_was_paid_from_is_told_apart_and_left_unless_it_is_asked_for()
{
    let mut scene = Scene::new().await;
    let shy = v1::CreateWalletRequest {
        avoid_reuse: true,
        ..new_wallet("shy")
    };
    scene.client.create_wallet(shy).await.unwrap();
    let own = scene.address("shy", "").await;
    let alice = scene.address("alice", "").await;
    let rest = v1::PaymentTerms {
        recipients: vec![v1::Recipient {
            script: address(&alice),
            takes_rest: true,
            ..Default::default()
        }],
        ..terms(&alice, BTC)
    };
    for (from, what) in [
        ("miner", terms(&own, BTC)),
        ("shy", rest.clone()),
        ("miner", terms(&own, 2 * BTC)),
    ] {
        let sent = scene.client.send_transaction(send(from, what)).await;
        let raw = sent.unwrap().into_inner().raw;
        scene.block_with(None, &[raw]).await;
    }
    let told = scene.wallet("shy").await;
    let balance = told.balances[0].clone();
    assert_eq!((balance.spendable_sat, balance.reused_sat), (0, 2 * BTC));
    assert_eq!(balance.confirmed_sat, 2 * BTC);
    assert_eq!(told.safe.unwrap().safe_sat, 0);
    let coins = scene.coins("shy", None).await;
    let flags: Vec<(bool, bool)> = (coins.iter())
        .map(|coin| (coin.reused, coin.safe))
        .collect();
    assert_eq!(flags, [(true, true)]);
    let refused = scene.client.send_transaction(send("shy", rest)).await;
    let status = refused.expect_err("it avoids the address");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("paid from before"), "{status:?}");
    let anyhow = v1::PaymentTerms {
        use_reused: true,
        ..terms(&alice, BTC)
    };
    let wanted = build("shy", anyhow.clone());
    let built = scene.client.build_transaction(wanted).await;
    let built = built.unwrap().into_inner().built.unwrap();
    assert!(built.inputs.iter().all(|coin| coin.reused && coin.safe));
    let sent = scene.client.send_transaction(send("shy", anyhow)).await;
    assert!(!sent.unwrap().into_inner().txid.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_an_enum_does_not_have_and_change_beyond_the_outputs_are_refused() {
    const UNKNOWN: i32 = 77;
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    let mut sent = Vec::new();
    for (field, change) in [
        (
            "terms.scope",
            (|terms: &mut v1::PaymentTerms| terms.scope = UNKNOWN) as fn(&mut _),
        ),
        ("terms.change_kind", |terms| terms.change_kind = UNKNOWN),
        ("terms.change_position", |terms| {
            terms.change_position = Some(2);
        }),
    ] {
        let mut wanted = terms(&alice, BTC);
        change(&mut wanted);
        sent.push((
            field,
            scene.client.build_transaction(build("miner", wanted)).await,
        ));
    }
    for (field, answer) in sent {
        refused_field(answer, field);
    }
    let mut last = terms(&alice, BTC);
    last.change_position = Some(1);
    let built = scene.client.build_transaction(build("miner", last)).await;
    let built = built.unwrap().into_inner().built.unwrap();
    assert_eq!(built.change_position, Some(1));
    let address = v1::NewAddressRequest {
        wallet: Some("alice".to_owned()),
        kind: UNKNOWN,
        ..Default::default()
    };
    refused_field(scene.client.new_address(address).await, "kind");
    let list = v1::ListLabelsRequest {
        wallet: Some("alice".to_owned()),
        kind: UNKNOWN,
        ..Default::default()
    };
    refused_field(scene.client.list_labels(list).await, "kind");
    let label = v1::SetLabelRequest {
        wallet: Some("alice".to_owned()),
        label: Some(v1::WalletLabel {
            kind: UNKNOWN,
            reference: alice,
            label: "rent".to_owned(),
        }),
    };
    refused_field(scene.client.set_label(label).await, "label.kind");
}
