//! Owns the arguments of the commands that show and steer the peers of a running node.

use std::time::Duration;

use clap::Args;
use everett_node::{MAX_BAN, parse_span};

use super::ConnectArgs;

/// `everett peers`.
#[derive(Args)]
pub(crate) struct PeersArgs {
    /// Show for each peer what went back and forth, by type of message (with --json it is always there)
    #[arg(long)]
    pub(crate) messages: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// `everett addpeer`.
#[derive(Args)]
pub(crate) struct AddPeerArgs {
    /// Where the peer is: IP, IP:PORT, [IPV6]:PORT, NAME.onion:PORT or NAME.b32.i2p
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Call it just once, rather than whenever it is not connected
    #[arg(long)]
    pub(crate) once: bool,
    /// Call it in the clear, without trying encryption (BIP324) first: some old nodes, such as bcoin, ban whoever tries
    #[arg(long)]
    pub(crate) v1: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// `everett disconnect`.
#[derive(Args)]
pub(crate) struct DisconnectArgs {
    /// The peer's number, as `everett peers` has it, or its address with or without the port
    #[arg(value_name = "ID|ADDRESS")]
    pub(crate) peer: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// `everett ban`.
#[derive(Args)]
pub(crate) struct BanArgs {
    /// An address, or a subnet such as 203.0.113.0/24
    #[arg(
        value_name = "SUBNET",
        required_unless_present_any = ["list", "remove"],
        conflicts_with_all = ["list", "remove"]
    )]
    pub(crate) subnet: Option<String>,
    /// For how long: 90s, 30m, 24h, 7d or 2w [default: 24h]
    #[arg(
        long = "for",
        value_name = "TIME",
        value_parser = length,
        conflicts_with_all = ["list", "remove"]
    )]
    pub(crate) length: Option<Duration>,
    /// List the bans that hold
    #[arg(long, conflicts_with = "remove")]
    pub(crate) list: bool,
    /// Take a ban back; write the subnet as --list does
    #[arg(long, value_name = "SUBNET")]
    pub(crate) remove: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

fn length(text: &str) -> Result<Duration, String> {
    let length = parse_span(text)?;
    match length.is_zero() || length > MAX_BAN {
        true => Err("a ban lasts longer than nothing and at most a hundred years".to_owned()),
        false => Ok(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_has_an_end_and_a_length() {
        assert_eq!(length("24h"), Ok(Duration::from_secs(86_400)));
        for wrong in ["0s", "forever", "36501d"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }
}
