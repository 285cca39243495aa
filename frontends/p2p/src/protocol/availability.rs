//! Owns the knowledge of which peer has which blocks.
//! Promises to name, for a block of a losing branch, those who told of it or of what stands on it.
//! Refuses to believe more than a peer said: what it has is what it told of, and the blocks below that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bitcoin::BlockHash;
use everett_ledger::Ledger;
use everett_net::PeerId;

use super::Protocol;
use super::peer::{Known, Peer};

/// Tips of one peer, beside its best, that are looked at for what they share with a chain to be fetched: the last ones.
const MAX_TIPS_OF_ONE: usize = 16;
/// The same of all peers: those of most work.
const MAX_TIPS_OF_ALL: usize = 64;

/// Blocks of a chain that are looked through for those who told of one that is stored.
const MAX_WALK: u32 = 512;

/// A tip off our best chain, and those who told of it.
pub(super) struct Told {
    tip: Known,
    peers: BTreeSet<PeerId>,
}

/// Who told of a tip, for tips that are not the best a peer told of. Bounded by what each peer is remembered to know.
#[derive(Default)]
pub(super) struct Knowers(HashMap<BlockHash, BTreeSet<PeerId>>);

impl Told {
    fn new(tip: Known) -> Told {
        Told {
            tip,
            peers: BTreeSet::new(),
        }
    }
}

impl Knowers {
    pub(super) fn of(&self, hash: &BlockHash) -> impl Iterator<Item = PeerId> + '_ {
        self.0.get(hash).into_iter().flatten().copied()
    }

    /// Tips and those who told of them, in pairs.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    fn insert(&mut self, hash: BlockHash, peer: PeerId) {
        self.0.entry(hash).or_default().insert(peer);
    }

    fn remove(&mut self, hash: &BlockHash, peer: PeerId) {
        if let Some(peers) = self.0.get_mut(hash) {
            peers.remove(&peer);
            if peers.is_empty() {
                self.0.remove(hash);
            }
        }
    }

    /// Forgets a peer that is gone.
    pub(super) fn forget(&mut self, id: PeerId, peer: &Peer) {
        for hash in peer.tips.iter() {
            self.remove(hash, id);
        }
    }
}

impl Protocol {
    /// The peer told of a block, and so has it and all below it.
    pub(super) fn peer_has(&mut self, id: PeerId, hash: BlockHash) {
        self.resolve_unknown(id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if let Ok(forgotten) = peer.tips.insert(hash) {
            self.knowers.insert(hash, id);
            if let Some(forgotten) = forgotten {
                self.knowers.remove(&forgotten, id);
            }
        }
        // It may have come to it meanwhile.
        peer.lacks.remove(&hash);
        match self.ledger.header(&hash) {
            Some(info) => {
                let better = peer
                    .best_known
                    .is_none_or(|known| info.chainwork >= known.work);
                if better && peer.best_known.is_none_or(|known| known.hash != hash) {
                    self.plan_stale |=
                        (peer.best_known).is_none_or(|old| old.work < info.chainwork);
                    peer.best_known = Some(Known::from(&info));
                }
                // It may be the only one who has it.
                self.plan_soon = true;
            }
            // As Bitcoin Core does: the last is taken for the best.
            None => peer.last_unknown = Some(hash),
        }
    }

    /// The tips off our best chain that peers told of: the best of each, and some others.
    pub(super) fn told_tips(&self) -> Vec<Told> {
        let mut bests: BTreeMap<BlockHash, Told> = BTreeMap::new();
        let mut others: BTreeMap<BlockHash, Option<Told>> = BTreeMap::new();
        for (id, peer) in &self.peers {
            if let Some(tip) = peer.best_known {
                let told = bests.entry(tip.hash).or_insert_with(|| Told::new(tip));
                told.peers.insert(*id);
            }
            for hash in peer.tips.iter().rev().take(MAX_TIPS_OF_ONE) {
                let told = others.entry(*hash).or_insert_with(|| {
                    (self.ledger.header(hash))
                        .filter(|info| !info.on_best_chain)
                        .map(|info| Told::new(Known::from(&info)))
                });
                if let Some(told) = told {
                    told.peers.insert(*id);
                }
            }
        }
        let mut others: Vec<Told> = others.into_values().flatten().collect();
        others.sort_by(|a, b| (b.tip.work, a.tip.hash).cmp(&(a.tip.work, b.tip.hash)));
        others.truncate(MAX_TIPS_OF_ALL);
        bests.into_values().chain(others).collect()
    }

    /// Up to which height each peer has a chain, for those that have some of what is missing of it: up to the highest
    /// block that it shares with a tip they told of.
    pub(super) fn reach(
        &self,
        tip: &Known,
        missing: &[(u32, BlockHash)],
        told: &[Told],
    ) -> BTreeMap<PeerId, u32> {
        let mut reach: BTreeMap<PeerId, u32> = BTreeMap::new();
        let Some((lowest, _)) = missing.first() else {
            return reach;
        };
        for (height, hash) in missing {
            for peer in self.knowers.of(hash) {
                reach.insert(peer, *height);
            }
        }
        // The tip that they told of may be stored already and lack what is below it, and somebody else's headers may
        // stand on it.
        let span = (tip.height + 1).saturating_sub(*lowest);
        if missing.len() < span as usize && span <= MAX_WALK {
            let mut at = self.ledger.header(&tip.hash);
            while let Some(info) = at.filter(|info| info.height >= *lowest) {
                for peer in self.knowers.of(&info.hash) {
                    let most = reach.entry(peer).or_insert(info.height);
                    *most = info.height.max(*most);
                }
                at = info.parent.and_then(|parent| self.ledger.header(&parent));
            }
        }
        for told in told {
            let shared = match told.tip.hash == tip.hash {
                true => Some(tip.height),
                false if told.tip.height < *lowest => None,
                false => (self.ledger.fork_point(&told.tip.hash, &tip.hash)).map(|at| at.height),
            };
            let Some(height) = shared.filter(|height| height >= lowest) else {
                continue;
            };
            for peer in &told.peers {
                let most = reach.entry(*peer).or_insert(height);
                *most = height.max(*most);
            }
        }
        reach
    }

    /// Whether a peer that has a chain up to `reach` can be asked for a block of it that is missing.
    pub(super) fn can_give(&self, id: PeerId, reach: u32, missing: &[(u32, BlockHash)]) -> bool {
        self.peers.get(&id).is_some_and(|peer| {
            peer.serves_blocks()
                && missing
                    .iter()
                    .take_while(|(height, _)| *height <= reach)
                    .any(|(_, hash)| !peer.lacks.contains(hash))
        })
    }

    /// A block that the peer told of may have become known since, through others.
    pub(super) fn resolve_unknown(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(info) = (peer.last_unknown).and_then(|hash| self.ledger.header(&hash)) else {
            return;
        };
        peer.last_unknown = None;
        if (peer.best_known).is_none_or(|known| info.chainwork >= known.work) {
            self.plan_stale |= (peer.best_known).is_none_or(|old| old.work < info.chainwork);
            self.plan_soon = true;
            peer.best_known = Some(Known::from(&info));
        }
    }

    /// Whether the peer has this header, as far as we know: it told us of it or of one above, or we told it.
    pub(super) fn peer_has_header(&self, peer: &Peer, hash: &BlockHash, height: u32) -> bool {
        let below = |tip: &BlockHash| stands_on(&self.ledger, tip, hash, height);
        peer.best_known.is_some_and(|known| below(&known.hash))
            || peer.best_sent.as_ref().is_some_and(below)
            || peer.tips.contains(hash)
    }
}

/// Whether `tip` is the block or stands on it.
pub(super) fn stands_on(ledger: &Ledger, tip: &BlockHash, hash: &BlockHash, height: u32) -> bool {
    tip == hash
        || ledger
            .ancestor(tip, height)
            .is_some_and(|ancestor| ancestor.hash == *hash)
}
