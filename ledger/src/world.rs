//! Owns the handle on a world: every read a user can make at one block.
//! Promises that while a `World` is held its answers never change, across forks, checkpoints and retirement.
//! Refuses to keep a database transaction open between two reads.
//!
//! ```text
//!   question -> overlay: the versions visible on the world's path -> base, one short LMDB transaction
//! ```
//!
//! # Correctness
//!
//! A read that needs the base opens its transaction first and then asks the overlay only for what lies above that
//! transaction's base. A checkpoint commits the new base before it takes versions out of the overlay, a rewind enters
//! versions before it commits the lower base, so together the two are complete unless versions above the
//! transaction's base are already gone; `Shared::overlay_floor` tells, and the read is made again. Where it was lowered
//! during the read it tells nothing of what was above it before, and the read is made again too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bitcoin::block::Header;
use bitcoin::{Amount, BlockHash, OutPoint, Work};

use crate::coin::Coin;
use crate::error::ReadError;
use crate::id::{BlockId, ScriptHash};
use crate::overlay::Seen;
use crate::path::Path;
use crate::rules::HeaderFacts;
use crate::shared::Shared;
use crate::store::{Access, BasePoint, Reader};
use crate::tree::{BlockTree, facts};

/// Blocks that must follow a coinbase before its outputs count as mature.
pub const COINBASE_MATURITY: u32 = 100;

/// How often a read is made again when checkpoints keep overtaking it.
const MAX_ATTEMPTS: usize = 100;

/// What all handles on one world share.
#[derive(Debug)]
pub(crate) struct WorldState {
    pub(crate) id: BlockId,
    pub(crate) hash: BlockHash,
    pub(crate) chainwork: Work,
    pub(crate) path: Path,
    /// Set before the first of its versions is taken away; whoever reads after that gets an error instead of a guess.
    pub(crate) expired: AtomicBool,
}

impl WorldState {
    pub(crate) fn new(
        id: BlockId,
        hash: BlockHash,
        chainwork: Work,
        path: Path,
    ) -> Arc<WorldState> {
        Arc::new(WorldState {
            id,
            hash,
            chainwork,
            path,
            expired: AtomicBool::new(false),
        })
    }

    /// The world at one block of a path.
    pub(crate) fn on(tree: &BlockTree, path: &Path, id: BlockId) -> Arc<WorldState> {
        let node = tree.node(id);
        WorldState::new(id, node.hash, node.chainwork, path.truncated(node.height))
    }

    pub(crate) fn height(&self) -> u32 {
        self.path.height()
    }
}

/// What a script owns at one world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Balance {
    /// Every unspent output of the script.
    pub confirmed: Amount,
    /// The part of it that is coinbase younger than [`COINBASE_MATURITY`] blocks.
    pub immature: Amount,
    /// How many unspent outputs there are.
    pub coins: u64,
}

/// A snapshot of the chain that ends at one block: cheap to clone, free to send, the same answer each time.
#[derive(Clone)]
pub struct World {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<WorldState>,
}

impl World {
    /// Hash of the block it stands at.
    pub fn hash(&self) -> BlockHash {
        self.state.hash
    }

    /// Height of the block it stands at.
    pub fn height(&self) -> u32 {
        self.state.height()
    }

    /// Work of its whole chain.
    pub fn chainwork(&self) -> Work {
        self.state.chainwork
    }

    /// Header of the block it stands at.
    pub fn header(&self) -> Header {
        self.shared.tree.read().node(self.state.id).header
    }

    /// Hash of its chain's block at `height`; `None` above its own.
    pub fn block_hash_at(&self, height: u32) -> Option<BlockHash> {
        let id = self.state.path.at(height)?;
        Some(self.shared.tree.read().node(id).hash)
    }

    /// What the rules look at of its chain's header at `height`, which is at most its own.
    pub(crate) fn header_facts(&self, height: u32) -> HeaderFacts {
        let id = self.state.path.at(height).unwrap_or(self.state.id);
        facts(self.shared.tree.read().node(id))
    }

    /// Median time past at its block (BIP113), unix seconds: the time that the next block's locks are held against.
    pub fn median_time_past(&self) -> u32 {
        self.shared.tree.read().median_time_past(self.state.id)
    }

    /// Median time past at its chain's block at `height` (BIP113), unix seconds; `None` above its own. Relative lock
    /// times are counted from it (BIP68).
    pub fn median_time_past_at(&self, height: u32) -> Option<u32> {
        let id = self.state.path.at(height)?;
        Some(self.shared.tree.read().median_time_past(id))
    }

    /// The unspent output `outpoint`, if there is one in this world.
    pub fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ReadError> {
        match self.seen(outpoint) {
            // What the overlay shows on the path is true whatever the base does meanwhile.
            Seen::Created(coin) => self.unless_expired(Some(coin)),
            Seen::Spent => self.unless_expired(None),
            Seen::Untouched => self.with_base(|reader, _| match self.seen(outpoint) {
                Seen::Created(coin) => Ok(Some(coin)),
                Seen::Spent => Ok(None),
                Seen::Untouched => Ok(reader.coin(outpoint)?),
            }),
        }
    }

    fn seen(&self, outpoint: &OutPoint) -> Seen {
        self.shared.overlay.coins.get(outpoint, &self.state.path)
    }

    /// What `script` owns.
    pub fn balance(&self, script: &ScriptHash) -> Result<Balance, ReadError> {
        let mature = self.height().checked_sub(COINBASE_MATURITY);
        self.with_base(|reader, base| {
            let (above, immature) =
                self.shared
                    .overlay
                    .scripts
                    .totals(script, &self.state.path, base.height, mature);
            let below = reader.script_summary(script)?.unwrap_or_default();
            let add = |below: u64, above: i64| {
                below
                    .checked_add_signed(above)
                    .ok_or_else(|| ReadError::inconsistent(self.hash(), *script))
            };
            Ok(Balance {
                confirmed: Amount::from_sat(add(below.sat, above.sat)?),
                immature: Amount::from_sat(add(0, immature)?),
                coins: add(below.coins, above.coins)?,
            })
        })
    }

    /// The unspent outputs of `script` after `after`, at most `limit`, by txid bytes and then vout.
    pub fn coins_of(
        &self,
        script: &ScriptHash,
        after: Option<OutPoint>,
        limit: usize,
    ) -> Result<Vec<(OutPoint, Coin)>, ReadError> {
        self.with_base(|reader, base| {
            let scripts = &self.shared.overlay.scripts;
            let mut above = scripts
                .coins(script, &self.state.path, base.height, after)
                .peekable();
            let mut below = reader.script_coins(script, after)?.peekable();
            let mut found = Vec::new();
            while found.len() < limit {
                let next_below = match below.peek() {
                    Some(Ok(outpoint)) => Some(*outpoint),
                    // The error itself comes out of `next`.
                    Some(Err(_)) => {
                        return Err(below.next().and_then(Result::err).map_or_else(
                            || ReadError::inconsistent(self.hash(), *script),
                            ReadError::from,
                        ));
                    }
                    None => None,
                };
                let (outpoint, there) = match (next_below, above.peek().copied()) {
                    (None, None) => break,
                    (Some(below_at), Some((above_at, there))) if above_at <= below_at => {
                        above.next();
                        if above_at == below_at {
                            below.next();
                        }
                        (above_at, there)
                    }
                    (Some(below_at), _) => {
                        below.next();
                        (below_at, true)
                    }
                    (None, Some((above_at, there))) => {
                        above.next();
                        (above_at, there)
                    }
                };
                if !there {
                    continue;
                }
                let coin = match self.seen(&outpoint) {
                    Seen::Created(coin) => Some(coin),
                    Seen::Spent => None,
                    Seen::Untouched => reader.coin(&outpoint)?,
                };
                // A missing one means that a checkpoint went by; `with_base` will notice.
                found.extend(coin.map(|coin| (outpoint, coin)));
            }
            Ok(found)
        })
    }

    /// The base went where this world cannot follow: by the writer's decision, or unknown to this process.
    pub(crate) fn gone(&self) -> ReadError {
        let hash = self.hash();
        match self.shared.store.access() {
            Access::Writer => ReadError::Expired { hash },
            Access::Reader => ReadError::Outdated { hash },
        }
    }

    fn unless_expired<R>(&self, answer: R) -> Result<R, ReadError> {
        if self.state.expired.load(Ordering::Acquire) {
            return Err(ReadError::Expired { hash: self.hash() });
        }
        Ok(answer)
    }

    /// Makes a read that needs the store alone, journal and base of one moment: whatever the overlay does meanwhile.
    pub(crate) fn with_store<R>(
        &self,
        read: impl FnOnce(&Reader<'_>, BasePoint) -> Result<R, ReadError>,
    ) -> Result<R, ReadError> {
        let reader = self.shared.store.read()?;
        let base = reader.base()?;
        if !self.state.path.holds(base.height, base.block) {
            return Err(self.gone());
        }
        let answer = read(&reader, base)?;
        self.unless_expired(answer)
    }

    /// Makes a read that needs the base; see the module's section on correctness.
    pub(crate) fn with_base<R>(
        &self,
        read: impl Fn(&Reader<'_>, BasePoint) -> Result<R, ReadError>,
    ) -> Result<R, ReadError> {
        for _ in 0..MAX_ATTEMPTS {
            let (_, lowerings) = self.shared.overlay_floor.load();
            let reader = self.shared.store.read()?;
            let base = reader.base()?;
            if !self.state.path.holds(base.height, base.block) {
                return Err(self.gone());
            }
            let answer = read(&reader, base);
            let (floor, lowerings_after) = self.shared.overlay_floor.load();
            if floor <= base.height && lowerings_after == lowerings {
                return self.unless_expired(answer?);
            }
        }
        Err(ReadError::Outdated { hash: self.hash() })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({} at {})", self.hash(), self.height())
    }
}
