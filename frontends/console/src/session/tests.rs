use std::time::{Duration, Instant};

use everett_lab::scenario::{Played, SHIPPED, Scenario};
use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::client::{Client, Outcome, Said, Script};
use crate::limits::DEFAULT_MAX_TIME;
use crate::protocol::ScriptError;

/// How long what a script is told may take to reach it, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lab after the shipped double-spend, and a console on it.
struct Bench {
    _directory: TempDir,
    ledger: Ledger,
    played: Played,
    client: Client,
}

impl Bench {
    async fn new(write: bool) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let params = Params::new(Network::Regtest);
        let ledger = Ledger::open(LedgerConfig::new(params, directory.path())).unwrap();
        let (_, text) = SHIPPED
            .iter()
            .find(|(file, _)| *file == "double-spend.toml")
            .unwrap();
        let played = Scenario::parse(text).unwrap().play(&ledger).unwrap();
        let client = Client::own(ledger.clone(), true, write).await.unwrap();
        Bench {
            _directory: directory,
            ledger,
            played,
            client,
        }
    }

    async fn run(&mut self, script: Script<'_>) -> Result<String, ScriptError> {
        let mut said = String::new();
        let (_never, mut interrupts) = watch::channel(0);
        let outcome = self.client.run(script, &mut interrupts, |what| {
            let (Said::Printed(text) | Said::Value(text)) = what;
            said.push_str(text);
            said.push('\n');
            Ok(())
        });
        match outcome.await.unwrap() {
            Outcome::Done(_) => Ok(said.trim_end().to_owned()),
            Outcome::Failed(error) => Err(error),
        }
    }

    async fn eval(&mut self, text: &str) -> String {
        let script = Script {
            text,
            ..Script::default()
        };
        self.run(script)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    async fn json(&mut self, text: &str) -> serde_json::Value {
        let script = Script {
            text,
            json: true,
            ..Script::default()
        };
        let said = self
            .run(script)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        serde_json::from_str(&said).unwrap()
    }

    async fn fails(&mut self, text: &str) -> ScriptError {
        let script = Script {
            text,
            ..Script::default()
        };
        match self.run(script).await {
            Ok(said) => panic!("{text} came to {said}"),
            Err(error) => error,
        }
    }

    async fn stops(&mut self, text: &str, time: Duration) -> ScriptError {
        let started = Instant::now();
        let script = Script {
            text,
            time: Some(time),
            ..Script::default()
        };
        let error = self.run(script).await.unwrap_err();
        assert!(started.elapsed() < time + PATIENCE, "{text}");
        error
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_and_blocks_tell_of_every_branch() {
    let mut bench = Bench::new(false).await;
    let best = bench.ledger.best();
    assert_eq!(bench.eval("best().hash").await, best.hash().to_string());
    assert_eq!(
        bench.eval("worlds().len()").await,
        bench.ledger.tips().len().to_string()
    );
    assert_eq!(bench.eval("worlds()[0] == best()").await, "true");
    // Both branches have a block there.
    assert_eq!(
        bench
            .eval(&format!("by_num({}).len()", best.height()))
            .await,
        "1"
    );
    assert!(bench.eval("worlds()").await.lines().count() >= 3);
    let rival = bench.ledger.tips()[1].clone();
    let script = format!("by_num({}).map(|b| b.status)", rival.height);
    let both = bench.json(&script).await;
    assert_eq!(both, serde_json::json!(["valid-fork", "active"]));
    let script = format!("world(\"{}\").fork_height", rival.hash);
    assert_eq!(bench.eval(&script).await, rival.fork_height.to_string());
    assert_eq!(bench.eval("block(0).previous").await, "");
    assert_eq!(bench.eval("block(1).previous == block(0)").await, "true");
    assert_eq!(bench.eval("block(0).children().len()").await, "1");
    assert_eq!(bench.eval("block(\"best\").world == best()").await, "true");
    assert_eq!(bench.eval("by_num(100000).len()").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_address_has_two_balances_in_two_worlds() {
    let mut bench = Bench::new(false).await;
    let worlds = bench.played.worlds.clone();
    for party in bench.played.parties.clone() {
        for world in &worlds {
            let (_, sat) = world
                .balances
                .iter()
                .find(|(name, _)| *name == party.name)
                .unwrap();
            let script = format!(
                "balance(\"{}\", \"{}\").confirmed_sat",
                party.address, world.tip_hash
            );
            assert_eq!(bench.eval(&script).await, sat.to_string());
            let script = format!(
                "let sum = 0; for c in coins(\"{}\", world(\"{}\")) {{ sum += c.amount_sat }} sum",
                party.address, world.tip_hash
            );
            assert_eq!(bench.eval(&script).await, sat.to_string());
        }
    }
    let script = format!("conflicts(\"{}\", best())", worlds[1].tip_hash);
    let conflicts = bench.json(&script).await;
    assert_eq!(conflicts[0]["kind"], "double-spend");
    let text = bench.eval(&script).await;
    assert!(text.contains("double-spend"), "{text}");
    let diff = bench
        .eval(&format!("diff(\"{}\", best())", worlds[1].tip_hash))
        .await;
    assert!(diff.contains("BTC IN A"), "{diff}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_dumped_and_its_inputs_are_verified_on_either_branch() {
    let mut bench = Bench::new(false).await;
    for payment in bench.played.payments.clone() {
        let find = format!("let t = tx(\"{}\", \"{}\"); ", payment.txid, payment.block);
        let dump = bench.eval(&format!("{find} t.dump()")).await;
        assert!(dump.contains(&payment.txid.to_string()), "{dump}");
        assert!(dump.contains(" BTC"), "{dump}");
        assert_eq!(bench.eval(&format!("{find} t.verify(0).ok")).await, "true");
        assert_eq!(bench.eval(&format!("{find} t.verify().ok")).await, "true");
        assert_eq!(
            bench.eval(&format!("{find} t.worlds().len() > 0")).await,
            "true"
        );
    }
    let coinbase = bench.fails("block(1).transactions[0].verify(0)").await;
    assert_eq!(coinbase.reason, "INVALID_ARGUMENT");
    assert_eq!(
        bench.eval("block(1).transactions[0].verify().ok").await,
        "true"
    );
    assert_eq!(
        bench.eval("block(1).transactions[0].outputs[0].type").await,
        "witness_v0_keyhash"
    );
    let error = bench.fails("block(1).tx(7)").await;
    assert!(error.message.contains("counted from 0"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spend_that_its_coin_does_not_allow_is_told_by_bitcoin_cores_name() {
    let mut bench = Bench::new(false).await;
    // A payment is in a world already, so its coin is gone there; its twin on the parent is a coin still.
    let payment = bench.played.payments[0].clone();
    let hex = format!("tx(\"{}\", \"{}\").hex()", payment.txid, payment.block);
    let gone = bench.fails(&format!("decode({hex}).verify(0)")).await;
    assert_eq!(gone.reason, "TX_UNKNOWN", "{gone}");
    let flags = format!(
        "tx(\"{}\", \"{}\").verify(0, \"NONE\").flags",
        payment.txid, payment.block
    );
    let text = bench.eval(&flags).await;
    assert!(!text.contains("WITNESS"), "{text}");
    let unknown = format!(
        "tx(\"{}\", \"{}\").verify(0, \"NONSENSE\")",
        payment.txid, payment.block
    );
    assert_eq!(bench.fails(&unknown).await.reason, "INVALID_ARGUMENT");
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_functions_stay_from_one_script_to_the_next() {
    let mut bench = Bench::new(false).await;
    bench.eval("let x = 20; fn twice(n) { n * 2 }").await;
    assert_eq!(bench.eval("twice(x) + 2").await, "42");
    // The same name again hides the first, and does not pile up.
    for _ in 0..600 {
        bench.eval("let y = 1;").await;
    }
    assert_eq!(
        bench
            .eval("let sum = 0; for i in 0..10 { sum += i } sum")
            .await,
        "45"
    );
    assert_eq!(bench.eval("print(1); print(\"two\"); 3").await, "1\ntwo\n3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_line_and_column() {
    let mut bench = Bench::new(false).await;
    let error = bench.fails("let a = 1;\nlet b = = 2;").await;
    assert_eq!(
        (error.reason.as_str(), error.line, error.column),
        ("SYNTAX", Some(2), Some(9))
    );
    let error = bench.fails("let a = 1;\n  nothing(a)").await;
    assert_eq!((error.line, error.column), (Some(2), Some(3)));
    let error = bench
        .fails("let h = \"zz\";\nlet b = 1;\n\n   world(h)")
        .await;
    assert_eq!(error.reason, "INVALID_ARGUMENT");
    assert_eq!((error.line, error.column), (Some(4), Some(4)));
    assert!(
        error.to_string().starts_with("line 4, column 4: "),
        "{error}"
    );
    let zeros = "0".repeat(64);
    let error = bench
        .fails(&format!("fn find() {{\n  world(\"{zeros}\")\n}}\nfind()"))
        .await;
    assert_eq!(error.reason, "WORLD_UNKNOWN");
    assert_eq!(error.line, Some(2), "{error}");
    assert!(error.message.contains("in function find"), "{error}");
    let caught = format!("let r = (); try {{ world(\"{zeros}\") }} catch (e) {{ r = e.reason }} r");
    assert_eq!(bench.eval(&caught).await, "WORLD_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_are_not_made_up() {
    let mut bench = Bench::new(false).await;
    let error = bench.fails("peers()").await;
    assert_eq!(error.reason, "NETWORK_DISABLED");
    assert!(error.message.contains("a data directory"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_nothing_is_written() {
    let mut bench = Bench::new(false).await;
    let best = bench.ledger.best().hash();
    for script in [
        "invalidate(best())",
        "reconsider(1)",
        "submit(\"00\")",
        "mine(best(), 3)",
        "mine(best())",
    ] {
        let error = bench.fails(script).await;
        assert_eq!(error.reason, "READ_ONLY", "{script}");
        assert!(error.message.contains("--allow-write"), "{error}");
    }
    assert_eq!(bench.ledger.best().hash(), best);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_leave_history_is_made_by_hand() {
    let mut bench = Bench::new(true).await;
    let before = bench.ledger.best();
    assert_eq!(bench.eval("mine(best(), 3).len()").await, "3");
    assert_eq!(bench.ledger.best().height(), before.height() + 3);
    // The same choices again make other blocks.
    assert_eq!(
        bench
            .eval(&format!("mine({}, 2).len()", before.height()))
            .await,
        "2"
    );
    assert_eq!(bench.ledger.best().height(), before.height() + 3);
    let script = format!("invalidate({}).height", before.height() + 1);
    assert_eq!(bench.eval(&script).await, (before.height() + 2).to_string());
    let hidden = "let bad = by_num(best().height + 1)[0]; [bad.status, bad.reject_reason != ()]";
    assert_eq!(
        bench.json(hidden).await,
        serde_json::json!(["invalid", true])
    );
    assert_eq!(
        bench.eval("reconsider(bad).height").await,
        (before.height() + 3).to_string()
    );
    assert_eq!(
        bench.json("submit(best().block.hex()).outcome").await,
        "known before"
    );
    let error = bench.fails("submit(\"00\")").await;
    assert!(error.message.contains("no block"), "{error}");
    assert_eq!(
        bench.fails("mine(best(), 100000)").await.reason,
        "INVALID_ARGUMENT"
    );
    assert_eq!(bench.fails("invalidate(0)").await.reason, "BLOCK_FIXED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_loops_for_ever_is_stopped() {
    let mut bench = Bench::new(false).await;
    let time = Duration::from_millis(200);
    for script in [
        "loop {}",
        "while true { best(); }",
        "sleep(1000)",
        "loop { try { world(\"x\") } catch { } }",
    ] {
        let error = bench.stops(script, time).await;
        assert_eq!(error.reason, "DEADLINE_EXCEEDED", "{script}: {error}");
    }
    // And the session goes on.
    assert_eq!(bench.eval("1 + 1").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_stopped_by_its_client() {
    let mut bench = Bench::new(false).await;
    let (interrupt, mut interrupts) = watch::channel(0);
    let script = Script {
        text: "print(\"begun\"); loop {}",
        ..Script::default()
    };
    let outcome = bench.client.run(script, &mut interrupts, |_| Ok(()));
    let interrupt = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            interrupt.send_replace(1);
        }
    };
    let outcome = tokio::select! { outcome = outcome => outcome, () = interrupt => unreachable!() };
    let Outcome::Failed(error) = outcome.unwrap() else {
        panic!("it came to an end");
    };
    assert_eq!(error.reason, "CANCELLED");
    assert_eq!(bench.eval("1 + 1").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_script_fills_the_memory() {
    let mut bench = Bench::new(false).await;
    let deadline = "DEADLINE_EXCEEDED";
    for (script, reasons) in [
        ("let s = \"x\"; loop { s += s }", &["LIMIT"][..]),
        ("let a = []; loop { a.push(a) }", &["LIMIT"]),
        ("let a = []; loop { a.push(1) }", &["LIMIT", deadline]),
        (
            "let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1 }",
            &["LIMIT", deadline],
        ),
        ("fn f(n) { f(n + 1) + 1 } f(0)", &["LIMIT"]),
        (
            "loop { print(\"a line that is printed again and again\") }",
            &["OUTPUT_TOO_LARGE"],
        ),
        ("let b = blob(100000000, 1); b.len()", &["LIMIT", "SCRIPT"]),
        ("let a = []; a.pad(1000000000, 1)", &["LIMIT", "SCRIPT"]),
        ("let s = \"\"; s.pad(1000000000, 'x')", &["LIMIT", "SCRIPT"]),
    ] {
        // Time ends only those that may also grow too slowly for a limit, however slow the machine.
        let time = match reasons.contains(&deadline) {
            true => Duration::from_secs(5),
            false => DEFAULT_MAX_TIME,
        };
        let error = bench.stops(script, time).await;
        assert!(
            reasons.contains(&error.reason.as_str()),
            "{script}: {error:?}"
        );
    }
    // What the session held was too much for it: it says so once, and goes on without.
    let script = Script {
        text: "1",
        ..Script::default()
    };
    drop(bench.run(script).await);
    assert_eq!(bench.eval("1 + 1").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nests_too_deep_is_refused_and_no_stack_overflows() {
    let mut bench = Bench::new(false).await;
    for open in [
        "(",
        "[",
        "#{a:",
        "-",
        "!",
        "{",
        "if true {",
        "|x| ",
        "fn f() { ",
    ] {
        let error = bench.fails(&open.repeat(100_000)).await;
        assert_eq!(error.reason, "SYNTAX", "{open}");
    }
    let text = bench
        .eval("let a = []; for i in 0..1000 { a = [a] } a")
        .await;
    assert!(text.contains('…'), "{text}");
    let script = Script {
        text: "a",
        json: true,
        ..Script::default()
    };
    assert_eq!(
        bench.run(script).await.unwrap_err().reason,
        "ANSWER_TOO_LARGE"
    );
    bench
        .stops("let a = []; loop { a = [a] }", Duration::from_secs(5))
        .await;
    assert_eq!(bench.eval("1 + 1").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_cut_and_says_so() {
    let mut bench = Bench::new(false).await;
    let text = bench
        .eval("let a = []; for i in 0..5000 { a.push(i) } a")
        .await;
    assert!(text.lines().count() <= 202, "{}", text.lines().count());
    assert!(
        text.contains("and 4800 more"),
        "{}",
        &text[text.len() - 100..]
    );
    let text = bench.eval("let s = \"\"; s.pad(3000000, 'x'); s").await;
    assert!(text.len() < 1_100_000);
    assert!(text.contains("bytes more"));
    let script = Script {
        text: "let s = \"\"; s.pad(8000000, 'x'); [s, s, s]",
        json: true,
        ..Script::default()
    };
    let error = bench.run(script).await.unwrap_err();
    assert!(
        ["LIMIT", "ANSWER_TOO_LARGE"].contains(&error.reason.as_str()),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_modules_and_eval_are_out_of_reach() {
    let mut bench = Bench::new(false).await;
    for script in [
        "import \"/etc/passwd\" as p;",
        "eval(\"1\")",
        "open(\"/etc/passwd\")",
    ] {
        let error = bench.fails(script).await;
        assert!(
            ["SYNTAX", "SCRIPT", "LIMIT"].contains(&error.reason.as_str()),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_run_one_by_one_where_they_make_no_sense_as_a_whole() {
    let mut bench = Bench::new(false).await;
    let lines = |text| Script {
        text,
        lines: true,
        ..Script::default()
    };
    let said = bench
        .run(lines("let x = 5\nx + 1\nfor i in 0..2 {\n  print(i)\n}\n"))
        .await;
    assert_eq!(said.unwrap(), "6\n0\n1");
    // A whole script is one, and what is wrong with a line keeps its place.
    let said = bench.run(lines("let x = 5;\nx + 1;\nx + 2")).await;
    assert_eq!(said.unwrap(), "7");
    let error = bench
        .run(lines("let x = 5\nnothing()\n"))
        .await
        .unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(1)));
    let error = bench.run(lines("let x = 5\n)\n")).await.unwrap_err();
    assert_eq!(error.reason, "SYNTAX");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_tells_of_all_that_can_be_called() {
    let mut bench = Bench::new(false).await;
    let all = bench.eval("help()").await;
    for name in [
        "worlds()",
        "by_num(height)",
        "peers()",
        "invalidate(at)",
        "Transaction",
    ] {
        assert!(all.contains(name), "{name}");
    }
    let of_block = bench.eval("help(\"Block\")").await;
    assert!(of_block.contains("transactions"), "{of_block}");
    assert!(
        bench
            .eval("help(\"verify\")")
            .await
            .contains("Transaction.verify(input)")
    );
    assert!(
        bench
            .eval("help(\"balance()\")")
            .await
            .contains("balance(script, at)")
    );
    assert_eq!(
        bench.fails("help(\"nothing\")").await.reason,
        "INVALID_ARGUMENT"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_property_can_be_read_and_every_kind_can_be_shown() {
    let mut bench = Bench::new(true).await;
    let payment = bench.played.payments[0].clone();
    let rival = bench.ledger.tips()[1].hash;
    let address = bench.played.parties[0].address.clone();
    let made = [
        ("World", "best()".to_owned()),
        ("Block", "block(1)".to_owned()),
        (
            "Transaction",
            format!("tx(\"{}\", \"{}\")", payment.txid, payment.block),
        ),
        (
            "Input",
            format!("tx(\"{}\", \"{}\").inputs[0]", payment.txid, payment.block),
        ),
        ("Output", "block(1).transactions[0].outputs[0]".to_owned()),
        ("Coin", format!("coins(\"{address}\", \"{rival}\", 1)[0]")),
        ("Balance", format!("balance(\"{address}\")")),
        ("Diff", format!("diff(\"{rival}\", best())")),
        ("CoinChange", format!("diff(\"{rival}\", best()).coins[0]")),
        (
            "BalanceChange",
            format!("diff(\"{rival}\", best()).balances[0]"),
        ),
        ("Conflict", format!("conflicts(\"{rival}\", best())[0]")),
        (
            "Verdict",
            format!("tx(\"{}\", \"{}\").verify(0)", payment.txid, payment.block),
        ),
        (
            "Verdicts",
            format!("tx(\"{}\", \"{}\").verify()", payment.txid, payment.block),
        ),
        ("CoinSet", "utxo_info(1)".to_owned()),
        ("Stats", "stats()".to_owned()),
        ("Submission", "submit(block(1).hex())".to_owned()),
        (
            "Error",
            "{ let e = (); try { block(-1) } catch (caught) { e = caught } e }".to_owned(),
        ),
    ];
    for (kind, script) in made {
        assert_eq!(bench.eval(&format!("type_of({script})")).await, kind);
        assert!(!bench.eval(&script).await.is_empty(), "{kind}");
        assert!(
            !bench.eval(&format!("[{script}]")).await.is_empty(),
            "{kind}"
        );
        assert!(bench.json(&script).await.is_object(), "{kind}");
        bench.eval(&format!("print({script})")).await;
        let help = bench.eval(&format!("help(\"{kind}\")")).await;
        let (_, properties) = help.split_once("Properties\n").unwrap();
        let (properties, _) = properties.split_once("\nMethods").unwrap();
        for line in properties.lines().filter(|line| !line.trim().is_empty()) {
            let property = line.split_whitespace().next().unwrap();
            bench
                .eval(&format!("let it = {script}; it.{property}"))
                .await;
        }
    }
}
