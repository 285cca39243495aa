//! Nodes as processes of their own, on a network of their own: namespaces with a bridge between them where this machine
//! lets us have them, addresses of loopback otherwise.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::everett::{Serving, everett, on};

/// How long the nodes may take to agree.
const PATIENCE: Duration = Duration::from_secs(90);

/// A network of three hosts, of which the last can be cut off.
struct Hosts {
    /// Their namespaces' names; empty on loopback.
    prefix: String,
}

fn ip(arguments: &str) -> bool {
    let ran = Command::new("ip").args(arguments.split(' ')).output();
    ran.is_ok_and(|ran| ran.status.success())
}

impl Hosts {
    fn new() -> Hosts {
        let prefix = format!("ev{}", std::process::id());
        let hosts = Hosts { prefix };
        match hosts.build() {
            true => hosts,
            false => {
                hosts.remove();
                eprintln!("no network namespaces are to be had: on addresses of loopback");
                Hosts {
                    prefix: String::new(),
                }
            }
        }
    }

    fn build(&self) -> bool {
        let hub = format!("{}hub", self.prefix);
        let mut commands = vec![
            format!("netns add {hub}"),
            format!("-n {hub} link add bridge type bridge"),
            format!("-n {hub} link set bridge up"),
        ];
        for host in 0..3 {
            let name = format!("{}n{host}", self.prefix);
            commands.extend([
                format!("netns add {name}"),
                format!("-n {name} link set lo up"),
                format!("-n {hub} link add host{host} type veth peer name eth0 netns {name}"),
                format!("-n {hub} link set host{host} master bridge up"),
                format!("-n {name} addr add 10.77.0.{}/24 dev eth0", host + 1),
                format!("-n {name} link set eth0 up"),
            ]);
        }
        commands.iter().all(|command| ip(command))
    }

    fn remove(&self) {
        if !self.prefix.is_empty() {
            for end in ["n0", "n1", "n2", "hub"] {
                ip(&format!("netns del {}{end}", self.prefix));
            }
        }
    }

    /// Where a host's node takes calls; on loopback every host has an address of its own, too.
    fn address(&self, host: usize) -> String {
        match self.prefix.is_empty() {
            true => format!(
                "127.0.77.{}:{}",
                host + 1,
                20_000 + std::process::id() % 20_000
            ),
            false => format!("10.77.0.{}:18444", host + 1),
        }
    }

    /// Starts a node on a host that calls these others.
    fn start(&self, host: usize, directory: &Path, others: &[usize]) -> Serving {
        let mut arguments: Vec<String> = Vec::new();
        let text = "run --network regtest --json --lab --no-web --grpc 127.0.0.1:0 -m --console-allow-write -s";
        arguments.extend(text.split(' ').map(str::to_owned));
        arguments.push(self.address(host));
        arguments.extend(["--datadir".into(), directory.to_str().unwrap().to_owned()]);
        for other in others {
            arguments.extend(["--addnode".into(), self.address(*other)]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match self.prefix.is_empty() {
            true => Serving::start(&arguments, "ready"),
            false => Serving::start_within(
                &["ip", "netns", "exec", &format!("{}n{host}", self.prefix)],
                &arguments,
                "ready",
            ),
        }
    }

    /// Cuts the last host off, or joins it again. `false` on loopback, where no cable can be pulled.
    fn cut(&self, off: bool) -> bool {
        let state = if off { "down" } else { "up" };
        !self.prefix.is_empty() && ip(&format!("-n {}hub link set host2 {state}", self.prefix))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Asks a node on its directory's socket, which is there whatever its network is.
fn console(directory: &Path, expression: &str) -> Value {
    let answer = on(
        directory,
        &["console", "--allow-write", "--json", "-e", expression],
    );
    assert_eq!(answer.code, Some(0), "{expression}: {answer:?}");
    answer.json()
}

fn best(directory: &Path) -> String {
    let best = console(directory, "best().hash");
    best.as_str().expect("a hash").to_owned()
}

/// The tips that are worlds.
fn worlds(directory: &Path) -> Vec<String> {
    let worlds = on(directory, &["worlds", "--json"]).json();
    let worlds = worlds["worlds"].as_array().expect("worlds").clone();
    let mut tips: Vec<String> = worlds
        .iter()
        .map(|world| world["tip_hash"].as_str().expect("a hash").to_owned())
        .collect();
    tips.sort();
    tips
}

fn wait_until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn three_nodes_are_parted_and_joined_and_have_both_worlds() {
    let hosts = Hosts::new();
    let directories: [TempDir; 3] = [(); 3].map(|()| tempdir().unwrap());
    let place = |host: usize| directories[host].path();
    let mut nodes = vec![
        hosts.start(0, place(0), &[]),
        hosts.start(1, place(1), &[0]),
        hosts.start(2, place(2), &[0, 1]),
    ];
    console(place(0), "mine(best(), 10)");
    let trunk = best(place(0));
    wait_until("all have the trunk", || {
        (0..3).all(|host| best(place(host)) == trunk)
    });

    if !hosts.cut(true) {
        let alone = nodes.pop().expect("the third");
        assert!(alone.stop("TERM").success());
        nodes.push(Serving::run(
            place(2),
            &["--lab", "--no-web", "-m", "--console-allow-write"],
        ));
    }
    console(place(0), "mine(best(), 3)");
    // Blocks mined on one parent are the same blocks until the clock is beyond the least time that they may have, which
    // a chain mined at once is some seconds ahead of.
    std::thread::sleep(Duration::from_secs(5));
    console(place(2), "mine(best(), 5)");
    let (short, long) = (best(place(0)), best(place(2)));
    wait_until("the second has the first's", || best(place(1)) == short);
    assert_ne!(short, long);
    assert_eq!(
        worlds(place(1)),
        std::slice::from_ref(&short),
        "the halves are parted"
    );

    if !hosts.cut(false) {
        let alone = nodes.pop().expect("the third");
        assert!(alone.stop("TERM").success());
        nodes.push(hosts.start(2, place(2), &[0, 1]));
    }
    let mut both = vec![short, long.clone()];
    both.sort();
    for host in 0..3 {
        wait_until("both worlds are there", || worlds(place(host)) == both);
        wait_until("the longer one is the best", || best(place(host)) == long);
    }
    for node in nodes {
        assert!(node.stop("TERM").success());
    }
}

#[test]
fn a_node_asks_its_peers_and_says_who_they_are() {
    let [one, two] = [(); 2].map(|()| tempdir().unwrap());
    let first = Serving::run(
        one.path(),
        &[
            "--lab",
            "--no-web",
            "-m",
            "--console-allow-write",
            "-s",
            "127.0.0.1:0",
        ],
    );
    let address = first.ready["p2p"][0]
        .as_str()
        .expect("an address")
        .to_owned();
    console(one.path(), "mine(best(), 7)");
    let second = Serving::run(
        two.path(),
        &["--no-web", "-m", "--console-allow-write", "-c", &address],
    );
    wait_until("it has the chain", || best(two.path()) == best(one.path()));
    let ask = |node: &Serving, arguments: &[&str]| {
        let answer = everett(&[arguments, &["--json", "--connect", node.url()]].concat());
        assert_eq!(answer.code, Some(0), "{answer:?}");
        answer.json()
    };
    wait_until("it is synced, and knows what its peer has", || {
        let peers = ask(&second, &["peers"]);
        peers["sync"]["phase"] == "synced" && peers["peers"][0]["best_height"] == 7
    });
    let peers = ask(&second, &["peers"]);
    let peer = &peers["peers"][0];
    assert_eq!(peer["address"], address);
    assert_eq!(peer["connection_type"], "manual");
    assert_eq!(peer["transport"], "v2");

    // A ban ends the connection, and keeps it from coming back.
    ask(&first, &["ban", "127.0.0.1", "--for", "1h"]);
    wait_until("they are parted", || {
        ask(&first, &["peers"])["peers"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
    assert_eq!(
        ask(&first, &["ban", "--list"])["bans"][0]["subnet"],
        "127.0.0.1/32"
    );
    ask(&first, &["ban", "--remove", "127.0.0.1"]);
    assert!(first.stop("TERM").success());
    assert!(second.stop("TERM").success());
}
