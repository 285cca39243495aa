//! Owns the settings of the peer-to-peer network, as the options say them.
//! Promises Core's rules of what one option says of another: who names peers or a proxy listens only when told to.
//! Refuses addresses that are none.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use everett_net::{Endpoint, NetworkKind, default_port};
use everett_p2p::protocol::Permissions;
use everett_p2p::whitelist::{Whitebound, Whitelisted};
use everett_p2p::{BLOCK_RELAY_ONLY, DEFAULT_OUTGOING, P2pConfig};

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;
use super::switch;
use crate::settings::room_for_callers;

/// Automatic connections unless it is configured otherwise.
const DEFAULT_CONNECTIONS: i64 = 125;
/// Most connections that can be asked for.
const MAX_CONNECTIONS: i64 = 10_000;
/// Most bytes of what a node calls itself.
const MAX_USER_AGENT: usize = 256;
/// The longest time in seconds that a handshake may be given: a day.
const MAX_TIMEOUT: u64 = 24 * 3_600;
/// The port of a proxy that is given none.
const PROXY_PORT: u16 = 9050;
/// What the mempool is given where nobody is asked for transactions, in megabytes.
const BLOCKSONLY_MEMPOOL: &str = "5";

/// Lets options say what they say of others; lines for the log.
pub(super) fn interactions(arguments: &mut Arguments) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut imply = |arguments: &mut Arguments, reason: &str, name: &'static str, on: bool| {
        if arguments.imply(name, switch(on)) {
            remarks.push(format!(
                "parameter interaction: {reason} -> setting -{name}={}",
                u8::from(on)
            ));
        }
    };
    for (name, reason) in [("bind", "-bind set"), ("whitebind", "-whitebind set")] {
        if !arguments.list(name).is_empty() {
            imply(arguments, reason, "listen", true);
        }
    }
    let connections = arguments.int("maxconnections");
    if !arguments.list("connect").is_empty()
        || arguments.is_negated("connect")
        || connections.is_some_and(|most| most <= 0)
    {
        let reason = "-connect or -maxconnections=0 set";
        imply(arguments, reason, "dnsseed", false);
        imply(arguments, reason, "listen", false);
    }
    if proxy_text(arguments).is_some() {
        imply(arguments, "-proxy set", "listen", false);
        imply(arguments, "-proxy set", "discover", false);
    }
    if !arguments.flag("listen", true) {
        imply(arguments, "-listen=0", "discover", false);
    }
    if arguments.flag("blocksonly", false) {
        imply(arguments, "-blocksonly=1", "whitelistrelay", false);
    }
    if arguments.flag("whitelistforcerelay", false) {
        imply(arguments, "-whitelistforcerelay=1", "whitelistrelay", true);
    }
    if arguments.flag("blocksonly", false)
        && arguments.imply(
            "maxmempool",
            super::Value::Text(BLOCKSONLY_MEMPOOL.to_owned()),
        )
    {
        remarks.push(format!(
            "parameter interaction: -blocksonly=1 -> setting -maxmempool={BLOCKSONLY_MEMPOOL}"
        ));
    }
    remarks
}

/// Refuses ports that are none.
pub(super) fn check_ports(arguments: &Arguments) -> Result<(), InitError> {
    for name in ["port", "rpcport"] {
        if let Some(port) = arguments.text(name)
            && port.parse::<u16>().map_or(0, |port| port) == 0
        {
            return Err(InitError::new(format!(
                "Invalid port specified in -{name}: '{port}'"
            )));
        }
    }
    Ok(())
}

/// What the options say.
pub(super) fn config(
    arguments: &Arguments,
    chain: Chain,
    remarks: &mut Vec<String>,
) -> Result<P2pConfig, InitError> {
    let usual_port = default_port(chain.network().to_bitcoin());
    let port = arguments.text("port").and_then(|port| port.parse().ok());
    let port = port.unwrap_or(usual_port);
    let listens = arguments.flag("listen", true);
    let binds = [arguments.list("bind"), arguments.list("whitebind")].concat();
    if !binds.is_empty() && !listens {
        return Err(InitError::new(
            "Cannot set -bind or -whitebind together with -listen=0",
        ));
    }
    if !listens && arguments.flag("listenonion", false) {
        return Err(InitError::new(
            "Cannot set -listen=0 together with -listenonion=1",
        ));
    }
    let mut config = P2pConfig::new(chain.network());
    for text in arguments.list("bind") {
        let text = text.strip_suffix("=onion").unwrap_or(&text);
        config.listen.push(bind_address(text, port, "bind")?);
    }
    for text in arguments.list("whitebind") {
        let mut one: Whitebound = text.parse().map_err(InitError::new)?;
        imply_relay(arguments, &text, &mut one.permissions);
        config.listen.push(one.address);
        config.whitebind.push(one);
    }
    if listens && binds.is_empty() {
        config.listen = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    }
    let names = arguments.flag("dns", true);
    let connect = arguments.list("connect");
    let nobody = connect == ["0"] || (connect.is_empty() && arguments.is_negated("connect"));
    if !nobody {
        config.connect = endpoints(&connect, usual_port, names, "connect", remarks);
    }
    let add = arguments.list("addnode");
    config.add = endpoints(&add, usual_port, names, "addnode", remarks);
    // Where none of the peers that were named is known, no others are called in their place.
    let nobody = nobody || (!connect.is_empty() && config.connect.is_empty());
    let most = arguments
        .int("maxconnections")
        .unwrap_or(DEFAULT_CONNECTIONS);
    if most < 0 {
        return Err(InitError::new(
            "-maxconnections must be greater or equal than zero",
        ));
    }
    let most = usize::try_from(most.min(MAX_CONNECTIONS)).unwrap_or(0);
    config.outgoing = if nobody {
        0
    } else {
        DEFAULT_OUTGOING.min(most)
    };
    let incoming = most.saturating_sub(config.outgoing + BLOCK_RELAY_ONLY);
    config.incoming = match config.listen.is_empty() {
        true => incoming,
        false => room_for_callers(
            incoming,
            config.outgoing + config.connect.len() + config.add.len(),
        ),
    };
    config.active = arguments.flag("networkactive", true);
    for text in arguments.list("externalip") {
        let own = Endpoint::parse(&text, port).ok().or_else(|| {
            let address = names.then(|| looked_up(&text, port)).flatten();
            address.map(Endpoint::from)
        });
        config.external.push(own.ok_or_else(|| {
            InitError::new(format!("Cannot resolve -externalip address: '{text}'"))
        })?);
    }
    let seeds = arguments.list("seednode");
    config.seeds = endpoints(&seeds, usual_port, names, "seednode", remarks);
    config.proxy = proxy(arguments)?;
    let onion = arguments.text("onion").filter(|text| text != "0");
    config.onion_proxy = match onion {
        Some(text) => Some(proxy_address(&text).ok_or_else(|| {
            InitError::new(format!("Invalid -onion address or hostname: '{text}'"))
        })?),
        None => None,
    };
    config.isolate = arguments.flag("proxyrandomize", true);
    let milliseconds = arguments.int("timeout").filter(|limit| *limit > 0);
    config.dial_timeout = milliseconds.map(|limit| Duration::from_millis(limit.unsigned_abs()));
    if let Some(seconds) = arguments.int("peertimeout") {
        let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        let seconds =
            seconds.ok_or_else(|| InitError::new("peertimeout must be a positive integer."))?;
        config.handshake_timeout = Some(Duration::from_secs(seconds.min(MAX_TIMEOUT)));
    }
    config.dns_seeds = config.dns_seeds && arguments.flag("dnsseed", true);
    config.v2 = arguments.flag("v2transport", true);
    config.relay = !arguments.flag("blocksonly", false);
    config.discover = arguments.flag("discover", false);
    config.only_networks = only_networks(arguments, &config)?;
    config.whitelist = whitelist(arguments)?;
    config.user_agent = user_agent(arguments)?;
    Ok(config)
}

/// The networks of `-onlynet`, whose addresses alone are called.
fn only_networks(arguments: &Arguments, config: &P2pConfig) -> Result<Vec<NetworkKind>, InitError> {
    let mut only = Vec::new();
    for name in arguments.list("onlynet") {
        only.push(name.parse::<NetworkKind>().map_err(|_| {
            InitError::new(format!("Unknown network specified in -onlynet: '{name}'"))
        })?);
    }
    if only.contains(&NetworkKind::Cjdns) && !arguments.flag("cjdnsreachable", false) {
        return Err(InitError::new(
            "Outbound connections restricted to CJDNS (-onlynet=cjdns) but -cjdnsreachable is not provided",
        ));
    }
    if only.contains(&NetworkKind::I2p) && !arguments.is_set("i2psam") {
        return Err(InitError::new(
            "Outbound connections restricted to i2p (-onlynet=i2p) but -i2psam is not provided",
        ));
    }
    let to_onions = config.proxy.or(config.onion_proxy);
    // Core expects one of a Tor that it controls, unless that is switched off.
    let controlled = arguments.flag("listenonion", arguments.flag("listen", true));
    if only.contains(&NetworkKind::Onion) && to_onions.is_none() && !controlled {
        return Err(InitError::new(
            "Outbound connections restricted to Tor (-onlynet=onion) but the proxy for reaching the Tor network is not \
             provided: none of -proxy, -onion or -listenonion is given",
        ));
    }
    Ok(only)
}

/// Who is named without permissions has those that two options say.
fn imply_relay(arguments: &Arguments, text: &str, permissions: &mut Permissions) {
    if !text.contains('@') {
        let force = arguments.flag("whitelistforcerelay", false);
        permissions.force_relay = force;
        permissions.relay = force || arguments.flag("whitelistrelay", true);
    }
}

/// Who may do more than others.
fn whitelist(arguments: &Arguments) -> Result<Vec<Whitelisted>, InitError> {
    let mut list = Vec::new();
    for text in arguments.list("whitelist") {
        let mut one: Whitelisted = text.parse().map_err(InitError::new)?;
        imply_relay(arguments, &text, &mut one.permissions);
        list.push(one);
    }
    Ok(list)
}

/// What others are told that this node is.
fn user_agent(arguments: &Arguments) -> Result<String, InitError> {
    let comments = arguments.list("uacomment");
    let safe = |char: char| char.is_ascii_alphanumeric() || " .,;-_?@".contains(char);
    if let Some(unsafe_one) = comments.iter().find(|comment| !comment.chars().all(safe)) {
        return Err(InitError::new(format!(
            "User Agent comment ({unsafe_one}) contains unsafe characters."
        )));
    }
    let name = everett_p2p::user_agent(&comments);
    match name.len() > MAX_USER_AGENT {
        true => Err(InitError::new(format!(
            "Total length of network version string ({}) exceeds maximum length ({MAX_USER_AGENT}). Reduce the number or \
             size of uacomments.",
            name.len()
        ))),
        false => Ok(name),
    }
}

/// An address with or without a port, to listen on.
fn bind_address(text: &str, port: u16, option: &str) -> Result<SocketAddr, InitError> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    looked_up(text, port)
        .ok_or_else(|| InitError::new(format!("Cannot resolve -{option} address: '{text}'")))
}

/// The first address that a name stands for.
fn looked_up(text: &str, port: u16) -> Option<SocketAddr> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, port),
    };
    let mut addresses = (host, port).to_socket_addrs().ok()?.collect::<Vec<_>>();
    // What listens on a machine's own name listens on IPv4.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.into_iter().next()
}

/// The peers that are named. A name that nobody knows is left out: Core would look it up again and again.
fn endpoints(
    texts: &[String],
    port: u16,
    names: bool,
    option: &str,
    remarks: &mut Vec<String>,
) -> Vec<Endpoint> {
    let mut endpoint = |text: &String| {
        let known = Endpoint::parse(text, port).ok().or_else(|| {
            let address = names.then(|| looked_up(text, port)).flatten();
            address.map(Endpoint::from)
        });
        if known.is_none() {
            remarks.push(format!(
                "Cannot resolve -{option} address: '{text}'; it is left out"
            ));
        }
        known
    };
    texts.iter().filter_map(&mut endpoint).collect()
}

/// The proxy, if one is given, without the network that it is for.
fn proxy_text(arguments: &Arguments) -> Option<String> {
    let text = arguments.text("proxy")?;
    let proxy = text.split('=').next().unwrap_or_default().to_owned();
    (!proxy.is_empty() && proxy != "0").then_some(proxy)
}

pub(super) fn proxy_address(text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok().or_else(|| {
        let address = text.parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(address, PROXY_PORT))
    });
    address.or_else(|| looked_up(text, PROXY_PORT))
}

fn proxy(arguments: &Arguments) -> Result<Option<SocketAddr>, InitError> {
    for text in arguments.list("proxy") {
        if let Some((_, network)) = text.rsplit_once('=')
            && !["", "ipv4", "ipv6", "onion", "cjdns"].contains(&network)
        {
            return Err(InitError::new(format!(
                "Unrecognized network in -proxy='{text}': '{network}'"
            )));
        }
    }
    let Some(text) = proxy_text(arguments) else {
        return Ok(None);
    };
    match proxy_address(&text) {
        Some(address) => Ok(Some(address)),
        None => Err(InitError::new(format!(
            "Invalid -proxy address or hostname: '{text}'"
        ))),
    }
}
