//! `bdk_wallet`, which follows the node over JSON-RPC, beside our wallet of the same keys.

use bdk_bitcoind_rpc::{Emitter, NO_EXPECTED_MEMPOOL_TXS};
use bdk_wallet::Wallet;
use bitcoin::Network;
use bitcoincore_rpc::{Auth, Client};
use serde_json::json;

use crate::bdkpython::descriptors;
use crate::money::{Money, number, text};

/// Takes all that is new in blocks and mempool.
fn follow(wallet: &mut Wallet, emitter: &mut Emitter<&Client>) {
    while let Some(event) = emitter.next_block().expect("an answer") {
        let (height, before) = (event.block_height(), event.connected_to());
        let applied = wallet.apply_block_connected_to(&event.block, height, before);
        applied.expect("it connects");
    }
    let waits = emitter.mempool().expect("an answer");
    wallet.apply_evicted_txs(waits.evicted);
    wallet.apply_unconfirmed_txs(waits.update);
}

/// Both say the same: what is confirmed or our own, what others sent and waits, what is too young; in satoshis.
#[track_caller]
fn compare(money: &Money, wallet: &Wallet) -> u64 {
    let balances = &money.call("alice", "getbalances", json!([]))["mine"];
    let satoshis = |field: &str| (number(&balances[field]) * 1e8).round() as u64;
    let ours = ["trusted", "untrusted_pending", "immature"].map(satoshis);
    let theirs = wallet.balance();
    let trusted = theirs.confirmed + theirs.trusted_pending;
    let theirs = [trusted, theirs.untrusted_pending, theirs.immature].map(|amount| amount.to_sat());
    assert_eq!(ours, theirs, "trusted, pending, immature: ours, theirs");
    ours.iter().sum()
}

#[test]
fn bdk_wallet_has_our_balance_through_payments_double_spends_and_reorganisations() {
    let money = Money::earned();
    let client = Client::new(&money.url(), Auth::CookieFile(money.cookie_file()));
    let client = client.expect("a client");
    let [external, internal] = descriptors(&money, "alice", "wpkh(", false);
    let mut wallet = Wallet::create(external, internal)
        .network(Network::Regtest)
        .create_wallet_no_persist()
        .expect("descriptors that BDK takes");
    let start = wallet.latest_checkpoint();
    let mut emitter = Emitter::new(&client, start, 0, NO_EXPECTED_MEMPOOL_TXS);
    follow(&mut wallet, &mut emitter);
    assert_eq!(compare(&money, &wallet), 0);

    // A receipt waits, and is confirmed; so is a coinbase.
    let to = money.new_address("alice", "");
    let receipt = text(&money.call("miner", "sendtoaddress", json!([to, 30])));
    follow(&mut wallet, &mut emitter);
    assert_eq!(compare(&money, &wallet), 3_000_000_000);
    let fork = money.best();
    money.block_on(&fork, &[&money.hex("miner", &receipt)]);
    let coinbase = money.new_address("alice", "");
    money.node_call("generatetoaddress", json!([1, coinbase]));
    follow(&mut wallet, &mut emitter);
    assert!(compare(&money, &wallet) > 3_000_000_000);

    // She pays: change waits, and is confirmed.
    let miner = money.new_address("miner", "");
    let paid = text(&money.call("alice", "sendtoaddress", json!([miner, 7])));
    follow(&mut wallet, &mut emitter);
    compare(&money, &wallet);
    money.block_on(&money.best(), &[&money.hex("alice", &paid)]);
    follow(&mut wallet, &mut emitter);
    compare(&money, &wallet);

    // Another branch has the receipt's coin spent otherwise, and wins: receipt, payment and coinbase are gone.
    let hex = money.hex("miner", &receipt);
    let input = &money.node_call("decoderawtransaction", json!([hex]))["vin"][0];
    let inputs = json!([{ "txid": input["txid"], "vout": input["vout"] }]);
    let own = money.new_address("miner", "");
    let raw = money.node_call("createrawtransaction", json!([inputs, { own: 49.999 }]));
    let signed = money.call("miner", "signrawtransactionwithwallet", json!([raw]));
    let mut tip = money.block_on(&fork, &[&text(&signed["hex"])]);
    for _ in 0..3 {
        tip = money.block_on(&tip, &[]);
    }
    assert_eq!(money.best(), tip);
    follow(&mut wallet, &mut emitter);
    assert_eq!(compare(&money, &wallet), 0);

    // And back: what the first branch had is there again.
    money.node_call("invalidateblock", json!([tip]));
    assert_ne!(money.best(), tip);
    follow(&mut wallet, &mut emitter);
    assert!(compare(&money, &wallet) > 2_000_000_000);
}
