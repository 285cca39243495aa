//! Owns what happens to worlds that nobody needs: retirement, held worlds, and the moves of the base.
//! Promises that the base stays far enough below every world that can be asked, and that a held world is either
//! whole or says that it is gone.
//! Refuses to fail a block: what cannot be tidied now is tidied after a later one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::BlockHash;

use super::Engine;
use super::group::{Group, undecodable};
use crate::decode::decode_block;
use crate::delta::Delta;
use crate::events::{Event, EventKind};
use crate::id::BlockId;
use crate::rules::connect::created_coins;
use crate::shared::Shared;
use crate::store::{BasePoint, StoreError, Writer};
use crate::world::{COINBASE_MATURITY, WorldState};

/// Most blocks folded into the base or given back by it in one transaction.
const MAX_BLOCKS_A_MOVE: u32 = 256;

/// How high the base may be below a world at `height`: what is immature there must lie above the base, in the overlay.
pub(super) fn base_limit(height: u32) -> u32 {
    height.saturating_sub(COINBASE_MATURITY)
}

/// The worlds that a new best world leaves behind the horizon.
#[derive(Default)]
pub(super) struct Retirement {
    worlds: Vec<Arc<WorldState>>,
    /// For each branch among them its tip, and the block where it left the best chain.
    tips: Vec<(BlockHash, BlockHash)>,
    /// The lowest fork of a branch that stays.
    earliest_fork: u32,
}

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
                .any(|child| self.world(*child).is_some());
            if let (true, Some(fork)) = (tip, self.best.path.at(fork)) {
                plan.tips.push((world.hash, tree.node(fork).hash));
            }
            plan.worlds.push(world.clone());
        }
        plan.worlds.sort_by_key(|world| world.height());
        plan
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

    /// Lowers the base when the best world moved down so far that the horizon's end would lie below it.
    pub(super) fn restore_window(&mut self) -> Result<(), StoreError> {
        let floor = self.shared.window_floor(self.best.height());
        self.lower_base(base_limit(floor))
    }

    /// Moves the base down to `height` if it is above; commits what the group has first.
    pub(super) fn lower_base(&mut self, height: u32) -> Result<(), StoreError> {
        if self.shared.store.read()?.base()?.height <= height {
            return Ok(());
        }
        self.pause()?;
        rewind(self.shared, height)?;
        self.resume()
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
        let live = shared.worlds.read();
        // A block may have come back to life since it was retired.
        self.retired.retain(|id| !live.live.contains_key(id));
        drop(live);
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
        self.retired = kept;
        for (id, delta) in &deltas {
            shared.overlay.forget(*id, delta);
        }
        Ok(())
    }
}

/// Folds the deltas of the best chain up to `height` into the base.
fn advance(
    shared: &Shared,
    best: &WorldState,
    from: BasePoint,
    height: u32,
) -> Result<(), StoreError> {
    let mut writer = shared.store.write()?;
    let mut folded = Vec::new();
    for height in from.height + 1..=height {
        let id = on_path(best, height)?;
        let delta = writer
            .delta(height, id)?
            .ok_or_else(|| missing("journal", shared.hash(id)))?;
        folded.push((height, id, delta));
    }
    let to = BasePoint {
        block: on_path(best, height)?,
        height,
    };
    writer.fold(to, folded.iter().map(|(_, _, delta)| delta))?;
    for (height, id, delta) in &folded {
        writer.put_undo(*id, &delta.spent)?;
        writer.delete_delta(*height, *id)?;
    }
    let (old, new) = (shared.hash(from.block), shared.hash(to.block));
    writer.append_event(
        &Event::step(EventKind::Checkpointed, old, new, shared.clock.now()).encode(),
    )?;
    writer.commit()?;
    // From here on a reader with an older transaction notices and asks again; see world.rs.
    shared.overlay_floor.store(height, Ordering::Release);
    for (_, id, delta) in &folded {
        shared.overlay.settle(*id, delta);
    }
    tracing::debug!(height, "checkpoint");
    Ok(())
}

/// Takes blocks out of the base, back into journal and overlay, down to `height`.
pub(super) fn rewind(shared: &Shared, height: u32) -> Result<(), StoreError> {
    let best = shared.best();
    loop {
        let base = shared.store.read()?.base()?;
        if base.height <= height {
            return Ok(());
        }
        let to = height.max(base.height.saturating_sub(MAX_BLOCKS_A_MOVE));
        let mut undone = Vec::new();
        for height in (to + 1..=base.height).rev() {
            let id = on_path(&best, height)?;
            undone.push((height, id, restore_delta(shared, id, height)?));
        }
        // Versions first, the lower base after them: a reader never finds a gap between the two.
        for (height, id, delta) in &undone {
            shared.overlay.unsettle(*id, *height, delta);
        }
        shared.overlay_floor.store(to, Ordering::Release);
        if let Err(error) = commit_rewind(shared, &best, to, &undone) {
            shared.overlay_floor.store(base.height, Ordering::Release);
            for (_, id, delta) in undone.iter().rev() {
                shared.overlay.settle(*id, delta);
            }
            return Err(error);
        }
        tracing::info!(
            from = base.height,
            to,
            "the base was lowered for a deep reorganisation"
        );
    }
}

fn commit_rewind(
    shared: &Shared,
    best: &WorldState,
    height: u32,
    undone: &[(u32, BlockId, Delta)],
) -> Result<(), StoreError> {
    let mut writer = shared.store.write()?;
    let to = BasePoint {
        block: on_path(best, height)?,
        height,
    };
    writer.unfold(to, undone.iter().map(|(_, _, delta)| delta))?;
    for (height, id, delta) in undone {
        writer.put_delta(*height, *id, delta)?;
        writer.delete_undo(*id)?;
    }
    writer.commit()
}

/// The whole delta of a block in the base: what it spent is kept, what it created is in its bytes.
fn restore_delta(shared: &Shared, id: BlockId, height: u32) -> Result<Delta, StoreError> {
    let (hash, position) = {
        let tree = shared.tree.read();
        (tree.node(id).hash, tree.node(id).position)
    };
    let spent = shared
        .store
        .read()?
        .undo(id)?
        .ok_or_else(|| missing("undo", hash))?;
    let position = position.ok_or_else(|| missing("block files", hash))?;
    let bytes = shared.store.read_block(position)?;
    let (block, _) = decode_block(&bytes).map_err(|error| undecodable(hash, &error))?;
    Ok(Delta {
        spent,
        created: created_coins(&block, height),
    })
}

fn on_path(best: &WorldState, height: u32) -> Result<BlockId, StoreError> {
    best.path.at(height).ok_or_else(|| {
        StoreError::corrupt(
            "meta",
            format!("the base is above the best tip at height {height}"),
        )
    })
}

fn missing(table: &str, hash: BlockHash) -> StoreError {
    StoreError::corrupt(table, format!("nothing is there for block {hash}"))
}
