//! Owns what the user lets single peers do that others may not.
//! Promises Bitcoin Core's meaning of each word of `-whitelist`. Refuses to know addresses: who has leave is told.

use std::fmt;
use std::sync::Arc;

use everett_net::PeerInfo;

/// What a peer may do beside the usual. The names are those of `-whitelist`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Permissions {
    /// `relay`: its transactions are taken though ours is a node for blocks only, and as many as it tells of.
    pub relay: bool,
    /// `forcerelay`: it is never told a least fee rate, and what it sends is told to others anew though it is here already.
    /// Implies `relay`.
    pub force_relay: bool,
    /// `mempool`: it may ask for all that is pending (BIP35).
    pub mempool: bool,
    /// `noban`: what it does wrong is noted, no more; it is told of transactions at once.
    pub no_ban: bool,
}

impl Permissions {
    /// Bitcoin Core's words for them, in its order.
    pub fn words(self) -> Vec<&'static str> {
        let all = [
            (self.no_ban, "noban"),
            (self.force_relay, "forcerelay"),
            (self.relay, "relay"),
            (self.mempool, "mempool"),
        ];
        let held = all.into_iter().filter(|(held, _)| *held);
        held.map(|(_, word)| word).collect()
    }

    /// Either's permissions.
    #[must_use]
    pub fn and(self, other: Permissions) -> Permissions {
        Permissions {
            relay: self.relay || other.relay,
            force_relay: self.force_relay || other.force_relay,
            mempool: self.mempool || other.mempool,
            no_ban: self.no_ban || other.no_ban,
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
