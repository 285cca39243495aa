use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_wallet::{Chain, OutputType, WalletConfig};

use super::*;

fn wallets(ledger: &Ledger, directory: &std::path::Path) -> Wallets {
    let mut config = WalletConfig::new(directory.join("wallets"), bitcoin::Network::Regtest);
    config.keypool = 2;
    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    Wallets::new(config, ledger.clone(), mempool)
}

fn names(wallets: &Wallets) -> Vec<String> {
    let open = wallets.list();
    open.iter().map(|wallet| wallet.name().to_owned()).collect()
}

#[test]
fn at_the_next_start_the_wallet_without_a_name_makes_way_too_unless_it_is_named_or_used() {
    let directory = tempfile::tempdir().unwrap();
    let params = Params::new(Network::Regtest);
    let ledger = Ledger::open(LedgerConfig::new(params, directory.path().join("ledger"))).unwrap();
    {
        let first = wallets(&ledger, directory.path());
        make_unnamed(&first).unwrap();
        assert_eq!(names(&first), [""]);
        first.create("mine", NewWallet::default()).unwrap();
        first.open_at_start("mine", true).unwrap();
    }
    {
        let second = wallets(&ledger, directory.path());
        open(&second, &[]).unwrap();
        assert_eq!(names(&second), ["mine"]);
    }
    {
        // Who names it wants it.
        let third = wallets(&ledger, directory.path());
        open(&third, &[String::new()]).unwrap();
        assert_eq!(names(&third), ["", "mine"]);
        let unnamed = third.get("").unwrap();
        let used = unnamed.change_keys(|keyring| {
            keyring.new_address(OutputType::Bech32, Chain::External)?;
            Ok::<(), WalletError>(())
        });
        used.unwrap();
        third.open_at_start("", true).unwrap();
    }
    let fourth = wallets(&ledger, directory.path());
    open(&fourth, &[]).unwrap();
    assert_eq!(names(&fourth), ["", "mine"]);
}

#[test]
fn a_wallet_without_a_name_that_cannot_be_made_is_not_marked_for_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let params = Params::new(Network::Regtest);
    let ledger = Ledger::open(LedgerConfig::new(params, directory.path().join("ledger"))).unwrap();
    let wallets = wallets(&ledger, directory.path());
    let place = wallets.path("").unwrap();
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "in the way").unwrap();
    assert!(matches!(
        make_unnamed(&wallets),
        Err(NodeError::Wallet { .. })
    ));
    assert!(wallets.opened_at_start().unwrap().is_empty());
    std::fs::remove_file(&place).unwrap();
    make_unnamed(&wallets).unwrap();
    assert_eq!(wallets.opened_at_start().unwrap(), [""]);
}
