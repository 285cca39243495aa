//! Owns `-netinfo`: a node's connections, for people, in Core's columns.

mod peer;

use serde_json::Value;

use self::peer::{Peer, Widths};
use super::reply::{Ended, Reply};
use super::session::{CliError, Session, request};
use crate::bitcoind::chain::Chain;

/// What is asked for, in this order.
const METHODS: [&str; 2] = ["getpeerinfo", "getnetworkinfo"];
/// The highest level; higher numbers stand for it.
const MAX_LEVEL: u8 = 4;
/// The version of the first Core whose peers can be shown.
const LEAST_VERSION: i64 = 209_900;
/// Networks by the names that nodes give them, and by their short ones.
const NETWORKS: [(&str, &str); 7] = [
    ("not_publicly_routable", "npr"),
    ("ipv4", "ipv4"),
    ("ipv6", "ipv6"),
    ("onion", "onion"),
    ("i2p", "i2p"),
    ("cjdns", "cjdns"),
    ("internal", "int"),
];
/// Those of them that no node can reach: they have a column where there are such peers.
const UNREACHABLE: [&str; 2] = ["not_publicly_routable", "internal"];

const HELP: &str = "\
-netinfo (level [outonly]) | help

Shows the connections of a node, for people: what is shown may change with any version. The node is asked by getpeerinfo
and getnetworkinfo.

Arguments:
1. level     0 (default): how many connections there are, by network, and the node's own addresses
             1: a line for each peer as well; 2: with its address; 3: with its version; 4: with both
2. outonly   (or o) with a level above 0: only the peers that the node called

Columns of a peer:
  <->      in: it called the node; out: the node called it
  type     full, block (blocks only), manual (added by hand), feeler, addr (asked for addresses), priv (private broadcast)
  net      ipv4, ipv6, onion, i2p, cjdns, or npr (not publicly routable)
  serv     services: n network, b bloom, w witness, c compact filters, l limited, 2 encrypted transport, u unknown
  v        version of the transport
  mping    least time of a ping, in milliseconds
  ping     time of the last ping, in milliseconds
  send     seconds since something was sent
  recv     seconds since something was received
  txn      minutes since a new transaction came; * if none are sent to it
  blk      minutes since a new block came
  hb       compact blocks at once: . the node asked for them, * the peer did
  addrp    addresses taken; . if none are exchanged
  addrl    addresses dropped, for there were too many
  age      minutes of the connection
  asmap    the peer's autonomous system, if the node knows it
  id       the peer's number
  address  its address and port
  version  the version of its protocol, and its name

Examples:
> bitcoin-cli -netinfo
> bitcoin-cli -netinfo 4 outonly
> watch --interval 1 --no-title bitcoin-cli -netinfo 4";

/// What is to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Detail {
    level: u8,
    only_outbound: bool,
}

impl Detail {
    fn read(words: &[String]) -> Result<Detail, CliError> {
        let more = "For more information, run: bitcoin-cli -netinfo help";
        let Some(word) = words.first() else {
            return Ok(Detail {
                level: 0,
                only_outbound: false,
            });
        };
        let level: u8 = word.parse().map_err(|_| {
            CliError::new(format!("invalid -netinfo level argument: {word}\n{more}"))
        })?;
        let only_outbound = match words.get(1).map(String::as_str) {
            None => false,
            Some("o" | "outonly") if level > 0 => true,
            Some(word) if level > 0 => {
                return Err(CliError::new(format!(
                    "invalid -netinfo outonly argument: {word}\n{more}"
                )));
            }
            Some(word) => {
                return Err(CliError::new(format!(
                    "invalid -netinfo outonly argument: {word}\nThe outonly argument is only valid for a level greater \
                     than 0 (the first argument). {more}"
                )));
            }
        };
        Ok(Detail {
            level: level.min(MAX_LEVEL),
            only_outbound,
        })
    }

    fn addresses(self) -> bool {
        matches!(self.level, 2 | 4)
    }

    fn versions(self) -> bool {
        matches!(self.level, 3 | 4)
    }
}

/// How many peers there are of a kind.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// By network, in the order of [`NETWORKS`], and all of them last.
    inbound: [u32; NETWORKS.len() + 1],
    outbound: [u32; NETWORKS.len() + 1],
    blocks_only: u32,
    manual: u32,
}

/// Shows them.
pub(super) fn run(session: &Session, words: &[String]) -> Result<Ended, CliError> {
    if matches!(words.first().map(String::as_str), Some("h" | "help")) {
        return Ok(Ended::well(HELP.to_owned()));
    }
    let detail = Detail::read(words)?;
    let requests = METHODS.iter().enumerate();
    let requests = requests.map(|(id, method)| request(method, "[]", &id.to_string()));
    let batch = format!("[{}]", requests.collect::<Vec<_>>().join(","));
    let body = session.ask(&batch, session.wallet().as_deref())?;
    let replies = Reply::read_batch(&body, METHODS.len())?;
    if let Some(failed) = replies.iter().find(|reply| reply.error.is_some()) {
        return Ok(failed.ended());
    }
    let result = |index: usize| {
        let json = replies.get(index)?.result.as_ref()?;
        serde_json::from_str::<Value>(json.get()).ok()
    };
    let (Some(peers), Some(network)) = (result(0), result(1)) else {
        return Err(CliError::new("couldn't parse reply from server"));
    };
    if network["version"].as_i64().unwrap_or(0) < LEAST_VERSION {
        return Err(CliError::new(
            "-netinfo requires bitcoind server to be running v0.21.0 and up",
        ));
    }
    Ok(Ended::well(dashboard(
        &peers,
        &network,
        session.chain,
        detail,
    )))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn dashboard(peers: &Value, network: &Value, chain: Chain, detail: Detail) -> String {
    let mut counts = Counts::default();
    let mut shown: Vec<Peer> = Vec::new();
    for peer in list(peers) {
        let name = peer["network"].as_str().unwrap_or_default();
        let Some(index) = NETWORKS.iter().position(|(known, _)| *known == name) else {
            continue;
        };
        let outbound = peer["inbound"] == false;
        let row = match outbound {
            true => &mut counts.outbound,
            false => &mut counts.inbound,
        };
        row[index] += 1;
        row[NETWORKS.len()] += 1;
        counts.blocks_only += u32::from(peer["connection_type"] == "block-relay-only");
        counts.manual += u32::from(peer["connection_type"] == "manual");
        if detail.level > 0 && (outbound || !detail.only_outbound) {
            shown.push(Peer::read(peer, NETWORKS[index].1, outbound));
        }
    }
    let chain = match chain {
        Chain::Main => String::new(),
        Chain::Test => " testnet".to_owned(),
        other => format!(" {}", other.section()),
    };
    let services = match detail.level {
        0 => String::new(),
        _ => format!(
            " - services {}",
            peer::services(&network["localservicesnames"])
        ),
    };
    let mut text = format!(
        "Everett client v{}{chain} - server {}{}{services}\n\n",
        env!("CARGO_PKG_VERSION"),
        network["protocolversion"],
        network["subversion"].as_str().unwrap_or_default()
    );
    if !shown.is_empty() {
        shown.sort_by(Peer::order);
        let widths = Widths::of(&shown);
        text += &widths.header(detail.addresses(), detail.versions());
        for peer in &shown {
            text += &peer.line(&widths, detail.addresses(), detail.versions());
        }
        text += &widths.footer();
    }
    text += &totals(network, &counts);
    if detail.level == 0 {
        let names = list(&network["localservicesnames"]).iter();
        let names = names.filter_map(Value::as_str);
        let names = names.map(|name| name.to_lowercase().replace('_', " "));
        text += &format!(
            "\n\nLocal services: {}",
            names.collect::<Vec<_>>().join(", ")
        );
    }
    text.push_str(&own_addresses(network));
    text
}

/// The table of how many connections there are.
fn totals(network: &Value, counts: &Counts) -> String {
    let mut columns: Vec<(usize, &str)> = Vec::new();
    for known in list(&network["networks"]) {
        let name = known["name"].as_str().unwrap_or_default();
        let index = NETWORKS.iter().position(|(known, _)| *known == name);
        if let (true, Some(index)) = (known["reachable"] == true, index) {
            columns.push((index, NETWORKS[index].0));
        }
    }
    for name in UNREACHABLE {
        let index = NETWORKS.iter().position(|(known, _)| *known == name);
        if let Some(index) = index
            && counts.inbound[index] + counts.outbound[index] > 0
        {
            columns.push((index, NETWORKS[index].1));
        }
    }
    let mut text = "     ".to_owned();
    for (_, name) in &columns {
        text += &format!("{name:>8}");
    }
    text += "   total   block";
    if counts.manual > 0 {
        text += "  manual";
    }
    for (name, row) in [("in", 0), ("out", 1), ("total", 2)] {
        let count = |index: usize| match row {
            0 => counts.inbound[index],
            1 => counts.outbound[index],
            _ => counts.inbound[index] + counts.outbound[index],
        };
        text += &format!("\n{name:<5}");
        for (index, _) in &columns {
            text += &format!("{:>8}", count(*index));
        }
        text += &format!("   {:>5}", count(NETWORKS.len()));
        if row == 1 {
            text += &format!("   {:>5}", counts.blocks_only);
            if counts.manual > 0 {
                text += &format!("   {:>5}", counts.manual);
            }
        }
    }
    text
}

fn own_addresses(network: &Value) -> String {
    let addresses = list(&network["localaddresses"]);
    if addresses.is_empty() {
        return "\n\nLocal addresses: n/a\n".to_owned();
    }
    let text = |address: &Value| address["address"].as_str().unwrap_or_default().to_owned();
    let widths = addresses.iter().map(|address| text(address).len() + 1);
    let width = widths.max().unwrap_or(0);
    let lines = addresses.iter().map(|address| {
        format!(
            "\n{:<width$}    port {:>6}    score {:>6}",
            text(address),
            address["port"].as_i64().unwrap_or(0),
            address["score"].as_i64().unwrap_or(0)
        )
    });
    format!("\n\nLocal addresses{}", lines.collect::<String>())
}
