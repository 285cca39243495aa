//! What no wallet of one chain could do: a payment on one branch, spent otherwise on the other.

use everett_proto::v1;
use everett_proto::v1::{ErrorReason, PaymentStateKind, WalletEventKind, WarningEnd};
use tonic::{Code, Streaming};

use super::scene::*;
use crate::support::*;

type Events = Streaming<v1::StreamWalletEventsResponse>;

async fn next(events: &mut Events) -> v1::StreamWalletEventsResponse {
    let message = tokio::time::timeout(PATIENCE, events.message()).await;
    message
        .expect("in time")
        .expect("no failure")
        .expect("no end")
}

async fn next_of(events: &mut Events, kind: WalletEventKind) -> v1::StreamWalletEventsResponse {
    loop {
        let event = next(events).await;
        if event.kind() == kind {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_a_rival_spends_otherwise_is_told_of_in_each_world_and_warned_of() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "Alice").await;
    let fork = scene.best().await;
    let request = v1::StreamWalletEventsRequest {
        wallet: Some("alice".to_owned()),
        kinds: Vec::new(),
    };
    let mut events = scene
        .client
        .stream_wallet_events(request)
        .await
        .unwrap()
        .into_inner();

    // The same coin: 30 for Alice on one branch, all of it for the miner on the other.
    let coin = scene.coins("miner", None).await[0]
        .outpoint
        .clone()
        .unwrap();
    let paid = scene.send("miner", &alice, 30 * BTC).await;
    let raw = scene.payment("miner", &paid).await.raw;
    let own = scene.address("miner", "").await;
    let mut back = terms(&own, 49 * BTC);
    back.coins = vec![coin.clone()];
    back.scope = v1::CoinScope::Best.into();
    // The coin is spoken for, but whoever has the keys can sign it again: as the replaced payment's coins.
    let bumped = v1::BumpFeeRequest {
        wallet: Some("miner".to_owned()),
        txid: paid.clone(),
        fee: rate(20_000),
        only_build: true,
    };
    let bumped = scene.client.bump_fee(bumped).await.unwrap().into_inner();
    assert!(!bumped.built.as_ref().unwrap().complete);
    let mut psbt = bitcoin::Psbt::deserialize(&bumped.built.unwrap().psbt).unwrap();
    let own_script = own
        .parse::<bitcoin::Address<_>>()
        .unwrap()
        .assume_checked()
        .script_pubkey();
    let alices = alice
        .parse::<bitcoin::Address<_>>()
        .unwrap()
        .assume_checked()
        .script_pubkey();
    for output in &mut psbt.unsigned_tx.output {
        if output.script_pubkey == alices {
            output.script_pubkey = own_script.clone();
        }
    }
    let request = v1::SignPsbtRequest {
        wallet: Some("miner".to_owned()),
        psbt: psbt.serialize(),
        ..Default::default()
    };
    let signed = scene.client.sign_psbt(request).await.unwrap().into_inner();
    assert!(signed.complete);
    let (other, other_raw) = (signed.txid, signed.raw);

    let appeared = next_of(&mut events, WalletEventKind::PaymentAppeared).await;
    assert_eq!(
        (appeared.txid.as_str(), appeared.wallet.as_str()),
        (paid.as_str(), "alice")
    );
    assert_eq!(appeared.state.unwrap().kind(), PaymentStateKind::Pending);
    let pending = scene.wallet("alice").await.balances[0].clone();
    assert_eq!((pending.pending_sat, pending.spendable_sat), (30 * BTC, 0));

    let first = scene
        .block_with(at(&fork), std::slice::from_ref(&raw))
        .await;
    let second = scene.block_with(at(&fork), &[other_raw]).await;
    assert_eq!(scene.best().await, first);

    // Both balances, side by side.
    let told = scene.wallet("alice").await;
    let balances: Vec<(String, i64, bool)> = told
        .balances
        .iter()
        .map(|balance| {
            let world = balance.world.clone().unwrap();
            (world.tip_hash, balance.spendable_sat, world.best)
        })
        .collect();
    assert_eq!(
        balances,
        [(first.clone(), 30 * BTC, true), (second.clone(), 0, false)]
    );
    let safe = told.safe.unwrap();
    assert_eq!(
        (safe.safe_sat, safe.at_risk_sat, safe.world_count),
        (0, 30 * BTC, 2)
    );
    assert_eq!(told.warning_count, 1);

    let request = v1::ListWarningsRequest {
        wallet: Some("alice".to_owned()),
        max_blocks_behind: None,
    };
    let warned = scene
        .client
        .list_warnings(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(warned.world.unwrap().tip_hash, first);
    let [warning] = warned.warnings.as_slice() else {
        panic!("{:?}", warned.warnings);
    };
    assert_eq!(warning.world.as_ref().unwrap().tip_hash, second);
    assert_eq!(warning.fork_hash, fork);
    assert!(warning.double_spend);
    assert_eq!((warning.lost_sat, warning.lost_coins.len()), (30 * BTC, 1));
    let against = warning.payments[0].state.as_ref().unwrap();
    assert_eq!(
        (
            warning.payments[0].txid.as_str(),
            against.conflicting_txid.as_str()
        ),
        (paid.as_str(), other.as_str())
    );
    let raised = next_of(&mut events, WalletEventKind::WarningAppeared).await;
    assert_eq!(raised.warning.unwrap().lost_sat, 30 * BTC);

    // The payment in each world.
    let payment = scene.payment("alice", &paid).await;
    assert_eq!(payment.net_sat, 30 * BTC);
    assert!(!payment.sent);
    assert_eq!(payment.states[0].kind(), PaymentStateKind::Confirmed);
    assert_eq!(
        (
            payment.states[0].block_hash.as_str(),
            payment.states[0].confirmations
        ),
        (first.as_str(), 1)
    );
    assert_eq!(payment.states[1].kind(), PaymentStateKind::Conflicted);
    assert_eq!(payment.states[1].conflicting_txid, other);
    assert_eq!(payment.states[1].block_hash, second);
    assert_eq!(payment.states[1].outpoint, Some(coin));
    let request = v1::ListPaymentsRequest {
        wallet: Some("alice".to_owned()),
        world: at(&second),
        ..Default::default()
    };
    let listed = scene
        .client
        .list_payments(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        listed.payments[0].states[0].kind(),
        PaymentStateKind::Conflicted
    );
    assert_eq!(scene.coins("alice", at(&first)).await.len(), 1);
    assert!(!scene.coins("alice", at(&first)).await[0].safe);
    assert_eq!(scene.coins("alice", at(&second)).await, []);

    // What only one world has is not spent unless somebody says so; the refusal says which world lacks it.
    let refusal = scene
        .client
        .send_transaction(send("alice", terms(&own, BTC)))
        .await;
    let details = refused(
        refusal,
        Code::FailedPrecondition,
        ErrorReason::InsufficientFunds,
    );
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!(metadata["block_hash"], second);
    assert_eq!(metadata["lacking_sat"], (30 * BTC).to_string());
    assert_eq!(
        (metadata["scope"].as_str(), metadata["wallet"].as_str()),
        ("all_worlds", "alice")
    );
    let mut best_only = terms(&own, BTC);
    best_only.scope = v1::CoinScope::Best.into();
    let built = scene
        .client
        .build_transaction(build("alice", best_only))
        .await
        .unwrap();
    let built = built.into_inner().built.unwrap();
    assert!(built.complete);
    let request = v1::VerifyTransactionRequest {
        wallet: Some("alice".to_owned()),
        subject: Some(v1::verify_transaction_request::Subject::Transaction(
            built.raw,
        )),
    };
    let verified = scene
        .client
        .verify_transaction(request)
        .await
        .unwrap()
        .into_inner();
    assert!(verified.valid && !verified.valid_everywhere);
    assert_eq!(verified.fee_sat, Some(built.fee_sat));
    let input = &verified.inputs[0];
    assert!(input.valid && input.mine);
    let kinds: Vec<v1::InputStateKind> = input.worlds.iter().map(v1::InputWorld::kind).collect();
    assert_eq!(
        kinds,
        [v1::InputStateKind::Unspent, v1::InputStateKind::Missing]
    );

    // The branch flips; nothing is rescanned.
    let higher = scene.block_with(at(&second), &[]).await;
    assert_eq!(scene.best().await, higher);
    assert_eq!(scene.spendable("alice").await, 0);
    let payment = scene.payment("alice", &paid).await;
    assert_eq!(payment.states[0].kind(), PaymentStateKind::Conflicted);
    assert_eq!(payment.states[1].kind(), PaymentStateKind::Confirmed);
    let over = next_of(&mut events, WalletEventKind::WarningCleared).await;
    assert_eq!(over.warning_end(), WarningEnd::Won);
    assert_eq!(
        scene
            .client
            .list_warnings(request_of_alice())
            .await
            .unwrap()
            .into_inner()
            .warnings,
        []
    );

    // And back.
    let next_tip = scene.node.mine(at(&first), 2, None).await.pop();
    assert_eq!(Some(scene.best().await), next_tip);
    assert_eq!(scene.spendable("alice").await, 30 * BTC);
    assert_eq!(
        scene.payment("alice", &paid).await.states[0].confirmations,
        3
    );
}

fn request_of_alice() -> v1::ListWarningsRequest {
    v1::ListWarningsRequest {
        wallet: Some("alice".to_owned()),
        max_blocks_behind: None,
    }
}
