//! The pages of wallets: what a wallet has in every world, and the one form there is.

use std::time::{Duration, Instant};

use bitcoin::{Amount, BlockHash, ScriptBuf, Transaction};
use everett_wallet::spend::{Payee, Request};
use everett_wallet::{Chain, NewWallet, OutputType, Purpose, Wallet, WalletError, WalletFlags};
use everett_web::WebConfig;

use crate::client::{Follower, ask, get, post};
use crate::node::{TestNode, config};

/// A node whose wallet `miner` has one mature coinbase, with an empty wallet `alice` beside it.
struct Bench {
    node: TestNode,
    miner: Wallet,
    alice: Wallet,
}

fn address(wallet: &Wallet, label: &str) -> bitcoin::Address {
    let given = wallet.change_keys(|keyring| -> Result<_, WalletError> {
        let (_, address) = keyring.new_address(OutputType::Bech32, Chain::External)?;
        keyring
            .labels_mut()
            .set_address(&address.to_string(), label, Purpose::Receive)?;
        Ok(address)
    });
    given.unwrap()
}

impl Bench {
    fn new() -> Bench {
        Bench::of(TestNode::new())
    }

    fn of(node: TestNode) -> Bench {
        let wallets = node.handle().wallets().unwrap();
        let open = |name: &str| wallets.create(name, NewWallet::default()).unwrap();
        let (miner, alice) = (open("miner"), open("alice"));
        let bench = Bench { node, miner, alice };
        let payout = address(&bench.miner, "").script_pubkey();
        let first = bench.block(bench.node.genesis(), Vec::new(), &payout);
        bench.node.mine(first, 100, 1);
        bench
    }

    fn best(&self) -> BlockHash {
        self.node.ledger.best().hash()
    }

    fn block(&self, on: BlockHash, txs: Vec<Transaction>, payout: &ScriptBuf) -> BlockHash {
        let ledger = &self.node.ledger;
        let world = ledger.world(&on).unwrap();
        let block = everett_lab::mine(ledger, &world, txs, payout, None).unwrap();
        self.node.submit(&block)
    }

    /// A request that pays somebody.
    fn to(address: &bitcoin::Address, amount: Amount) -> Request {
        Request::to(vec![Payee {
            script_pubkey: address.script_pubkey(),
            amount,
            pays_fee: false,
            shares: false,
        }])
    }

    /// Alice is paid 30 on one branch; on the other the miner keeps it. The payment, the other one, and the tips.
    fn split(&self) -> ([Transaction; 2], [BlockHash; 2]) {
        let fork = self.best();
        let own = address(&self.miner, "");
        let other = Bench::to(&own, Amount::from_sat(4_900_000_000));
        let other = self.miner.prepare(&other, false, false).unwrap();
        let paid = address(&self.alice, "rent & <food>");
        let paid = Bench::to(&paid, Amount::from_sat(3_000_000_000));
        let paid = self.miner.pay(&paid).unwrap().tx;
        let nobody = ScriptBuf::from_bytes(vec![0x51]);
        let other = other.tx.unwrap();
        let first = self.block(fork, vec![paid.clone()], &nobody);
        let second = self.block(fork, vec![other.clone()], &nobody);
        ([paid, other], [first, second])
    }
}

#[test]
fn a_wallet_has_its_balances_of_all_worlds_side_by_side_and_warns_of_the_rival() {
    let bench = Bench::new();
    let ([paid, other], [first, second]) = bench.split();
    let page = get(bench.node.at, "/admin/wallet/alice");
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.all("data-balance"), ["30.00000000"]);
    assert_eq!(page.all("data-safe"), ["0.00000000"]);
    assert_eq!(
        page.all("data-world"),
        [first.to_string(), second.to_string()]
    );
    assert_eq!(page.all("data-spendable"), ["30.00000000", "0.00000000"]);
    assert_eq!(page.all("data-warning"), [second.to_string()]);
    let txid = paid.compute_txid().to_string();
    assert_eq!(page.all("data-payment"), [txid.as_str()]);
    assert_eq!(page.all("data-state"), ["confirmed", "conflicted"]);
    assert_eq!(page.all("data-coin").len(), 1);
    for words in [
        "spends otherwise what this wallet was paid with",
        &format!("/admin/tx/{}?block={second}", other.compute_txid()),
        "not in every world",
        "no passphrase",
        "rent &#38; &#60;food&#62;",
    ] {
        assert!(page.body.contains(words), "no {words}: {}", page.body);
    }
    // The part that moves is a part of it.
    let part = get(bench.node.at, "/admin/wallet/alice/live");
    assert!(page.body.contains(&part.body));
    // The coins of the other world.
    let there = get(
        bench.node.at,
        &format!("/admin/wallet/alice?world={second}"),
    );
    assert_eq!(there.all("data-coin").len(), 0);
    let list = get(bench.node.at, "/admin/wallets");
    assert_eq!(list.all("data-wallet"), ["alice", "miner"]);
    assert!(list.body.contains("double spend"));

    // The other branch wins: nothing is lost, and nobody is told to look again.
    bench.node.mine(second, 1, 2);
    let page = get(bench.node.at, "/admin/wallet/alice");
    assert_eq!(page.all("data-balance"), ["0.00000000"]);
    assert_eq!(page.all("data-spendable"), ["0.00000000", "30.00000000"]);
    assert_eq!(page.all("data-state"), ["conflicted", "confirmed"]);
}

#[test]
fn the_world_that_was_chosen_is_followed_when_blocks_come_on_it() {
    let bench = Bench::new();
    let (_, [first, second]) = bench.split();
    let at = bench.node.at;
    let page = get(at, "/admin/wallet/alice");
    // The best world needs no name, and is followed whichever it is.
    let chosen = format!("/admin/wallet/alice?world={second}");
    assert!(page.body.contains(&format!("{chosen}#coins")));
    assert!(!page.body.contains(&format!("?world={first}#coins")));
    let rival = |height: u32| format!("Coins in the world at {height}");
    let best = "Coins in the best world";
    let shows = |tip: BlockHash, coins: usize, words: &str| {
        for part in ["", "/live"] {
            let page = get(at, &format!("/admin/wallet/alice{part}?world={tip}"));
            assert_eq!(page.status, 200, "{part} {words}: {}", page.body);
            assert_eq!(page.all("data-coin").len(), coins, "{part} {words}");
            assert!(page.body.contains(words), "{part} {words}: {}", page.body);
        }
    };
    shows(second, 0, &rival(102));
    // The best one grows, and a link that names its old tip shows it still; then the rival, which stays one, and wins.
    let third = bench.node.mine(first, 2, 3);
    shows(first, 1, best);
    shows(second, 0, &rival(102));
    let grown = bench.node.mine(second, 1, 4);
    shows(second, 0, &rival(103));
    let winner = bench.node.mine(grown[0], 2, 5);
    assert_eq!(bench.best(), winner[1]);
    shows(second, 0, best);
    shows(first, 1, &rival(104));
    shows(third[0], 1, &rival(104));
    // It parts, and the branch of the most work goes on.
    bench.node.mine(first, 1, 6);
    shows(first, 1, &rival(104));
    // What no world has is nowhere.
    let nowhere = format!("/admin/wallet/alice?world={}", "07".repeat(32));
    assert_eq!(get(at, &nowhere).status, 404);
}

#[test]
fn a_branch_further_behind_than_the_node_is_configured_to_warn_of_is_not_warned_of() {
    for (blocks, warned) in [(0, 0), (1, 1)] {
        let bench = Bench::of(TestNode::warning_of(blocks));
        let (_, [first, _]) = bench.split();
        bench.node.mine(first, 1, 8);
        let page = get(bench.node.at, "/admin/wallet/alice");
        assert_eq!(page.all("data-warning").len(), warned, "{blocks}");
    }
}

#[test]
fn who_follows_a_wallet_is_told_of_payments_and_of_branches() {
    let bench = Bench::new();
    for path in ["/admin/wallets/events", "/admin/wallet/alice/events"] {
        let (status, mut follower) = Follower::of(bench.node.at, path);
        assert_eq!(status, 200);
        let mut last = follower.next().unwrap();
        let started = Instant::now();
        for _ in 0..3 {
            bench.node.mine(bench.best(), 1, 7);
            let next = follower.next().unwrap();
            assert!(next > last);
            last = next;
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(get(bench.node.at, "/admin/wallet/bob/events").status, 404);
}

/// The token of the form on a page.
fn token(page: &str) -> String {
    let from = page.split("name=\"token\" value=\"").nth(1).unwrap();
    from.split('"').next().unwrap().to_owned()
}

#[test]
fn the_forms_button_gives_the_next_address_out_and_its_code_is_shown() {
    let bench = Bench::new();
    let at = bench.node.at;
    let page = get(at, "/admin/wallet/alice");
    assert!(page.body.contains("No address waits to be paid to"));
    assert_eq!(page.count("class=\"qr\""), 0);
    // Looking gives nothing out.
    assert_eq!(get(at, "/admin/wallet/alice").all("data-address").len(), 0);
    let form = format!("token={}&label=caf%C3%A9+%26+more", token(&page.body));
    let origin = format!("http://{at}");
    let own = [
        ("Origin", origin.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let sent = post(at, "/admin/wallet/alice/address", &form, &own);
    assert_eq!(sent.status, 303, "{}", sent.body);
    let to = sent.header("location").unwrap().to_owned();
    let shown = get(at, to.split('#').next().unwrap());
    let address = shown.all("data-address")[0].to_owned();
    assert!(address.starts_with("bcrt1q"), "{address}");
    assert!(to.contains(&address), "{to}");
    assert_eq!(shown.count("class=\"qr\""), 1);
    let uri = format!("bitcoin:{address}?label=caf%C3%A9%20%26%20more");
    assert_eq!(shown.all("data-uri"), [uri.as_str()]);
    let with_amount = format!("/admin/wallet/alice?address={address}&amount=0.5&label=x");
    let shown = get(at, &with_amount);
    let uri = format!("bitcoin:{address}?amount=0.5&#38;label=x");
    assert_eq!(shown.all("data-uri"), [uri.as_str()]);
    // It is shown without being asked for, too; and the wallet knows its label.
    let page = get(at, "/admin/wallet/alice");
    assert_eq!(page.all("data-address"), [address.as_str()]);
    let view = bench.alice.view().unwrap();
    let label = view.keyring().labels().address(&address).unwrap();
    assert_eq!(label.text, "café & more");
    for wrong in [
        "address=x",
        "address=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "address=bcrt1qsmnj2dh2mg2vsugazxwr6puvz39nuhnsd4zmpu",
        "amount=much",
        "amount=-1",
        "amount=99999999",
        "page=0",
        "world=5",
    ] {
        let refused = get(at, &format!("/admin/wallet/alice?{wrong}"));
        assert_eq!(refused.status, 400, "{wrong}");
    }
}

#[test]
fn a_form_of_another_site_gives_nothing_out() {
    let bench = Bench::new();
    let at = bench.node.at;
    let path = "/admin/wallet/alice/address";
    let form = format!("token={}", token(&get(at, "/admin/wallet/alice").body));
    for (form, headers) in [
        ("token=0", &[][..]),
        ("", &[]),
        (&form, &[("Origin", "http://evil.example")]),
        (&form, &[("Sec-Fetch-Site", "cross-site")]),
    ] {
        assert_eq!(post(at, path, form, headers).status, 403, "{headers:?}");
    }
    let strange = [("Host", "evil.example")];
    assert_eq!(post(at, path, &form, &strange).status, 421);
    let long = format!("{form}&label={}", "x".repeat(20_000));
    assert_eq!(post(at, path, &long, &[]).status, 413);
    for path in ["/admin/wallet/alice", "/admin/", "/admin/wallets"] {
        assert_eq!(post(at, path, &form, &[]).status, 405, "{path}");
    }
    assert_eq!(ask(at, "PUT", path, &[]).status, 405);
    assert_eq!(get(at, path).status, 303);
    let unnamed = post(at, "/admin/wallet/@unnamed/address", &form, &[]);
    assert_eq!(unnamed.status, 404);
    let page = get(at, "/admin/wallet/alice");
    assert_eq!(page.all("data-address").len(), 0);
}

#[test]
fn a_login_stands_before_wallets_and_their_form() {
    let node = TestNode::with(WebConfig {
        login: Some("ann:secret".parse().unwrap()),
        ..config("127.0.0.1:0")
    });
    let wallets = node.handle().wallets().unwrap();
    wallets.create("alice", NewWallet::default()).unwrap();
    for path in [
        "/admin/wallets",
        "/admin/wallet/alice",
        "/admin/wallet/alice/events",
    ] {
        assert_eq!(get(node.at, path).status, 401, "{path}");
    }
    let sent = post(node.at, "/admin/wallet/alice/address", "token=x", &[]);
    assert_eq!(sent.status, 401);
}

#[test]
fn a_locked_wallet_says_so_and_names_of_any_letters_have_a_page() {
    let node = TestNode::new();
    let wallets = node.handle().wallets().unwrap();
    let passphrase = zeroize::Zeroizing::new("correct horse".to_owned());
    let sealed = NewWallet {
        passphrase: Some(passphrase),
        ..NewWallet::default()
    };
    wallets.create("spare & “cold” 100%", sealed).unwrap();
    wallets.create("", NewWallet::default()).unwrap();
    let flags = WalletFlags {
        disable_private_keys: true,
        blank: true,
        ..WalletFlags::default()
    };
    let watches = NewWallet {
        flags,
        ..NewWallet::default()
    };
    wallets.create("watches", watches).unwrap();
    let list = get(node.at, "/admin/wallets");
    let links = list.all("data-wallet");
    let cold = "spare%20%26%20%E2%80%9Ccold%E2%80%9D%20100%25";
    assert_eq!(links, ["@unnamed", cold, "watches"]);
    for (link, lock) in [
        ("@unnamed", "no passphrase"),
        (cold, "locked"),
        ("watches", "watches only"),
    ] {
        let page = get(node.at, &format!("/admin/wallet/{link}"));
        assert_eq!(page.status, 200, "{link}");
        assert_eq!(page.all("data-lock"), [lock]);
        // The words of the form, where the wallet has keys for new addresses.
        assert_eq!(page.count("New address"), usize::from(link != "watches"));
    }
    let page = get(node.at, &format!("/admin/wallet/{cold}"));
    assert!(page.body.contains("walletpassphrase"));
    // A locked one gives out addresses.
    let form = format!("token={}", token(&page.body));
    let sent = post(
        node.at,
        &format!("/admin/wallet/{cold}/address"),
        &form,
        &[],
    );
    assert_eq!(sent.status, 303);
    // One without keys for it says what is wrong.
    let sent = post(node.at, "/admin/wallet/watches/address", &form, &[]);
    assert_eq!(sent.status, 409, "{}", sent.body);
    wallets.unload("watches").unwrap();
    assert_eq!(get(node.at, "/admin/wallet/watches").status, 404);
    assert!(get(node.at, "/admin/wallets").body.contains("Not open"));
}

/// What a page's hidden field says.
fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&mark).expect("the field");
    rest.split_once('"').expect("its end").0.to_owned()
}

#[test]
fn a_payment_is_shown_with_its_inputs_in_every_world_and_sent_once() {
    let bench = Bench::new();
    let (_, [_, second]) = bench.split();
    let at = bench.node.at;
    let to = address(&bench.alice, "");
    let page = get(at, "/admin/wallet/miner");
    assert!(page.body.contains("/admin/wallet/miner/pay"));
    let form = get(at, "/admin/wallet/miner/pay");
    assert_eq!(form.status, 200, "{}", form.body);
    let token = token(&form.body);
    let pay = |fields: &str| {
        let text = format!("token={token}&address={to}&{fields}");
        post(at, "/admin/wallet/miner/pay", &text, &[])
    };
    // The two branches leave it different coins: none is in both.
    let refused = pay("amount=1&fee_rate=2&scope=all");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(
        refused.body.contains("in all live worlds"),
        "{}",
        refused.body
    );
    assert!(
        refused.body.contains(&second.to_string()),
        "{}",
        refused.body
    );
    for (fields, status, words) in [
        ("amount=x", 400, "an amount in bitcoin"),
        ("amount=1&everything=1", 400, "leave the amount empty"),
        (
            "amount=1&fee_rate=-1",
            400,
            "satoshis for each virtual byte",
        ),
        ("amount=1&scope=rival", 400, "“all” or “best”"),
        ("amount=0.00000001&scope=best&fee_rate=2", 409, "dust"),
    ] {
        let refused = pay(fields);
        assert_eq!(refused.status, status, "{fields}: {}", refused.body);
        assert!(refused.body.contains(words), "{fields}: {}", refused.body);
    }
    let waiting = || {
        bench
            .node
            .handle()
            .mempool()
            .view()
            .unwrap()
            .transactions()
            .count()
    };
    assert_eq!(waiting(), 0);
    let shown = pay("amount=1.5&fee_rate=2&scope=best&comment=rent");
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.all("data-input").len(), 1, "{}", shown.body);
    assert!(shown.body.contains("satisfied"));
    assert!(shown.body.contains("not in every world"));
    assert_eq!(waiting(), 0);
    let txid = shown.all("data-draft")[0].to_owned();
    let draft = hidden(&shown.body, "draft");
    let text = format!("token={token}&draft={draft}");
    // Of another wallet, of another site: nothing.
    assert_eq!(post(at, "/admin/wallet/alice/send", &text, &[]).status, 410);
    let foreign = format!("token=x&draft={draft}");
    assert_eq!(
        post(at, "/admin/wallet/miner/send", &foreign, &[]).status,
        403
    );
    assert_eq!(waiting(), 0);
    let sent = post(at, "/admin/wallet/miner/send", &text, &[]);
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert_eq!(waiting(), 1);
    let page = get(at, "/admin/wallet/miner");
    assert!(
        page.all("data-payment").contains(&txid.as_str()),
        "{}",
        page.body
    );
    // The same again is not sent again.
    assert_eq!(post(at, "/admin/wallet/miner/send", &text, &[]).status, 410);
    assert_eq!(waiting(), 1);
}

#[test]
fn a_form_that_cannot_be_read_says_so_and_an_address_what_is_wrong_with_it() {
    let bench = Bench::new();
    let at = bench.node.at;
    let form = get(at, "/admin/wallet/miner/pay");
    // What a page says of itself is true of it.
    assert!(form.body.contains("give out addresses and pay"));
    assert!(!form.body.contains("only reads"));
    assert!(get(at, "/admin/").body.contains("only reads"));
    let token = token(&form.body);
    let to = address(&bench.alice, "").to_string();
    for (page, fields) in [
        ("pay", format!("amount=1&amount=2&address={to}")),
        ("send", "draft=a&draft=b".to_owned()),
        ("address", "label=a&label=b".to_owned()),
    ] {
        let text = format!("token={token}&{fields}");
        let refused = post(at, &format!("/admin/wallet/miner/{page}"), &text, &[]);
        assert_eq!(refused.status, 400, "{page}: {}", refused.body);
        assert!(refused.body.contains("a field is there twice"), "{page}");
        assert!(!refused.body.contains("no such page"), "{page}");
    }
    let mistyped = to.replace("bcrt1q", "bcrt1p");
    for (address, words) in [
        (mistyped.as_str(), "checksum is wrong"),
        ("", "there is nothing"),
        ("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "another network"),
    ] {
        let text = format!("token={token}&amount=1&address={address}");
        let refused = post(at, "/admin/wallet/miner/pay", &text, &[]);
        assert_eq!(refused.status, 400, "{address}: {}", refused.body);
        assert!(refused.body.contains(words), "{address}: {}", refused.body);
    }
}

#[test]
fn control_characters_of_a_label_are_seen_and_do_nothing() {
    let bench = Bench::new();
    let label = "red \u{1b}[31m\u{7}\u{7f}\u{85}";
    address(&bench.alice, label);
    let page = get(bench.node.at, "/admin/wallet/alice");
    assert!(page.body.contains("red ␛[31m␇␡\u{fffd}"), "{}", page.body);
    let raw = |one: char| one.is_control() && !matches!(one, '\n' | '\r' | '\t');
    assert!(!page.body.contains(raw));
}
