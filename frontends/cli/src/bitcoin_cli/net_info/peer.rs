//! Owns one line of `-netinfo`: a peer, and how wide the columns are.

use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// The longest time of a ping that is shown, in milliseconds.
const MAX_PING: f64 = 999_999.0;

/// A peer, as it is shown.
pub(super) struct Peer {
    outbound: bool,
    least_ping: f64,
    network: &'static str,
    kind: &'static str,
    services: String,
    transport: char,
    ping: String,
    sent: String,
    received: String,
    transaction: String,
    block: String,
    high_bandwidth: String,
    addresses: String,
    addresses_dropped: String,
    age: String,
    mapped_as: i64,
    id: String,
    address: String,
    version: String,
}

/// How wide the columns are that grow with what they hold.
pub(super) struct Widths {
    services: usize,
    addresses: usize,
    addresses_dropped: usize,
    age: usize,
    id: usize,
    address: usize,
    mapped: bool,
}

/// Services, a letter each.
pub(super) fn services(names: &Value) -> String {
    let names = names.as_array().map_or(&[][..], Vec::as_slice).iter();
    let letter = |name: &str| match name {
        "NETWORK_LIMITED" => Some('l'),
        "P2P_V2" => Some('2'),
        name => name
            .chars()
            .next()
            .map(|letter| letter.to_ascii_lowercase()),
    };
    names.filter_map(Value::as_str).filter_map(letter).collect()
}

fn milliseconds(seconds: f64) -> String {
    let milliseconds = (1_000.0 * seconds).round();
    match milliseconds {
        _ if seconds < 0.0 => String::new(),
        MAX_PING.. => "-".to_owned(),
        milliseconds => milliseconds.to_string(),
    }
}

fn kind(name: &str) -> &'static str {
    match name {
        "outbound-full-relay" => "full",
        "block-relay-only" => "block",
        "manual" => "manual",
        "feeler" => "feeler",
        "addr-fetch" => "addr",
        "private-broadcast" => "priv",
        _ => "",
    }
}

impl Peer {
    /// From what `getpeerinfo` says of it.
    pub(super) fn read(peer: &Value, network: &'static str, outbound: bool) -> Peer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let number = |name: &str| peer[name].as_i64().unwrap_or(0);
        let text = |name: &str| peer[name].as_str().unwrap_or_default();
        let ping = |name: &str| peer[name].as_f64().unwrap_or(-1.0);
        let is = |name: &str| peer[name] == true;
        let since = |name: &str, unit: i64| match number(name) {
            0 => None,
            then => Some(((now - then) / unit).to_string()),
        };
        let some = |name: &str| match number(name) {
            0 => None,
            count => Some(count.to_string()),
        };
        let or = |value: Option<String>, other: &str| value.unwrap_or(other.to_owned());
        let transport = match text("transport_protocol_type").as_bytes() {
            [] => '1',
            [b'v', digit] => char::from(*digit),
            _ => ' ',
        };
        let version = format!("{}{}", number("version"), text("subver"));
        Peer {
            outbound,
            least_ping: ping("minping"),
            network,
            kind: kind(text("connection_type")),
            services: services(&peer["servicesnames"]),
            transport,
            ping: milliseconds(ping("pingtime")),
            sent: or(since("lastsend", 1), ""),
            received: or(since("lastrecv", 1), ""),
            transaction: or(
                since("last_transaction", 60),
                if peer["relaytxes"] == false { "*" } else { "" },
            ),
            block: or(since("last_block", 60), ""),
            high_bandwidth: format!(
                "{}{}",
                if is("bip152_hb_to") { "." } else { " " },
                if is("bip152_hb_from") { "*" } else { " " }
            ),
            addresses: or(
                some("addr_processed"),
                if is("addr_relay_enabled") { "" } else { "." },
            ),
            addresses_dropped: or(some("addr_rate_limited"), ""),
            age: or(since("conntime", 60), ""),
            mapped_as: number("mapped_as"),
            id: number("id").to_string(),
            address: text("addr").to_owned(),
            version: if version == "0" {
                String::new()
            } else {
                version
            },
        }
    }

    /// Those that called first, and in each kind the nearest first.
    pub(super) fn order(&self, other: &Peer) -> Ordering {
        let pings = || self.least_ping.total_cmp(&other.least_ping);
        self.outbound.cmp(&other.outbound).then_with(pings)
    }

    /// Its line.
    pub(super) fn line(&self, widths: &Widths, addresses: bool, versions: bool) -> String {
        let mapped = match self.mapped_as {
            0 => String::new(),
            number => number.to_string(),
        };
        format!(
            "{:>3} {:>6} {:>5} {:>services$} {:>2}{:>7}{:>7}{:>5}{:>5}{:>5}{:>5}  {:>2} {:>addrp$}{:>addrl$}{:>age$}{mapped:>asmap$} {:>id$} {:<address$}{}\n",
            if self.outbound { "out" } else { "in" },
            self.kind,
            self.network,
            self.services,
            self.transport,
            milliseconds(self.least_ping),
            self.ping,
            self.sent,
            self.received,
            self.transaction,
            self.block,
            self.high_bandwidth,
            self.addresses,
            self.addresses_dropped,
            self.age,
            self.id,
            if addresses { &self.address } else { "" },
            if versions { &self.version } else { "" },
            services = widths.services,
            addrp = widths.addresses,
            addrl = widths.addresses_dropped,
            age = widths.age,
            asmap = if widths.mapped { 7 } else { 0 },
            id = widths.id,
            address = if addresses { widths.address } else { 0 },
        )
    }
}

impl Widths {
    /// That all of them fit in.
    pub(super) fn of(peers: &[Peer]) -> Widths {
        let widest = |least: usize, width: fn(&Peer) -> usize| {
            peers.iter().map(width).max().unwrap_or(0).max(least)
        };
        Widths {
            services: widest(6, |peer| peer.services.len()),
            addresses: widest(5, |peer| peer.addresses.len()),
            addresses_dropped: widest(6, |peer| peer.addresses_dropped.len()),
            age: widest(5, |peer| peer.age.len()),
            id: widest(2, |peer| peer.id.len()),
            address: widest(0, |peer| peer.address.len() + 1),
            mapped: peers.iter().any(|peer| peer.mapped_as != 0),
        }
    }

    /// The line above the peers.
    pub(super) fn header(&self, addresses: bool, versions: bool) -> String {
        format!(
            "<->   type   net {:>services$}  v  mping   ping send recv  txn  blk  hb {:>addrp$}{:>addrl$}{:>age$} {}{:>id$} {:<address$}{}\n",
            "serv",
            "addrp",
            "addrl",
            "age",
            if self.mapped { " asmap " } else { "" },
            "id",
            if addresses { "address" } else { "" },
            if versions { "version" } else { "" },
            services = self.services,
            addrp = self.addresses,
            addrl = self.addresses_dropped,
            age = self.age,
            id = self.id,
            address = if addresses { self.address } else { 0 },
        )
    }

    /// The line of units below them.
    pub(super) fn footer(&self) -> String {
        format!(
            "                {:services$}         ms     ms  sec  sec  min  min                {:>age$}\n\n",
            "",
            "min",
            services = self.services,
            age = self.age,
        )
    }
}
