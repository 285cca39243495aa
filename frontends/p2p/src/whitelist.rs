//! Owns the list of those who may do more than others: Bitcoin Core's `-whitelist`.
//! Promises its syntax: `[permissions@]address[/bits]`, permissions separated by commas, `in` and `out` among them.
//! Refuses words that Bitcoin Core does not know. Words for what this node does not do (`bloomfilter`, `download`, `addr`)
//! are taken and shown, and change nothing.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use everett_net::PeerInfo;
use everett_net::bans::{Subnet, SubnetError};
use thiserror::Error;

use crate::protocol::Permissions;

/// Some peers, and what they may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whitelisted {
    /// Where they are.
    pub subnet: Subnet,
    /// Whether those are meant who call us.
    pub inbound: bool,
    /// Whether those are meant whom the user had us call.
    pub outbound: bool,
    /// What they may do.
    pub permissions: Permissions,
}

/// An address that is listened on, and what those may do who call there: Bitcoin Core's `-whitebind`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whitebound {
    /// The address; port 0 is none.
    pub address: SocketAddr,
    /// What they may do.
    pub permissions: Permissions,
}

impl Whitebound {
    /// Whether somebody who called this address of ours called there.
    pub fn covers(&self, local: SocketAddr) -> bool {
        let ip = self.address.ip();
        self.address.port() == local.port() && (ip.is_unspecified() || ip == local.ip())
    }
}

/// A text names no peers and permissions.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WhitelistError {
    /// A word is no permission.
    #[error("Invalid P2P permission: '{word}'")]
    Permission {
        /// The word.
        word: String,
    },
    /// Only `in` or `out` is said, and not what they may do.
    #[error("Only direction was set, no permissions: '{text}'")]
    Direction {
        /// The whole text.
        text: String,
    },
    /// Those whom the user had us call never call us.
    #[error("whitebind may only be used for incoming connections (\"out\" was passed)")]
    Outbound,
    /// What stands behind the permissions is no address to listen on.
    #[error("Cannot resolve -whitebind address: '{text}'")]
    Address {
        /// The text.
        text: String,
    },
    /// It has no port.
    #[error("Need to specify a port with -whitebind: '{text}'")]
    Port {
        /// The text.
        text: String,
    },
    /// What stands behind the permissions is no subnet.
    #[error("Invalid netmask specified in -whitelist: '{text}'")]
    Subnet {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: SubnetError,
    },
}

/// What those may do who are named without permissions.
const IMPLICIT: Permissions = Permissions {
    bloom_filter: false,
    no_ban: true,
    force_relay: false,
    relay: true,
    mempool: true,
    download: true,
    addr: false,
};

impl Whitelisted {
    /// Whether a peer is meant.
    pub fn covers(&self, info: &PeerInfo) -> bool {
        let direction = match info.purpose.is_inbound() {
            true => self.inbound,
            false => self.outbound && info.purpose == everett_net::Purpose::Manual,
        };
        direction && self.subnet.contains(&info.endpoint.host)
    }

    /// What a peer may do by a list.
    pub fn permissions(list: &[Whitelisted], info: &PeerInfo) -> Permissions {
        let covering = list.iter().filter(|one| one.covers(info));
        covering.fold(Permissions::default(), |all, one| {
            all.union(one.permissions)
        })
    }
}

/// What stands before the address of an entry.
struct Words<'a> {
    inbound: bool,
    outbound: bool,
    permissions: Permissions,
    /// What stands behind them.
    address: &'a str,
}

impl Words<'_> {
    fn read(text: &str, may_be_outbound: bool) -> Result<Words<'_>, WhitelistError> {
        let (words, address) = match text.split_once('@') {
            Some((words, address)) => (Some(words), address),
            None => (None, text),
        };
        let (mut inbound, mut outbound) = (false, false);
        let mut permissions = match words {
            Some(_) => Permissions::default(),
            None => IMPLICIT,
        };
        for word in words.unwrap_or_default().split(',') {
            match word {
                "" => {}
                "in" => inbound = true,
                "out" if !may_be_outbound => return Err(WhitelistError::Outbound),
                "out" => outbound = true,
                word => {
                    let meant = Permissions::of_word(word);
                    permissions =
                        permissions.union(meant.ok_or_else(|| WhitelistError::Permission {
                            word: word.to_owned(),
                        })?);
                }
            }
        }
        if (inbound || outbound) && permissions == Permissions::default() {
            let text = text.to_owned();
            return Err(WhitelistError::Direction { text });
        }
        Ok(Words {
            inbound,
            outbound,
            permissions,
            address,
        })
    }
}

impl FromStr for Whitebound {
    type Err = WhitelistError;

    fn from_str(text: &str) -> Result<Whitebound, WhitelistError> {
        let words = Words::read(text, false)?;
        let text = words.address.to_owned();
        let address = match (text.parse::<SocketAddr>(), bare(&text)) {
            (Ok(address), _) if address.port() != 0 => address,
            (Ok(_), _) | (_, Some(_)) => return Err(WhitelistError::Port { text }),
            (Err(_), None) => return Err(WhitelistError::Address { text }),
        };
        Ok(Whitebound {
            address,
            permissions: words.permissions,
        })
    }
}

/// An address without a port.
fn bare(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').unwrap_or(text);
    text.strip_suffix(']').unwrap_or(text).parse().ok()
}

impl FromStr for Whitelisted {
    type Err = WhitelistError;

    fn from_str(text: &str) -> Result<Whitelisted, WhitelistError> {
        let Words {
            inbound,
            outbound,
            permissions,
            address,
        } = Words::read(text, true)?;
        let subnet = address.parse().map_err(|source| WhitelistError::Subnet {
            text: address.to_owned(),
            source,
        })?;
        Ok(Whitelisted {
            subnet,
            // Those who call us are meant unless the others are named.
            inbound: inbound || !outbound,
            outbound,
            permissions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&'static str> {
        let one: Whitelisted = text.parse().expect(text);
        one.permissions.words()
    }

    #[test]
    fn permissions_are_read_as_bitcoin_core_reads_them() {
        let implicit = ["noban", "relay", "mempool", "download"];
        assert_eq!(words("127.0.0.1"), implicit);
        let listed = ["noban", "mempool", "download"];
        assert_eq!(words("noban,mempool@10.0.0.0/8"), listed);
        assert_eq!(words("forcerelay@::1"), ["forcerelay", "relay"]);
        let all = [
            "bloomfilter",
            "noban",
            "forcerelay",
            "relay",
            "mempool",
            "download",
            "addr",
        ];
        assert_eq!(words("all@::/0"), all);
        assert!(words("@1.2.3.4").is_empty());
        assert_eq!(
            words("addr,,bloom,download@1.2.3.4"),
            [all[0], all[5], all[6]]
        );
        for wrong in [
            "root@1.2.3.4",
            "in@1.2.3.4",
            "noban@",
            "1.2.3.4/33",
            "noban@seed.org",
        ] {
            assert!(wrong.parse::<Whitelisted>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_whitelist_is_refused_in_bitcoin_cores_words() {
        let error = |text: &str| text.parse::<Whitelisted>().expect_err(text).to_string();
        assert_eq!(
            error("noban,blockfilters@1.2.3.4"),
            "Invalid P2P permission: 'blockfilters'"
        );
        assert_eq!(
            error("in@1.2.3.4"),
            "Only direction was set, no permissions: 'in@1.2.3.4'"
        );
        assert_eq!(
            error("noban@1.2.3.4/33"),
            "Invalid netmask specified in -whitelist: '1.2.3.4/33'"
        );
    }

    #[test]
    fn an_address_to_listen_on_has_a_port_and_callers() {
        let bound: Whitebound = "noban,mempool@127.0.0.1:18444".parse().unwrap();
        assert_eq!(bound.permissions.words(), ["noban", "mempool", "download"]);
        let at = |text: &str| bound.covers(text.parse().unwrap());
        assert!(at("127.0.0.1:18444") && !at("127.0.0.1:18445") && !at("127.0.0.2:18444"));
        let all: Whitebound = "0.0.0.0:18444".parse().unwrap();
        assert!(all.covers("127.0.0.2:18444".parse().unwrap()));
        let error = |text: &str| text.parse::<Whitebound>().expect_err(text).to_string();
        assert_eq!(
            error("out,noban@127.0.0.1:1"),
            "whitebind may only be used for incoming connections (\"out\" was passed)"
        );
        assert_eq!(
            error("noban@127.0.0.1"),
            "Need to specify a port with -whitebind: '127.0.0.1'"
        );
        assert_eq!(
            error("127.0.0.1:1:2"),
            "Cannot resolve -whitebind address: '127.0.0.1:1:2'"
        );
    }

    #[test]
    fn those_who_call_us_are_meant_unless_others_are_named() {
        let directions = |text: &str| {
            let one: Whitelisted = text.parse().expect(text);
            (one.inbound, one.outbound)
        };
        assert_eq!(directions("noban@1.2.3.4"), (true, false));
        assert_eq!(directions("out,noban@1.2.3.4"), (false, true));
        assert_eq!(directions("in,out,noban@1.2.3.4"), (true, true));
    }
}
