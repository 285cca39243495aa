use std::time::Duration;

use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_wallet::{MAX_EVENTS, NewWallet, WalletConfig, Wallets};

use super::*;

/// Wallets of which one is loaded again and again: two events each time.
fn restless(directory: &tempfile::TempDir) -> (Ledger, Wallets) {
    let config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    let ledger = Ledger::open(config).unwrap();
    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    let mut config = WalletConfig::new(directory.path(), bitcoin::Network::Regtest);
    config.keypool = 1;
    let wallets = Wallets::new(config, ledger.clone(), mempool);
    wallets.create("w", NewWallet::default()).unwrap();
    (ledger, wallets)
}

fn reload(wallets: &Wallets) {
    wallets.unload("w").unwrap();
    wallets.load("w").unwrap();
}

fn wish(kinds: &[v1::WalletEventKind]) -> Wish {
    Wish {
        wallet: None,
        kinds: kinds.to_vec(),
    }
}

#[tokio::test]
async fn a_client_hears_of_a_gap_before_anything_that_it_asked_for_happens() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, wallets) = restless(&directory);
    let events = wallets.subscribe();
    // It takes none of them in time, and wants none.
    for _ in 0..MAX_EVENTS / 2 + 10 {
        reload(&wallets);
    }
    let (sender, mut messages) = mpsc::channel(QUEUE);
    let sending = tokio::spawn(async move {
        let wish = wish(&[v1::WalletEventKind::PaymentAppeared]);
        send(&ledger, events, &wish, &StreamLimits::default(), &sender).await
    });
    let message = tokio::time::timeout(Duration::from_secs(30), messages.recv());
    let message = message.await.expect("told at once").unwrap();
    assert_eq!(message.kind(), v1::WalletEventKind::Missed);
    assert_eq!(message.missed, 20);
    drop(messages);
    assert!(sending.await.unwrap().is_none(), "the client is gone");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_told_so_and_let_go() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, wallets) = restless(&directory);
    let events = wallets.subscribe();
    reload(&wallets);
    let (sender, _messages) = mpsc::channel(1);
    let limits = StreamLimits {
        slow_consumer: Duration::from_millis(50),
        ..StreamLimits::default()
    };
    let wish = wish(&[]);
    let sending = send(&ledger, events, &wish, &limits, &sender);
    let ended = tokio::time::timeout(Duration::from_secs(30), sending);
    let why = ended.await.expect("it ends").expect("and says why");
    assert_eq!(tonic::Status::from(why).code(), Code::ResourceExhausted);
}
