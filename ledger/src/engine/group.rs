//! Owns one group of blocks on their way to one commit: what of it is staged, and how it is published or taken back.
//! Promises all or nothing: dropped without a commit, it leaves tree, overlay and orphans as they were.
//! Refuses to show anything to readers before the commit.

use std::sync::Arc;

use bitcoin::BlockHash;

use super::Engine;
use super::base::Lowered;
use super::orphans::Orphan;
use super::outbox::OutboxCommit;
use super::stored::read_stored;
use super::tidy::Retirement;
use crate::decode::DecodedBlock;
use crate::delta::Delta;
use crate::events::Event;
use crate::id::{BlockId, ById};
use crate::shared::Shared;
use crate::store::{StoreError, Writer, failpoint};
use crate::submission::Outcome;
use crate::tree::Node;
use crate::world::WorldState;

/// Row of `meta` that says whether the last commit was a part of one; see [`Group::flush`].
pub(super) const UNFINISHED: &str = "unfinished";

/// A change of the waiting blocks that a rollback takes back.
pub(super) enum OrphanChange {
    Added(BlockHash),
    Removed(Orphan),
}

/// A connected block that is not committed yet.
pub(super) struct Staged {
    world: Arc<WorldState>,
    delta: Delta,
}

pub(super) struct Group<'g> {
    pub(super) engine: &'g mut Engine,
    pub(super) shared: &'g Shared,
    /// `None` only between the parts of a flush.
    pub(super) writer: Option<Writer<'g>>,
    staged: Vec<Staged>,
    staged_at: ById<usize>,
    /// Blocks whose versions this group entered.
    pub(super) entered: Vec<BlockId>,
    pub(super) staged_changes: usize,
    /// Blocks that the base gives back with the next commit, highest first.
    pub(super) lowered: Vec<Lowered>,
    pub(super) orphan_changes: Vec<OrphanChange>,
    pub(super) best: Arc<WorldState>,
    /// What became of blocks that the one at hand completed.
    pub(super) completed: Vec<(BlockHash, Outcome)>,
    /// Told of blocks on the best tip before their inputs are looked at.
    pub(super) sound: Option<&'g mut dyn FnMut(BlockHash)>,
    sequence_before: u64,
}

impl<'g> Group<'g> {
    pub(super) fn begin(
        engine: &'g mut Engine,
        shared: &'g Shared,
    ) -> Result<Group<'g>, StoreError> {
        let writer = Some(shared.store.write()?);
        let best = shared.best();
        let sequence_before = engine.sequence;
        Ok(Group {
            engine,
            shared,
            writer,
            staged: Vec::new(),
            staged_at: ById::default(),
            entered: Vec::new(),
            staged_changes: 0,
            lowered: Vec::new(),
            orphan_changes: Vec::new(),
            best,
            completed: Vec::new(),
            sound: None,
            sequence_before,
        })
    }

    pub(super) fn writer(&mut self) -> &mut Writer<'g> {
        self.writer
            .as_mut()
            .expect("a group holds its transaction but for the moment of a flush")
    }

    /// Both at once, for the moves of the base.
    pub(super) fn writer_and_lowered(&mut self) -> (&mut Writer<'g>, &[Lowered]) {
        let writer = self
            .writer
            .as_mut()
            .expect("a group holds its transaction but for the moment of a flush");
        (writer, &self.lowered)
    }

    pub(super) fn now(&self) -> u64 {
        self.shared.clock.now()
    }

    /// What `look` takes from what the tree knows of a block.
    pub(super) fn look<R>(&self, id: BlockId, look: impl FnOnce(&Node) -> R) -> R {
        look(self.shared.tree.read().node(id))
    }

    /// A copy of what the tree knows of a block.
    pub(super) fn node(&self, id: BlockId) -> Node {
        self.shared.tree.read().node(id).clone()
    }

    pub(super) fn update(&self, id: BlockId, change: impl FnOnce(&mut Node)) {
        self.shared.tree.write().update(id, change);
    }

    /// The world at a block, if one is live or was made by this group.
    pub(super) fn world(&self, id: BlockId) -> Option<Arc<WorldState>> {
        match self.staged_at.get(&id) {
            Some(index) => Some(self.staged[*index].world.clone()),
            None => self.shared.worlds.read().live.get(&id).cloned(),
        }
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<(), StoreError> {
        self.writer()
            .append_event_by(|row| event.encode(row))
            .map(drop)
    }

    pub(super) fn stage(&mut self, world: Arc<WorldState>, delta: Delta) {
        let fork = world.path.fork_height(&self.best.path);
        if fork < world.height().min(self.best.height()) {
            self.engine.earliest_fork = self.engine.earliest_fork.min(fork);
        }
        self.staged_changes += delta.len();
        self.staged_at.insert(world.id, self.staged.len());
        self.staged.push(Staged { world, delta });
    }

    /// What the last staged block did to the coins.
    pub(super) fn last_delta(&self) -> Option<&Delta> {
        self.staged.last().map(|staged| &staged.delta)
    }

    pub(super) fn read_block(&self, id: BlockId) -> Result<DecodedBlock, StoreError> {
        read_stored(self.shared, id)
    }

    pub(super) fn staged_worlds(&self) -> impl Iterator<Item = &Arc<WorldState>> {
        self.staged.iter().map(|staged| &staged.world)
    }

    pub(super) fn is_long(&self) -> bool {
        self.staged_changes > self.engine.staged_changes
    }

    /// Commits what there is and goes on with a new transaction. If the rest does not come to its commit, the best
    /// world may not be the one with the most work, and complete blocks may have no world: the next group, or the next
    /// start, sees to that first.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.engine.unfinished = true;
        // Nothing is retired before the end of the group: a branch on its way to the top may fork off anywhere.
        self.commit_part(None)?;
        failpoint::reach("part-committed");
        self.writer = Some(self.shared.store.write()?);
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        self.restore_window()?;
        self.shared.grow_up(self.best.height());
        self.commit_part(Some(self.plan_retirement()))?;
        self.engine.unfinished = false;
        failpoint::reach("published");
        Ok(())
    }

    fn commit_part(&mut self, retirement: Option<Retirement>) -> Result<(), StoreError> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        let meter = &self.shared.meter;
        let committed = self.write_rows(&mut writer).and_then(|()| {
            match &retirement {
                Some(retirement) => self.write_retirement(&mut writer, retirement)?,
                None => writer.put_meta_u64(UNFINISHED, 1)?,
            }
            if retirement.is_some() && self.engine.unfinished {
                writer.put_meta_u64(UNFINISHED, 0)?;
            }
            let outbox = self.engine.write_outbox(&mut writer)?;
            meter.commit.time(usize::MAX, || writer.commit())?;
            Ok(outbox)
        });
        match committed {
            Ok(outbox) => {
                self.publish(retirement, &outbox);
                self.engine.outbox_committed(outbox);
                Ok(())
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    fn write_rows(&mut self, writer: &mut Writer<'g>) -> Result<(), StoreError> {
        let tree = self.shared.tree.read();
        let mut changed: Vec<BlockId> = tree.changed().collect();
        changed.sort_unstable();
        for id in changed {
            writer.put_header(&tree.node(id).row(id))?;
        }
        for id in tree.appended() {
            writer.append_header(&tree.node(id).row(id))?;
        }
        writer.put_best(self.best.id)?;
        writer.put_meta_u64("sequence", self.engine.sequence)?;
        Ok(())
    }

    /// Shows readers what was committed, all of it at one moment.
    fn publish(&mut self, retirement: Option<Retirement>, outbox: &OutboxCommit) {
        let shared = self.shared;
        let (mut tree, mut worlds) = (shared.tree.write(), shared.worlds.write());
        tree.publish();
        for staged in self.staged.drain(..) {
            worlds.live.insert(staged.world.id, staged.world);
        }
        let old = std::mem::replace(&mut worlds.best, self.best.clone());
        outbox.publish(&mut worlds);
        self.engine.leave_behind(&old, &worlds);
        if let Some(retirement) = retirement {
            self.engine.retire(retirement, &tree, &mut worlds);
        }
        drop((tree, worlds));
        self.staged_at.clear();
        self.staged_changes = 0;
        self.entered.clear();
        self.lowered.clear();
        self.orphan_changes.clear();
        self.sequence_before = self.engine.sequence;
    }

    fn roll_back(&mut self) {
        for staged in self.staged.drain(..).rev() {
            self.shared.overlay.forget(staged.world.id, &staged.delta);
        }
        self.staged_at.clear();
        self.staged_changes = 0;
        for id in self.entered.drain(..) {
            self.engine.rivals.leave(id);
        }
        self.raise_base_again();
        self.shared.tree.write().rollback();
        for change in self.orphan_changes.drain(..).rev() {
            match change {
                OrphanChange::Added(hash) => drop(self.engine.orphans.remove(&hash)),
                OrphanChange::Removed(orphan) => self.engine.orphans.insert(orphan),
            }
        }
        self.engine.sequence = self.sequence_before;
        self.best = self.shared.best();
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        // Whatever a commit has published is not here any more; the store's transaction ends by its own drop.
        self.writer = None;
        self.roll_back();
    }
}
