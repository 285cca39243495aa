use super::*;
use std::time::Duration;

use everett_net::NetworkKind;

use crate::bitcoind::debug_log::Detail;
use crate::bitcoind::option::DAEMON;

fn settings(line: &[&str]) -> Result<NodeSettings, InitError> {
    let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    let mut arguments = Arguments::parse(DAEMON, &line).unwrap();
    let chain = arguments.chain().unwrap();
    arguments.select(chain);
    let layout = Layout::new(PathBuf::from("/d"), chain);
    NodeSettings::new(&mut arguments, chain, &layout)
}

fn given(line: &[&str]) -> NodeSettings {
    settings(&[&["-regtest"], line].concat()).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

#[test]
fn without_options_it_listens_and_serves_on_cores_ports() {
    let settings = given(&[]);
    assert_eq!(settings.p2p.listen, ["0.0.0.0:18444".parse().unwrap()]);
    assert!(settings.p2p.relay && settings.p2p.v2);
    let rpc = settings.rpc.unwrap();
    assert_eq!(rpc.port, Some(18443));
    assert_eq!(rpc.cookie, Some(PathBuf::from("/d/regtest/.cookie")));
    assert_eq!(rpc.log_path, PathBuf::from("/d/regtest/debug.log"));
    assert_eq!(
        settings.pid_file,
        Some(PathBuf::from("/d/regtest/bitcoind.pid"))
    );
    assert!(settings.grpc.is_none() && settings.webui.is_none());
    assert!(settings.persist_mempool && settings.mempool.require_standard);
    assert!(given(&["-server=0"]).rpc.is_none());
    assert!(given(&["-nopid"]).pid_file.is_none());
}

#[test]
fn who_names_peers_or_a_proxy_listens_only_when_told_to() {
    assert!(given(&["-connect=192.0.2.1"]).p2p.listen.is_empty());
    assert!(given(&["-connect=0"]).p2p.connect.is_empty());
    assert_eq!(given(&["-noconnect"]).p2p.outgoing, 0);
    assert!(given(&["-proxy=127.0.0.1"]).p2p.listen.is_empty());
    assert!(given(&["-maxconnections=0"]).p2p.listen.is_empty());
    let told = given(&["-connect=192.0.2.1", "-listen=1", "-port=1"]);
    assert_eq!(told.p2p.listen, ["0.0.0.0:1".parse().unwrap()]);
    // The port is that where we listen; those we call have the usual one.
    assert_eq!(told.p2p.connect[0].to_string(), "192.0.2.1:18444");
    let bound = given(&["-connect=192.0.2.1", "-bind=127.0.0.1:2", "-bind=[::1]"]);
    let expected = [
        "127.0.0.1:2".parse().unwrap(),
        "[::1]:18444".parse().unwrap(),
    ];
    assert_eq!(bound.p2p.listen, expected);
    let named = given(&["-whitebind=noban@127.0.0.1:3", "-addnode=localhost:7"]);
    assert_eq!(named.p2p.listen, ["127.0.0.1:3".parse().unwrap()]);
    assert_eq!(named.p2p.add[0].to_string(), "127.0.0.1:7");
    assert!(named.p2p.whitebind[0].permissions.no_ban);
    let inactive = given(&["-networkactive=0", "-bind=127.0.0.1:2"]).p2p;
    assert!(!inactive.active && inactive.listen.len() == 1);
    let own = given(&["-externalip=203.0.113.7", "-externalip=[2001:db8::1]:5"]).p2p;
    assert_eq!(own.external[0].to_string(), "203.0.113.7:18444");
    assert_eq!(own.external[1].port, 5);
    let through = given(&["-onion=127.0.0.1", "-proxyrandomize=0", "-timeout=250"]).p2p;
    assert_eq!(through.onion_proxy, Some("127.0.0.1:9050".parse().unwrap()));
    assert!(!through.isolate && through.dial_timeout == Some(Duration::from_millis(250)));
    let waiting = given(&["-peertimeout=3", "-seednode=192.0.2.1"]).p2p;
    assert_eq!(waiting.handshake_timeout, Some(Duration::from_secs(3)));
    assert_eq!(waiting.seeds[0].to_string(), "192.0.2.1:18444");
    let unnamed = given(&["-dns=0", "-addnode=localhost:7", "-connect=localhost:8"]);
    assert!(unnamed.p2p.add.is_empty() && unnamed.p2p.connect.is_empty());
    assert_eq!(unnamed.p2p.outgoing, 0);
    let left_out = |line: &&String| line.ends_with("it is left out");
    assert_eq!(unnamed.remarks.iter().filter(left_out).count(), 2);
}

#[test]
fn the_mempool_is_as_the_options_say() {
    let settings = given(&[
        "-maxmempool=50",
        "-mempoolexpiry=2",
        "-minrelaytxfee=0.00002",
        "-dustrelayfee=0.00001",
        "-datacarriersize=83",
        "-permitbaremultisig=0",
        "-acceptnonstdtxn",
        "-limitclustercount=10",
        "-persistmempool=0",
        "-bytespersigop=30",
    ]);
    let mempool = settings.mempool;
    assert_eq!((mempool.max_bytes, mempool.expiry), (50_000_000, 7_200));
    assert_eq!(mempool.min_relay_fee.sat_per_kvb(), 2_000);
    assert_eq!(mempool.standard.dust_relay_fee, 1_000);
    assert_eq!(mempool.standard.max_datacarrier_bytes, Some(83));
    assert!(!mempool.standard.permit_bare_multisig && !mempool.require_standard);
    assert_eq!((mempool.cluster_count, mempool.bytes_per_sigop), (10, 30));
    assert!(!settings.persist_mempool);
    let none = given(&["-datacarrier=0"]).mempool.standard;
    assert_eq!(none.max_datacarrier_bytes, None);
    // What a replacement pays on top is the least of what is let in.
    let both = given(&["-incrementalrelayfee=0.0001"]).mempool;
    assert_eq!(both.min_relay_fee.sat_per_kvb(), 10_000);
    let blocks = given(&["-blocksonly"]);
    assert_eq!(blocks.mempool.max_bytes, 5_000_000);
    assert!(!blocks.p2p.relay);
}

#[test]
fn the_ledger_is_as_the_options_say() {
    let settings = given(&[
        "-txindex",
        "-mocktime=1700000000",
        "-minimumchainwork=0x10",
        "-testactivationheight=segwit@7",
        "-testactivationheight=csv@8",
        "-everetthorizon=25",
        "-assumevalid=1",
    ]);
    let ledger = settings.ledger;
    assert!(ledger.tx_index);
    assert_eq!(ledger.clock.now(), 1_700_000_000);
    let mut work = [0; 32];
    work[31] = 0x10;
    assert_eq!(ledger.params.minimum_chain_work, Work::from_be_bytes(work));
    assert_eq!(
        settings.p2p.minimum_chain_work,
        Some(Work::from_be_bytes(work))
    );
    assert_eq!(
        (ledger.params.segwit_height, ledger.params.csv_height),
        (7, 8)
    );
    assert_eq!(ledger.horizon, Some(25));
    let hash = ledger.assume_valid.unwrap().to_string();
    assert_eq!(hash, format!("{:0>64}", "1"));
    assert_eq!(given(&["-assumevalid=0"]).ledger.assume_valid, None);
    assert_eq!(given(&["-stopatheight=0"]).stop_at, None);
    assert_eq!(given(&["-stopatheight=9"]).stop_at, Some(9));
    assert_eq!(given(&["-prune=550"]).ledger.prune_target, Some(550 << 20));
    assert_eq!(given(&["-prune=1"]).ledger.prune_target, Some(u64::MAX));
    assert!(settings_error(&["-prune=549"]).contains("minimum of 550 MiB"));
}

#[test]
fn blocks_are_made_as_the_options_say() {
    let mining = given(&[
        "-blockmaxweight=1000000",
        "-blockreservedweight=4000",
        "-blockmintxfee=0.00001",
        "-blockversion=1",
    ]);
    let mining = mining.rpc.unwrap().mining;
    assert_eq!(
        (mining.max_weight, mining.reserved_weight),
        (1_000_000, 4_000)
    );
    assert_eq!(mining.min_fee.sat_per_kvb(), 1_000);
    assert_eq!(mining.version, Some(1));
    for (line, text) in [
        (
            &["-blockreservedweight=1999"][..],
            "-blockreservedweight (1999) is lower than minimum safety value of (2000)",
        ),
        (
            &["-blockmaxweight=4000001"],
            "-blockmaxweight (4000001) exceeds consensus maximum block weight (4000000)",
        ),
        (
            &["-blockmaxweight=3000"],
            "-blockreservedweight (8000) exceeds -blockmaxweight (3000)",
        ),
    ] {
        assert_eq!(settings_error(line), text);
    }
}

fn settings_error(line: &[&str]) -> String {
    match settings(&[&["-regtest"], line].concat()) {
        Ok(_) => panic!("{line:?} is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_published_served_and_allowed_is_what_the_options_say() {
    let settings = given(&[
        "-rest",
        "-zmqpubrawtx=unix:/run/a",
        "-zmqpubhashblock=tcp://127.0.0.1:1",
        "-zmqpubhashblock=tcp://127.0.0.1:2",
        "-zmqpubhashblockhwm=5",
        "-whitelist=noban@192.0.2.0/24",
        "-whitelist=198.51.100.7",
        "-whitelistforcerelay",
        "-uacomment=x",
    ]);
    let rpc = settings.rpc.expect("it is served");
    assert!(rpc.rest);
    let published: Vec<(String, &str, u32)> = (settings.zmq.publications().iter())
        .map(|one| (one.topic.to_string(), &*one.given, one.high_water_mark))
        .collect();
    let expected = [
        ("hashblock".to_owned(), "tcp://127.0.0.1:1", 5),
        ("hashblock".to_owned(), "tcp://127.0.0.1:2", 5),
        ("rawtx".to_owned(), "ipc:///run/a", 1_000),
    ];
    assert_eq!(published, expected);
    assert_eq!(rpc.zmq.len(), 3);
    let [named, bare] = &settings.p2p.whitelist[..] else {
        panic!("{:?}", settings.p2p.whitelist);
    };
    assert!(named.permissions.no_ban && !named.permissions.relay);
    assert!(bare.permissions.relay && bare.permissions.force_relay && bare.permissions.mempool);
    assert!(settings.p2p.user_agent.ends_with("(x)/"));

    for (wrong, words) in [
        (
            "-zmqpubrawtx=nowhere",
            "Invalid address in -zmqpubrawtx: 'nowhere'",
        ),
        ("-zmqpubrawtxhwm=-1", "-zmqpubrawtxhwm=-1 is no number"),
        (
            "-uacomment=a/b",
            "User Agent comment (a/b) contains unsafe characters.",
        ),
        (
            "-whitelist=flying@192.0.2.1",
            "Invalid P2P permission: 'flying'",
        ),
        (
            "-onlynet=foo",
            "Unknown network specified in -onlynet: 'foo'",
        ),
    ] {
        let refused = settings_error(&[wrong]);
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn nobody_is_called_whom_the_user_keeps_out() {
    let only = |line: &[&str]| {
        let settings = settings(&[&["-signet"], line].concat());
        settings.map(|settings| settings.p2p.only_networks)
    };
    let refused = |line: &[&str]| only(line).unwrap_err().to_string();
    assert!(refused(&["-onlynet=onion", "-listen=0"]).contains("restricted to Tor"));
    assert!(refused(&["-onlynet=i2p"]).contains("restricted to i2p"));
    assert!(refused(&["-onlynet=cjdns"]).contains("restricted to CJDNS"));
    assert_eq!(only(&["-onlynet=ipv4"]).unwrap(), [NetworkKind::Ipv4]);
    let onion = only(&["-onlynet=tor", "-onion=127.0.0.1:9050"]).unwrap();
    assert_eq!(onion, [NetworkKind::Onion]);
    assert!(only(&[]).unwrap().is_empty());
    assert!(settings(&["-regtest", "-maxmempool=0"]).is_ok());
}

#[test]
fn what_is_not_there_is_named_once_unless_it_is_switched_off() {
    let text = |line: &[&str]| {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        unsupported(&Arguments::parse(DAEMON, &line).unwrap())
    };
    assert_eq!(
        text(&["-server", "-fallbackfee=1", "-nolistenonion", "-natpmp=0"]),
        None
    );
    let named = text(&["-asmap=x", "-asmap=y", "-loadblock=z"]).unwrap();
    assert_eq!(named.matches("-asmap").count(), 1);
    assert!(named.contains("-loadblock (stop the node and run `everett import`)"));
}

#[test]
fn the_log_tells_more_with_categories_and_goes_to_the_console_in_the_foreground() {
    let log = |line: &[&str]| {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let arguments = Arguments::parse(DAEMON, &line).unwrap();
        log(
            &arguments,
            &Layout::new(PathBuf::from("/d"), Chain::Regtest),
        )
    };
    let usual = log(&[]);
    assert!(usual.console && usual.shrink && usual.look.timestamps && !usual.look.micros);
    assert_eq!(usual.file, Some(PathBuf::from("/d/regtest/debug.log")));
    let of = |line: &[&str]| {
        let log = log(line);
        let all = log
            .categories
            .iter()
            .map(|name| (*name, log.levels.of(name)));
        all.collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), []);
    assert_eq!(of(&["-debug"]).len(), 29);
    assert_eq!(of(&["-debug=net", "-debug=0"]), []);
    assert_eq!(of(&["-debug=net", "-debugexclude=net"]), []);
    // A level is one of what a category asks for.
    assert_eq!(of(&["-loglevel=trace"]), []);
    assert_eq!(of(&["-loglevel=net:trace"]), []);
    assert_eq!(
        of(&["-debug=net", "-loglevel=trace"]),
        [("net", Detail::Trace)]
    );
    assert_eq!(
        of(&["-debug=net", "-debug=rpc", "-loglevel=net:trace"]),
        [("net", Detail::Trace), ("rpc", Detail::Debug)]
    );
    assert_eq!(
        of(&["-debug=net", "-loglevel=trace", "-loglevel=net:info"]),
        [("net", Detail::Info)]
    );
    assert_eq!(of(&["-debug", "-debugexclude=1"]), []);
    assert_eq!(of(&["-debug=libevent"]), []);
    assert!(!log(&["-daemon"]).console && !log(&["-debug=net"]).shrink);
    assert_eq!(log(&["-nodebuglogfile"]).file, None);
}

#[test]
fn categories_that_there_are_not_are_refused_in_cores_words() {
    let refused = |line: &[&str]| match settings(line) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    for option in ["-debug=foo", "-debug=foo,net", "-debugexclude=foo"] {
        let told = refused(&["-regtest", option]);
        let text = format!("Unsupported logging category {option}.\nValid categories: addrman, ");
        assert!(told.starts_with(&text), "{told}");
    }
    assert_eq!(refused(&["-regtest", "-debug=foo", "-debug=none"]), "");
    assert_eq!(refused(&["-regtest", "-debug=libevent"]), "");
}

#[test]
fn levels_and_their_categories_are_refused_in_cores_words() {
    let refused = |option: &str| match settings(&["-regtest", option]) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    for level in ["error", "warning", "qt:debug", "Trace", "1"] {
        let text = format!(
            "Unsupported global logging level -loglevel={level}. Valid values: info, debug, trace."
        );
        assert!(refused(&format!("-loglevel={level}")).contains(&text));
    }
    for level in ["net:error", "nets:debug", "net:debug:x", "net:"] {
        let text = format!(
            "Unsupported category-specific logging level -loglevel={level}. Expected -loglevel=<category>:<loglevel>. \
             Valid categories: addrman, bench, "
        );
        let told = refused(&format!("-loglevel={level}"));
        assert!(told.contains(&text), "{told}");
        assert!(told.contains(", zmq. Valid loglevels: info, debug, trace."));
    }
    for level in ["info", "net:debug", "all:trace", "libevent:info"] {
        assert_eq!(refused(&format!("-loglevel={level}")), "");
    }
}

#[test]
fn the_age_of_the_best_block_is_cores_unless_it_is_named() {
    assert_eq!(given(&[]).max_tip_age, 24 * 3600);
    assert_eq!(given(&["-maxtipage=5"]).max_tip_age, 5);
}
