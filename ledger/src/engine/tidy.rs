//! Owns what happens to worlds that nobody needs: retirement, held worlds, and when the base moves up.
//! Promises that the base stays far enough below every world that can be asked, and that a held world is either
//! whole or says that it is gone.
//! Refuses to fail a block: what cannot be tidied now is tidied after a later one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::BlockHash;

use super::Engine;
use super::base::{MAX_BLOCKS_A_MOVE, advance, base_limit};
use super::group::Group;
use crate::events::{Event, EventKind};
use crate::id::BlockId;
use crate::store::{StoreError, Writer, failpoint};
use crate::world::{COINBASE_MATURITY, WorldState};

/// The worlds that a new best world leaves behind the horizon.
#[derive(Default)]
pub(super) struct Retirement {
    worlds: Vec<Arc<WorldState>>,
    /// For each branch among them its tip, and the block where it left the best chain.
    tips: Vec<(BlockHash, BlockHash)>,
    /// The lowest fork of a branch that stays.
    earliest_fork: u32,
    /// Worlds of the old best chain that lay behind its window, where the new one does not hold them: they are a
    /// branch like any other now.
    uncovered: Vec<Arc<WorldState>>,
}

impl<'g> Group<'g> {
    /// Finds the branches that fork off behind the horizon, if there can be any.
    pub(super) fn plan_retirement(&self) -> Retirement {
        let floor = self.shared.window_floor(self.best.height());
        let uncovered = self.uncovered();
        let new_forks = self
            .staged_worlds()
            .chain(&uncovered)
            .filter(|world| !self.best.path.holds(world.height(), world.id))
            .map(|world| world.path.fork_height(&self.best.path));
        let earliest_fork = new_forks.fold(self.engine.earliest_fork, u32::min);
        if floor <= earliest_fork {
            return Retirement {
                earliest_fork,
                uncovered,
                ..Retirement::default()
            };
        }
        let tree = self.shared.tree.read();
        let registry = self.shared.worlds.read();
        let mut plan = Retirement {
            earliest_fork: u32::MAX,
            ..Retirement::default()
        };
        let ids: HashSet<BlockId> = uncovered.iter().map(|world| world.id).collect();
        let old_chain = |child: &BlockId| ids.contains(child);
        let candidates = registry.live.values().chain(self.staged_worlds());
        for world in candidates.chain(&uncovered) {
            if self.best.path.holds(world.height(), world.id) {
                continue;
            }
            let fork = world.path.fork_height(&self.best.path);
            let on_its_way = self
                .engine
                .activating
                .is_some_and(|target| tree.is_ancestor(world.id, target));
            if fork >= floor || on_its_way {
                plan.earliest_fork = plan.earliest_fork.min(fork);
                continue;
            }
            let tip = !tree
                .node(world.id)
                .children()
                .iter()
                .any(|child| old_chain(child) || self.world(*child).is_some());
            if let (true, Some(fork)) = (tip, self.best.path.at(fork)) {
                plan.tips.push((world.hash, tree.node(fork).hash));
            }
            plan.worlds.push(world.clone());
        }
        plan.worlds.sort_by_key(|world| world.height());
        plan.uncovered = uncovered;
        plan
    }

    /// The worlds that the old best chain has behind its window and the new one has not.
    fn uncovered(&self) -> Vec<Arc<WorldState>> {
        let old = self.shared.best();
        let fork = old.path.fork_height(&self.best.path);
        let ids: Vec<BlockId> = {
            let registry = self.shared.worlds.read();
            (fork + 1..=old.height())
                .map_while(|height| old.path.at(height))
                .take_while(|id| !registry.live.contains_key(id))
                .collect()
        };
        ids.into_iter()
            .map(|id| self.shared.world_on(&old.path, id))
            .collect()
    }

    pub(super) fn write_retirement(
        &self,
        writer: &mut Writer<'g>,
        plan: &Retirement,
    ) -> Result<(), StoreError> {
        for (tip, fork) in &plan.tips {
            let event = Event::step(EventKind::TipRetired, *fork, *tip, self.shared.clock.now());
            writer.append_event(&event.encode())?;
        }
        Ok(())
    }

    /// Lets go of what fell behind the horizon and takes back what an invalidation brought inside it again.
    pub(super) fn retire(&mut self, plan: Retirement) {
        self.engine.earliest_fork = plan.earliest_fork;
        let mut gone = plan.worlds;
        self.engine
            .retired
            .extend(gone.iter().map(|world| world.id));
        let mut registry = self.shared.worlds.write();
        for world in plan.uncovered {
            registry.live.insert(world.id, world);
        }
        for world in &gone {
            registry.live.remove(&world.id);
        }
        let path = &self.best.path;
        let floor = self.shared.window_floor(path.height());
        let below = (0..floor).rev().map_while(|height| path.at(height));
        gone.extend(below.map_while(|id| registry.live.remove(&id)));
        let inside: Vec<BlockId> = (floor..path.height())
            .map_while(|height| path.at(height))
            .take_while(|id| !registry.live.contains_key(id))
            .collect();
        for id in inside {
            registry.live.insert(id, self.shared.world_on(path, id));
        }
        drop(registry);
        self.engine.hold(gone);
    }
}

impl Engine {
    /// Remembers those worlds that somebody still holds.
    fn hold(&mut self, gone: Vec<Arc<WorldState>>) {
        // Out of the registry no new handle can come, so a count of one is final.
        self.held.extend(
            gone.into_iter()
                .filter(|world| Arc::strong_count(world) > 1),
        );
    }

    /// Drops what is not needed and moves the base when it lags; a failure is logged and made good later.
    pub(super) fn tidy(&mut self) {
        if let Err(error) = self.tidy_up(self.checkpoint_interval) {
            tracing::warn!(%error, "housekeeping failed; it is tried again after the next block");
        }
    }

    /// Moves the base as far up as live and held worlds allow.
    pub(crate) fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.tidy_up(1)
    }

    fn tidy_up(&mut self, interval: u32) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let best = shared.best();
        let floor = shared.window_floor(best.height());
        self.expire_held(&best, floor);
        self.purge_retired()?;
        shared.meter.held.store(self.held.len(), Ordering::Relaxed);
        shared
            .meter
            .orphans
            .store(self.orphans.len(), Ordering::Relaxed);
        let held = self
            .held
            .iter()
            .map(|world| world.path.fork_height(&best.path));
        let goal = base_limit(held.fold(floor, u32::min));
        let mut base = shared.store.read()?.base()?;
        while goal >= base.height.saturating_add(interval) {
            let height = goal.min(base.height + MAX_BLOCKS_A_MOVE);
            shared
                .meter
                .checkpoint
                .time(|| advance(&shared, &best, base, height))?;
            base = shared.store.read()?.base()?;
        }
        Ok(())
    }

    /// Forgets held worlds that were let go, and takes away the oldest beyond the quota or too far behind.
    fn expire_held(&mut self, best: &WorldState, floor: u32) {
        self.held.retain(|world| Arc::strong_count(world) > 1);
        // One that is held for ever must not keep the base from moving for ever.
        let deepest = floor.saturating_sub(self.shared.horizon.max(COINBASE_MATURITY));
        let quota = self.held_quota;
        let mut surplus = self.held.len().saturating_sub(quota);
        self.held.retain(|world| {
            let keep = surplus == 0 && world.path.fork_height(&best.path) >= deepest;
            surplus = surplus.saturating_sub(1);
            if !keep {
                tracing::info!(hash = %world.hash, quota, "a held world is taken away");
                world.expired.store(true, Ordering::Release);
            }
            keep
        });
    }

    /// Drops versions and journal rows of retired branches that no held world needs.
    fn purge_retired(&mut self) -> Result<(), StoreError> {
        if self.retired.is_empty() {
            return Ok(());
        }
        let shared = self.shared.clone();
        let tree = shared.tree.read();
        // A block may have come back to life since it was retired; if behind the window of the best chain, without a
        // world of its own.
        let registry = shared.worlds.read();
        let alive = |id: &BlockId| {
            let on_best = registry.best.path.holds(tree.node(*id).height, *id);
            on_best || registry.live.contains_key(id)
        };
        self.retired.retain(|id| !alive(id));
        drop(registry);
        let needed = |id: BlockId| {
            let height = tree.node(id).height;
            self.held.iter().any(|world| world.path.holds(height, id))
        };
        let (kept, dropped): (Vec<BlockId>, Vec<BlockId>) =
            self.retired.iter().partition(|id| needed(**id));
        let rows: Vec<(u32, BlockId)> = dropped
            .iter()
            .map(|id| (tree.node(*id).height, *id))
            .collect();
        drop(tree);
        if rows.is_empty() {
            return Ok(());
        }
        let mut writer = shared.store.write()?;
        let mut deltas = Vec::with_capacity(rows.len());
        for (height, id) in rows {
            if let Some(delta) = writer.delta(height, id)? {
                writer.delete_delta(height, id)?;
                deltas.push((id, delta));
            }
        }
        writer.commit()?;
        failpoint::reach("purged");
        self.retired = kept;
        for (id, delta) in &deltas {
            shared.overlay.forget(*id, delta);
        }
        Ok(())
    }
}
