//! Owns what the user lets single peers do that others may not.
//! Promises Bitcoin Core's meaning of each word of `-whitelist`. Refuses to know addresses: who has leave is told.

use std::fmt;
use std::sync::Arc;

use everett_net::PeerInfo;

/// What a peer may do beside the usual. The names are those of `-whitelist`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Permissions {
    /// `bloomfilter`: kept to be shown; such filters are not served.
    pub bloom_filter: bool,
    /// `noban`: what it does wrong is noted, no more; it is told of transactions at once. Implies `download`.
    pub no_ban: bool,
    /// `forcerelay`: it is never told a least fee rate, and what it sends is told to others anew though it is here already.
    /// Implies `relay`.
    pub force_relay: bool,
    /// `relay`: its transactions are taken though ours is a node for blocks only, and as many as it tells of.
    pub relay: bool,
    /// `mempool`: it may ask for all that is pending (BIP35).
    pub mempool: bool,
    /// `download`: kept to be shown; nobody is served fewer blocks.
    pub download: bool,
    /// `addr`: kept to be shown; all are answered alike who ask for addresses.
    pub addr: bool,
}

impl Permissions {
    /// Bitcoin Core's words for them, in its order.
    pub fn words(self) -> Vec<&'static str> {
        let all = [
            (self.bloom_filter, "bloomfilter"),
            (self.no_ban, "noban"),
            (self.force_relay, "forcerelay"),
            (self.relay, "relay"),
            (self.mempool, "mempool"),
            (self.download, "download"),
            (self.addr, "addr"),
        ];
        let held = all.into_iter().filter(|(held, _)| *held);
        held.map(|(_, word)| word).collect()
    }

    /// What a word of `-whitelist` stands for, with what it implies; `None` if it is none.
    pub fn of_word(word: &str) -> Option<Permissions> {
        let none = Permissions::default();
        Some(match word {
            "bloomfilter" | "bloom" => Permissions {
                bloom_filter: true,
                ..none
            },
            "noban" => Permissions {
                no_ban: true,
                download: true,
                ..none
            },
            "forcerelay" => Permissions {
                force_relay: true,
                relay: true,
                ..none
            },
            "relay" => Permissions {
                relay: true,
                ..none
            },
            "mempool" => Permissions {
                mempool: true,
                ..none
            },
            "download" => Permissions {
                download: true,
                ..none
            },
            "addr" => Permissions { addr: true, ..none },
            "all" => Permissions {
                bloom_filter: true,
                no_ban: true,
                force_relay: true,
                relay: true,
                mempool: true,
                download: true,
                addr: true,
            },
            _ => return None,
        })
    }

    /// What either may do.
    #[must_use]
    pub fn union(self, other: Permissions) -> Permissions {
        Permissions {
            bloom_filter: self.bloom_filter || other.bloom_filter,
            no_ban: self.no_ban || other.no_ban,
            force_relay: self.force_relay || other.force_relay,
            relay: self.relay || other.relay,
            mempool: self.mempool || other.mempool,
            download: self.download || other.download,
            addr: self.addr || other.addr,
        }
    }
}

/// Says what a peer may do.
#[derive(Clone)]
pub struct Grants(pub Arc<dyn Fn(&PeerInfo) -> Permissions + Send + Sync>);

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Grants")
    }
}

impl Default for Grants {
    /// Nobody may do more than others.
    fn default() -> Grants {
        Grants(Arc::new(|_| Permissions::default()))
    }
}
