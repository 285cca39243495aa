//! Owns the moves of the base: up by a checkpoint, down for a reorganisation from below it.
//! Promises that readers find every version either in the base or in the overlay, at every moment of a move.
//! Refuses to move it in a commit of its own where a group of blocks needs it lower: both happen, or neither.

use bitcoin::BlockHash;

use super::group::Group;
use super::rivals::Rivals;
use super::staged::Lowered;
use super::stored::read_stored;
use crate::delta::Delta;
use crate::events::{Event, EventKind};
use crate::id::BlockId;
use crate::rules::connect::created_coins;
use crate::shared::Shared;
use crate::store::{BasePoint, StoreError, failpoint};
use crate::world::{COINBASE_MATURITY, WorldState};

/// Most blocks folded into the base in one transaction, or given back by it at once.
pub(super) const MAX_BLOCKS_A_MOVE: u32 = 256;

/// How high the base may be below a world at `height`: what is immature there must lie above the base, in the overlay.
pub(super) fn base_limit(height: u32) -> u32 {
    height.saturating_sub(COINBASE_MATURITY)
}

impl Group<'_> {
    /// Lowers the base when the best world moved down so far that the horizon's end would lie below it.
    pub(super) fn restore_window(&mut self) -> Result<(), StoreError> {
        let floor = self.shared.window_floor(self.best.height());
        self.lower_base(base_limit(floor))
    }

    /// Moves the base down to `height` if it is above, with the group's commit: its blocks go back into journal and
    /// overlay.
    pub(super) fn lower_base(&mut self, height: u32) -> Result<(), StoreError> {
        let best = self.shared.best();
        loop {
            let base = self.writer().base()?;
            if base.height <= height {
                return Ok(());
            }
            let to = height.max(base.height.saturating_sub(MAX_BLOCKS_A_MOVE));
            let done = self.lowered.len();
            // Versions first, the lower base after them: a reader never finds a gap between the two.
            for height in (to + 1..=base.height).rev() {
                let id = on_path(&best, height)?;
                let delta = self.restore_delta(id, height)?;
                self.shared.overlay.unsettle(id, height, &delta);
                self.entered.push(id);
                self.engine.rivals.enter(id, height, None);
                self.staged_changes += delta.len();
                self.lowered.push(Lowered { height, id, delta });
            }
            self.shared.overlay_floor.lower(to);
            let point = BasePoint {
                block: on_path(&best, to)?,
                height: to,
            };
            let (writer, lowered) = self.writer_and_lowered();
            let lowered = &lowered[done..];
            writer.unfold(point, lowered.iter().map(|block| &block.delta))?;
            for block in lowered {
                writer.put_delta(block.height, block.id, &block.delta)?;
                writer.delete_undo(block.id)?;
            }
            failpoint::reach("base-lowered");
            tracing::info!(
                from = base.height,
                to,
                "the base is lowered for a deep reorganisation"
            );
        }
    }

    /// The base stays where it was: takes its versions out of the overlay again.
    pub(super) fn raise_base_again(&mut self) {
        let Some(highest) = self.lowered.first() else {
            return;
        };
        // Told before they go; see world.rs.
        self.shared.overlay_floor.raise(highest.height);
        for block in self.lowered.drain(..).rev() {
            self.shared.overlay.settle(block.id, &block.delta);
        }
    }

    /// The whole delta of a block in the base: what it spent is kept, what it created is in its bytes.
    fn restore_delta(&mut self, id: BlockId, height: u32) -> Result<Delta, StoreError> {
        let shared = self.shared;
        let spent = self
            .writer()
            .undo(id)?
            .ok_or_else(|| missing("undo", shared.hash(id)))?;
        let block = read_stored(shared, id)?;
        Ok(Delta {
            spent,
            created: created_coins(&block, height),
        })
    }
}

/// Folds the deltas of the best chain up to `height` into the base.
pub(super) fn advance(
    shared: &Shared,
    best: &WorldState,
    from: BasePoint,
    height: u32,
    rivals: &mut Rivals,
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
    let event = Event::step(EventKind::Checkpointed, old, new, shared.clock.now());
    writer.append_event_by(|row| event.encode(row))?;
    let next_event = writer.next_event_seq()?;
    writer.commit()?;
    shared.worlds.write().next_event = next_event;
    // From here on a reader with an older transaction notices and asks again; see world.rs.
    shared.overlay_floor.raise(height);
    for (_, id, delta) in &folded {
        shared.overlay.settle(*id, delta);
        rivals.leave(*id);
    }
    shared.tell_next_event(next_event);
    tracing::debug!(height, "checkpoint");
    Ok(())
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
