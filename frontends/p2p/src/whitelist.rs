//! Owns the list of those who may do more than others: Bitcoin Core's `-whitelist`.
//! Promises its syntax: `[permissions@]address[/bits]`, permissions separated by commas, `in` and `out` among them.
//! Refuses words that Bitcoin Core does not know. Words for what this node does not do (`bloomfilter`, `blockfilters`,
//! `download`, `addr`) are taken and change nothing.

use std::str::FromStr;

use everett_net::PeerInfo;
use everett_net::bans::{Subnet, SubnetError};
use thiserror::Error;

use crate::protocol::Permissions;

/// Some peers, and what they may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whitelisted {
    /// Where they are; `None`: anywhere.
    pub subnet: Option<Subnet>,
    /// Whether those are meant who call us.
    pub inbound: bool,
    /// Whether those are meant whom the user had us call.
    pub outbound: bool,
    /// What they may do.
    pub permissions: Permissions,
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
    #[error("Only direction was set, no permissions: '{permissions}'")]
    Direction {
        /// What stands before the address.
        permissions: String,
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
    relay: true,
    force_relay: false,
    mempool: true,
    no_ban: true,
};

impl Whitelisted {
    /// Whether a peer is meant.
    pub fn covers(&self, info: &PeerInfo) -> bool {
        let direction = match info.purpose.is_inbound() {
            true => self.inbound,
            false => self.outbound && info.purpose == everett_net::Purpose::Manual,
        };
        let subnet = self.subnet.as_ref();
        direction && subnet.is_none_or(|subnet| subnet.contains(&info.endpoint.host))
    }

    /// What a peer may do by a list.
    pub fn permissions(list: &[Whitelisted], info: &PeerInfo) -> Permissions {
        let covering = list.iter().filter(|one| one.covers(info));
        covering.fold(Permissions::default(), |all, one| all.and(one.permissions))
    }
}

impl FromStr for Whitelisted {
    type Err = WhitelistError;

    fn from_str(text: &str) -> Result<Whitelisted, WhitelistError> {
        let (words, address) = match text.split_once('@') {
            Some((words, address)) => (Some(words), address),
            None => (None, text),
        };
        let mut found = Whitelisted {
            subnet: None,
            inbound: false,
            outbound: false,
            permissions: Permissions::default(),
        };
        let mut any = words.is_none();
        for word in words.unwrap_or_default().split(',') {
            let none = Permissions::default();
            let permissions = match word {
                "" => continue,
                "in" => {
                    found.inbound = true;
                    continue;
                }
                "out" => {
                    found.outbound = true;
                    continue;
                }
                "relay" => Permissions {
                    relay: true,
                    ..none
                },
                "forcerelay" => Permissions {
                    relay: true,
                    force_relay: true,
                    ..none
                },
                "mempool" => Permissions {
                    mempool: true,
                    ..none
                },
                "noban" => Permissions {
                    no_ban: true,
                    ..none
                },
                "all" => Permissions {
                    force_relay: true,
                    ..IMPLICIT
                },
                "bloomfilter" | "bloom" | "blockfilters" | "download" | "addr" => none,
                word => {
                    let word = word.to_owned();
                    return Err(WhitelistError::Permission { word });
                }
            };
            any = true;
            found.permissions = found.permissions.and(permissions);
        }
        if !any && (found.inbound || found.outbound) {
            let permissions = words.unwrap_or_default().to_owned();
            return Err(WhitelistError::Direction { permissions });
        }
        if words.is_none() {
            found.permissions = IMPLICIT;
        }
        // Those who call us are meant unless the others are named.
        found.inbound |= !found.outbound;
        let subnet = address.parse().map_err(|source| WhitelistError::Subnet {
            text: address.to_owned(),
            source,
        })?;
        found.subnet = Some(subnet);
        Ok(found)
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
        assert_eq!(words("127.0.0.1"), ["noban", "relay", "mempool"]);
        assert_eq!(words("noban,mempool@10.0.0.0/8"), ["noban", "mempool"]);
        assert_eq!(words("forcerelay@::1"), ["forcerelay", "relay"]);
        assert_eq!(
            words("all@::/0"),
            ["noban", "forcerelay", "relay", "mempool"]
        );
        assert!(words("@1.2.3.4").is_empty());
        assert!(words("addr,download@1.2.3.4").is_empty());
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
