//! `everett console`: sessions with a running node, and with a data directory that no node has.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::everett::{Answer, Serving, command, everett_reading, on};
use crate::vectors;

/// Sessions that a node takes at once.
const SESSIONS: usize = 16;

/// `console -e` on a regtest directory.
fn eval(directory: &Path, expression: &str) -> Answer {
    on(directory, &["console", "-e", expression])
}

/// What an expression comes to, as text.
fn said(directory: &Path, expression: &str) -> String {
    let answer = eval(directory, expression);
    assert_eq!(answer.code, Some(0), "{expression}: {answer:?}");
    answer.stdout.trim_end().to_owned()
}

/// What an expression comes to, as JSON.
fn value(directory: &Path, expression: &str) -> Value {
    let answer = on(directory, &["console", "--json", "-e", expression]);
    assert_eq!(answer.code, Some(0), "{expression}: {answer:?}");
    answer.json()
}

fn piped(directory: &Path, text: &str, options: &[&str]) -> Answer {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let directory = directory.to_str().unwrap();
    let common = ["console", "--network", "regtest", "--datadir", directory];
    everett_reading(&[&common, options].concat(), file)
}

#[test]
fn a_session_with_a_running_node_asks_what_it_likes_and_writes_nothing() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = Serving::run(path, &["--lab", "--console-allow-write"]);
    assert_eq!(said(path, "mine(best(), 101).len()"), "101");
    assert_eq!(said(path, "mine(99, 3).len()"), "3");
    assert!(node.stop("TERM").success());

    let node = Serving::run(path, &["--lab"]);
    assert_eq!(
        node.ready["console"],
        path.join("console.sock").to_str().unwrap()
    );
    let session = "\
let w = worlds()
w.len()
by_num(100).map(|b| b.status)
for b in by_num(100) {
    for t in b.transactions {
        print(`${t.outputs[0].btc} in ${b.hash}`)
    }
}
fn coinbase(h) { block(h).transactions[0] }
coinbase(1).verify().ok
balance(coinbase(1).outputs[0].script_pubkey, 1).confirmed_sat
balance(\"51\", w[1]).coins - balance(\"51\", 99).coins
invalidate(best())
";
    let answer = piped(path, session, &[]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let lines: Vec<&str> = answer.stdout.lines().collect();
    // After the table of worlds, which `let` does not show.
    assert_eq!(lines[0], "2", "{lines:?}");
    assert_eq!(&lines[1..3], ["valid-fork", "active"], "{lines:?}");
    assert!(lines[3].starts_with("50.00000000 in "), "{lines:?}");
    assert_eq!(&lines[5..], ["true", "5000000000", "2"]);
    assert_eq!(answer.stderr.lines().count(), 1, "{answer:?}");
    assert!(answer.stderr.contains("line 13, column 1: "), "{answer:?}");
    assert!(
        answer.stderr.contains("--console-allow-write"),
        "{answer:?}"
    );

    let refused = on(path, &["console", "--json", "-e", "mine(best(), 1)"]);
    assert_eq!(refused.code, Some(1));
    assert_eq!(refused.error()["reason"], "READ_ONLY");
    let asked = on(path, &["console", "--allow-write", "-e", "1"]);
    assert_eq!(asked.code, Some(1));
    assert!(asked.stderr.contains("queries only"), "{asked:?}");
    assert_eq!(said(path, "best().height"), "102");
    assert!(node.stop("TERM").success());
    assert!(!path.join("console.sock").exists());
}

#[test]
fn what_a_session_may_write_every_face_of_the_node_sees() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = Serving::run(path, &["--lab", "--allow-write"]);
    assert_eq!(said(path, "mine(\"best\", 5)[4].height"), "5");
    assert_eq!(said(path, "invalidate(4).height"), "3");
    let worlds = crate::everett::everett(&["worlds", "--json", "--connect", node.url()]).json();
    assert_eq!(worlds["worlds"][0]["height"], 3);
    assert_eq!(said(path, "reconsider(by_num(4)[0].hash).height"), "5");
    let hex = said(path, "block(5).hex()");
    assert_eq!(
        value(path, &format!("submit(\"{hex}\").outcome")),
        json!("known before")
    );
    assert!(node.stop("TERM").success());
}

#[test]
fn the_socket_is_for_its_owner_and_outlives_no_node() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let socket = path.join("console.sock");
    let node = Serving::run(path, &[]);
    let file = std::fs::symlink_metadata(&socket).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.mode() & 0o7777, 0o600);
    // A second node with the same socket: the first one keeps it.
    let other = tempdir().unwrap();
    let second = on(
        other.path(),
        &[
            "run",
            "--grpc",
            "127.0.0.1:0",
            "-m",
            socket.to_str().unwrap(),
        ],
    );
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("belongs to a node that runs"),
        "{second:?}"
    );
    assert_eq!(said(path, "1 + 1"), "2");
    drop(node);
    // Killed: the socket is left, and the next node takes its place.
    assert!(socket.exists());
    let node = Serving::run(path, &[]);
    assert_eq!(said(path, "best().height"), "0");
    assert!(node.stop("TERM").success());
}

#[test]
fn a_node_may_have_its_socket_elsewhere_or_none() {
    let directory = tempdir().unwrap();
    let place = tempdir().unwrap();
    let socket = place.path().join("s");
    let node = Serving::run(directory.path(), &["-m", socket.to_str().unwrap()]);
    let options = [
        "console",
        "--socket",
        socket.to_str().unwrap(),
        "-e",
        "best().height",
    ];
    assert_eq!(crate::everett::everett(&options).stdout, "0\n");
    // An explicit network is held against the node's.
    let other = [&options[..], &["--network", "signet", "--json"]].concat();
    assert_eq!(
        crate::everett::everett(&other).error()["reason"],
        "OTHER_NETWORK"
    );
    assert!(node.stop("TERM").success());
    let node = Serving::run(directory.path(), &["--no-monitor"]);
    assert_eq!(node.ready["console"], Value::Null);
    assert!(!directory.path().join("console.sock").exists());
    let gone = crate::everett::everett(&[&options[..], &["--json"]].concat());
    assert_eq!(gone.error()["reason"], "UNREACHABLE");
}

#[test]
fn a_directory_too_deep_for_a_socket_keeps_no_node_from_running() {
    let place = tempdir().unwrap();
    let directory = place.path().join("x".repeat(120));
    let node = Serving::run(&directory, &[]);
    assert_eq!(node.ready["console"], Value::Null);
    assert!(node.stop("TERM").success());
    let asked = on(
        &directory,
        &["run", "--grpc", "127.0.0.1:0", "--no-web", "--monitor"],
    );
    assert_eq!(asked.code, Some(1));
    assert!(asked.stderr.contains("107"), "{asked:?}");
    assert!(asked.stderr.contains("--no-monitor"), "{asked:?}");
}

#[test]
fn where_no_node_runs_the_directory_itself_is_read_and_it_says_so() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = Serving::run(path, &["--lab", "--console-allow-write"]);
    said(path, "mine(best(), 3)");
    assert!(node.stop("TERM").success());
    let answer = eval(path, "best().height");
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), "3\n"));
    assert!(answer.stderr.contains("reading"), "{answer:?}");
    let refused = eval(path, "invalidate(3)");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("start the console with --allow-write"),
        "{refused:?}"
    );
    let write = ["console", "--allow-write", "-e", "invalidate(3).height"];
    assert_eq!(on(path, &write).stdout, "2\n");
    let lab = [
        "console",
        "--allow-write",
        "--lab",
        "-e",
        "mine(2, 2).len()",
    ];
    assert_eq!(on(path, &lab).stdout, "2\n");
    assert_eq!(said(path, "best().height"), "4");
    // A name that is misspelt makes no ledger.
    let missing = path.join("missing");
    for options in [&["console", "-e", "1"][..], &write] {
        let answer = on(&missing, options);
        assert_eq!(answer.code, Some(1), "{answer:?}");
        assert!(!missing.exists());
    }
}

#[test]
fn two_clients_have_variables_of_their_own() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    let slow = "let x = 1; print(\"begun\"); sleep(2); x";
    let mut first = spawn(path, slow);
    has_begun(&mut first);
    let started = Instant::now();
    assert_eq!(eval(path, "x").code, Some(1));
    assert_eq!(said(path, "let x = 2; x"), "2");
    // The second did not wait for the first.
    assert!(started.elapsed() < Duration::from_secs(30));
    let mut out = String::new();
    first
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert!(first.wait().unwrap().success());
    assert_eq!(out, "1\n");
}

/// A client whose output is read as it comes.
fn spawn(directory: &Path, expression: &str) -> Child {
    let directory = directory.to_str().unwrap();
    let common = ["console", "--network", "regtest", "--datadir", directory];
    command(&[&common, &["--timeout", "3600", "-e", expression][..]].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the script of this client has printed `begun`.
fn has_begun(client: &mut Child) {
    let mut begun = [0; 6];
    let stdout = client.stdout.as_mut().unwrap();
    stdout.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"begun\n");
}

#[test]
fn the_script_of_a_client_that_is_killed_is_stopped() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    for script in ["print(1); loop {}", "loop { print(\"x\".len()) }"] {
        let mut clients: Vec<Child> = (0..SESSIONS).map(|_| spawn(path, script)).collect();
        // All of them run: each has said something.
        for client in &mut clients {
            let mut one = [0];
            client
                .stdout
                .as_mut()
                .unwrap()
                .read_exact(&mut one)
                .unwrap();
        }
        let full = eval(path, "1");
        assert_eq!(full.code, Some(1));
        assert!(
            full.stderr.contains("consoles are attached already"),
            "{full:?}"
        );
        for client in &mut clients {
            client.kill().unwrap();
            client.wait().unwrap();
        }
        let started = Instant::now();
        while eval(path, "1").code != Some(0) {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "no place becomes free"
            );
        }
    }
}

#[test]
fn a_script_that_loops_for_ever_is_stopped_and_the_node_goes_on() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let node = Serving::run(path, &[]);
    let answer = on(path, &["console", "--timeout", "0.3", "-e", "\n  loop {}"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("stopped after 300ms"), "{answer:?}");
    assert!(answer.stderr.contains("line 2"), "{answer:?}");
    let answer = on(
        path,
        &["console", "--json", "-e", "let s = \"x\"; loop { s += s }"],
    );
    assert_eq!(answer.error()["reason"], "LIMIT");
    // One that runs does not keep the node from stopping.
    let mut client = spawn(path, "print(\"begun\"); loop {}");
    has_begun(&mut client);
    let started = Instant::now();
    assert!(node.stop("TERM").success());
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(client.wait().unwrap().code(), Some(1));
}

#[test]
fn ctrl_c_stops_a_script() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    let mut client = spawn(path, "print(\"begun\"); loop {}");
    has_begun(&mut client);
    let sent = Command::new("kill")
        .args(["-s", "INT", &client.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(client.wait().unwrap().code(), Some(1));
}

#[test]
fn a_script_comes_from_a_file_too() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    let script = path.join("look.rhai");
    std::fs::write(
        &script,
        "#!/usr/bin/env -S everett console\nlet b = block(0);\nprint(b.height);\nb.tx_count\n",
    )
    .unwrap();
    let script = script.to_str().unwrap();
    assert_eq!(on(path, &["console", script]).stdout, "0\n1\n");
    std::fs::write(script, "let a = 1;\n\n  a.nothing\n").unwrap();
    let wrong = on(path, &["console", script]);
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.stderr.contains("look.rhai: line 3, column "),
        "{wrong:?}"
    );
    // With --json standard output is for values.
    let answer = piped(
        path,
        "print(1); #{a: [1, 2.5, true, ()], h: best().height}",
        &["--json"],
    );
    assert_eq!(answer.json(), json!({"a": [1, 2.5, true, null], "h": 0}));
    assert_eq!(answer.stderr, "1\n");
    let none = on(path, &["console", "/no/such/file"]);
    assert_eq!(none.code, Some(1));
}

#[test]
fn answers_are_bounded_and_a_closed_pipe_is_no_failure() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    let endless = eval(
        path,
        "loop { print(\"and so on, and so on, and so on, and so on\") }",
    );
    assert_eq!(endless.code, Some(1));
    assert!(endless.stdout.len() < 5 << 20, "{}", endless.stdout.len());
    assert!(
        endless.stderr.contains("printed more than"),
        "{}",
        endless.stderr
    );
    let long = said(path, "let s = \"\"; s.pad(5000000, 'x'); s");
    assert!(long.len() < 2 << 20);
    let mut client = spawn(path, "loop { print(1) }");
    drop(client.stdout.take());
    assert_eq!(client.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_no_console_protocol_is_cut_off() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    let socket = path.join("console.sock");
    for sent in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 0, 0, 2, b'{', b'}'],
        &[0xff; 64],
    ] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(sent).unwrap();
        let mut answer = Vec::new();
        // The greeting, if it came before the end did, and then the end.
        let end = stream.read_to_end(&mut answer);
        let waited = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waited, "the connection stays open");
    }
    assert_eq!(said(path, "1"), "1");
}

#[test]
fn the_sixty_forks_are_all_there() {
    let Some(blocks) = vectors::sixty_forks("blocks.dat") else {
        return;
    };
    let directory = tempdir().unwrap();
    let path = directory.path();
    let import = on(path, &["import", blocks.to_str().unwrap()]);
    assert_eq!(import.code, Some(0), "{import:?}");
    let _node = Serving::run(path, &[]);
    assert_eq!(said(path, "worlds().len()"), "61");
    let script = "
        let bad = 0;
        let seen = 0;
        for w in worlds() {
            let fork = w.fork_height;
            for t in w.block.transactions {
                if t.is_coinbase { continue; }
                seen += 1;
                if !t.verify().ok { bad += 1; }
            }
        }
        [seen > 0, bad]";
    assert_eq!(value(path, script), json!([true, 0]));
    let script = "
        let total = 0;
        for w in worlds() { total += conflicts(w, best()).len(); }
        total > 0";
    assert_eq!(value(path, script), json!(true));
    let dumped = said(path, "block(best().height - 1).transactions[1].dump()");
    assert!(dumped.contains("output 0"), "{dumped}");
}

#[test]
fn the_prompt_on_a_terminal_completes_remembers_and_leaves() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let _node = Serving::run(path, &[]);
    let history = path.join("history");
    let Some(mut terminal) = Terminal::new(&[
        "console".as_ref(),
        "--network=regtest".as_ref(),
        "--datadir".as_ref(),
        path.as_os_str(),
        "--history".as_ref(),
        history.as_os_str(),
    ]) else {
        println!("skipped: there is no `setsid` (util-linux) to run something on a terminal with");
        return;
    };
    terminal.until("everett> ");
    // A tab completes, a line that is open goes on, Ctrl-C stops what runs.
    terminal.keys(b"bes\t).height + 40 + 2\r");
    terminal.until("42");
    terminal.until("everett> ");
    terminal.keys(b"for i in 0..1 {\r");
    terminal.keys(b"print(\"in \" + \"it\") }\r");
    terminal.until("in it");
    terminal.until("everett> ");
    terminal.keys(b"print(\"be\" + \"gun\"); loop {}\r");
    terminal.until("begun");
    terminal.keys(&[3]);
    terminal.until("it was cancelled");
    terminal.until("everett> ");
    terminal.keys(b"peers()\r");
    terminal.until("not on the P2P network");
    terminal.until("everett> ");
    // Ctrl-D leaves.
    terminal.keys(&[4]);
    let status = terminal.process.wait().unwrap();
    assert!(status.success(), "{status}: {:?}", terminal.shown);
    let kept = std::fs::read_to_string(&history).unwrap();
    assert!(kept.contains("best().height + 40 + 2"), "{kept}");
    let mode = std::fs::metadata(&history).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

/// A process on a terminal of its own.
struct Terminal {
    process: Child,
    /// Our end.
    screen: File,
    /// What it shows that was not waited for yet.
    shown: String,
}

impl Terminal {
    /// Runs Everett on one; `None` where there is no program to make it a process's own.
    fn new(arguments: &[&OsStr]) -> Option<Terminal> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let screen = openpt(flags).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let end = || {
            let mut options = File::options();
            options.read(true).write(true);
            options.open(name.to_str().unwrap()).unwrap()
        };
        let spawned = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_everett")])
            .args(arguments)
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn();
        Some(Terminal {
            process: spawned.ok()?,
            screen: File::from(screen),
            shown: String::new(),
        })
    }

    fn keys(&mut self, keys: &[u8]) {
        self.screen.write_all(keys).unwrap();
    }

    /// Reads until it shows this, and forgets what came before.
    fn until(&mut self, wanted: &str) {
        let started = Instant::now();
        let mut bytes = [0; 4096];
        loop {
            if let Some(place) = self.shown.find(wanted) {
                self.shown.drain(..place + wanted.len());
                return;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{:?}",
                self.shown
            );
            let read = self.screen.read(&mut bytes);
            let read =
                read.unwrap_or_else(|error| panic!("no {wanted:?} in {:?}: {error}", self.shown));
            self.shown += &String::from_utf8_lossy(&bytes[..read]);
        }
    }
}

#[test]
fn wrong_usage_has_an_exit_code_of_its_own() {
    let directory = tempdir().unwrap();
    let wrong = on(directory.path(), &["console", "-e", "1", "file"]);
    assert_eq!(wrong.code, Some(2));
    let wrong = on(directory.path(), &["console", "--timeout", "-1"]);
    assert_eq!(wrong.code, Some(2));
}
