//! Owns the handle that everything outside goes through: blocks in, worlds and facts about blocks out.
//! Promises that every call is safe from any thread; reading never waits for a block that is being validated.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::block::Header;
use bitcoin::{BlockHash, Work};
use tokio::sync::watch;

use crate::chain_status::ChainStatus;
use crate::clock::Clock;
use crate::config::LedgerConfig;
use crate::engine::{self, Engine};
use crate::error::{BlockError, OpenError, WorldError};
use crate::events::Event;
use crate::id::BlockId;
use crate::meter::Timings;
use crate::params::Params;
use crate::rules::ScriptCheck;
use crate::shared::{Shared, Worlds};
use crate::store::{StoreCopy, StoreError};
use crate::submission::Submitted;
use crate::tree::{BlockTree, Failure, Progress};
use crate::turns::Turns;
use crate::urgency::Urgency;
use crate::world::World;

/// A leaf of the block tree, or the best tip.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tip {
    /// Hash of its block.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// Work of its whole chain.
    pub chainwork: Work,
    /// `getchaintips`' word for it.
    pub status: ChainStatus,
    /// Whether it is the best one.
    pub best: bool,
    /// Whether a world can be read there.
    pub live: bool,
    /// The last block it shares with the best chain; itself if it is the best tip.
    pub fork_hash: BlockHash,
    /// Height of that block.
    pub fork_height: u32,
    /// Unix seconds when its header was first accepted.
    pub first_seen: u64,
}

/// What the tree knows of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockInfo {
    /// Its hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Header,
    /// Its height.
    pub height: u32,
    /// Work of the chain up to it.
    pub chainwork: Work,
    /// `getchaintips`' word for it.
    pub status: ChainStatus,
    /// Whether a world can be read there.
    pub live: bool,
    /// The last block its chain shares with the best chain.
    pub fork_hash: BlockHash,
    /// Height of that block.
    pub fork_height: u32,
    /// Unix seconds when its header was first accepted.
    pub first_seen: u64,
    /// Number of transactions; 0 while only the header is known.
    pub tx_count: u32,
    /// Bytes with witnesses; 0 while only the header is known, and once the block is pruned.
    pub size: u32,
    /// Median time past at it (BIP113), unix seconds.
    pub median_time_past: u32,
    /// Why it is invalid, if it is.
    pub reject_reason: Option<String>,
    /// What exactly was wrong with it, or with its ancestor that failed: transaction, input and error where a script
    /// did. `None` where nothing more than the reason is known. At most 500 bytes.
    pub reject_debug: Option<String>,
    /// The block after it, if it lies on the best chain below its tip.
    pub next_hash: Option<BlockHash>,
    /// Its place in the order in which blocks' bytes came, with gaps; `None` if only the header is here, and once the
    /// block is pruned.
    pub arrival: Option<u64>,
}

/// A block that waits for its parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrphanInfo {
    /// Its hash.
    pub hash: BlockHash,
    /// The parent that is unknown.
    pub previous: BlockHash,
}

/// Figures about a ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LedgerStats {
    /// Height of the best tip.
    pub best_height: u32,
    /// Height of the base.
    pub base_height: u32,
    /// Blocks that a world can be read at.
    pub live_worlds: usize,
    /// Worlds held by somebody after they were retired.
    pub held_worlds: usize,
    /// Headers known, on all branches.
    pub headers: usize,
    /// Coins with a version in the overlay.
    pub overlay_coins: usize,
    /// Scripts with a version in the overlay.
    pub overlay_scripts: usize,
    /// Bytes of the overlay's tables.
    pub overlay_bytes: usize,
    /// Bytes of the journal: the deltas of all blocks above the base.
    pub journal_bytes: u64,
    /// Bytes of the outbox: the events that are kept.
    pub outbox_bytes: u64,
    /// Blocks that wait for their parents.
    pub orphans: usize,
    /// Where the writer's time went.
    pub timings: Timings,
}

/// A ledger, open. Clones share it; it closes when the last one and the last [`World`] are gone.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: Arc<Turns<Engine>>,
}

impl Ledger {
    /// Opens the data directory; a writer makes a new ledger in an empty one. Accepted blocks, worlds and events are
    /// as they were committed, and nothing is validated again.
    pub fn open(config: LedgerConfig) -> Result<Ledger, OpenError> {
        let (shared, engine) = engine::open(config)?;
        Ok(Ledger {
            shared,
            engine: Arc::new(Turns::new(engine)),
        })
    }

    /// The network's parameters.
    pub fn params(&self) -> &Params {
        &self.shared.params
    }

    /// How many blocks behind the best tip a branch may fork off and stay live.
    pub fn horizon(&self) -> u32 {
        self.shared.horizon
    }

    /// The block that is assumed to be valid with its ancestors, if any; see [`LedgerConfig::assume_valid`].
    pub fn assume_valid(&self) -> Option<BlockHash> {
        self.shared.assume_valid
    }

    /// Where its data is.
    pub fn place(&self) -> &crate::store::Place {
        self.shared.store.place()
    }

    /// What block times are held against.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// What runs the scripts of its blocks. Who runs those of transactions that wait for a block does it here: what
    /// passes is not run again when a block has it.
    pub fn scripts(&self) -> &Arc<dyn ScriptCheck> {
        &self.shared.scripts
    }

    /// Takes one block, with a commit of its own. Bytes after the block are left alone, as Bitcoin Core does.
    ///
    /// # Errors
    ///
    /// Only what the disk does: what is wrong with the block is in the answer. After an error nothing is changed.
    pub fn submit_block(&self, block: &[u8]) -> Result<Submitted, StoreError> {
        let mut answers = self.submit_blocks(&[block])?;
        answers
            .pop()
            .ok_or_else(|| StoreError::corrupt("engine", "a submitted block got no answer"))
    }

    /// Takes blocks in order, with one commit for all of them: none is accepted before it. Only where one of them sets off
    /// more than [`LedgerConfig::staged_changes`] coin changes of blocks that lay here before it, by a reorganisation or
    /// because they waited for it, is that committed in parts.
    ///
    /// A block whose header is known may come before its parent's, on any branch: it is kept in the block files and takes
    /// no memory, and is validated as soon as its parent has a world. One whose header is not known either, nor its
    /// parent's, waits among a bounded number of orphans.
    ///
    /// Where several threads wait with blocks, those of the best chain go before those of other branches.
    ///
    /// # Errors
    ///
    /// Only what the disk does. After an error nothing is changed, except that such parts stay.
    pub fn submit_blocks(&self, blocks: &[impl AsRef<[u8]>]) -> Result<Vec<Submitted>, StoreError> {
        let urgency = || Urgency::of(&self.shared, blocks);
        self.engine.wait(urgency).submit(blocks, None)
    }

    /// As [`Ledger::submit_blocks`], and tells of each block that stands on the best tip and holds by every rule that
    /// needs no coins (proof of work, merkle roots, sizes, locktimes), before its inputs are looked at: what Bitcoin Core
    /// passes on as a compact block (BIP152). It may turn out to be invalid all the same, or not to be committed.
    ///
    /// `sound` is called on this thread while no other can write, so it must not wait.
    pub fn submit_blocks_telling(
        &self,
        blocks: &[impl AsRef<[u8]>],
        sound: &mut dyn FnMut(BlockHash),
    ) -> Result<Vec<Submitted>, StoreError> {
        let urgency = || Urgency::of(&self.shared, blocks);
        self.engine.wait(urgency).submit(blocks, Some(sound))
    }

    /// Takes headers in order, each below one that is known; stops at the first that breaks a rule.
    ///
    /// The inner error has the index of that header and the rule; those before it are kept.
    ///
    /// A header takes about 320 bytes of memory and 170 on disk for good, and one with little work costs its maker
    /// nothing: there is no limit here, so who takes headers from strangers must not hand in any below
    /// [`Ledger::anti_dos_work_threshold`].
    pub fn submit_headers(
        &self,
        headers: &[Header],
    ) -> Result<Result<(), (usize, crate::Reject)>, StoreError> {
        self.engine.wait(|| Urgency::Best).submit_headers(headers)
    }

    /// Takes a block back by hand, with all that is built on it; the best of what is left becomes the best world.
    pub fn invalidate_block(&self, hash: &BlockHash) -> Result<(), BlockError> {
        self.engine.wait(|| Urgency::Best).invalidate(hash)
    }

    /// Whether [`Ledger::invalidate_block`] would do it; nothing is changed. What the disk does may still keep it from that.
    ///
    /// # Errors
    ///
    /// [`BlockError::Genesis`], [`BlockError::Unknown`], and [`BlockError::PrunedAbove`] where the blocks are gone that
    /// would lead back.
    pub fn may_invalidate_block(&self, hash: &BlockHash) -> Result<(), BlockError> {
        self.engine
            .wait(|| Urgency::Best)
            .may_invalidate(hash)
            .map(drop)
    }

    /// Forgets that a block, its ancestors and its descendants are invalid, and looks at them again.
    pub fn reconsider_block(&self, hash: &BlockHash) -> Result<(), BlockError> {
        self.engine.wait(|| Urgency::Best).reconsider(hash)
    }

    /// Takes a block as if it had come before all others with the same work, until the ledger is closed: it becomes the
    /// best one if it has as much work as that. A later call goes before an earlier one, unless the best tip came to have
    /// more work than at the call before it: then it counts as the first one does, as in Bitcoin Core. One for a block
    /// with less work than the best one does nothing.
    ///
    /// # Errors
    ///
    /// [`BlockError::Unknown`], and what the disk does.
    pub fn prefer_block(&self, hash: &BlockHash) -> Result<(), BlockError> {
        self.engine.wait(|| Urgency::Best).prefer(hash)
    }

    /// Begins a copy of all that is committed now, acknowledged cursors included, in `target`, a directory that is there and
    /// empty. `meanwhile` runs while nobody can write, so that what it sees of the ledger is what the copy has; it must not
    /// write itself, nor wait for somebody who does. Blocks come again while the copy is finished: [`StoreCopy::finish`].
    ///
    /// # Errors
    ///
    /// What `meanwhile` returns; a ledger in memory ([`StoreError::Misuse`]) or opened for reading; what the disk does.
    pub fn begin_copy<T, E: From<StoreError>>(
        &self,
        target: &std::path::Path,
        meanwhile: impl FnOnce() -> Result<T, E>,
    ) -> Result<(StoreCopy, T), E> {
        let mut engine = self.engine.wait(|| Urgency::Best);
        engine.save_cursors()?;
        let copy = self.shared.store.begin_copy(target)?;
        let done = meanwhile()?;
        drop(engine);
        Ok((copy, done))
    }

    /// Moves the base as far up as live and held worlds allow.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.engine.wait(|| Urgency::Best).checkpoint()
    }

    /// The best world: valid, most work, first seen.
    pub fn best(&self) -> World {
        World {
            shared: self.shared.clone(),
            state: self.shared.best(),
        }
    }

    /// The world at a block, on any branch inside the horizon.
    pub fn world(&self, hash: &BlockHash) -> Result<World, WorldError> {
        let tree = self.shared.tree.read();
        let id = tree
            .find_committed(hash)
            .ok_or(WorldError::Unknown { hash: *hash })?;
        let node = tree.committed_node(id);
        let worlds = self.shared.worlds.read();
        if node.failed() {
            return Err(WorldError::Invalidated {
                hash: *hash,
                reason: reject_reason(&tree, id).unwrap_or_default(),
            });
        }
        match worlds.live.get(&id) {
            Some(state) => Ok(World {
                shared: self.shared.clone(),
                state: state.clone(),
            }),
            None if node.progress == Progress::Connected => Err(WorldError::Retired {
                hash: *hash,
                height: node.height,
                horizon: self.shared.horizon,
            }),
            None => {
                let status = ChainStatus::of(node, id, &worlds.best.path);
                Err(WorldError::NotValidated {
                    hash: *hash,
                    status,
                })
            }
        }
    }

    /// The world at a height of the best chain.
    pub fn world_at_height(&self, height: u32) -> Result<World, WorldError> {
        let best = self.shared.best();
        let unknown = WorldError::HeightUnknown {
            height,
            best: best.height(),
        };
        let id = best.path.at(height).ok_or(unknown)?;
        self.world(&self.shared.hash(id))
    }

    /// Every leaf of the tree and the best tip: the best one first, then by work, then by arrival.
    pub fn tips(&self) -> Vec<Tip> {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let mut ids: Vec<BlockId> = tree.leaves().collect();
        if !ids.contains(&worlds.best.id) {
            ids.push(worlds.best.id);
        }
        ids.sort_by(|a, b| {
            let key = |id: BlockId| {
                (
                    id != worlds.best.id,
                    std::cmp::Reverse(tree.node(id).chainwork),
                    id,
                )
            };
            key(*a).cmp(&key(*b))
        });
        let tip = |id: BlockId| {
            let info = self.info(&tree, &worlds, id);
            Tip {
                hash: info.hash,
                height: info.height,
                chainwork: info.chainwork,
                status: info.status,
                best: id == worlds.best.id,
                live: info.live,
                fork_hash: info.fork_hash,
                fork_height: info.fork_height,
                first_seen: info.first_seen,
            }
        };
        ids.into_iter().map(tip).collect()
    }

    /// What the tree knows of a block.
    pub fn block_info(&self, hash: &BlockHash) -> Option<BlockInfo> {
        let tree = self.shared.tree.read();
        let id = tree.find_committed(hash)?;
        Some(self.info(&tree, &self.shared.worlds.read(), id))
    }

    /// Every block known at a height, on any branch, in order of arrival.
    pub fn blocks_at_height(&self, height: u32) -> Vec<BlockInfo> {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        tree.at_height(height)
            .map(|id| self.info(&tree, &worlds, id))
            .collect()
    }

    pub(crate) fn info(&self, tree: &BlockTree, worlds: &Worlds, id: BlockId) -> BlockInfo {
        let node = tree.committed_node(id);
        let best = &worlds.best;
        let fork = tree.fork_point(id, best.id);
        let fork = if best.path.holds(node.height, id) {
            id
        } else {
            fork
        };
        let next = (fork == id)
            .then(|| best.path.at(node.height + 1))
            .flatten();
        BlockInfo {
            hash: node.hash,
            header: node.header,
            height: node.height,
            chainwork: node.chainwork,
            status: ChainStatus::of(node, id, &best.path),
            live: !node.failed() && worlds.live.contains_key(&id),
            fork_hash: tree.node(fork).hash,
            fork_height: tree.node(fork).height,
            first_seen: node.first_seen,
            tx_count: node.tx_count,
            size: node.position.map_or(0, |position| position.length),
            median_time_past: tree.median_time_past(id),
            reject_reason: reject_reason(tree, id),
            reject_debug: reject_debug(tree, id),
            next_hash: next.map(|next| tree.node(next).hash),
            // Block files are only appended to.
            arrival: node
                .position
                .map(|position| u64::from(position.file) << 32 | u64::from(position.offset)),
        }
    }

    /// Hash of the best chain's block at `height`.
    pub fn best_hash_at(&self, height: u32) -> Option<BlockHash> {
        self.best().block_hash_at(height)
    }

    /// A block's bytes as they are stored.
    ///
    /// # Errors
    ///
    /// [`BlockError::Unknown`], [`BlockError::HeaderOnly`], [`BlockError::Pruned`], and what the disk does.
    pub fn block_bytes(&self, hash: &BlockHash) -> Result<Vec<u8>, BlockError> {
        let (id, position) = {
            let tree = self.shared.tree.read();
            let id = tree
                .find_committed(hash)
                .ok_or(BlockError::Unknown { hash: *hash })?;
            (id, tree.committed_node(id).position)
        };
        let position = position.ok_or_else(|| self.no_bytes(id))?;
        let store = &self.shared.store;
        store.read_block(position).map_err(|error| {
            // Its file may have been pruned just now, maybe by another process.
            let row = store.read().and_then(|reader| reader.header(id));
            match row {
                Ok(Some(row)) if row.position.is_none() => BlockError::Pruned {
                    hash: *hash,
                    height: row.height,
                },
                _ => error.into(),
            }
        })
    }

    /// Why a block of the tree has no bytes here.
    pub(crate) fn no_bytes(&self, id: BlockId) -> BlockError {
        let tree = self.shared.tree.read();
        let node = tree.committed_node(id);
        let (hash, height) = (node.hash, node.height);
        match node.progress {
            Progress::Header => BlockError::HeaderOnly { hash },
            Progress::Stored | Progress::Connected => BlockError::Pruned { hash, height },
        }
    }

    /// The height from which on all blocks of the best chain are stored; 0 where nothing was ever pruned. Some below it
    /// may be here still. A node that has pruned serves the last 288 blocks at least (`NODE_NETWORK_LIMITED`, BIP159).
    pub fn pruned_below(&self) -> u32 {
        self.shared.pruned_below.load(Ordering::Acquire)
    }

    /// Bytes of block files above which old ones are deleted; `None` where all stay.
    pub fn prune_target(&self) -> Option<u64> {
        self.shared.prune_target
    }

    /// Bytes of the block files.
    pub fn block_file_bytes(&self) -> Result<u64, StoreError> {
        let files = self.shared.store.read()?.block_files()?;
        Ok(files.iter().map(|(_, length)| length).sum())
    }

    /// The blocks that wait for their parents. Waits for a block that is being validated.
    pub fn orphans(&self) -> Vec<OrphanInfo> {
        self.engine
            .wait(|| Urgency::Best)
            .orphans()
            .map(|(hash, previous)| OrphanInfo { hash, previous })
            .collect()
    }

    /// The outbox from sequence `from` on, at most `limit` events.
    pub fn events(&self, from: u64, limit: usize) -> Result<Vec<(u64, Event)>, StoreError> {
        let reader = self.shared.store.read()?;
        let rows = reader.outbox(from)?.take(limit);
        rows.map(|row| row.and_then(|row| Ok((row.seq, Event::decode(&row.event)?))))
            .collect()
    }

    /// The sequence that the next event will get, kept up to date: changes after each commit that wrote an event, once
    /// its worlds can be asked for. Several commits may show as one change. In a process that opened the ledger for
    /// reading it stays at what it was then: nobody tells that process of commits.
    ///
    /// The channel needs no runtime: a thread without one reads it with `borrow` now and then.
    pub fn event_seq(&self) -> watch::Receiver<u64> {
        self.shared.next_event.subscribe()
    }

    /// Without those of invalidated blocks, which are kept for the day when they are reconsidered.
    fn live_worlds(&self) -> usize {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let live = worlds.live.keys();
        live.filter(|id| !tree.committed_node(**id).failed())
            .count()
    }

    /// Figures about this ledger. Waits for nobody.
    pub fn stats(&self) -> Result<LedgerStats, StoreError> {
        let meter = &self.shared.meter;
        let overlay = &self.shared.overlay;
        let reader = self.shared.store.read()?;
        Ok(LedgerStats {
            best_height: self.shared.best().height(),
            base_height: reader.base()?.height,
            journal_bytes: reader.journal_bytes()?,
            outbox_bytes: reader.outbox_bytes()?,
            live_worlds: self.live_worlds(),
            held_worlds: meter.held.load(Ordering::Relaxed),
            headers: self.shared.tree.read().ids().len(),
            overlay_coins: overlay.coins.len(),
            overlay_scripts: overlay.scripts.len(),
            overlay_bytes: overlay.coins.bytes() + overlay.scripts.bytes(),
            orphans: meter.orphans.load(Ordering::Relaxed),
            timings: meter.timings(),
        })
    }
}

/// What exactly was wrong with an invalid block or with the ancestor that failed.
fn reject_debug(tree: &BlockTree, id: BlockId) -> Option<String> {
    let mut node = tree.committed_node(id);
    while node.failure == Some(Failure::Ancestor) {
        node = tree.committed_node(node.parent?);
    }
    (node.failed() && !node.debug().is_empty()).then(|| node.debug().to_owned())
}

/// Why a block is invalid: its own reason, or that of the ancestor that failed.
fn reject_reason(tree: &BlockTree, id: BlockId) -> Option<String> {
    let node = tree.committed_node(id);
    match node.failure? {
        Failure::Rule | Failure::ByHand => Some(node.reason().to_owned()),
        Failure::Ancestor => {
            let ancestor = tree.culprit(id)?;
            Some(match ancestor.failed() {
                true => format!(
                    "its ancestor {} is invalid: {}",
                    ancestor.hash,
                    ancestor.reason()
                ),
                // As in Bitcoin Core, that clears the ancestor and what lies between it and that block, no branches.
                false => format!(
                    "its ancestor {} was invalid until another descendant of it was reconsidered",
                    ancestor.hash
                ),
            })
        }
    }
}
