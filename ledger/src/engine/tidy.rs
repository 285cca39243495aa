//! Owns what happens to worlds that nobody needs: retirement, held worlds, and when the base moves up.
//! Promises that the base stays far enough below every world that can be asked, and that a held world is either
//! whole or says that it is gone.
//! Refuses to fail a block: what cannot be tidied now is tidied after a later one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Engine;
use super::base::{MAX_BLOCKS_A_MOVE, advance, base_limit};
use super::group::Group;
use super::staged::Retirement;
use crate::events::{Event, EventKind};
use crate::id::BlockId;
use crate::shared::Worlds;
use crate::store::{StoreError, Writer, failpoint};
use crate::tree::BlockTree;
use crate::world::{COINBASE_MATURITY, WorldState};

impl<'g> Group<'g> {
    /// Finds the branches that fork off behind the horizon, if there can be any.
    pub(super) fn plan_retirement(&self) -> Retirement {
        let floor = self.shared.window_floor(self.best.height());
        let new_forks = self
            .staged_worlds()
            .filter(|world| !self.best.path.holds(world.height(), world.id))
            .map(|world| world.path.fork_height(&self.best.path));
        let earliest_fork = new_forks.fold(self.engine.earliest_fork, u32::min);
        if floor <= earliest_fork {
            return Retirement {
                earliest_fork,
                ..Retirement::default()
            };
        }
        let tree = self.shared.tree.read();
        let registry = self.shared.worlds.read();
        let mut plan = Retirement {
            earliest_fork: u32::MAX,
            ..Retirement::default()
        };
        for world in registry.live.values().chain(self.staged_worlds()) {
            if self.best.path.holds(world.height(), world.id) {
                continue;
            }
            let fork = world.path.fork_height(&self.best.path);
            if fork >= floor {
                plan.earliest_fork = plan.earliest_fork.min(fork);
                continue;
            }
            let tip = !tree
                .node(world.id)
                .children()
                .iter()
                .any(|child| self.world(*child).is_some());
            if let (true, Some(fork)) = (tip, self.best.path.at(fork)) {
                plan.tips.push((world.hash, tree.node(fork).hash));
            }
            plan.worlds.push(world.clone());
        }
        plan.worlds.sort_by_key(|world| (world.height(), world.id));
        plan
    }

    pub(super) fn write_retirement(
        &self,
        writer: &mut Writer<'g>,
        plan: &Retirement,
    ) -> Result<(), StoreError> {
        for (tip, fork) in &plan.tips {
            let event = Event::step(EventKind::TipRetired, *fork, *tip, self.shared.clock.now());
            writer.append_event_by(|row| event.encode(row))?;
        }
        Ok(())
    }
}

impl Engine {
    /// Notes the blocks of the old best chain that have versions but no world, where the new one leaves it behind the
    /// horizon: nobody else would ever think of them.
    pub(super) fn leave_behind(&mut self, old: &WorldState, worlds: &Worlds) {
        let fork = old.path.fork_height(&worlds.best.path);
        let left = (fork + 1..=old.height())
            .map_while(|height| old.path.at(height))
            .take_while(|id| !worlds.live.contains_key(id));
        self.retired.extend(left.map(|id| (id, old.path.clone())));
    }

    /// Lets go of what fell behind the horizon and takes back what an invalidation brought inside it again.
    pub(super) fn retire(&mut self, plan: Retirement, tree: &BlockTree, worlds: &mut Worlds) {
        self.earliest_fork = plan.earliest_fork;
        let mut gone = plan.worlds;
        for world in &gone {
            worlds.live.remove(&world.id);
            self.retired.push((world.id, world.path.clone()));
        }
        let best = worlds.best.path.clone();
        let floor = self.shared.window_floor(best.height());
        let below = (0..floor).rev().map_while(|height| best.at(height));
        gone.extend(below.map_while(|id| worlds.live.remove(&id)));
        let inside: Vec<BlockId> = (floor..best.height())
            .map_while(|height| best.at(height))
            .take_while(|id| !worlds.live.contains_key(id))
            .collect();
        for id in inside {
            worlds.live.insert(id, WorldState::on(tree, &best, id));
        }
        self.retired.retain(|(id, path)| {
            let fork = path.fork_height(&best).min(tree.node(*id).height);
            let on_best = fork == tree.node(*id).height;
            if fork >= floor && !on_best && !worlds.live.contains_key(id) {
                self.earliest_fork = self.earliest_fork.min(fork);
                worlds.live.insert(*id, WorldState::on(tree, path, *id));
            }
            !on_best && !worlds.live.contains_key(id)
        });
        self.hold(gone);
    }

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
        shared.meter.held.store(self.held.len(), Ordering::Relaxed);
        shared
            .meter
            .orphans
            .store(self.orphans.len(), Ordering::Relaxed);
        self.purge_retired()?;
        let held = self
            .held
            .iter()
            .map(|world| world.path.fork_height(&best.path));
        let goal = base_limit(held.fold(floor, u32::min));
        let mut base = shared.store.read()?.base()?;
        while goal >= base.height.saturating_add(interval) {
            let height = goal.min(base.height + MAX_BLOCKS_A_MOVE);
            shared.meter.checkpoint.time(usize::MAX, || {
                advance(&shared, &best, base, height, &mut self.rivals)
            })?;
            base = shared.store.read()?.base()?;
        }
        self.prune()
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
        let mut rows: Vec<(u32, BlockId)> = Vec::new();
        let mut kept = Vec::new();
        {
            let (tree, worlds) = (shared.tree.read(), shared.worlds.read());
            for (id, path) in &self.retired {
                let height = tree.node(*id).height;
                // A commit that failed half-way may have left a block here that came back to life.
                if worlds.live.contains_key(id) || worlds.best.path.holds(height, *id) {
                    continue;
                }
                match self.held.iter().any(|world| world.path.holds(height, *id)) {
                    true => kept.push((*id, path.clone())),
                    false => rows.push((height, *id)),
                }
            }
        }
        if rows.is_empty() {
            self.retired = kept;
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
            self.rivals.leave(*id);
        }
        Ok(())
    }
}
