//! What becomes of the wallet without a name that a node makes by itself, when somebody makes one of their own.

mod scene;

use everett_wallet::keys::Import;
use everett_wallet::{NewWallet, OutputType, WalletError};
use scene::{Scene, address};
use zeroize::Zeroizing;

/// Whether it is still open after another one was made.
fn stays(scene: &Scene) -> bool {
    scene.wallets.make_way_for("other").expect("a look");
    scene.wallets.get("").is_some()
}

#[test]
fn one_that_nobody_has_used_makes_way() {
    let scene = Scene::new();
    scene.wallet("");
    let wallets = &scene.wallets;
    for name in ["", "other"] {
        wallets.open_at_start(name, true).expect("it is noted");
    }
    assert!(!stays(&scene));
    // At the next start, too: calls that name none mean the other one.
    let at_start = wallets.opened_at_start().expect("a list");
    assert_eq!(at_start, ["other"]);
}

#[test]
fn one_that_has_given_out_an_address_stays() {
    let scene = Scene::new();
    address(&scene.wallet(""));
    assert!(stays(&scene));
}

#[test]
fn one_that_was_given_descriptors_stays() {
    let scene = Scene::new();
    let unnamed = scene.wallet("");
    // Another's, with its private keys.
    let foreign = scene.wallet("another");
    let text = {
        let view = foreign.view().expect("a view");
        let keyring = view.keyring();
        let kind = everett_wallet::Chain::External;
        let number = keyring
            .active(OutputType::Bech32, kind)
            .expect("one")
            .number;
        keyring.private_text(number).expect("it has its keys")
    };
    let import = Import {
        text: Zeroizing::new(text.to_string()),
        range: Some((0, 2)),
        ..Import::default()
    };
    let imported =
        unnamed.change_keys(|keyring| -> Result<_, WalletError> { Ok(keyring.import(&import)?) });
    imported.expect("a descriptor");
    assert!(stays(&scene));
}

#[test]
fn one_without_keys_stays_for_somebody_made_it() {
    let scene = Scene::new();
    let mut new = NewWallet::default();
    new.flags.blank = true;
    scene.wallets.create("", new).expect("a wallet");
    assert!(stays(&scene));
}
