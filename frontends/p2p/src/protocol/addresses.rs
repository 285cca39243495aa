//! Owns the way of addresses between messages, the gossip and the address book.
//! Promises that connections for blocks alone carry none.
//! Refuses to keep any: that is the address book's.

use bitcoin::p2p::address::AddrV2Message;
use everett_net::{PeerId, Purpose};

use super::Protocol;
use super::action::Action;
use super::misbehaviour::Reason;
use crate::addr_relay::{Asked, MAX_ADDRESSES, TooManyAddresses};

impl Protocol {
    /// `addr` or `addrv2` came.
    pub(super) fn on_addresses(&mut self, id: PeerId, addresses: Vec<AddrV2Message>) {
        let judge = self.config.standing.clone();
        let clock = self.ledger.clock().now();
        let standing = |endpoint: &_| judge.0(endpoint);
        let heard = self
            .gossip
            .received(id, addresses, standing, self.now, clock);
        let heard = match heard {
            Ok(heard) => heard,
            Err(TooManyAddresses { count }) => {
                return self.punish(
                    id,
                    Reason::TooMany {
                        command: "addr",
                        count,
                        limit: MAX_ADDRESSES,
                    },
                );
            }
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.addresses.0 += heard.processed as u64;
        peer.addresses.1 += heard.limited as u64;
        let done = heard.answered && peer.info.purpose == Purpose::AddrFetch;
        if !heard.keep.is_empty() {
            self.act(Action::AddAddresses {
                from: id,
                addresses: heard.keep,
            });
        }
        if done {
            self.let_go(id, Reason::Done);
        }
    }

    /// `getaddr` came.
    pub(super) fn on_getaddr(&mut self, id: PeerId) {
        if let Asked::Wanted { limit, percent } = self.gossip.getaddr(id, 0, self.now) {
            self.act(Action::FindAddresses { limit, percent });
        }
    }

    /// Sends the addresses that are due.
    pub(super) fn send_addresses(&mut self) {
        let clock = self.ledger.clock().now();
        for (id, message) in self.gossip.due(self.now, clock) {
            self.send_message(id, message);
        }
    }
}
