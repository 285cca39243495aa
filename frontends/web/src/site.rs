//! Owns what all pages share, and the frame around each.

use std::sync::Arc;

use everett_ledger::Network;
use tokio::sync::Mutex;

use crate::assets;
use crate::drafts::Drafts;
use crate::forms::Forms;
use crate::live::Live;
use crate::reads::Reads;
use crate::recent::Recent;

/// What all pages share.
pub(crate) struct Site {
    pub(crate) reads: Reads,
    pub(crate) live: Arc<Live>,
    /// Held by one read at a time, which may be adding to it.
    pub(crate) recent: Arc<Mutex<Recent>>,
    pub(crate) forms: Forms,
    pub(crate) drafts: Drafts,
    /// Whether a login stands before all pages.
    pub(crate) login: bool,
}

/// Where in the navigation a page belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Worlds,
    Conflicts,
    Peers,
    Wallets,
    None,
}

/// What stands around every page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) network: Network,
    pub(crate) lab: bool,
    /// Whether wallets may be paid from.
    pub(crate) may_pay: bool,
    /// Whether the node keeps wallets.
    pub(crate) wallets: bool,
    pub(crate) section: Section,
    pub(crate) assets: &'static str,
}

impl Site {
    /// The frame of a page in `section`.
    pub(crate) fn frame(&self, section: Section) -> Frame {
        let handle = self.reads.handle();
        Frame {
            network: handle.ledger().params().network,
            lab: handle.lab(),
            may_pay: self.may_pay(),
            wallets: handle.wallets().is_some(),
            section,
            assets: assets::version(),
        }
    }

    /// Whether wallets may be paid from.
    pub(crate) fn may_pay(&self) -> bool {
        may_pay(self.login, self.network())
    }

    /// The network whose addresses are shown.
    pub(crate) fn network(&self) -> Network {
        self.reads.handle().ledger().params().network
    }
}

impl Frame {
    /// The class of a link in the navigation.
    pub(crate) fn here(&self, section: Section) -> bool {
        self.section == section
    }
}

/// Without a login everybody on this machine is let in; on regtest alone that costs nothing.
fn may_pay(login: bool, network: Network) -> bool {
    login || network == Network::Regtest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_that_are_worth_something_are_behind_a_login() {
        assert!(may_pay(false, Network::Regtest));
        for network in [
            Network::Mainnet,
            Network::Testnet3,
            Network::Testnet4,
            Network::Signet,
        ] {
            assert!(!may_pay(false, network), "{network}");
            assert!(may_pay(true, network), "{network}");
        }
    }
}
