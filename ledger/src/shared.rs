//! Owns what the writer and all readers share: tree, worlds, overlay, store.
//! Promises short critical sections: a lock here is never held while a block is validated or a disk is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use bitcoin::BlockHash;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::events::Registry;
use crate::id::{BlockId, ById};
use crate::meter::Meter;
use crate::overlay::Overlay;
use crate::params::Params;
use crate::rules::script_check::ScriptCheck;
use crate::store::Store;
use crate::tree::BlockTree;
use crate::world::{COINBASE_MATURITY, WorldState};

/// Without a horizon of its own, a ledger keeps every branch until its best chain is higher than this: a chain's first
/// blocks are small, and which branch is the real one is not settled yet.
pub(crate) const YOUNG_CHAIN: u32 = 10_000;
/// Coins in the overlay that end a ledger's youth early, so that full blocks cannot fill the memory.
const YOUNG_OVERLAY: usize = 4_000_000;

/// The state of a ledger.
pub(crate) struct Shared {
    pub(crate) params: Params,
    pub(crate) horizon: u32,
    /// Whether no branch is retired yet; see [`YOUNG_CHAIN`].
    pub(crate) young: AtomicBool,
    pub(crate) clock: Clock,
    pub(crate) scripts: Arc<dyn ScriptCheck>,
    /// The block below which scripts need not be run; see `assumed.rs`.
    pub(crate) assume_valid: Option<BlockHash>,
    pub(crate) store: Store,
    /// All blocks of the best chain from this height on are stored; those below may be pruned. 0: none is.
    pub(crate) pruned_below: AtomicU32,
    /// Bytes of block files above which old ones are deleted; `None`: all stay.
    pub(crate) prune_target: Option<u64>,
    pub(crate) tree: RwLock<BlockTree>,
    pub(crate) worlds: RwLock<Worlds>,
    /// With a transaction index: whether it has every stored block.
    pub(crate) tx_index: Option<AtomicBool>,
    pub(crate) meter: Meter,
    pub(crate) overlay: Overlay,
    /// Where the overlay is complete; see `world.rs` for who may trust it when.
    pub(crate) overlay_floor: OverlayFloor,
    /// Wakes those who wait for [`Worlds::next_event`] to change.
    pub(crate) next_event: watch::Sender<u64>,
    /// Those who follow events under a name.
    pub(crate) subscribers: Mutex<Registry>,
}

/// The height above which the overlay is complete, and how often it was lowered.
///
/// A reader that finds the same number of lowerings before and after it read knows that the height only rose between.
pub(crate) struct OverlayFloor(AtomicU64);

impl OverlayFloor {
    pub(crate) fn new(height: u32) -> OverlayFloor {
        OverlayFloor(AtomicU64::new(u64::from(height)))
    }

    /// The height, and how often it was lowered.
    pub(crate) fn load(&self) -> (u32, u32) {
        let both = self.0.load(Ordering::Acquire);
        (both as u32, (both >> 32) as u32)
    }

    /// For the one writer, after the commit that raised the base and before versions are taken out.
    pub(crate) fn raise(&self, height: u32) {
        let (_, lowerings) = self.load();
        self.store(height, lowerings);
    }

    /// For the one writer, after versions were entered and before the commit that lowers the base.
    pub(crate) fn lower(&self, height: u32) {
        let (_, lowerings) = self.load();
        self.store(height, lowerings.wrapping_add(1));
    }

    fn store(&self, height: u32, lowerings: u32) {
        let both = u64::from(lowerings) << 32 | u64::from(height);
        self.0.store(both, Ordering::Release);
    }
}

/// The worlds that can be asked for.
pub(crate) struct Worlds {
    /// Every block inside the horizon that was connected, on any branch.
    pub(crate) live: ById<Arc<WorldState>>,
    pub(crate) best: Arc<WorldState>,
    /// The sequence that the next event gets: those before it led to these worlds.
    pub(crate) next_event: u64,
    /// The sequence of the oldest event that is kept.
    pub(crate) oldest_event: u64,
}

impl Shared {
    pub(crate) fn best(&self) -> Arc<WorldState> {
        self.worlds.read().best.clone()
    }

    /// The lowest height at which a branch may fork off `best_height`'s chain and stay live.
    pub(crate) fn window_floor(&self, best_height: u32) -> u32 {
        if self.young.load(Ordering::Relaxed) {
            0
        } else {
            let floor = best_height.saturating_sub(self.horizon);
            floor.max(self.pruned_floor())
        }
    }

    /// The lowest height at which a branch may fork off and still find its way to the base: see [`pruned_floor`].
    pub(crate) fn pruned_floor(&self) -> u32 {
        pruned_floor(self.pruned_below.load(Ordering::Acquire))
    }

    /// Ends the ledger's youth, for ever, when its best chain or its overlay has grown up.
    pub(crate) fn grow_up(&self, best_height: u32) {
        let young = self.young.load(Ordering::Relaxed);
        if young && (best_height > YOUNG_CHAIN || self.overlay.coins.len() > YOUNG_OVERLAY) {
            self.young.store(false, Ordering::Relaxed);
        }
    }

    /// Wakes those who follow the events, if there is a new one. After the commit and after its worlds are published, so
    /// that who is woken finds both.
    pub(crate) fn tell_next_event(&self, next: u64) {
        self.next_event
            .send_if_modified(|known| std::mem::replace(known, next) != next);
    }

    pub(crate) fn hash(&self, id: BlockId) -> BlockHash {
        self.tree.read().node(id).hash
    }
}

/// The lowest height at which a world can be where blocks below `pruned_below` are gone: the base must lie a hundred
/// blocks below it, and is lowered only through blocks whose bytes are here.
pub(crate) fn pruned_floor(pruned_below: u32) -> u32 {
    match pruned_below {
        0 => 0,
        below => below - 1 + COINBASE_MATURITY,
    }
}
