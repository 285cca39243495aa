//! The metrics of a running node: the page, its conventions, and the dashboard that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::everett::{Serving, everett, on};

/// What a server answers to a request, head and body.
fn ask(url: &str, request: &str) -> (String, String) {
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn scrape(url: &str) -> String {
    let (head, body) = ask(url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    body
}

/// Samples by name, each with its labels.
fn samples(page: &str) -> BTreeMap<String, Vec<(String, f64)>> {
    let mut samples: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').to_owned();
        samples
            .entry(name.to_owned())
            .or_default()
            .push((labels, value.parse().unwrap()));
    }
    samples
}

/// The value of a series.
fn value(page: &str, name: &str, labels: &str) -> f64 {
    let all = samples(page);
    let series = all
        .get(name)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    let found = series.iter().find(|(of, _)| of.contains(labels));
    found
        .unwrap_or_else(|| panic!("no {name} with {labels} in {series:?}"))
        .1
}

/// Scrapes until a series has this value.
fn until(url: &str, name: &str, labels: &str, wanted: f64) {
    let started = Instant::now();
    loop {
        let now = value(&scrape(url), name, labels);
        if now == wanted {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{name} is {now}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A lab with a reorganisation behind it.
fn node(directory: &Path) -> Serving {
    let node = Serving::run(
        directory,
        &["--lab", "--console-allow-write", "--metrics", "127.0.0.1:0"],
    );
    let script = "mine(\"best\", 5); mine(3, 4);";
    let answer = on(directory, &["console", "-e", script]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    node
}

fn url(node: &Serving) -> &str {
    node.ready["metrics"].as_str().unwrap()
}

#[test]
fn the_figures_tell_what_happened() {
    let directory = tempdir().unwrap();
    let node = node(directory.path());
    let url = url(&node);
    until(url, "everett_best_height", "", 7.0);
    until(url, "everett_reorganisations_total", "", 1.0);
    let page = scrape(url);
    assert_eq!(value(&page, "everett_worlds", ""), 2.0);
    assert_eq!(value(&page, "everett_tips", "status=\"valid-fork\""), 1.0);
    assert_eq!(value(&page, "everett_fork_depth_blocks", ""), 4.0);
    assert_eq!(value(&page, "everett_fork_length_blocks", ""), 2.0);
    assert_eq!(
        value(
            &page,
            "everett_reorganisation_depth_blocks_bucket",
            "le=\"1\""
        ),
        0.0
    );
    assert_eq!(
        value(
            &page,
            "everett_reorganisation_depth_blocks_bucket",
            "le=\"2\""
        ),
        1.0
    );
    assert_eq!(
        value(&page, "everett_reorganisation_depth_blocks_sum", ""),
        2.0
    );
    assert_eq!(value(&page, "everett_blocks_validated_total", ""), 9.0);
    assert!(value(&page, "everett_validation_seconds_total", "") > 0.0);
    assert!(value(&page, "everett_overlay_bytes", "") > 0.0);
    assert!(value(&page, "everett_journal_bytes", "") > 0.0);
    assert!(value(&page, "everett_disk_bytes", "part=\"database\"") > 0.0);
    assert!(value(&page, "process_resident_memory_bytes", "") > 1e6);
    assert_eq!(
        value(&page, "everett_frontend_up", "frontend=\"grpc\""),
        1.0
    );
    // The log follows events by name, and catches up.
    until(
        url,
        "everett_subscriber_lag_events",
        "subscriber=\"everett.log\"",
        0.0,
    );
    assert!(node.stop("TERM").success());
}

#[test]
fn grpc_calls_are_counted_by_method_and_code() {
    let directory = tempdir().unwrap();
    let node = node(directory.path());
    let page = url(&node).to_owned();
    for _ in 0..3 {
        let worlds = everett(&["worlds", "--connect", node.url()]);
        assert_eq!(worlds.code, Some(0), "{worlds:?}");
    }
    let unknown = "0".repeat(64);
    let failed = everett(&["block", "--connect", node.url(), &unknown]);
    assert_eq!(failed.code, Some(1));
    let listed = "service=\"WorldService\",method=\"ListWorlds\",code=\"OK\"";
    until(&page, "everett_grpc_calls_total", listed, 3.0);
    until(&page, "everett_grpc_calls_total", "code=\"NOT_FOUND\"", 1.0);
    let listed = "service=\"WorldService\",method=\"ListWorlds\"";
    assert_eq!(
        value(
            &scrape(&page),
            "everett_grpc_call_duration_seconds_count",
            listed
        ),
        3.0
    );
}

#[test]
fn every_family_has_help_and_type_and_a_conventional_name() {
    let directory = tempdir().unwrap();
    let node = node(directory.path());
    let worlds = everett(&["worlds", "--connect", node.url()]);
    assert_eq!(worlds.code, Some(0));
    let page = scrape(url(&node));
    let mut families = BTreeMap::new();
    let mut helped = BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && help.len() > 10, "{line}");
            assert!(helped.insert(name.to_owned()), "{name} has two helps");
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name), "{name} has no help");
            families.insert(name.to_owned(), kind.to_owned());
        }
    }
    assert!(families.len() > 40, "{}", families.len());
    for (name, kind) in &families {
        assert!(
            name.starts_with("everett_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(
            name.ends_with("_total"),
            kind == "counter",
            "{name} is a {kind}"
        );
        for unit in ["_ms", "_millis", "_kb", "_mb", "_percent"] {
            assert!(!name.contains(unit), "{name} is not in a base unit");
        }
    }
    for name in samples(&page).keys() {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            name.strip_suffix(suffix)
                .filter(|base| families.contains_key(*base))
        });
        assert!(
            families.contains_key(family.unwrap_or(name)),
            "{name} belongs to no family"
        );
    }
    lint(&page);
}

/// Prometheus' own linter, where there is one.
fn lint(page: &str) {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        println!("skipped: there is no `promtool` (Debian package prometheus)");
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// Figures that are on the page only while the node catches up; `everett-metrics` tests their names on a page of its own.
const WHILE_IT_SYNCS: [&str; 1] = ["everett_sync_remaining_seconds"];

#[test]
fn every_query_of_the_dashboard_names_a_figure_that_is_there() {
    let directory = tempdir().unwrap();
    let metrics = ["--metrics", "127.0.0.1:0", "--serve", "127.0.0.1:0"];
    let lab = ["--lab", "--console-allow-write"];
    let node = Serving::run(directory.path(), &[&lab[..], &metrics[..]].concat());
    let answer = on(
        directory.path(),
        &["console", "-e", "mine(\"best\", 5); mine(3, 4);"],
    );
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let worlds = everett(&["worlds", "--connect", node.url()]);
    assert_eq!(worlds.code, Some(0));
    let other = tempdir().unwrap();
    let address = node.ready["p2p"][0].as_str().unwrap();
    let peer = Serving::run(other.path(), &["--connect", address]);
    let started = Instant::now();
    // Every peer answers its first ping at once, and events are counted from the first second on.
    let late = [
        "everett_peer_shortest_ping_seconds",
        "everett_peer_events_total",
    ];
    while !late
        .iter()
        .all(|name| samples(&scrape(url(&node))).contains_key(*name))
    {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
    let page = scrape(url(&node));
    let samples = samples(&page);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grafana/everett.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 15);
    let mut queries = 0;
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let names: Vec<&str> = query
                .split(|char: char| !char.is_alphanumeric() && char != '_')
                .filter(|word| word.starts_with("everett_") || word.starts_with("process_"))
                .collect();
            assert!(!names.is_empty(), "{query}");
            for name in names {
                assert!(
                    samples.contains_key(name) || WHILE_IT_SYNCS.contains(&name),
                    "{name} of {:?} is not on the page",
                    panel["title"]
                );
            }
            // Labels that are grouped by or shown are on the page too.
            let legend = target["legendFormat"].as_str().unwrap();
            for label in legend.split("{{").skip(1) {
                let label = label.split("}}").next().unwrap();
                assert!(page.contains(&format!("{label}=\"")), "{label}");
            }
            queries += 1;
        }
    }
    assert!(queries > 40, "{queries}");
    drop(peer);
}

#[test]
fn the_page_is_for_this_machine_and_for_get() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    let open = on(
        path,
        &["run", "--grpc", "127.0.0.1:0", "--metrics", "0.0.0.0:0"],
    );
    assert_eq!(open.code, Some(2), "{open:?}");
    assert!(open.stderr.contains("--metrics-allow-open"), "{open:?}");
    let node = node(path);
    let url = url(&node);
    for (request, wanted) in [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", "200"),
    ] {
        let (head, body) = ask(url, request);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {wanted}")),
            "{request}: {head}"
        );
        assert_eq!(body.is_empty(), wanted == "200", "{request}");
    }
    // Who asks for nothing keeps nobody else from asking.
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/metrics")
        .unwrap();
    let silent: Vec<TcpStream> = (0..10)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    scrape(url);
    drop(silent);
    assert!(node.stop("TERM").success());
}

#[test]
fn a_node_without_metrics_serves_none() {
    let directory = tempdir().unwrap();
    let node = Serving::run(directory.path(), &[]);
    assert_eq!(node.ready["metrics"], Value::Null);
    assert!(node.stop("TERM").success());
}
