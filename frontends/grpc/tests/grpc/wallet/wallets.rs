//! Which wallets there are: made, loaded, unloaded, copied, put back; and nodes that serve none.

use everett_grpc::GrpcConfig;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use tonic::Code;
use tonic::transport::Channel;

use super::scene::*;
use crate::support::*;

fn named(name: &str) -> v1::GetWalletRequest {
    v1::GetWalletRequest {
        wallet: Some(name.to_owned()),
        worlds: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_come_and_go_and_the_only_one_need_not_be_named() {
    let node = TestNode::lab().await;
    let mut client = client(&node);
    let anyone = v1::GetWalletRequest::default();
    refused(
        client.get_wallet(anyone.clone()).await,
        Code::FailedPrecondition,
        ErrorReason::WalletNotNamed,
    );
    let made = client
        .create_wallet(new_wallet("one"))
        .await
        .unwrap()
        .into_inner();
    let made = made.wallet.unwrap();
    assert_eq!(
        (
            made.name.as_str(),
            made.descriptor_count,
            made.load_at_start
        ),
        ("one", 8, true)
    );
    assert!(!made.encrypted && !made.locked);
    let told = client
        .get_wallet(anyone.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told.wallet.unwrap().name, "one");
    assert_eq!(told.balances.len(), 1);
    let secret = v1::CreateWalletRequest {
        passphrase: "sesame".to_owned(),
        load_at_start: Some(false),
        ..new_wallet("two")
    };
    let two = client
        .create_wallet(secret)
        .await
        .unwrap()
        .into_inner()
        .wallet
        .unwrap();
    assert!(two.encrypted && two.locked && !two.load_at_start);
    let details = refused(
        client.get_wallet(anyone).await,
        Code::FailedPrecondition,
        ErrorReason::WalletNotNamed,
    );
    assert_eq!(details.error_info().unwrap().metadata["count"], "2");
    refused(
        client.create_wallet(new_wallet("one")).await,
        Code::AlreadyExists,
        ErrorReason::WalletExists,
    );
    refused_field(client.create_wallet(new_wallet("a/b")).await, "name");
    refused_field(client.create_wallet(new_wallet("")).await, "name");
    refused(
        client.get_wallet(named("three")).await,
        Code::NotFound,
        ErrorReason::WalletUnknown,
    );

    let unload = v1::UnloadWalletRequest {
        wallet: Some("one".to_owned()),
        load_at_start: None,
    };
    client.unload_wallet(unload.clone()).await.unwrap();
    refused(
        client.unload_wallet(unload).await,
        Code::NotFound,
        ErrorReason::WalletUnknown,
    );
    let listed = client
        .list_wallets(v1::ListWalletsRequest {})
        .await
        .unwrap()
        .into_inner();
    let open: Vec<&str> = listed
        .wallets
        .iter()
        .map(|wallet| wallet.name.as_str())
        .collect();
    assert_eq!(
        (open.as_slice(), listed.unloaded_names.as_slice()),
        (&["two"][..], &["one".to_owned()][..])
    );
    let load = |name: &str| v1::LoadWalletRequest {
        name: name.to_owned(),
        load_at_start: None,
    };
    client.load_wallet(load("one")).await.unwrap();
    refused(
        client.load_wallet(load("one")).await,
        Code::AlreadyExists,
        ErrorReason::WalletExists,
    );
    let details = refused(
        client.load_wallet(load("three")).await,
        Code::NotFound,
        ErrorReason::WalletUnknown,
    );
    assert_eq!(details.error_info().unwrap().metadata["wallet"], "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_make_the_same_wallet_again_with_what_it_was_paid() {
    let node = TestNode::lab().await;
    let mut client = client(&node);
    let words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    // The first address of BIP84's test vector, on regtest.
    let first = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";
    node.mine(None, 101, address(first)).await;
    let request = v1::CreateWalletRequest {
        mnemonic: words.to_owned(),
        ..new_wallet("again")
    };
    client.create_wallet(request).await.unwrap();
    let told = client
        .get_wallet(named("again"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told.balances[0].spendable_sat, 50 * BTC);
    assert_eq!(told.balances[0].coin_count, 101);
    // Their owner knows that they are younger than all blocks, or does not want to know.
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    for (name, birth_time, skip_rescan) in [
        ("young", Some(prost_types::Timestamp::from(tomorrow)), false),
        ("hasty", None, true),
    ] {
        let request = v1::CreateWalletRequest {
            mnemonic: words.to_owned(),
            birth_time,
            skip_rescan,
            ..new_wallet(name)
        };
        client.create_wallet(request).await.unwrap();
        let told = client.get_wallet(named(name)).await.unwrap().into_inner();
        assert_eq!(told.balances[0].coin_count, 0, "{name}");
        assert_eq!(told.wallet.unwrap().owed_scan_from_height, None);
    }
    let random = v1::CreateWalletRequest {
        skip_rescan: true,
        ..new_wallet("random")
    };
    refused_field(client.create_wallet(random).await, "skip_rescan");
    let wrong = v1::CreateWalletRequest {
        mnemonic: words.replace("about", "abandon"),
        ..new_wallet("wrong")
    };
    refused_field(client.create_wallet(wrong).await, "mnemonic");
    refused(
        client.get_wallet(named("wrong")).await,
        Code::NotFound,
        ErrorReason::WalletUnknown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_the_wallet_as_it_was() {
    let mut scene = Scene::new().await;
    let path = scene.node.directory.path().join("copy");
    let backup = v1::BackupWalletRequest {
        wallet: Some("miner".to_owned()),
        path: path.to_str().unwrap().to_owned(),
    };
    scene.client.backup_wallet(backup.clone()).await.unwrap();
    refused_field(scene.client.backup_wallet(backup.clone()).await, "path");
    let relative = v1::BackupWalletRequest {
        path: "copy".to_owned(),
        ..backup
    };
    refused_field(scene.client.backup_wallet(relative).await, "path");
    let mut restore = v1::RestoreWalletRequest {
        name: "twin".to_owned(),
        path: path.to_str().unwrap().to_owned(),
        load_at_start: Some(false),
    };
    scene.client.restore_wallet(restore.clone()).await.unwrap();
    assert_eq!(scene.spendable("twin").await, 50 * BTC);
    refused(
        scene.client.restore_wallet(restore.clone()).await,
        Code::AlreadyExists,
        ErrorReason::WalletExists,
    );
    std::fs::write(&path, b"no wallet at all").unwrap();
    restore.name = "broken".to_owned();
    let answer = scene.client.restore_wallet(restore).await;
    let told = answer.as_ref().unwrap_err().message().to_owned();
    assert!(told.contains(path.to_str().unwrap()), "{told}");
    refused(answer, Code::DataLoss, ErrorReason::WalletDamaged);
    // What is told of last is not in the way of what was done.
    let wallets = scene.node.directory.path().join("wallets");
    std::fs::create_dir(wallets.join("opened-at-start.new")).unwrap();
    let made = scene
        .client
        .create_wallet(new_wallet("last"))
        .await
        .unwrap();
    let warnings = made.into_inner().warnings;
    assert!(warnings[0].contains("could not be changed"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_wallets_and_one_that_is_open_to_all_serve_none() {
    let none = TestNode::start(Shape {
        wallets: false,
        ..Shape::default()
    })
    .await;
    let list = v1::ListWalletsRequest {};
    refused(
        client(&none).list_wallets(list).await,
        Code::FailedPrecondition,
        ErrorReason::WalletsDisabled,
    );
    let open = TestNode::start(Shape {
        grpc: GrpcConfig {
            listen: "0.0.0.0:0".parse().unwrap(),
            allow_open: true,
            ..GrpcConfig::default()
        },
        ..Shape::default()
    })
    .await;
    let port = open.address.get().unwrap().port();
    let channel = Channel::from_shared(format!("http://127.0.0.1:{port}"))
        .unwrap()
        .connect_lazy();
    let mut client = v1::wallet_service_client::WalletServiceClient::new(channel);
    let status = client.create_wallet(new_wallet("mine")).await;
    refused(
        status,
        Code::FailedPrecondition,
        ErrorReason::WalletsDisabled,
    );
    let stream = client
        .stream_wallet_events(v1::StreamWalletEventsRequest::default())
        .await;
    refused(
        stream.map(|_| ()),
        Code::FailedPrecondition,
        ErrorReason::WalletsDisabled,
    );
}
