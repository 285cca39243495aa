//! The published crates `bitcoind` and `corepc-node`, which start whatever `BITCOIND_EXE` names, start this program by a link.

use std::path::PathBuf;

use tempfile::{TempDir, tempdir};

use crate::daemon::bitcoind as everett_bitcoind;

/// The first block of regtest.
const GENESIS: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";

/// A link to the program by Core's name: what `BITCOIND_EXE` is to be.
fn link() -> (TempDir, PathBuf) {
    let directory = tempdir().unwrap();
    let install = format!("-everettinstall={}", directory.path().display());
    assert_eq!(everett_bitcoind(&[&install]).code, Some(0));
    let path = directory.path().join("bitcoind");
    (directory, path)
}

#[test]
fn the_crate_bitcoind_starts_asks_connects_and_stops_it() {
    let (_links, program) = link();
    let mut conf = bitcoind::Conf::default();
    conf.p2p = bitcoind::P2P::Yes;
    let mut first = bitcoind::BitcoinD::with_conf(&program, &conf).unwrap();
    let hash = first.client.get_best_block_hash().unwrap();
    assert_eq!(hash.0, GENESIS);
    // It has made a wallet of its own, and asks that.
    let wallets = first.client.call::<serde_json::Value>("listwallets", &[]);
    assert_eq!(wallets.unwrap(), serde_json::json!(["default"]));
    let address = first.client.new_address().unwrap();
    first.client.generate_to_address(1, &address).unwrap();
    let cookie = std::fs::read_to_string(&first.params.cookie_file).unwrap();
    assert!(cookie.starts_with("__cookie__:"));
    conf.p2p = first.p2p_connect(true).unwrap();
    let second = bitcoind::BitcoinD::with_conf(&program, &conf).unwrap();
    crate::daemon::wait_until("they are connected", || {
        let peers = second.client.call::<serde_json::Value>("getpeerinfo", &[]);
        peers
            .unwrap()
            .as_array()
            .is_some_and(|peers| !peers.is_empty())
    });
    assert!(first.stop().unwrap().success());
}

#[test]
fn the_crate_corepc_node_starts_and_asks_it() {
    let (_links, program) = link();
    let mut conf = corepc_node::Conf::default();
    let directory = tempdir().unwrap();
    conf.staticdir = Some(directory.path().join("kept"));
    for _ in 0..2 {
        let mut node = corepc_node::Node::with_conf(&program, &conf).unwrap();
        let hash = node.client.get_best_block_hash().unwrap();
        assert_eq!(hash.0, GENESIS);
        // Made the first time, loaded the second.
        assert_eq!(node.client.list_wallets().unwrap().0, ["default"]);
        assert!(node.stop().unwrap().success());
    }
}
