//! Owns the options by which a node joins the P2P network.

use std::net::SocketAddr;

use clap::builder::BoolishValueParser;
use clap::{Args, value_parser};

/// Most connections of either kind that can be asked for.
const MAX_CONNECTIONS: i64 = 10_000;

/// How a node meets its network.
#[derive(Args, Clone, Default, PartialEq, Eq, Debug)]
#[command(next_help_heading = "Peers")]
pub(crate) struct P2pArgs {
    /// How many peers to call [default: 8]
    #[arg(
        short,
        long,
        value_name = "N",
        value_parser = value_parser!(u32).range(0..=MAX_CONNECTIONS)
    )]
    pub(crate) outgoing: Option<u32>,
    /// How many peers may call us; 0 for none. Above 0 it listens also without --serve, on the
    /// network's port of all IPv4 addresses [default: 115 where --serve is given]
    #[arg(
        short,
        long,
        value_name = "N",
        value_parser = value_parser!(u32).range(0..=MAX_CONNECTIONS)
    )]
    pub(crate) incoming: Option<u32>,
    /// Take calls of peers here; port 0 takes a free one; may be given several times [default: nowhere]
    #[arg(short, long, value_name = "IP:PORT", value_parser = socket_address)]
    pub(crate) serve: Vec<SocketAddr>,
    /// Call these peers and no others; may be given several times
    #[arg(
        short,
        long = "connect",
        visible_alias = "connect-peer",
        value_name = "IP:PORT",
        conflicts_with = "outgoing"
    )]
    pub(crate) connect_peer: Vec<String>,
    /// Call these peers as well, whenever they are not connected; may be given several times
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) addnode: Vec<String>,
    /// Take no transactions of others; peers are told to send none. Our own are told all the same [default: no]
    #[arg(
        long,
        value_name = "yes|no",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = BoolishValueParser::new(),
        hide_possible_values = true,
        conflicts_with = "relay"
    )]
    pub(crate) blocksonly: Option<bool>,
    /// Who may do more than others: PERMISSIONS@ADDRESS, with noban, relay, forcerelay, mempool or all; may be given several
    /// times [default: nobody]
    #[arg(long, value_name = "[WORDS@]ADDRESS")]
    pub(crate) whitelist: Vec<String>,
    /// The opposite of --blocksonly, and the default: kept for those who give it
    #[arg(
        short,
        long,
        hide = true,
        value_name = "yes|no",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = BoolishValueParser::new(),
        hide_possible_values = true
    )]
    pub(crate) relay: Option<bool>,
    /// Make all connections through this SOCKS5 proxy, such as Tor's 127.0.0.1:9050
    #[arg(long, value_name = "IP:PORT", value_parser = socket_address)]
    pub(crate) proxy: Option<SocketAddr>,
    /// Ask the network's DNS seeds when too few addresses are known [default: yes, no with --connect]
    #[arg(long, value_name = "yes|no", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub(crate) dnsseed: Option<bool>,
    /// Encrypt connections (BIP324) where the other side can [default: yes]
    #[arg(long, value_name = "yes|no", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub(crate) v2transport: Option<bool>,
    /// Tell peers the addresses of --serve, so that others call them [default: no]
    #[arg(long, value_name = "yes|no", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub(crate) discover: Option<bool>,
    /// Write every message that comes and goes to the binary log, with the first BYTES of what is in it
    /// [default: no; 4096 where BYTES is left out]
    #[arg(
        long,
        value_name = "BYTES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "4096",
        conflicts_with = "no_log"
    )]
    pub(crate) log_packets: Option<u32>,
    /// Blocks of losing branches that are fetched a day, from all peers together [default: 20160]
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) fork_blocks: Option<u32>,
    /// Blocks of losing branches that are fetched a day from one peer [default: 2016]
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) fork_peer_blocks: Option<u32>,
    /// Bytes of losing branches that are fetched a day, from all peers together [default: 4000000000]
    #[arg(long, value_name = "BYTES")]
    pub(crate) fork_bytes: Option<u64>,
    /// Stay off the network
    #[arg(
        long,
        conflicts_with_all = [
            "outgoing", "incoming", "serve", "connect_peer", "addnode", "blocksonly", "relay", "whitelist", "proxy", "dnsseed", "v2transport",
            "discover", "log_packets", "fork_blocks", "fork_peer_blocks", "fork_bytes",
        ]
    )]
    pub(crate) no_p2p: bool,
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let parsed = text.parse();
    parsed.map_err(|_| "write an IP address and a port: 0.0.0.0:8333 or [::]:8333".to_owned())
}

impl P2pArgs {
    /// Whether anything is said that only a node on the network can do.
    pub(crate) fn any(&self) -> bool {
        let nothing = P2pArgs {
            no_p2p: self.no_p2p,
            ..P2pArgs::default()
        };
        *self != nothing
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(options: &[&str]) -> Result<P2pArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["everett", "run"], options].concat())?;
        match cli.command {
            Command::Run(args) => Ok(args.p2p),
            _ => panic!("another command"),
        }
    }

    #[test]
    fn short_forms_are_those_of_caesure() {
        let short = "-o 4 -i 9 -s 127.0.0.1:1 -s [::1]:2 -r -u a:b -a 127.0.0.1:0 -m /s -v";
        let args = parse(&short.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!((args.outgoing, args.incoming), (Some(4), Some(9)));
        assert_eq!(args.serve.len(), 2);
        assert_eq!(args.relay, Some(true));
        let args = parse(&["-c", "192.0.2.1:1", "--connect", "192.0.2.2"]).unwrap();
        assert_eq!(args.connect_peer, ["192.0.2.1:1", "192.0.2.2"]);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for wrong in [
            "-c 192.0.2.1 -o 3",
            "--no-p2p -s 127.0.0.1:1",
            "-o 10001",
            "-i -1",
            "-s 127.0.0.1",
            "--proxy tor",
            "--dnsseed maybe",
            "--log-packets=all",
            "--log-packets --no-log",
            "--log-packets --no-p2p",
            "--relay --blocksonly",
        ] {
            assert!(
                parse(&wrong.split(' ').collect::<Vec<_>>()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn packets_are_logged_with_their_beginning_or_as_much_as_is_asked_for() {
        let bytes = |options: &[&str]| parse(options).unwrap().log_packets;
        assert_eq!(bytes(&[]), None);
        assert_eq!(bytes(&["--log-packets", "-r"]), Some(4_096));
        assert_eq!(bytes(&["--log-packets=0"]), Some(0));
    }

    #[test]
    fn any_option_is_a_wish_for_the_network_but_staying_off_it_is_none() {
        assert!(!parse(&[]).unwrap().any());
        assert!(!parse(&["--no-p2p"]).unwrap().any());
        for option in [&["-r"][..], &["--dnsseed", "no"], &["-i", "0"]] {
            assert!(parse(option).unwrap().any(), "{option:?}");
        }
    }
}
