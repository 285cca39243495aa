//! Owns the street: the way of a block from bytes to its place, to a world of its own, and to the top.
//! Promises Bitcoin Core's order of checks, and that what failed is marked as Core would mark it.
//! Refuses to commit: that is the group's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::block::Header;
use bitcoin::{BlockHash, OutPoint};

use super::group::Group;
use super::orphans::Orphan;
use super::staged::OrphanChange;
use super::stored::read_waiting;
use crate::assumed::is_assumed_valid;
use crate::chain_status::ChainStatus;
use crate::coin::Coin;
use crate::decode::{DecodedBlock, decode_block};
use crate::delta::Delta;
use crate::events::{Event, EventKind};
use crate::id::BlockId;
use crate::overlay::{Overlay, Seen};
use crate::path::Path;
use crate::rules::connect::{CoinSource, ConnectError, connect};
use crate::rules::reject::{Reject, RejectKind};
use crate::rules::script_check::{ScriptCheck, ScriptsAssumedValid};
use crate::rules::{
    check_block, check_block_in_context, check_hash, check_header, check_orphan_witnesses,
};
use crate::sha256d::block_hash;
use crate::store::{BlockPosition, OrphanRow, StoreError, Writer};
use crate::submission::{Outcome, Submitted};
use crate::tree::{Failure, MAX_DEBUG_BYTES, Progress, Rejection};
use crate::world::WorldState;

/// Bytes of a transaction, about.
const MEAN_TRANSACTION: usize = 400;

/// Where a block's bytes come from.
pub(super) enum Source<'a> {
    /// From outside: they are to be written to a block file.
    New(&'a [u8]),
    /// They lie in a block file already.
    Stored(BlockPosition),
}

impl<'g> Group<'g> {
    /// Takes one block from bytes to its place, and lets in those that waited for it.
    pub(super) fn submit(&mut self, bytes: &[u8]) -> Result<Submitted, StoreError> {
        let things = bytes.len() / MEAN_TRANSACTION;
        let decoded = (self.shared.meter.decode).time(things, || decode_block(bytes));
        let (block, length) = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                return Ok(Submitted {
                    outcome: Outcome::Undecodable(error),
                    joined: Vec::new(),
                    completed: Vec::new(),
                });
            }
        };
        let outcome = self.accept(&block, Source::New(&bytes[..length]))?;
        let joined = self.join(block.hash)?;
        let completed = std::mem::take(&mut self.completed);
        Ok(Submitted {
            outcome,
            joined,
            completed,
        })
    }

    /// Lets in the orphans that waited for `parent`, and those that waited for them. What makes them wait is that
    /// the parent's header is unknown: once it is in the tree, even as an invalid one, they get their answer.
    fn join(&mut self, parent: BlockHash) -> Result<Vec<(BlockHash, Outcome)>, StoreError> {
        let mut joined = Vec::new();
        let mut parents = VecDeque::from([parent]);
        while let Some(parent) = parents.pop_front() {
            let waiting = self.engine.orphans.waiting_for(&parent);
            if waiting.is_empty() || self.shared.tree.read().find(&parent).is_none() {
                continue;
            }
            for orphan in waiting {
                self.remove_orphan(&orphan)?;
                let block = match read_waiting(self.shared, orphan.hash, orphan.position) {
                    Ok(block) => block,
                    // Nothing is built on it yet: it can come again.
                    Err(error @ StoreError::Corrupt { .. }) => {
                        tracing::warn!(%error, hash = %orphan.hash, "an orphan is dropped");
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let outcome = self.accept(&block, Source::Stored(orphan.position))?;
                parents.push_back(orphan.hash);
                joined.push((orphan.hash, outcome));
            }
        }
        Ok(joined)
    }

    fn remove_orphan(&mut self, orphan: &Orphan) -> Result<(), StoreError> {
        self.engine.orphans.remove(&orphan.hash);
        self.orphan_changes.push(OrphanChange::Removed(*orphan));
        self.writer().delete_orphan(&orphan.hash).map(drop)
    }

    /// The street. Every rule has its place here, in Bitcoin Core's order.
    pub(super) fn accept(
        &mut self,
        block: &DecodedBlock,
        source: Source<'_>,
    ) -> Result<Outcome, StoreError> {
        let hash = block.hash;
        let rejected = |height, reject| {
            Ok(Outcome::Rejected {
                hash,
                height,
                reject,
            })
        };
        let known = self.shared.tree.read().find(&hash);
        if let Some(id) = known {
            let node = self.node(id);
            if node.progress >= Progress::Stored || node.failed() {
                let status = ChainStatus::of(&node, id, &self.best.path);
                return Ok(Outcome::Known {
                    hash,
                    height: node.height,
                    status,
                });
            }
        }
        let shared = self.shared;
        let checked = shared.meter.check.time(block.transactions.len(), || {
            check_block(block, &shared.params, &*shared.scripts)
        });
        if let Err(reject) = checked {
            let height = known.map(|id| self.look(id, |node| node.height));
            return rejected(height, reject.found_by_itself());
        }
        let parent = self.shared.tree.read().find(&block.header.prev_blockhash);
        let Some(parent) = parent else {
            // Bitcoin Core looks at witnesses only where it knows the parent. What cannot be the block that its
            // hash names must not take that block's place while it waits, though.
            if let Err(reject) = check_orphan_witnesses(block, &shared.params) {
                let debug = format!("and it is not kept until the parent comes: {reject}");
                return rejected(None, Reject::parent_unknown(debug));
            }
            return self.keep_orphan(block, source);
        };
        let id = match known {
            Some(id) => id,
            None => match self.place_header(parent, block.hash, &block.header) {
                Ok(id) => id,
                Err(reject) => return rejected(Some(self.node(parent).height + 1), reject),
            },
        };
        let height = self.look(id, |node| node.height);
        let in_context = {
            let tree = self.shared.tree.read();
            let check = || check_block_in_context(block, &tree.chain(parent), &shared.params);
            shared.meter.check.time(block.transactions.len(), check)
        };
        if let Err(reject) = in_context {
            if reject.kind.condemns_header() {
                self.condemn(id, Failure::Rule, &reject)?;
            }
            return rejected(Some(height), reject);
        }
        if let (true, Source::New(_), Some(sound)) =
            (parent == self.best.id, &source, &mut self.sound)
        {
            sound(hash);
        }
        let position = match source {
            Source::New(bytes) => self.shared.store.append_block(bytes)?,
            Source::Stored(position) => position,
        };
        self.update(id, |node| {
            node.position = Some(position);
            node.progress = Progress::Stored;
            node.tx_count = block.transactions.len() as u32;
        });
        self.index(id, block)?;
        if self.look(parent, |node| node.sequence) == 0 {
            // An ancestor's block is missing; this one is connected when that comes.
            return self.accepted(id);
        }
        self.complete(id);
        if self.world(parent).is_some()
            && let Err(reject) = self.connect(id, block)?
        {
            self.condemn(id, Failure::Rule, &reject)?;
            return rejected(Some(height), reject);
        }
        let heaviest = self.let_in_waiting(id)?;
        if self.look(heaviest, |node| node.chainwork) > self.best.chainwork
            && self.out_of_reach(heaviest)?.is_none()
            // Not connected above, so its branch left the best chain behind the horizon.
            && let Err(reject) = self.activate(heaviest)?
        {
            self.choose_best()?;
            if self.node(id).failed() {
                return rejected(Some(height), reject);
            }
        }
        self.accepted(id)
    }

    pub(super) fn accepted(&self, id: BlockId) -> Result<Outcome, StoreError> {
        let node = self.node(id);
        Ok(Outcome::Accepted {
            hash: node.hash,
            height: node.height,
            status: ChainStatus::of(&node, id, &self.best.path),
            best: self.best.id == id,
        })
    }

    /// Marks the block as complete down to genesis: from now on it can become the best tip.
    pub(super) fn complete(&mut self, id: BlockId) {
        let sequence = self.engine.sequence;
        self.engine.sequence += 1;
        self.update(id, |node| node.sequence = sequence);
    }

    fn keep_orphan(
        &mut self,
        block: &DecodedBlock,
        source: Source<'_>,
    ) -> Result<Outcome, StoreError> {
        let (hash, previous) = (block.hash, block.header.prev_blockhash);
        if let (false, Source::New(bytes)) = (self.engine.orphans.contains(&hash), source) {
            let position = self.shared.store.append_block(bytes)?;
            self.writer().put_orphan(&OrphanRow {
                hash,
                previous,
                position,
            })?;
            self.engine.orphans.insert(Orphan {
                hash,
                previous,
                position,
            });
            self.orphan_changes.push(OrphanChange::Added(hash));
            while let Some(surplus) = self.engine.orphans.surplus() {
                self.orphan_changes.push(OrphanChange::Removed(surplus));
                self.writer().delete_orphan(&surplus.hash)?;
            }
        }
        Ok(Outcome::Orphan { hash, previous })
    }

    /// Takes a header without its block, and lets in blocks that waited for it.
    pub(super) fn submit_header(
        &mut self,
        header: &Header,
    ) -> Result<Result<(), Reject>, StoreError> {
        let hash = block_hash(header);
        let (known, parent) = {
            let tree = self.shared.tree.read();
            let known = tree.find(&hash).map(|id| tree.node(id).failed());
            (known, tree.find(&header.prev_blockhash))
        };
        match known {
            Some(false) => return Ok(Ok(())),
            Some(true) => {
                let debug = "the block was found invalid before";
                let kind = RejectKind::CachedInvalid;
                return Ok(Err(Reject::new(kind, "duplicate-invalid", debug)));
            }
            None => {}
        }
        let placed = check_hash(&hash, header, &self.shared.params).and_then(|()| {
            let debug = || format!("the parent {} is unknown", header.prev_blockhash);
            let missing = || Reject::parent_unknown(debug());
            self.place_header(parent.ok_or_else(missing)?, hash, header)
        });
        if placed.is_ok() && self.engine.orphans.len() > 0 {
            self.join(hash)?;
            self.completed.clear();
        }
        Ok(placed.map(drop))
    }

    /// Enters a header below `parent` if the rules for headers let it.
    fn place_header(
        &mut self,
        parent: BlockId,
        hash: BlockHash,
        header: &Header,
    ) -> Result<BlockId, Reject> {
        let mut tree = self.shared.tree.write();
        if tree.node(parent).failed() {
            let debug = format!("the parent {} is invalid", header.prev_blockhash);
            let kind = RejectKind::InvalidPrevious;
            return Err(Reject::new(kind, "bad-prevblk", debug));
        }
        let now = self.shared.clock.now();
        check_header(header, &tree.chain(parent), &self.shared.params, now)?;
        Ok(tree.push(hash, *header, Some(parent), now))
    }

    /// Checks a block against its parent's world and, if it holds, gives it a world of its own.
    pub(super) fn connect(
        &mut self,
        id: BlockId,
        block: &DecodedBlock,
    ) -> Result<Result<(), Reject>, StoreError> {
        let parent = self.look(id, |node| node.parent.unwrap_or(BlockId::GENESIS));
        let path = self.path_to(parent);
        let connected = {
            let tree = self.shared.tree.read();
            let coins = ParentCoins {
                overlay: &self.shared.overlay,
                path: &path,
                writer: self
                    .writer
                    .as_ref()
                    .expect("a group holds its transaction but for the moment of a flush"),
            };
            let chain = tree.chain(parent);
            let params = &self.shared.params;
            let scripts: &dyn ScriptCheck =
                if is_assumed_valid(&tree, id, self.shared.assume_valid, params) {
                    &ScriptsAssumedValid
                } else {
                    &*self.shared.scripts
                };
            let work = || connect(block, &chain, &coins, params, scripts);
            (self.shared.meter.connect).time(block.transactions.len(), work)
        };
        let (delta, passing) = match connected {
            Ok(connected) => (connected.delta, connected.passing),
            Err(ConnectError::Reject(reject)) => return Ok(Err(reject)),
            Err(ConnectError::Source(error)) => return Err(error),
        };
        let path = path.extended(id);
        let shared = self.shared;
        let writer = self.writer();
        shared
            .meter
            .journal
            .time(delta.len(), || writer.put_delta(path.height(), id, &delta))?;
        let others = shared
            .meter
            .overlay
            .time(delta.len(), || shared.overlay.apply(id, &path, &delta));
        shared
            .meter
            .changes
            .fetch_add(delta.len() as u64, Ordering::Relaxed);
        self.entered.push(id);
        self.engine.rivals.enter(id, path.height(), Some(passing));
        self.update(id, |node| node.progress = Progress::Connected);
        let world = self.give_world(id, path, delta)?;
        self.tell_conflicts(&world, block, others)?;
        self.make_best_if_heaviest(world)?;
        Ok(Ok(()))
    }

    /// The path to a block that has a world or lies on the best chain.
    fn path_to(&self, id: BlockId) -> Path {
        match self.world(id) {
            Some(world) => world.path.clone(),
            None => self.best.path.truncated(self.look(id, |node| node.height)),
        }
    }

    /// Gives a world to a block of a retired branch whose versions are still there because somebody holds a world that
    /// needs them; says whether they are.
    pub(super) fn take_back(&mut self, id: BlockId) -> Result<bool, StoreError> {
        let node = self.node(id);
        if self.writer().delta(node.height, id)?.is_none() {
            return Ok(false);
        }
        let path = self.path_to(node.parent.unwrap_or(BlockId::GENESIS));
        // They were entered by an earlier group: a rollback of this one leaves them alone.
        let world = self.give_world(id, path.extended(id), Delta::default())?;
        self.make_best_if_heaviest(world)?;
        Ok(true)
    }

    /// Stages the world at a block that holds, and says so.
    fn give_world(
        &mut self,
        id: BlockId,
        path: Path,
        delta: Delta,
    ) -> Result<Arc<WorldState>, StoreError> {
        let node = self.node(id);
        let world = WorldState::new(id, node.hash, node.chainwork, path);
        self.stage(world.clone(), delta);
        let kind = if self.extends_a_tip(id) {
            EventKind::TipExtended
        } else {
            EventKind::TipAdded
        };
        let event = Event::step(kind, node.header.prev_blockhash, node.hash, self.now());
        self.event(&event)?;
        Ok(world)
    }

    fn make_best_if_heaviest(&mut self, world: Arc<WorldState>) -> Result<(), StoreError> {
        match world.chainwork > self.best.chainwork {
            true => self.make_best(world),
            false => Ok(()),
        }
    }

    fn extends_a_tip(&self, child: BlockId) -> bool {
        let tree = self.shared.tree.read();
        let parent = tree.node(child).parent.unwrap_or(BlockId::GENESIS);
        let siblings = tree.node(parent).children();
        !siblings
            .iter()
            .any(|sibling| *sibling != child && tree.node(*sibling).progress == Progress::Connected)
    }

    /// Makes `world` the best one and says so.
    pub(super) fn make_best(&mut self, world: Arc<WorldState>) -> Result<(), StoreError> {
        let shared = self.shared;
        let extends = world.path.holds(self.best.height(), self.best.id);
        let things = if extends { 1 } else { usize::MAX };
        (shared.meter.best_change).time(things, || self.change_best(world))
    }

    fn change_best(&mut self, world: Arc<WorldState>) -> Result<(), StoreError> {
        let old = std::mem::replace(&mut self.best, world.clone());
        if old.id == world.id {
            return Ok(());
        }
        let fork = old.path.fork_height(&world.path);
        self.engine.earliest_fork = self.engine.earliest_fork.min(fork);
        {
            let mut tree = self.shared.tree.write();
            let undone = (fork + 1..=old.height()).filter_map(|height| old.path.at(height));
            undone.for_each(|id| tree.leaves_best(id));
        }
        let event = {
            let tree = self.shared.tree.read();
            let hash_at = |path: &Path, height| path.at(height).map(|id| tree.node(id).hash);
            Event {
                fork: hash_at(&world.path, fork).unwrap_or(world.hash),
                undone: (fork + 1..=old.height())
                    .rev()
                    .filter_map(|height| hash_at(&old.path, height))
                    .collect(),
                applied: (fork + 1..=world.height())
                    .filter_map(|height| hash_at(&world.path, height))
                    .collect(),
                ..Event::step(EventKind::BestChanged, old.hash, world.hash, self.now())
            }
        };
        self.event(&event)
    }

    /// Marks a block as failed, and all that is built on it.
    pub(super) fn condemn(
        &mut self,
        id: BlockId,
        failure: Failure,
        reject: &Reject,
    ) -> Result<(), StoreError> {
        let debug = shortened(&reject.debug);
        let reason = &*reject.reason;
        let (parent, hash) = {
            let mut tree = self.shared.tree.write();
            tree.update(id, |node| {
                node.failure = Some(failure);
                node.rejection = Some(Box::new(Rejection {
                    reason: reason.to_owned(),
                    debug: debug.to_owned(),
                }));
            });
            for descendant in tree.descendants(id) {
                if !tree.node(descendant).failed() {
                    tree.update(descendant, |node| node.failure = Some(Failure::Ancestor));
                }
            }
            if tree.node(tree.best_header()).failed() {
                tree.find_best_header();
            }
            (tree.node(id).header.prev_blockhash, tree.node(id).hash)
        };
        tracing::info!(%hash, reason, "block is invalid");
        let event = Event::step(EventKind::BlockInvalid, parent, hash, self.now());
        self.event(&event)
    }
}

/// The coins of the world that a block is connected to.
struct ParentCoins<'a, 'g> {
    overlay: &'a Overlay,
    path: &'a Path,
    writer: &'a Writer<'g>,
}

impl CoinSource for ParentCoins<'_, '_> {
    type Error = StoreError;

    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, StoreError> {
        match self.overlay.coins.get(outpoint, self.path) {
            Seen::Created(coin) => Ok(Some(coin)),
            Seen::Spent => Ok(None),
            Seen::Untouched => self.writer.coin(outpoint),
        }
    }
}

/// The beginning of a text, up to [`MAX_DEBUG_BYTES`].
fn shortened(text: &str) -> &str {
    let fits = (0..=MAX_DEBUG_BYTES.min(text.len())).rev();
    let end = fits.into_iter().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
