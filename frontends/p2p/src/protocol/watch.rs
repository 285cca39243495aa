//! Owns the watch over our connections as a whole: is our tip old, do those we chose keep up, is one too many.
//! Promises Bitcoin Core's patience with each. Refuses to let go of those whom the user asked for.

use std::cmp::Reverse;
use std::time::Duration;

use everett_net::{PeerId, Purpose};

use super::Protocol;
use super::action::Action;
use super::header_requests::RESPONSE_TIME;
use super::misbehaviour::Reason;

/// How long a peer may stay behind our chain.
const CHAIN_SYNC_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// How often the age of our tip is looked at.
const STALE_CHECK: Duration = Duration::from_secs(10 * 60);
/// How often it is looked whether there is a connection too many.
const EXTRA_CHECK: Duration = Duration::from_secs(45);
/// How long a connection has to show its worth.
const MINIMUM_CONNECT_TIME: Duration = Duration::from_secs(30);
/// How long a call for addresses may take.
const ADDR_FETCH_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// When what is due.
pub(super) struct Watch {
    next_stale_check: Duration,
    next_extra_check: Duration,
}

impl Watch {
    pub(super) fn new(now: Duration) -> Watch {
        Watch {
            next_stale_check: now + STALE_CHECK,
            next_extra_check: now + EXTRA_CHECK,
        }
    }
}

impl Protocol {
    /// Looks at what may be due.
    pub(super) fn watch_peers(&mut self) {
        let now = self.now;
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            self.watch_chain(id);
        }
        if now >= self.watch.next_extra_check {
            self.watch.next_extra_check = now + EXTRA_CHECK;
            self.let_go_of_extra();
        }
        if now >= self.watch.next_stale_check {
            self.watch.next_stale_check = now + STALE_CHECK;
            let spacing = Duration::from_secs(u64::from(self.ledger.params().target_spacing));
            if now > self.last_tip + 3 * spacing && self.download.asked.is_empty() {
                self.act(Action::CallOneMore);
            }
        }
    }

    /// Peers that we chose have to reach our work within 20 minutes, and are asked once more before they go.
    fn watch_chain(&mut self, id: PeerId) {
        let now = self.now;
        let best = self.best;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.info.purpose == Purpose::AddrFetch && now > peer.since + ADDR_FETCH_TIMEOUT {
            return self.let_go(id, Reason::Done);
        }
        if peer.chain_sync.protected || !peer.is_chosen() || !peer.sync.started {
            return;
        }
        let known = peer.best_known.map(|known| known.work);
        if known.is_some_and(|work| work >= best.work) {
            peer.chain_sync.pending = None;
            return;
        }
        match &mut peer.chain_sync.pending {
            Some((_, mark, _)) if known.is_some_and(|work| work >= mark.work) => {
                peer.chain_sync.pending = Some((now + CHAIN_SYNC_TIMEOUT, best, false));
            }
            None => peer.chain_sync.pending = Some((now + CHAIN_SYNC_TIMEOUT, best, false)),
            Some((until, _, asked)) if now > *until => {
                if *asked {
                    return self.let_go(id, Reason::ChainBehind);
                }
                *asked = true;
                *until = now + RESPONSE_TIME;
                let mark = peer
                    .chain_sync
                    .pending
                    .as_ref()
                    .map(|(_, mark, _)| mark.hash);
                let mark = mark.unwrap_or(best.hash);
                let before = (self.ledger.header(&mark)).and_then(|info| info.parent);
                let locator = self.ledger.locator(&before.unwrap_or(mark));
                self.get_headers(id, locator, None);
            }
            Some(_) => {}
        }
    }

    /// Where there is one outgoing connection too many, the one that told of a new block least recently goes.
    fn let_go_of_extra(&mut self) {
        let now = self.now;
        let outgoing =
            (self.peers.iter()).filter(|(_, peer)| peer.info.purpose == Purpose::OutboundFullRelay);
        if outgoing.clone().count() <= self.config.outgoing {
            return;
        }
        let worst = outgoing
            .filter(|(_, peer)| !peer.chain_sync.protected)
            .min_by_key(|(id, peer)| (peer.last_announcement, Reverse(**id)));
        if let Some((id, peer)) = worst
            && now > peer.since + MINIMUM_CONNECT_TIME
            && peer.requests.is_empty()
        {
            let id = *id;
            self.let_go(id, Reason::Extra);
        }
    }
}
