//! `everett bitcoind`: started, stopped and refused as Core's daemon is.

use std::fs;
use std::path::Path;
use std::process::Command;

use bitcoin::hex::DisplayHex;
use everett_lab::Lab;
use everett_tests::ports::free_port;
use tempfile::tempdir;

use crate::daemon::{Daemon, bitcoind, cores, wait_until};
use crate::everett::{command, everett};

/// The first block of regtest.
const GENESIS: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";

pub(crate) fn datadir(path: &Path) -> String {
    format!("-datadir={}", path.display())
}

/// Hands in a block, and gives its hash.
fn submit_one(daemon: &Daemon) -> String {
    let lab = Lab::new(7);
    let mined = lab.mine(lab.best(), []).unwrap();
    let bytes = lab.ledger().block_bytes(&mined.hash()).unwrap();
    let answer = daemon.cli(&["submitblock", &bytes.to_lower_hex_string()]);
    assert_eq!((answer.code, &*answer.stdout), (Some(0), ""), "{answer:?}");
    mined.hash().to_string()
}

#[test]
fn files_lie_where_core_has_them_and_go_at_the_end() {
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(directory.path(), &[]);
    for name in [".cookie", ".lock", "bitcoind.pid", "debug.log", "everett"] {
        assert!(daemon.file(name).exists(), "{name}");
    }
    let pid = fs::read_to_string(daemon.file("bitcoind.pid")).unwrap();
    assert_eq!(pid, format!("{}\n", daemon.id()));
    // It answers a moment before the last of it has started.
    wait_until("it has started", || {
        daemon.log().contains("init message: Done loading")
    });
    assert_eq!(daemon.cli(&["stop"]).stdout, "Everett stopping\n");
    let (cookie, pid) = (daemon.file(".cookie"), daemon.file("bitcoind.pid"));
    let log = daemon.file("debug.log");
    assert_eq!(daemon.end(), (Some(0), String::new()));
    assert!(!cookie.exists() && !pid.exists());
    let log = fs::read_to_string(log).unwrap();
    assert!(log.ends_with("Shutdown done\n"), "{log}");
}

#[test]
fn signals_end_it_well_and_silently() {
    let directory = tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let daemon = Daemon::start(directory.path(), &[]);
        // It begins a log anew on this one, and goes on.
        fs::remove_file(daemon.file("debug.log")).unwrap();
        daemon.signal("HUP");
        let log = daemon.file("debug.log");
        wait_until("the log is begun anew", || log.exists());
        daemon.signal(signal);
        let cookie = daemon.file(".cookie");
        assert_eq!(daemon.end(), (Some(0), String::new()), "{signal}");
        assert!(!cookie.exists());
    }
}

#[test]
fn a_second_one_is_refused_in_cores_words_also_in_the_background() {
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(directory.path(), &[]);
    let place = datadir(directory.path());
    let port = format!("-rpcport={}", free_port());
    for more in ["-server", "-daemon", "-daemonwait"] {
        let second = bitcoind(&["-regtest", &place, &port, "-listen=0", more]);
        assert_eq!(second.code, Some(1), "{second:?}");
        let text = format!(
            "Error: Cannot obtain a lock on directory {}. Everett is probably already running.\n",
            directory.path().join("regtest").display()
        );
        assert_eq!(second.stderr, text);
    }
    // What was refused took nothing away.
    assert_eq!(daemon.cli(&["getblockcount"]).stdout, "0\n");
    if let Some(core) = cores("bitcoind") {
        let answer = Command::new(core)
            .args(["-regtest", &place, &port, "-listen=0"])
            .output()
            .unwrap();
        assert_eq!(answer.status.code(), Some(1));
        let text = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(text.contains("Cannot obtain a lock"), "{text}");
    }
}

#[test]
fn what_a_killed_one_left_behind_is_in_nobodys_way() {
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(directory.path(), &[]);
    submit_one(&daemon);
    let cookie = fs::read_to_string(daemon.file(".cookie")).unwrap();
    daemon.signal("KILL");
    let (kept, pid) = (daemon.file(".cookie"), daemon.file("bitcoind.pid"));
    assert_eq!(daemon.end().0, None);
    assert!(kept.exists() && pid.exists());
    let daemon = Daemon::start(directory.path(), &[]);
    assert_ne!(fs::read_to_string(&kept).unwrap(), cookie);
    assert_eq!(daemon.cli(&["getblockcount"]).stdout, "1\n");
    let text = fs::read_to_string(&pid).unwrap();
    assert_eq!(text, format!("{}\n", daemon.id()));
    daemon.cli(&["stop"]);
    assert_eq!(daemon.end(), (Some(0), String::new()));
    assert!(!kept.exists() && !pid.exists());
}

#[test]
fn in_the_background_it_is_ready_when_the_first_process_ends() {
    let directory = tempdir().unwrap();
    let place = datadir(directory.path());
    let port = format!("-rpcport={}", free_port());
    for wait in ["-daemonwait", "-daemon"] {
        let started = bitcoind(&["-regtest", &place, &port, "-listen=0", wait]);
        assert_eq!(started.code, Some(0), "{started:?}");
        assert_eq!(started.stdout, "Everett starting\n");
        assert_eq!(started.stderr, "");
        let ask = |words: &[&str]| {
            let options = ["-regtest", &place, &port];
            crate::daemon::cli(&[&options[..], words].concat())
        };
        if wait == "-daemon" {
            ask(&["-rpcwait", "-rpcwaittimeout=60", "getblockcount"]);
        }
        assert_eq!(ask(&["getblockcount"]).stdout, "0\n");
        let pid = directory.path().join("regtest/bitcoind.pid");
        assert!(pid.exists());
        assert_eq!(ask(&["stop"]).code, Some(0));
        wait_until("it stops", || !pid.exists());
        // The lock is the last that goes.
        let log = directory.path().join("regtest/debug.log");
        wait_until("it has stopped", || {
            let text = fs::read_to_string(&log).unwrap();
            text.ends_with("Shutdown done\n")
        });
        wait_until("the lock is free", || {
            let probe = bitcoind(&["-regtest", &place, &port, "-listen=0", "-prune=2"]);
            assert!(probe.stderr.contains("Prune configured below"), "{probe:?}");
            fs::File::open(directory.path().join("regtest/.lock")).is_ok()
        });
    }
}

#[test]
fn in_the_background_a_failure_is_told_by_the_one_that_waits() {
    let directory = tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("-rpcport={}", taken.local_addr().unwrap().port());
    let place = datadir(directory.path());
    let answer = bitcoind(&["-regtest", &place, &port, "-listen=0", "-daemonwait"]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(
        answer.stderr,
        "Error during initialization - check debug.log for details\n"
    );
    let log = fs::read_to_string(directory.path().join("regtest/debug.log")).unwrap();
    assert!(
        log.contains("[error] Unable to start HTTP server. See debug log for details."),
        "{log}"
    );
    assert!(!directory.path().join("regtest/bitcoind.pid").exists());
}

#[test]
fn a_configuration_file_says_what_the_command_line_does_not() {
    let directory = tempdir().unwrap();
    let (first, second) = (free_port(), free_port());
    fs::write(
        directory.path().join("bitcoin.conf"),
        format!(
            "# a comment\nregtest=1\nuacomment=x\nrpcuser=ann # not a password\nunheard=of\nincludeconf=more.conf\n\
             [regtest]\nrpcport={first}\nrpcport={second}\nnolisten=1\n[test]\nrpcport=1\n"
        ),
    )
    .unwrap();
    fs::write(directory.path().join("more.conf"), "rpcpassword=secret\n").unwrap();
    let place = datadir(directory.path());
    let started = bitcoind(&[&place, "-daemonwait"]);
    assert_eq!(
        (started.code, &*started.stderr),
        (Some(0), ""),
        "{started:?}"
    );
    // The client reads the same file.
    let answer = crate::daemon::cli(&[&place, "getblockhash", "0"]);
    assert_eq!(answer.stdout, format!("{GENESIS}\n"), "{answer:?}");
    let log = fs::read_to_string(directory.path().join("regtest/debug.log")).unwrap();
    assert!(
        log.contains("Included configuration file more.conf"),
        "{log}"
    );
    assert!(log.contains("Ignoring unknown configuration value unheard"));
    assert!(log.contains("rpcpassword=****") && !log.contains("secret"));
    assert!(!directory.path().join("regtest/.cookie").exists());
    let answer = crate::daemon::cli(&[&place, "stop"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let pid = directory.path().join("regtest/bitcoind.pid");
    wait_until("it stops", || !pid.exists());
}

#[test]
fn commands_run_when_it_is_ready_at_each_block_and_before_it_stops() {
    let directory = tempdir().unwrap();
    let best = directory.path().join("best");
    let (began, ended) = (
        directory.path().join("began"),
        directory.path().join("ended"),
    );
    let daemon = Daemon::start(
        directory.path(),
        &[
            &format!("-startupnotify=echo 1 > {}", began.display()),
            &format!("-shutdownnotify=echo 2 > {}", ended.display()),
            &format!("-blocknotify=echo %s > {}", best.display()),
            // The block is an old one.
            "-maxtipage=9999999999",
        ],
    );
    wait_until("the first command has run", || began.exists());
    assert!(!ended.exists() && !best.exists());
    let hash = submit_one(&daemon);
    wait_until("the block was told", || {
        fs::read_to_string(&best).is_ok_and(|text| text == format!("{hash}\n"))
    });
    let line = format!("UpdateTip: new best={hash} height=1 version=0x");
    assert!(daemon.log().contains(&line), "{}", daemon.log());
    daemon.signal("TERM");
    assert_eq!(daemon.end(), (Some(0), String::new()));
    assert!(ended.exists());
}

#[test]
fn files_lie_where_they_are_asked_for() {
    let directory = tempdir().unwrap();
    let other = tempdir().unwrap();
    let pid = other.path().join("x.pid");
    let place = datadir(directory.path());
    let port = format!("-rpcport={}", free_port());
    let started = bitcoind(&[
        "-regtest",
        "-daemonwait",
        "-listen=0",
        &place,
        &port,
        &format!("-pid={}", pid.display()),
        "-rpccookiefile=my.cookie",
        "-rpccookieperms=group",
        "-debuglogfile=my.log",
        "-mocktime=1700000000",
    ]);
    assert_eq!(started.code, Some(0), "{started:?}");
    let regtest = directory.path().join("regtest");
    assert!(pid.exists() && !regtest.join("bitcoind.pid").exists());
    assert!(regtest.join("my.log").exists() && !regtest.join("debug.log").exists());
    let client = ["-regtest", &place, &port, "-rpccookiefile=my.cookie"];
    let ask = |words: &[&str]| crate::daemon::cli(&[&client[..], words].concat());
    let info = ask(&["getnetworkinfo"]);
    assert_eq!(info.code, Some(0), "{info:?}");
    let without = crate::daemon::cli(&["-regtest", &place, &port, "getblockcount"]);
    assert_eq!(without.code, Some(1));
    assert!(
        without.stderr.starts_with(
            "error: Authorization failed: Failed to read cookie file and no rpcpassword was specified."
        ),
        "{without:?}"
    );
    assert_eq!(ask(&["stop"]).code, Some(0));
    wait_until("it stops", || !pid.exists());
}

#[test]
fn a_default_directory_of_cores_is_left_alone_unless_it_is_allowed() {
    let home = tempdir().unwrap();
    let place = home.path().join(".bitcoin/regtest");
    fs::create_dir_all(place.join("chainstate")).unwrap();
    let answer = command(&["bitcoind", "-regtest", "-listen=0"])
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(answer.status.code(), Some(1));
    let text = String::from_utf8(answer.stderr).unwrap();
    assert!(text.contains("holds a chain of Bitcoin Core"), "{text}");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    // One that is named is meant.
    let daemon = Daemon::start(&home.path().join(".bitcoin"), &[]);
    assert!(daemon.log().contains("[warning]"), "{}", daemon.log());
}

#[test]
fn a_link_named_as_cores_program_is_one() {
    let directory = tempdir().unwrap();
    let links = directory.path().join("bin");
    let install = format!("-everettinstall={}", links.display());
    for _ in 0..2 {
        let answer = bitcoind(&[&install]);
        assert_eq!((answer.code, &*answer.stderr), (Some(0), ""));
    }
    let version = Command::new(links.join("bitcoind"))
        .arg("-version")
        .output();
    let version = String::from_utf8(version.unwrap().stdout).unwrap();
    assert!(
        version.starts_with("Everett daemon version v31."),
        "{version}"
    );
    let version = Command::new(links.join("bitcoin-cli"))
        .arg("-version")
        .output();
    let version = String::from_utf8(version.unwrap().stdout).unwrap();
    assert!(version.starts_with("Everett RPC client version v31."));
    fs::remove_file(links.join("bitcoind")).unwrap();
    fs::write(links.join("bitcoind"), "mine").unwrap();
    let answer = bitcoind(&[&install]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(fs::read_to_string(links.join("bitcoind")).unwrap(), "mine");
}

#[test]
fn our_own_interfaces_are_served_where_they_are_asked_for() {
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(
        directory.path(),
        &[
            "-everettgrpc=127.0.0.1:0",
            "-everettlab",
            "-everettwebui=127.0.0.1:0",
        ],
    );
    let hash = submit_one(&daemon);
    let store = daemon.file("everett");
    let store = store.to_str().unwrap();
    let worlds = everett(&["worlds", "--network", "regtest", "--datadir", store]);
    assert!(worlds.stdout.contains(&hash[..8]), "{worlds:?}");
    let peers = everett(&["peers", "--network", "regtest", "--datadir", store]);
    assert_eq!(peers.code, Some(0), "{peers:?}");
    daemon.signal("TERM");
    assert_eq!(daemon.end(), (Some(0), String::new()));
    let wrong = bitcoind(&["-regtest", "-everettgrpc=x", &datadir(directory.path())]);
    assert_eq!(
        wrong.stderr,
        "Error: Invalid -everettgrpc address: 'x'; write one like 127.0.0.1:8390\n"
    );
}

#[test]
fn it_stops_by_itself_at_the_height_that_was_named() {
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(directory.path(), &["-stopatheight=1"]);
    submit_one(&daemon);
    assert_eq!(daemon.end(), (Some(0), String::new()));
}

#[test]
fn what_is_written_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(directory.path(), &["-rpccookieperms=group"]);
    let mode = |name: &str| {
        let data = fs::metadata(daemon.file(name)).unwrap();
        data.permissions().mode() & 0o777
    };
    assert_eq!(mode("debug.log"), 0o600);
    assert_eq!(mode("everett"), 0o700);
    assert_eq!(mode(".cookie"), 0o640);
}

#[test]
fn help_lists_the_options() {
    for option in ["-help", "-h", "-?", "--help"] {
        let answer = bitcoind(&[option]);
        assert_eq!((answer.code, &*answer.stderr), (Some(0), ""));
        assert!(answer.stdout.contains("-datadir=<dir>"), "{option}");
        assert!(answer.stdout.contains("Usage:"));
    }
}

#[test]
fn who_has_read_enough_of_the_help_is_no_failure() {
    let line = command(&["bitcoind", "-help"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let mut child = line.unwrap();
    drop(child.stdout.take());
    let answer: crate::everett::Answer = child.wait_with_output().unwrap().into();
    assert_eq!((answer.code, &*answer.stderr), (Some(0), ""));
}

#[test]
fn blocks_of_the_initial_download_are_logged_and_not_told() {
    let directory = tempdir().unwrap();
    let told = directory.path().join("told");
    let notify = format!("-blocknotify=echo %s >> {}", told.display());
    let daemon = Daemon::start(directory.path(), &[&notify]);
    let is_told = |hashes: &[&str]| {
        let wanted: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
        wait_until("the commands have run", || {
            fs::read_to_string(&told).is_ok_and(|text| text == wanted)
        });
    };
    let old = submit_one(&daemon);
    wait_until("it is in the log", || daemon.log().contains(&old));
    let info = daemon.cli(&["getblockchaininfo"]).stdout;
    assert!(info.contains("\"initialblockdownload\": true"), "{info}");
    let to = "bcrt1qs758ursh4q9z627kt3pp5yysm78ddny6txaqgw";
    let mined = daemon.cli(&["generatetoaddress", "1", to]);
    assert_eq!(mined.code, Some(0), "{mined:?}");
    let new = daemon.cli(&["getbestblockhash"]).stdout.trim().to_owned();
    is_told(&[&new]);
    let info = daemon.cli(&["getblockchaininfo"]).stdout;
    assert!(info.contains("\"initialblockdownload\": false"), "{info}");
    // Taken back, the block below is the best one again, once, although it is old.
    daemon.cli(&["invalidateblock", &new]);
    let best = daemon.cli(&["getbestblockhash"]).stdout;
    assert_eq!(best.trim(), old);
    wait_until("it is in the log again", || {
        daemon.log().matches(&format!("new best={old}")).count() == 2
    });
    is_told(&[&new, &old]);
}

#[test]
fn what_commands_print_in_the_background_is_nobodys() {
    let directory = tempdir().unwrap();
    let place = datadir(directory.path());
    let port = format!("-rpcport={}", free_port());
    let (began, ended) = (
        directory.path().join("began"),
        directory.path().join("ended"),
    );
    // Slow enough for the first process to end in between.
    let first = format!(
        "-startupnotify=echo no; sleep 1; echo no && echo no >&2 && echo 1 > {}",
        began.display()
    );
    let last = format!("-shutdownnotify=echo no && echo 1 > {}", ended.display());
    let line = ["-regtest", &place, &port, "-listen=0", "-daemonwait"];
    let started = bitcoind(&[&line[..], &[&first, &last]].concat());
    assert_eq!(started.code, Some(0), "{started:?}");
    assert_eq!(started.stdout, "Everett starting\n");
    wait_until("the first command has run to its end", || began.exists());
    let stopped = crate::daemon::cli(&["-regtest", &place, &port, "stop"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    wait_until("the last command has run to its end", || ended.exists());
}
