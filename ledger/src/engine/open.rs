//! Owns the way from a data directory to a running engine: tree, overlay and worlds come back as they were committed.
//! Promises that no block is validated again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::Engine;
use super::base::base_limit;
use super::group::{Group, UNFINISHED};
use super::orphans::{Orphan, Orphans};
use super::prune::PRUNED_BELOW;
use super::rivals::Rivals;
use crate::config::{LedgerConfig, MIN_PRUNE_TARGET, MIN_PRUNE_TARGET_REGTEST};
use crate::error::OpenError;
use crate::events::{Event, EventKind, Registry, Retention};
use crate::id::{BlockId, ById};
use crate::meter::Meter;
use crate::overlay::Overlay;
use crate::params::Network;
use crate::path::Path;
use crate::shared::{OverlayFloor, Shared, Worlds, YOUNG_CHAIN, pruned_floor};
use crate::store::{Access, BasePoint, Store, StoreConfig, StoreError};
use crate::tree::{BlockTree, Progress};
use crate::world::WorldState;

/// Opens the data directory, or a new ledger in memory; a writer makes a new ledger in an empty directory.
pub(crate) fn open(config: LedgerConfig) -> Result<(Arc<Shared>, Engine), OpenError> {
    if config.checkpoint_interval == 0 {
        return Err(OpenError::Settings(
            "the checkpoint interval must be at least one block".into(),
        ));
    }
    if config.event_quota == 0 || config.event_quota_bytes == 0 {
        return Err(OpenError::Settings(
            "the quota of events must leave room for one at least".into(),
        ));
    }
    check_pruning(&config)?;
    let block_file_size = match config.prune_target {
        // Files go as a whole.
        Some(target) => config.block_file_size.min(target / FILES_OF_TARGET),
        None => config.block_file_size,
    };
    let store = Store::open(StoreConfig {
        place: config.place.clone(),
        network_magic: config.params.magic,
        network_name: config.params.network.to_string(),
        genesis_hash: config.params.genesis_hash(),
        map_size: config.map_size,
        access: config.access,
        block_file_size,
    })?;
    if config.access == Access::Writer && store.read()?.best()?.is_none() {
        create(&store, &config)?;
    }
    let loaded = Loaded::read(&store)?;
    let horizon = config
        .horizon
        .or(loaded.horizon)
        .unwrap_or(config.params.default_horizon);
    let best_height = loaded.best.height();
    if config.access == Access::Writer && config.tx_index && loaded.pruned_below > 0 {
        return Err(OpenError::Settings(format!(
            "there can be no transaction index: blocks below height {} are pruned here; import into a new directory",
            loaded.pruned_below
        )));
    }
    let may_be_young = loaded.base == BasePoint::GENESIS && best_height <= YOUNG_CHAIN;
    let young = may_be_young && config.horizon.or(loaded.horizon).is_none();
    let floor = match young {
        true => 0,
        false => best_height
            .saturating_sub(horizon)
            .max(pruned_floor(loaded.pruned_below)),
    };
    // What the last process kept live: a branch below that was retired by it, and it said so.
    let old_floor = match loaded.horizon {
        None if may_be_young => 0,
        old => best_height
            .saturating_sub(old.unwrap_or(config.params.default_horizon))
            .max(pruned_floor(loaded.pruned_below)),
    };
    let mut live: ById<Arc<WorldState>> = ById::default();
    let (mut retired, mut earliest_fork) = (Vec::new(), u32::MAX);
    let mut newly_retired: BTreeMap<BlockId, u32> = BTreeMap::new();
    for (id, path) in loaded.paths {
        let node = loaded.tree.node(id);
        let fork = path.fork_height(&loaded.best.path);
        if fork >= floor {
            if fork < node.height {
                earliest_fork = earliest_fork.min(fork);
            }
            live.insert(id, WorldState::new(id, node.hash, node.chainwork, path));
        } else if fork < node.height {
            if fork >= old_floor {
                newly_retired.insert(id, fork);
            }
            retired.push((id, path));
        }
    }
    let retirements = retirements(
        &loaded.tree,
        &loaded.best,
        &newly_retired,
        config.clock.now(),
    );
    live.insert(loaded.best.id, loaded.best.clone());
    let best = loaded.best;
    let tx_index = match config.tx_index {
        true => {
            let indexed = store.read()?.indexed_blocks()?;
            let complete = indexed >= loaded.tree.stored_blocks() && loaded.pruned_below == 0;
            Some(AtomicBool::new(complete))
        }
        false => None,
    };
    let shared = Arc::new(Shared {
        tx_index,
        params: config.params,
        horizon,
        young: AtomicBool::new(young),
        clock: config.clock,
        scripts: config.scripts,
        assume_valid: config.assume_valid,
        store,
        pruned_below: AtomicU32::new(loaded.pruned_below),
        prune_target: config.prune_target,
        tree: RwLock::new(loaded.tree),
        worlds: RwLock::new(Worlds {
            live,
            best: best.clone(),
            next_event: loaded.next_event,
            oldest_event: loaded.oldest_event,
        }),
        meter: Meter::default(),
        overlay: loaded.overlay,
        overlay_floor: OverlayFloor::new(loaded.base.height),
        next_event: watch::Sender::new(loaded.next_event),
        subscribers: Mutex::new(loaded.subscribers),
    });
    if config.access == Access::Writer {
        let (tree, mut worlds) = (shared.tree.read(), shared.worlds.write());
        for height in floor..best_height {
            if let Some(id) = best.path.at(height) {
                worlds
                    .live
                    .entry(id)
                    .or_insert_with(|| WorldState::on(&tree, &best.path, id));
            }
        }
    }
    shared
        .meter
        .orphans
        .store(loaded.orphans.len(), Ordering::Relaxed);
    let mut engine = Engine {
        shared: shared.clone(),
        orphans: loaded.orphans,
        sequence: loaded.sequence,
        earliest_fork,
        held: VecDeque::new(),
        held_quota: config.held_worlds,
        retired,
        rivals: loaded.rivals,
        retention: Retention {
            retained: config.retained_events,
            quota: config.event_quota,
            quota_bytes: config.event_quota_bytes,
        },
        checkpoint_interval: config.checkpoint_interval,
        staged_changes: config.staged_changes,
        index_next: 0,
        prune_target: config.prune_target,
        prune_limit: 0,
        unfinished: loaded.unfinished,
    };
    if config.access == Access::Writer {
        if let Some(horizon) = config.horizon
            && loaded.horizon != Some(horizon)
        {
            engine.change_horizon(horizon, &retirements)?;
        }
        engine.take_up(loaded.base)?;
    }
    Ok((shared, engine))
}

/// Block files that the target of a pruned ledger has room for.
const FILES_OF_TARGET: u64 = 8;

fn check_pruning(config: &LedgerConfig) -> Result<(), OpenError> {
    let Some(target) = config.prune_target else {
        return Ok(());
    };
    let least = match config.params.network {
        Network::Regtest => MIN_PRUNE_TARGET_REGTEST,
        _ => MIN_PRUNE_TARGET,
    };
    if target < least {
        return Err(OpenError::Settings(format!(
            "block files cannot be pruned to {target} bytes: on {} at least {least} bytes ({} MiB) are kept",
            config.params.network,
            least.div_ceil(1 << 20)
        )));
    }
    if config.tx_index {
        return Err(OpenError::Settings(
            "pruning and a transaction index exclude each other: the index points into all blocks"
                .into(),
        ));
    }
    Ok(())
}

/// What is to be said of branches that a smaller horizon than last time retires: for each its tip, and where it left
/// the best chain.
fn retirements(
    tree: &BlockTree,
    best: &WorldState,
    retired: &BTreeMap<BlockId, u32>,
    now: u64,
) -> Vec<Event> {
    let is_tip = |id: BlockId| {
        let children = tree.node(id).children();
        !children.iter().any(|child| retired.contains_key(child))
    };
    let tips = retired.iter().filter(|(id, _)| is_tip(**id));
    tips.filter_map(|(id, fork)| {
        let fork = tree.node(best.path.at(*fork)?).hash;
        let tip = tree.node(*id).hash;
        Some(Event::step(EventKind::TipRetired, fork, tip, now))
    })
    .collect()
}

impl Engine {
    /// Remembers another horizon than last time, and says in the same commit what it retires.
    fn change_horizon(&mut self, horizon: u32, retirements: &[Event]) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let mut writer = shared.store.write()?;
        writer.put_meta_u64("horizon", u64::from(horizon))?;
        for event in retirements {
            writer.append_event_by(|row| event.encode(row))?;
        }
        self.commit_outbox(writer)
    }

    /// Does what the last process left undone.
    fn take_up(&mut self, base: BasePoint) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let best = shared.best();
        // A larger horizon than last time brings blocks back inside it.
        if base.height > base_limit(shared.window_floor(best.height())) {
            Group::begin(self, &shared)?.commit()?;
        }
        let tree = shared.tree.read();
        let better = |id: BlockId| {
            let node = tree.node(id);
            node.sequence != 0 && !node.failed() && node.chainwork > best.chainwork
        };
        self.unfinished |= tree.node(best.id).failed() || tree.ids().any(better);
        drop(tree);
        if self.unfinished {
            let finished = self.begin(&shared).and_then(Group::commit);
            if let Err(error) = finished {
                tracing::warn!(%error, "a reorganisation is not finished; the next block tries again");
            }
        }
        self.tidy();
        Ok(())
    }
}

/// Writes a ledger that knows the genesis block.
fn create(store: &Store, config: &LedgerConfig) -> Result<(), StoreError> {
    let genesis = &config.params.genesis;
    let mut tree = BlockTree::new(genesis.header, config.clock.now());
    let mut writer = store.write()?;
    let position = store.append_block(&bitcoin::consensus::serialize(genesis))?;
    tree.update(BlockId::GENESIS, |node| {
        node.position = Some(position);
        node.progress = Progress::Connected;
        node.sequence = 1;
        node.tx_count = 1;
    });
    writer.put_header(&tree.node(BlockId::GENESIS).row(BlockId::GENESIS))?;
    writer.put_best(BlockId::GENESIS)?;
    writer.put_meta_u64("sequence", 2)?;
    writer.commit()
}

/// What one read transaction says of a ledger.
struct Loaded {
    tree: BlockTree,
    overlay: Overlay,
    rivals: Rivals,
    base: BasePoint,
    best: Arc<WorldState>,
    /// Paths of the base and of every block above it that was connected.
    paths: HashMap<BlockId, Path>,
    orphans: Orphans,
    sequence: u64,
    horizon: Option<u32>,
    next_event: u64,
    oldest_event: u64,
    subscribers: Registry,
    unfinished: bool,
    pruned_below: u32,
}

impl Loaded {
    fn read(store: &Store) -> Result<Loaded, StoreError> {
        let reader = store.read()?;
        let tree = BlockTree::load(reader.headers()?)?;
        let known = tree.ids().count();
        let base = reader.base()?;
        let best = reader.best()?.unwrap_or(BlockId::GENESIS);
        let damaged = |detail: String| StoreError::corrupt("meta", detail);
        if base.block.index() >= known
            || best.index() >= known
            || tree.node(base.block).height != base.height
        {
            return Err(damaged(format!(
                "base {} or best block {best} is not in the tree",
                base.block
            )));
        }
        let (overlay, mut rivals) = (Overlay::new(), Rivals::default());
        let mut paths = HashMap::from([(base.block, path_from_genesis(&tree, base.block))]);
        // Keys are (height, block): parents come before their children.
        for row in reader.journal()? {
            let row = row?;
            let parent = (row.block.index() < known)
                .then(|| tree.node(row.block).parent)
                .flatten();
            let Some(path) = parent.and_then(|parent| paths.get(&parent)) else {
                return Err(StoreError::corrupt(
                    "journal",
                    format!("block {} hangs in the air", row.block),
                ));
            };
            let path = path.extended(row.block);
            if path.height() != row.height {
                return Err(StoreError::corrupt(
                    "journal",
                    format!("block {} has a wrong height", row.block),
                ));
            }
            overlay.apply(row.block, &path, &row.delta);
            rivals.enter(row.block, row.height, None);
            paths.insert(row.block, path);
        }
        let best_path = paths
            .get(&best)
            .ok_or_else(|| damaged(format!("best block {best} has no world")))?;
        let best = WorldState::new(
            best,
            tree.node(best).hash,
            tree.node(best).chainwork,
            best_path.clone(),
        );
        let mut orphans = Orphans::default();
        for row in reader.orphans()? {
            let row = row?;
            orphans.insert(Orphan {
                hash: row.hash,
                previous: row.previous,
                position: row.position,
            });
        }
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let horizon = reader.meta_u64("horizon")?.map(small);
        let sequence = reader.meta_u64("sequence")?.unwrap_or(1);
        let next_event = reader.next_event_seq()?;
        Ok(Loaded {
            rivals,
            next_event,
            oldest_event: reader.oldest_event_seq()?.unwrap_or(next_event),
            subscribers: Registry::load(&reader)?,
            unfinished: reader.meta_u64(UNFINISHED)? == Some(1),
            pruned_below: small(reader.meta_u64(PRUNED_BELOW)?.unwrap_or(0)),
            overlay,
            base,
            best,
            paths,
            orphans,
            sequence,
            horizon,
            tree,
        })
    }
}

fn path_from_genesis(tree: &BlockTree, block: BlockId) -> Path {
    let mut ids = vec![block];
    while let Some(parent) = tree.node(ids[ids.len() - 1]).parent {
        ids.push(parent);
    }
    ids.into_iter()
        .rev()
        .skip(1)
        .fold(Path::genesis(), |path, id| path.extended(id))
}
