//! `bdk_bitcoind_rpc`, by which BDK's wallets follow a node.

use std::collections::{BTreeMap, BTreeSet};

use bdk_bitcoind_rpc::{Emitter, NO_EXPECTED_MEMPOOL_TXS};
use bdk_core::{BlockId, CheckPoint};
use bitcoin::{BlockHash, Network, Txid};
use bitcoincore_rpc::{Auth, Client};

use crate::scene::Scene;

/// What a wallet would know.
struct Wallet<'a> {
    emitter: Emitter<&'a Client>,
    chain: BTreeMap<u32, BlockHash>,
    confirmed: BTreeMap<Txid, u32>,
}

impl Wallet<'_> {
    /// Takes all blocks there are; how many came.
    fn follow(&mut self) -> usize {
        let mut came = 0;
        while let Some(event) = self.emitter.next_block().expect("an answer") {
            let height = event.block_height();
            let before = event.connected_to();
            assert_eq!(
                self.chain.get(&before.height),
                Some(&before.hash),
                "it connects"
            );
            self.chain.retain(|other, _| *other < height);
            self.confirmed.retain(|_, other| *other < height);
            self.chain.insert(height, event.block_hash());
            let txids = event
                .block
                .txdata
                .iter()
                .map(|tx| (tx.compute_txid(), height));
            self.confirmed.extend(txids);
            came += 1;
        }
        came
    }

    /// The mempool's transactions, and those that went.
    fn mempool(&mut self) -> (BTreeSet<Txid>, BTreeSet<Txid>) {
        let event = self.emitter.mempool().expect("an answer");
        let here = event.update.iter().map(|(tx, _)| tx.compute_txid());
        let gone = event.evicted.iter().map(|(txid, _)| *txid);
        (here.collect(), gone.collect())
    }

    fn is_at(&self, scene: &Scene) -> bool {
        (0..=scene.height()).all(|height| {
            let known = self.chain.get(&(height as u32)).map(BlockHash::to_string);
            known == Some(scene.hash(height))
        }) && self.chain.len() as u64 == scene.height() + 1
    }
}

#[test]
fn bdks_emitter_follows_the_chain_and_the_mempool_through_reorganisations() {
    let scene = Scene::new();
    let cookie = scene.node.directory.path().join(".cookie");
    let url = format!("http://127.0.0.1:{}", scene.node.port);
    let client = Client::new(&url, Auth::CookieFile(cookie)).expect("a client");
    let genesis = bitcoin::constants::genesis_block(Network::Regtest).block_hash();
    let start = CheckPoint::new(BlockId {
        height: 0,
        hash: genesis,
    });
    let mut wallet = Wallet {
        emitter: Emitter::new(&client, start, 0, NO_EXPECTED_MEMPOOL_TXS),
        chain: BTreeMap::from([(0, genesis)]),
        confirmed: BTreeMap::new(),
    };
    assert_eq!(wallet.follow(), 101);
    assert!(wallet.is_at(&scene));

    // A payment waits, is confirmed, and waits again.
    let payment = scene.payment(1, 1_000);
    let txid = scene.send(&payment);
    assert_eq!(wallet.mempool(), (BTreeSet::from([txid]), BTreeSet::new()));
    scene.mine(3);
    assert_eq!(wallet.follow(), 3);
    assert_eq!(wallet.confirmed.get(&txid), Some(&102));
    assert_eq!(wallet.mempool(), (BTreeSet::new(), BTreeSet::new()));
    let undone = scene.hash(102);
    scene
        .rpc
        .call("invalidateblock", serde_json::json!([undone]));
    assert!(wallet.mempool().0.contains(&txid));
    scene
        .rpc
        .call("reconsiderblock", serde_json::json!([undone]));
    scene.reorganise(102);
    wallet.follow();
    assert!(wallet.is_at(&scene));
    assert_eq!(wallet.confirmed.get(&txid), Some(&103));

    // A deep one, and a replacement in between.
    let payment = scene.payment(2, 1_000);
    let first = scene.send(&payment);
    assert!(wallet.mempool().0.contains(&first));
    let better = scene.send(&scene.payment(2, 5_000));
    let (here, gone) = wallet.mempool();
    assert_eq!(
        (here, gone),
        (BTreeSet::from([better]), BTreeSet::from([first]))
    );
    scene.reorganise(60);
    wallet.follow();
    assert!(wallet.is_at(&scene));
    // Both coins are too young again, and what spends them is gone.
    assert!(!wallet.confirmed.contains_key(&better));
    assert!(wallet.mempool().0.is_empty());
}
