//! Owns blocks that the user wants of one peer.
//! Promises that such a block is asked for at once, whoever else was asked for it.
//! Refuses peers that are gone, and those that give no witnesses.

use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::p2p::ServiceFlags;
use everett_mempool::orphans::OrphanInfo;
use everett_net::PeerId;
use everett_node::FetchError;

use super::Protocol;
use super::peer::Request;

impl Protocol {
    /// Asks a peer for a block whose header is known, at a height.
    ///
    /// # Errors
    ///
    /// [`FetchError`]: nothing was asked.
    pub fn fetch_block(
        &mut self,
        id: PeerId,
        hash: BlockHash,
        height: u32,
        now: Duration,
    ) -> Result<(), FetchError> {
        self.now = now;
        let peer = self.peers.get(&id).ok_or(FetchError::Unknown)?;
        if !peer.info.services.has(ServiceFlags::WITNESS) {
            return Err(FetchError::NoWitness);
        }
        if peer.requested(&hash) {
            return Err(FetchError::Asked);
        }
        let request = Request {
            hash,
            height,
            asked: now,
            fork: false,
        };
        self.request(id, vec![request]);
        Ok(())
    }

    /// Transactions of peers that wait for what they spend.
    pub fn orphans(&self) -> Vec<OrphanInfo> {
        self.incoming.orphans.all()
    }
}
