//! Keys, descriptors, addresses, labels, messages, passphrases, and the scans for what keys were paid.

use everett_proto::v1;
use everett_proto::v1::{AddressKind, ErrorReason};
use tonic::Code;

use super::scene::*;
use crate::support::*;

fn of(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_locks_what_needs_keys_and_nothing_else() {
    let mut scene = Scene::new().await;
    let alice = scene.address("alice", "").await;
    let lock = v1::LockWalletRequest {
        wallet: of("miner"),
    };
    refused(
        scene.client.lock_wallet(lock.clone()).await,
        Code::FailedPrecondition,
        ErrorReason::WalletEncryption,
    );
    let request = v1::EncryptWalletRequest {
        wallet: of("miner"),
        passphrase: String::new(),
    };
    refused_field(
        scene.client.encrypt_wallet(request.clone()).await,
        "passphrase",
    );
    let request = v1::EncryptWalletRequest {
        passphrase: "sesame".to_owned(),
        ..request
    };
    scene.client.encrypt_wallet(request.clone()).await.unwrap();
    refused(
        scene.client.encrypt_wallet(request).await,
        Code::FailedPrecondition,
        ErrorReason::WalletEncryption,
    );
    let told = scene.wallet("miner").await.wallet.unwrap();
    assert!(told.encrypted && told.locked && told.unlocked_until.is_none());
    assert_eq!(scene.spendable("miner").await, 50 * BTC);
    scene.address("miner", "").await;

    let sent = scene
        .client
        .send_transaction(send("miner", terms(&alice, BTC)))
        .await;
    let details = refused(sent, Code::FailedPrecondition, ErrorReason::WalletLocked);
    assert_eq!(details.error_info().unwrap().metadata["wallet"], "miner");
    let request = v1::ListDescriptorsRequest {
        wallet: of("miner"),
        include_private_keys: true,
        ..Default::default()
    };
    refused(
        scene.client.list_descriptors(request).await,
        Code::FailedPrecondition,
        ErrorReason::WalletLocked,
    );
    let mut unlock = v1::UnlockWalletRequest {
        wallet: of("miner"),
        passphrase: "simsalabim".to_owned(),
        duration: None,
    };
    refused(
        scene.client.unlock_wallet(unlock.clone()).await,
        Code::PermissionDenied,
        ErrorReason::WrongPassphrase,
    );
    unlock.passphrase = "sesame".to_owned();
    assert!(
        scene
            .client
            .unlock_wallet(unlock.clone())
            .await
            .unwrap()
            .into_inner()
            .unlocked_until
            .is_some()
    );
    let told = scene.wallet("miner").await.wallet.unwrap();
    assert!(!told.locked && told.unlocked_until.is_some());
    scene.send("miner", &alice, BTC).await;
    scene.client.lock_wallet(lock).await.unwrap();
    assert!(scene.wallet("miner").await.wallet.unwrap().locked);
    let request = v1::ChangePassphraseRequest {
        wallet: of("miner"),
        old_passphrase: "sesame".to_owned(),
        new_passphrase: "poppy".to_owned(),
    };
    scene.client.change_passphrase(request).await.unwrap();
    refused(
        scene.client.unlock_wallet(unlock).await,
        Code::PermissionDenied,
        ErrorReason::WrongPassphrase,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_given_out_by_kind_and_listed_page_by_page() {
    let mut scene = Scene::new().await;
    for (kind, begin) in [
        (AddressKind::Legacy, "m n"),
        (AddressKind::P2shSegwit, "2"),
        (AddressKind::Bech32, "bcrt1q"),
        (AddressKind::Bech32m, "bcrt1p"),
    ] {
        let request = v1::NewAddressRequest {
            wallet: of("alice"),
            label: format!("{kind:?}"),
            kind: kind.into(),
            change: false,
        };
        let given = scene
            .client
            .new_address(request)
            .await
            .unwrap()
            .into_inner()
            .address
            .unwrap();
        assert!(
            begin
                .split(' ')
                .any(|begin| given.address.starts_with(begin)),
            "{given:?}"
        );
        assert_eq!(
            (given.kind(), given.mine, given.change),
            (kind, true, false)
        );
        assert!(given.descriptor.contains('#'));
    }
    let request = v1::NewAddressRequest {
        wallet: of("alice"),
        change: true,
        ..Default::default()
    };
    let change = scene
        .client
        .new_address(request)
        .await
        .unwrap()
        .into_inner()
        .address
        .unwrap();
    assert!(change.change);
    let paid = scene.address("alice", "paid").await;
    scene.send("miner", &paid, 3 * BTC).await;
    scene.node.mine(None, 1, None).await;
    let raw = scene
        .client
        .list_payments(v1::ListPaymentsRequest {
            wallet: of("alice"),
            ..Default::default()
        })
        .await;
    let txid = raw.unwrap().into_inner().payments[0].txid.clone();
    let block = scene.payment("alice", &txid).await.raw;
    scene.block_with(None, &[block]).await;

    let mut request = v1::ListAddressesRequest {
        wallet: of("alice"),
        page_size: 2,
        ..Default::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = scene
            .client
            .list_addresses(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(page.addresses.len() <= 2);
        listed.extend(page.addresses);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), 5);
    assert!(listed.is_sorted_by_key(|address| address.address.clone()));
    let labelled = |label: &str| listed.iter().find(|one| one.label == label).unwrap();
    assert_eq!(
        (labelled("paid").balance_sat, labelled("paid").used),
        (3 * BTC, true)
    );
    assert_eq!(
        (labelled("Legacy").balance_sat, labelled("Legacy").used),
        (0, false)
    );
    let request = v1::ListAddressesRequest {
        wallet: of("alice"),
        label: Some("paid".to_owned()),
        include_change: true,
        ..Default::default()
    };
    let only = scene
        .client
        .list_addresses(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(only.addresses.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_leave_and_come_back_as_bip329() {
    let mut scene = Scene::new().await;
    let own = scene.address("alice", "savings").await;
    let others = "bcrt1qsmnj2dh2mg2vsugazxwr6puvz39nuhnsd4zmpu".to_owned();
    for (reference, label) in [(&own, "old age"), (&others, "Bob")] {
        let request = v1::SetLabelRequest {
            wallet: of("alice"),
            label: Some(v1::WalletLabel {
                kind: v1::LabelKind::Addr.into(),
                reference: reference.clone(),
                label: label.to_owned(),
            }),
        };
        scene.client.set_label(request).await.unwrap();
    }
    let exported = v1::ExportLabelsRequest {
        wallet: of("alice"),
    };
    let jsonl = scene
        .client
        .export_labels(exported)
        .await
        .unwrap()
        .into_inner()
        .jsonl;
    assert!(
        jsonl.contains("\"old age\"") && jsonl.contains("\"Bob\""),
        "{jsonl}"
    );
    let import = |jsonl: &str| v1::ImportLabelsRequest {
        wallet: of("miner"),
        jsonl: jsonl.to_owned(),
    };
    let imported = scene
        .client
        .import_labels(import(&jsonl))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(imported.count, 2);
    let request = v1::ListLabelsRequest {
        wallet: of("miner"),
        kind: v1::LabelKind::Addr.into(),
        ..Default::default()
    };
    let labels = labels(&mut scene, request.clone()).await;
    // Page by page they are the same, each once.
    let one_by_one = v1::ListLabelsRequest {
        page_size: 1,
        ..request
    };
    assert!(labels.len() > 1);
    assert_eq!(self::labels(&mut scene, one_by_one.clone()).await, labels);
    let first = scene.client.list_labels(one_by_one.clone()).await;
    let of_another = v1::ListLabelsRequest {
        kind: v1::LabelKind::Tx.into(),
        page_token: first.unwrap().into_inner().next_page_token,
        ..one_by_one
    };
    refused_field(scene.client.list_labels(of_another).await, "page_token");
    assert!(
        labels
            .iter()
            .any(|label| label.reference == others && label.label == "Bob")
    );
    let wrong = refused_field(
        scene.client.import_labels(import("{\"type\":\"tx\"")).await,
        "jsonl",
    );
    assert!(wrong.starts_with("line 1"), "{wrong}");
    let request = v1::SetLabelRequest {
        wallet: of("alice"),
        label: Some(v1::WalletLabel {
            kind: v1::LabelKind::Tx.into(),
            reference: "none".to_owned(),
            label: String::new(),
        }),
    };
    refused_field(scene.client.set_label(request).await, "label.reference");
}

/// All pages of a list.
async fn labels(scene: &mut Scene, mut request: v1::ListLabelsRequest) -> Vec<v1::WalletLabel> {
    let mut labels = Vec::new();
    loop {
        let page = scene.client.list_labels(request.clone()).await;
        let page = page.unwrap().into_inner();
        labels.extend(page.labels);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return labels;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_later_is_looked_for_in_every_world_and_signs_messages() {
    let mut scene = Scene::new().await;
    // The key 7, and its legacy address.
    let signer = everett_tests::signer::Signer::new();
    let secret = bitcoin::secp256k1::SecretKey::from_slice(&[7; 32]).unwrap();
    let key = bitcoin::PrivateKey::new(secret, bitcoin::Network::Regtest);
    let fork = scene.best().await;
    scene
        .node
        .mine(at(&fork), 1, script(signer.script.to_bytes()))
        .await;
    scene.node.mine(at(&fork), 2, None).await;
    let request = v1::ImportKeyRequest {
        wallet: of("alice"),
        wif: key.to_wif(),
        label: "seven".to_owned(),
        ..Default::default()
    };
    let imported = scene
        .client
        .import_key(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(imported.rescanned_from_height, Some(0));
    let balances = scene.wallet("alice").await.balances;
    let immature: Vec<i64> = balances
        .iter()
        .map(|balance| balance.immature_sat)
        .collect();
    assert_eq!(immature, [0, 50 * BTC]);
    let wrong = v1::ImportKeyRequest {
        wif: "L1".to_owned(),
        ..request
    };
    refused_field(scene.client.import_key(wrong).await, "wif");

    let legacy = bitcoin::Address::p2pkh(
        bitcoin::PublicKey::new(signer.public),
        bitcoin::Network::Regtest,
    );
    let request = v1::SignMessageRequest {
        wallet: of("alice"),
        address: legacy.to_string(),
        message: "hello".to_owned(),
    };
    let signature = scene
        .client
        .sign_message(request.clone())
        .await
        .unwrap()
        .into_inner()
        .signature;
    for (message, valid) in [("hello", true), ("hallo", false)] {
        let request = v1::VerifyMessageRequest {
            address: legacy.to_string(),
            signature: signature.clone(),
            message: message.to_owned(),
        };
        assert_eq!(
            scene
                .client
                .verify_message(request)
                .await
                .unwrap()
                .into_inner()
                .valid,
            valid
        );
    }
    let stranger = v1::SignMessageRequest {
        wallet: of("miner"),
        ..request
    };
    refused(
        scene.client.sign_message(stranger).await,
        Code::FailedPrecondition,
        ErrorReason::KeysMissing,
    );

    // All or none.
    let import = |descriptor: &str| v1::DescriptorImport {
        descriptor: descriptor.to_owned(),
        ..Default::default()
    };
    let good = everett_wallet::keys::with_checksum(&format!("wpkh({})", key.to_wif()));
    let request = v1::ImportDescriptorsRequest {
        wallet: of("alice"),
        imports: vec![import(&good), import("raw(52)#xxxxxxxx")],
        skip_rescan: true,
    };
    refused_field(
        scene.client.import_descriptors(request).await,
        "imports[1].descriptor",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_used_wallet_lists_is_taken_up_by_it_again_and_stays_as_it_is_used() {
    let mut scene = Scene::new().await;
    let listed = v1::ListDescriptorsRequest {
        wallet: of("miner"),
        include_private_keys: true,
        ..Default::default()
    };
    let list = scene.client.list_descriptors(listed.clone()).await;
    let list = list.unwrap().into_inner().descriptors;
    // It was paid, so that it watches more than the usual range.
    assert!(list.iter().any(|one| one.next_index > 0));
    let imports = list.iter().map(|one| v1::DescriptorImport {
        descriptor: one.descriptor.clone(),
        ..Default::default()
    });
    let request = v1::ImportDescriptorsRequest {
        wallet: of("miner"),
        imports: imports.collect(),
        skip_rescan: true,
    };
    let imported = scene.client.import_descriptors(request).await;
    assert!(imported.unwrap().into_inner().warnings.is_empty());
    let again = scene.client.list_descriptors(listed).await.unwrap();
    let again = again.into_inner().descriptors;
    for (one, before) in again.iter().zip(&list) {
        assert_eq!(
            (
                &one.descriptor,
                one.active,
                one.internal,
                one.next_index,
                one.range_end
            ),
            (
                &before.descriptor,
                true,
                before.internal,
                before.next_index,
                before.range_end
            )
        );
    }
    assert_eq!(again.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rescan_tells_how_far_it_is_and_ends() {
    let mut scene = Scene::new().await;
    let mut request = v1::RescanWalletRequest {
        wallet: of("miner"),
        from_height: 0,
        to_height: None,
    };
    let mut steps = scene
        .client
        .rescan_wallet(request.clone())
        .await
        .unwrap()
        .into_inner();
    let mut last = v1::RescanWalletResponse::default();
    while let Some(step) = tokio::time::timeout(PATIENCE, steps.message())
        .await
        .unwrap()
        .unwrap()
    {
        assert!(!last.done && step.height >= last.height);
        last = step;
    }
    assert!(last.done);
    assert_eq!(last.last_height, 101);
    assert_eq!(scene.spendable("miner").await, 50 * BTC);
    request.from_height = 1_000;
    refused_field(
        scene
            .client
            .rescan_wallet(request.clone())
            .await
            .map(|_| ()),
        "from_height",
    );
    request.from_height = 10;
    for beside in [5, 102] {
        request.to_height = Some(beside);
        let refused = scene.client.rescan_wallet(request.clone()).await;
        refused_field(refused.map(|_| ()), "to_height");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_wallet_is_looked_for_unless_its_addresses_need_its_keys() {
    let mut scene = Scene::new().await;
    let encrypt = |name: &str| v1::EncryptWalletRequest {
        wallet: of(name),
        passphrase: "sesame".to_owned(),
    };
    let rescan = |name: &str| v1::RescanWalletRequest {
        wallet: of(name),
        ..Default::default()
    };
    scene.client.encrypt_wallet(encrypt("miner")).await.unwrap();
    scene.client.rescan_wallet(rescan("miner")).await.unwrap();
    let key = bitcoin::bip32::Xpriv::new_master(bitcoin::Network::Regtest, &[7; 32]).unwrap();
    let hardened = everett_wallet::keys::with_checksum(&format!("wpkh({key}/0/*h)"));
    let request = v1::ImportDescriptorsRequest {
        wallet: of("alice"),
        imports: vec![v1::DescriptorImport {
            descriptor: hardened,
            ..Default::default()
        }],
        skip_rescan: true,
    };
    let imported = scene.client.import_descriptors(request).await.unwrap();
    assert_eq!(imported.into_inner().rescanned_from_height, None);
    scene.client.encrypt_wallet(encrypt("alice")).await.unwrap();
    refused(
        scene.client.rescan_wallet(rescan("alice")).await.map(drop),
        Code::FailedPrecondition,
        ErrorReason::WalletLocked,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_nobody_waits_for_any_more_is_done_by_the_node() {
    let mut scene = Scene::new().await;
    let request = v1::CreateWalletRequest {
        watch_only: true,
        ..new_wallet("watch")
    };
    scene.client.create_wallet(request).await.unwrap();
    let wallets = scene.node.node.handle().wallets().unwrap().clone();
    let texts: Vec<String> = {
        let miner = wallets.get("miner").unwrap();
        let view = miner.view().unwrap();
        let descriptors = view.keyring().descriptors();
        descriptors.map(|one| one.text.to_string()).collect()
    };
    let watch = wallets.get("watch").unwrap();
    // The import of a call that ends before its scan does.
    let turn = watch.scan_turn().unwrap();
    let take_up = |keyring: &mut everett_wallet::Keyring| {
        for text in &texts {
            keyring.import(&everett_wallet::keys::Import {
                text: text.clone().into(),
                active: false,
                internal: None,
                keeps_use: false,
                range: None,
                next_index: None,
                birth: 1,
                label: None,
            })?;
        }
        Ok::<(), everett_wallet::WalletError>(())
    };
    turn.take_up(Some(0), take_up).unwrap();
    let told = scene.wallet("watch").await.wallet.unwrap();
    assert_eq!(told.owed_scan_from_height, Some(0));
    assert!(told.scan.is_none(), "one has the turn, and no more");
    assert_eq!(scene.spendable("watch").await, 0);
    // Whoever asks meanwhile is told so, over whichever interface the other one came.
    let again = v1::RescanWalletRequest {
        wallet: of("watch"),
        ..Default::default()
    };
    let again = scene.client.rescan_wallet(again).await.map(|_| ());
    refused(again, Code::FailedPrecondition, ErrorReason::WalletScanning);
    // Its keys may be needed.
    let lock = v1::LockWalletRequest {
        wallet: of("watch"),
    };
    let locked = scene.client.lock_wallet(lock).await;
    refused(
        locked,
        Code::FailedPrecondition,
        ErrorReason::WalletScanning,
    );
    let change = v1::ChangePassphraseRequest {
        wallet: of("watch"),
        ..Default::default()
    };
    let changed = scene.client.change_passphrase(change).await;
    refused(
        changed,
        Code::FailedPrecondition,
        ErrorReason::WalletScanning,
    );
    drop(turn);
    let done = async {
        while scene
            .wallet("watch")
            .await
            .wallet
            .unwrap()
            .owed_scan_from_height
            .is_some()
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done)
        .await
        .expect("the node does it");
    assert_eq!(scene.spendable("watch").await, 50 * BTC);
    let request = v1::AbortRescanRequest {
        wallet: of("watch"),
    };
    let none = scene.client.abort_rescan(request).await.unwrap();
    assert!(!none.into_inner().aborted, "none runs");
}
