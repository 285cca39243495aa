//! `everett bitcoind`: what it refuses, warns of and passes over, in its options and its file; beside Core where there is one.

use std::fs;
use std::process::Command;

use everett_tests::ports::free_port;
use tempfile::tempdir;

use crate::bitcoind::datadir;
use crate::daemon::{Daemon, bitcoind, cores, wait_until};

#[test]
fn what_cannot_be_is_refused_in_cores_words() {
    let directory = tempdir().unwrap();
    let place = datadir(directory.path());
    for (options, text) in [
        (
            &["-foo"][..],
            "Error parsing command line arguments: Invalid parameter -foo",
        ),
        (
            &["-regtest.port=1"],
            "Error parsing command line arguments: Invalid parameter -regtest.port=1",
        ),
        (
            &["-nodatadir"],
            "Error parsing command line arguments: Negating of -datadir is meaningless and therefore forbidden",
        ),
        (
            &["-includeconf=x"],
            "Error parsing command line arguments: -includeconf cannot be used from commandline; -includeconf=\"x\"",
        ),
        (
            &["-datadir=/no/such/place"],
            "Specified data directory \"/no/such/place\" does not exist.",
        ),
        (
            &["-regtest", "-testnet4"],
            "Invalid combination of -regtest, -signet, -testnet, -testnet4 and -chain. Can use at most one.",
        ),
        (&["-chain=mars"], "Unknown chain mars."),
        (
            &["-regtest", "start"],
            "Command line contains unexpected token 'start', see bitcoind -h for a list of options.",
        ),
        (
            &["-regtest", "-conf=none.conf"],
            "Error reading configuration file: specified config file \"DIR/none.conf\" could not be opened.",
        ),
        (
            &["-regtest", "-prune=100"],
            "Prune configured below the minimum of 550 MiB.  Please use a higher number.",
        ),
        (
            &["-regtest", "-prune=-1"],
            "Prune cannot be configured with a negative value.",
        ),
        (
            &["-regtest", "-prune=550", "-txospenderindex"],
            "Prune mode is incompatible with -txospenderindex.",
        ),
        (
            &["-regtest", "-prune=550", "-reindex-chainstate"],
            "Prune mode is incompatible with -reindex-chainstate. Use full -reindex instead.",
        ),
        (
            &["-regtest", "-peerblockfilters"],
            "Cannot set -peerblockfilters without -blockfilterindex.",
        ),
        (
            &["-regtest", "-forcednsseed", "-dnsseed=0"],
            "Cannot set -forcednsseed to true when setting -dnsseed to false.",
        ),
        (
            &["-regtest", "-blocksdir=/no/such/place"],
            "Specified blocks directory \"/no/such/place\" does not exist.",
        ),
        (
            &["-signet", "-signetchallenge=51", "-signetchallenge=52"],
            "-signetchallenge cannot be multiple values.",
        ),
        (
            &["-testnet4", "-test=addrman"],
            "-test=<option> can only be used with regtest",
        ),
        (
            &["-testnet4", "-acceptstalefeeestimates"],
            "acceptstalefeeestimates is not supported on testnet4 chain.",
        ),
        (
            &["-regtest", "-vbparams=testdummy:1"],
            "Version bits parameters malformed, expecting deployment:start:end[:min_activation_height]",
        ),
        (
            &["-regtest", "-vbparams=taproot:1:2"],
            "Invalid deployment (taproot)",
        ),
        (
            &["-regtest", "-maxuploadtarget=1Q"],
            "Unable to parse -maxuploadtarget: '1Q'",
        ),
        (
            &["-regtest", "-asmap=none"],
            "Could not find asmap file \"DIR/regtest/none\"",
        ),
        (
            &["-regtest", "-i2psam=x:y:z"],
            "Invalid -i2psam address or hostname: 'x:y:z'",
        ),
        (
            &["-regtest", "-maxmempool=-5"],
            "-maxmempool must be at least 5 MB",
        ),
        (
            &["-regtest", "-proxy=127.0.0.1:9050=tor"],
            "Unrecognized network in -proxy='127.0.0.1:9050=tor': 'tor'",
        ),
        (
            &["-regtest", "-settings=none/settings.json"],
            "Settings file could not be written:\n- Error: Unable to open settings file DIR/regtest/none/settings.json.tmp for writing",
        ),
        (
            &["-regtest", "-prune=550", "-txindex"],
            "Prune mode is incompatible with -txindex.",
        ),
        (
            &["-regtest", "-rpcport=x"],
            "Invalid port specified in -rpcport: 'x'",
        ),
        (
            &["-regtest", "-bind=127.0.0.1", "-listen=0"],
            "Cannot set -bind or -whitebind together with -listen=0",
        ),
        (
            &["-regtest", "-minrelaytxfee=x"],
            "Invalid amount for -minrelaytxfee=<amount>: 'x'",
        ),
        (
            &["-acceptnonstdtxn"],
            "acceptnonstdtxn is not currently supported for main chain",
        ),
        (
            &["-testactivationheight=segwit@1"],
            "The -testactivationheight option may not be used on mainnet.",
        ),
        (
            &["-regtest", "-testactivationheight=segwit"],
            "Invalid format (segwit) for -testactivationheight=name@height.",
        ),
        (
            &["-regtest", "-testactivationheight=taproot@1"],
            "Invalid name (taproot@1) for -testactivationheight=name@height.",
        ),
        (
            &["-regtest", "-minimumchainwork=xyz"],
            "Invalid minimum work specified (xyz), must be up to 64 hex digits",
        ),
        (
            &["-regtest", "-assumevalid=xyz"],
            "Invalid assumevalid block hash specified (xyz), must be up to 64 hex digits (or 0 to disable)",
        ),
    ] {
        let mut line = vec![place.as_str()];
        line.extend(options);
        let answer = bitcoind(&line);
        let text = text.replace("DIR", &directory.path().display().to_string());
        assert_eq!(answer.code, Some(1), "{options:?} {answer:?}");
        assert_eq!(answer.stderr, format!("Error: {text}\n"), "{options:?}");
        assert_eq!(answer.stdout, "");
        if let Some(core) = cores("bitcoind") {
            let core = Command::new(core).args(&line).output().unwrap();
            let said = String::from_utf8_lossy(&core.stderr).into_owned();
            assert_eq!(said, answer.stderr, "Core on {options:?}");
            assert_eq!(core.status.code(), Some(1));
        }
    }
}

#[test]
fn what_core_warns_of_at_the_start_is_warned_of() {
    for (option, warning) in [
        (
            "-checkpoints=0",
            "Option '-checkpoints' is set but checkpoints were removed. This option has no effect.",
        ),
        (
            "-limitancestorsize=10",
            "Option '-limitancestorsize' is given but ancestor size limits have been replaced with cluster size limits (see \
             -limitclustersize). This option has no effect.",
        ),
        (
            "-test=foo",
            "Unrecognised option \"foo\" provided in -test=<option>.",
        ),
    ] {
        let directory = tempdir().unwrap();
        let place = datadir(directory.path());
        let port = format!("-rpcport={}", free_port());
        let options = [
            "-regtest",
            &place,
            &port,
            "-listen=0",
            "-daemonwait",
            option,
        ];
        let started = bitcoind(&options);
        assert_eq!(started.code, Some(0), "{started:?}");
        assert_eq!(started.stderr, format!("Warning: {warning}\n"));
        let log = fs::read_to_string(directory.path().join("regtest/debug.log")).unwrap();
        assert!(log.contains(warning), "{log}");
        let text = fs::read_to_string(directory.path().join("regtest/settings.json")).unwrap();
        assert!(text.contains("_warning_"), "{text}");
        let answer = crate::daemon::cli(&["-regtest", &place, &port, "stop"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        let pid = directory.path().join("regtest/bitcoind.pid");
        wait_until("it stops", || !pid.exists());
        assert!(directory.path().join("regtest/fee_estimates.dat").exists());
    }
}

#[test]
fn a_file_may_ask_for_help_or_the_version() {
    let directory = tempdir().unwrap();
    let place = datadir(directory.path());
    for (line, told) in [("version=1", "MIT licence"), ("help=1", "Options:")] {
        let text = format!("regtest=1\n{line}\n");
        fs::write(directory.path().join("bitcoin.conf"), text).unwrap();
        let answer = bitcoind(&[&place]);
        assert_eq!((answer.code, &*answer.stderr), (Some(0), ""));
        assert!(answer.stdout.contains(told), "{}", answer.stdout);
        assert!(!directory.path().join("regtest").exists());
    }
}

#[test]
fn options_that_are_not_supported_are_named_in_one_line_of_the_log() {
    let directory = tempdir().unwrap();
    let daemon = Daemon::start(
        directory.path(),
        &[
            "-peerbloomfilters",
            "-fallbackfee=0.0001",
            "-txreconciliation",
            "-natpmp=0",
        ],
    );
    let log = daemon.log();
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("[warning]"))
        .collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("-peerbloomfilters") && warnings[0].contains("-txreconciliation"));
    assert!(!warnings[0].contains("fallbackfee") && !warnings[0].contains("natpmp"));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), (Some(0), String::new()));
}

#[test]
fn a_file_that_is_none_is_refused_in_cores_words() {
    let directory = tempdir().unwrap();
    let place = datadir(directory.path());
    for (text, error) in [
        ("regtest", "parse error on line 1: regtest"),
        (
            "a=b\nnolisten",
            "parse error on line 2: nolisten, if you intended to specify a negated option, use nolisten=1 instead",
        ),
        (
            "-regtest=1",
            "parse error on line 1: -regtest=1, options in configuration file must be specified without leading -",
        ),
        (
            "rpcpassword=a#b",
            "parse error on line 1, using # in rpcpassword can be ambiguous and should be avoided",
        ),
        (
            "conf=other",
            "conf cannot be set in the configuration file; use includeconf= if you want to include additional config files",
        ),
        (
            "includeconf=none",
            "Failed to include configuration file none",
        ),
    ] {
        fs::write(directory.path().join("bitcoin.conf"), text).unwrap();
        let answer = bitcoind(&[&place, "-regtest"]);
        assert_eq!(answer.code, Some(1));
        assert_eq!(
            answer.stderr,
            format!("Error: Error reading configuration file: {error}\n")
        );
        if let Some(core) = cores("bitcoind") {
            let core = Command::new(core).args([&place, "-regtest"]).output();
            let said = String::from_utf8_lossy(&core.unwrap().stderr).into_owned();
            assert_eq!(said, answer.stderr, "Core on {text}");
        }
    }
    fs::write(directory.path().join("bitcoin.conf"), "port=1\nconnect=a\n").unwrap();
    let answer = bitcoind(&[&place, "-regtest"]);
    assert_eq!(
        answer.stderr,
        "Error: Config setting for -connect only applied on regtest network when in [regtest] section.\n\
         Config setting for -port only applied on regtest network when in [regtest] section.\n\n"
    );
    if let Some(core) = cores("bitcoind") {
        let core = Command::new(core).args([&place, "-regtest"]).output();
        let said = String::from_utf8_lossy(&core.unwrap().stderr).into_owned();
        assert_eq!(said, answer.stderr);
    }
}
