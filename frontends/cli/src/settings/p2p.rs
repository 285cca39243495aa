//! Owns what the options and the file say of the P2P network, put together.
//! Promises that a node joins it on public networks unless it is told to stay off, and elsewhere only when it is told to.

use std::net::{Ipv4Addr, SocketAddr};

use everett_ledger::Network;
use everett_net::{Endpoint, default_port};
use everett_p2p::P2pConfig;
use everett_p2p::whitelist::Whitelisted;

use super::Settings;
use super::descriptors::room_for_callers;
use super::file::SettingsFile;
use crate::args::P2pArgs;
use crate::failure::Failure;

/// How a node meets its network.
pub(crate) struct Joining {
    /// As the network takes it.
    pub(crate) config: P2pConfig,
    /// Bytes of each message that go to the binary log; `None` where messages do not.
    pub(crate) log_packets: Option<usize>,
}

impl Settings {
    /// How the node meets its network; `None` where it stays off. `private` is a chain that nobody else has, such as a
    /// lab's.
    pub(crate) fn p2p(
        &self,
        args: P2pArgs,
        network: Network,
        private: bool,
    ) -> Result<Option<Joining>, Failure> {
        let log_packets = args.log_packets.or(self.file.log_packets);
        let config = options(args, &self.file, network, private)?;
        Ok(config.map(|config| Joining {
            config,
            log_packets: log_packets.map(|bytes| bytes as usize),
        }))
    }
}

fn options(
    args: P2pArgs,
    file: &SettingsFile,
    network: Network,
    private: bool,
) -> Result<Option<P2pConfig>, Failure> {
    // An option on the command line weighs more than staying off in the file.
    let off = args.no_p2p || (file.no_p2p.unwrap_or(false) && !args.any());
    if off {
        return Ok(None);
    }
    let args = with_file(args, file);
    if (private || network == Network::Regtest) && !args.any() {
        return Ok(None);
    }
    if args.incoming == Some(0) && !args.serve.is_empty() {
        return Err(Failure::usage(
            "--serve takes calls of peers and --incoming 0 refuses them; leave one of them out",
        ));
    }
    let port = default_port(network.to_bitcoin());
    let endpoints = |texts: &[String], option: &str| {
        let parse = |text: &String| {
            Endpoint::parse(text, port)
                .map_err(|error| Failure::usage(format!("--{option}: {error}")))
        };
        texts.iter().map(parse).collect::<Result<Vec<_>, _>>()
    };
    let mut config = P2pConfig::new(network);
    config.listen = args.serve;
    if config.listen.is_empty() && args.incoming.is_some_and(|most| most > 0) {
        config.listen = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    }
    config.connect = endpoints(&args.connect_peer, "connect")?;
    config.add = endpoints(&args.addnode, "addnode")?;
    let count = |most: Option<u32>, usual: usize| most.map_or(usual, |most| most as usize);
    config.outgoing = count(args.outgoing, config.outgoing);
    let incoming = count(args.incoming, config.incoming);
    config.incoming = match config.listen.is_empty() {
        true => incoming,
        false => room_for_callers(
            incoming,
            config.outgoing + config.connect.len() + config.add.len(),
        ),
    };
    config.proxy = args.proxy;
    let seeds = config.dns_seeds && !private && config.connect.is_empty();
    config.dns_seeds = args.dnsseed.unwrap_or(seeds);
    config.v2 = args.v2transport.unwrap_or(config.v2);
    let relay = args.blocksonly.map(|only| !only).or(args.relay);
    config.relay = relay.unwrap_or(config.relay);
    let whitelisted = args.whitelist.iter().map(|text| {
        let parsed = text.parse::<Whitelisted>();
        parsed.map_err(|error| Failure::usage(format!("--whitelist {text}: {error}")))
    });
    config.whitelist = whitelisted.collect::<Result<_, _>>()?;
    config.discover = args.discover.unwrap_or(config.discover);
    let forks = &mut config.forks;
    forks.blocks = args.fork_blocks.unwrap_or(forks.blocks);
    forks.peer_blocks = args.fork_peer_blocks.unwrap_or(forks.peer_blocks);
    forks.bytes = args.fork_bytes.unwrap_or(forks.bytes);
    Ok(Some(config))
}

/// The options with what the file adds to them. A list on the command line replaces the file's.
fn with_file(args: P2pArgs, file: &SettingsFile) -> P2pArgs {
    let file = file.clone();
    fn list<T>(args: Vec<T>, file: Vec<T>) -> Vec<T> {
        match args.is_empty() {
            true => file,
            false => args,
        }
    }
    // How many to call says nothing where the peers are named, and the other way round.
    let outgoing = match args.connect_peer.is_empty() {
        true => args.outgoing.or(file.outgoing),
        false => None,
    };
    let connect_peer = match args.outgoing {
        Some(_) => args.connect_peer,
        None => list(args.connect_peer, file.connect_peer),
    };
    // Either says what both are about.
    let (blocksonly, relay) = match args.blocksonly.is_some() || args.relay.is_some() {
        true => (args.blocksonly, args.relay),
        false => (file.blocksonly, file.relay),
    };
    P2pArgs {
        outgoing,
        incoming: args.incoming.or(file.incoming),
        serve: list(args.serve, file.serve),
        connect_peer,
        addnode: list(args.addnode, file.addnode),
        blocksonly,
        whitelist: list(args.whitelist, file.whitelist),
        relay,
        proxy: args.proxy.or(file.proxy),
        dnsseed: args.dnsseed.or(file.dnsseed),
        v2transport: args.v2transport.or(file.v2transport),
        discover: args.discover.or(file.discover),
        log_packets: args.log_packets.or(file.log_packets),
        fork_blocks: args.fork_blocks.or(file.fork_blocks),
        fork_peer_blocks: args.fork_peer_blocks.or(file.fork_peer_blocks),
        fork_bytes: args.fork_bytes.or(file.fork_bytes),
        no_p2p: false,
    }
}

#[cfg(test)]
mod tests;
