//! Owns a ledger so simple that it can be seen to be right: a list of blocks, each with a map of all coins at it.
//! Promises the same choices as the real one: status of each block, best tip, which worlds are live.
//! Refuses to be fast.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, Witness};
use everett_ledger::setinfo::SetInfoBuilder;
use everett_ledger::{COINBASE_MATURITY, ChainStatus, Coin, Params, ScriptPubKey, SetInfo};

use crate::flaw::{Flaw, Mutation, Stage};
use crate::mint::Parent;

/// All coins at a block.
pub type Coins = HashMap<OutPoint, Coin>;

/// The first block of every list.
pub const GENESIS: usize = 0;

/// How far a block came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Progress {
    Header,
    Stored,
    Connected,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    Itself,
    Ancestor,
}

/// A block, and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The block.
    pub block: Block,
    /// Its hash.
    pub hash: BlockHash,
    /// Where in the list its parent is.
    pub parent: usize,
    /// Its height.
    pub height: u32,
    /// Median of the eleven times up to it.
    pub median_time_past: u32,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// The coins at it.
    pub coins: Arc<Coins>,
    /// Counts and hashes of them, once somebody asked.
    set_info: Arc<OnceLock<SetInfo>>,
    /// Coins of earlier blocks that it spent and coins that it leaves, each with its script.
    pub changes: Vec<(OutPoint, ScriptBuf)>,
    /// Its place in the order in which headers came in; `None` while it is not in the tree.
    arrival: Option<usize>,
    /// Its place in the order in which blocks' bytes came and were kept.
    delivery: Option<usize>,
    progress: Progress,
    failure: Option<Failure>,
    /// Its place in the order in which blocks became complete down to genesis; 0: it is not.
    sequence: u64,
    live: bool,
    /// Whether what it did is still there: it is not once it was retired and nobody holds a world that needs it.
    kept: bool,
    /// How often it came to life.
    lives: usize,
}

/// One life of the world at a block: a world that comes back after it was retired is another one.
pub type Life = (usize, usize);

impl Entry {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        serialize(&self.block)
    }

    /// Counts and hashes of the coins at it.
    pub fn set_info(&self) -> &SetInfo {
        self.set_info.get_or_init(|| {
            let mut sorted: Vec<(&OutPoint, &Coin)> = self.coins.iter().collect();
            sorted.sort_unstable_by_key(|(at, _)| (at.txid.to_byte_array(), at.vout));
            let mut info = SetInfoBuilder::new();
            for (outpoint, coin) in sorted {
                info.add(outpoint, coin);
            }
            info.finish()
        })
    }
}

/// What becomes of a block that is handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is in the tree: with this status, and as the best tip or not.
    Accepted(ChainStatus, bool),
    /// It is not, for Bitcoin Core's reason.
    Refused(String),
}

impl Answer {
    fn refused(reason: &str) -> Answer {
        Answer::Refused(reason.to_owned())
    }
}

/// What can be read at a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Everything.
    World,
    /// Nothing: it was never heard of.
    Unknown,
    /// Nothing: it is invalid.
    Invalid,
    /// Nothing: it is behind the horizon.
    Retired,
    /// Nothing: it was not validated.
    NotValidated(ChainStatus),
}

/// The naive ledger.
#[derive(Clone, Debug)]
pub struct NaiveLedger {
    entries: Vec<Entry>,
    by_hash: HashMap<BlockHash, usize>,
    best: usize,
    horizon: u32,
    /// How many retired worlds may be held.
    quota: usize,
    /// Blocks whose parents are not in the tree, in order of arrival, and what their bytes have.
    orphans: Vec<(usize, Option<Mutation>)>,
    arrivals: usize,
    deliveries: usize,
    sequence: u64,
    /// Retired worlds that somebody holds, the oldest first.
    held: Vec<Life>,
    /// Those of them that were taken away.
    expired: HashSet<Life>,
}

impl NaiveLedger {
    /// One that knows the genesis block.
    pub fn new(params: &Params, horizon: u32, quota: usize) -> NaiveLedger {
        let genesis = Entry {
            hash: params.genesis_hash(),
            parent: GENESIS,
            height: 0,
            median_time_past: params.genesis.header.time,
            block: params.genesis.clone(),
            flaw: None,
            coins: Arc::default(),
            set_info: Arc::default(),
            changes: Vec::new(),
            arrival: Some(0),
            delivery: Some(0),
            progress: Progress::Connected,
            failure: None,
            sequence: 1,
            live: true,
            kept: true,
            lives: 1,
        };
        NaiveLedger {
            by_hash: HashMap::from([(genesis.hash, GENESIS)]),
            entries: vec![genesis],
            best: GENESIS,
            horizon,
            quota,
            orphans: Vec::new(),
            arrivals: 1,
            deliveries: 1,
            sequence: 2,
            held: Vec::new(),
            expired: HashSet::new(),
        }
    }

    /// Puts a block into the list, to be submitted later; where it is in the list.
    pub fn add(&mut self, block: Block, flaw: Option<Flaw>) -> usize {
        let parent = self.by_hash[&block.header.prev_blockhash];
        let height = self.entries[parent].height + 1;
        let mut coins = (*self.entries[parent].coins).clone();
        for (index, transaction) in block.txdata.iter().enumerate() {
            apply(&mut coins, transaction, height, index == 0);
        }
        let changes = changes(&self.entries[parent].coins, &coins);
        let index = self.entries.len();
        let mut times: Vec<u32> = std::iter::once(block.header.time)
            .chain(
                self.ancestors(parent)
                    .take(10)
                    .map(|at| self.entries[at].block.header.time),
            )
            .collect();
        times.sort_unstable();
        let hash = block.block_hash();
        self.by_hash.insert(hash, index);
        self.entries.push(Entry {
            hash,
            parent,
            height,
            median_time_past: times[times.len() / 2],
            flaw,
            coins: Arc::new(coins),
            set_info: Arc::default(),
            changes,
            arrival: None,
            delivery: None,
            progress: Progress::Header,
            failure: None,
            sequence: 0,
            live: false,
            kept: false,
            lives: 0,
            block,
        });
        index
    }

    /// What a mint needs to build on a block.
    pub fn parent(&self, index: usize) -> Parent {
        let entry = &self.entries[index];
        Parent {
            hash: entry.hash,
            height: entry.height,
            time: entry.block.header.time,
            median_time_past: entry.median_time_past,
            coins: entry.coins.clone(),
        }
    }

    /// A block of the list.
    pub fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    /// How long the list is.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: there is genesis.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The best tip.
    pub fn best(&self) -> usize {
        self.best
    }

    /// A block and all below it, down to genesis.
    pub fn ancestors(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(index), |at| {
            (*at != GENESIS).then(|| self.entries[*at].parent)
        })
    }

    /// The blocks in the tree, in order of arrival.
    pub fn placed(&self) -> Vec<usize> {
        let mut placed: Vec<usize> = (0..self.entries.len())
            .filter(|index| self.entries[*index].arrival.is_some())
            .collect();
        placed.sort_by_key(|index| self.entries[*index].arrival);
        placed
    }

    /// The blocks at which a world can be read, in order of arrival.
    pub fn readable(&self) -> Vec<usize> {
        let mut placed = self.placed();
        placed.retain(|index| self.access(*index) == Access::World);
        placed
    }

    /// The blocks of the best chain by height.
    pub fn best_chain(&self) -> Vec<usize> {
        let mut chain: Vec<usize> = self.ancestors(self.best).collect();
        chain.reverse();
        chain
    }

    /// The last block that a block's chain shares with the best one.
    pub fn fork(&self, index: usize) -> usize {
        self.fork_from(&self.best_chain(), index)
    }

    fn fork_from(&self, chain: &[usize], index: usize) -> usize {
        self.ancestors(index)
            .find(|at| chain.get(self.entries[*at].height as usize) == Some(at))
            .unwrap_or(GENESIS)
    }

    /// Hash and missing parent of each block that waits.
    pub fn orphans(&self) -> Vec<(BlockHash, BlockHash)> {
        let row = |(index, _): &(usize, _)| {
            let entry = &self.entries[*index];
            (entry.hash, entry.block.header.prev_blockhash)
        };
        self.orphans.iter().map(row).collect()
    }

    /// `getchaintips`' word for a block in the tree.
    pub fn status(&self, index: usize) -> ChainStatus {
        let entry = &self.entries[index];
        if self.ancestors(self.best).any(|at| at == index) {
            ChainStatus::Active
        } else if entry.failure.is_some() {
            ChainStatus::Invalid
        } else if entry.progress == Progress::Connected {
            ChainStatus::ValidFork
        } else if entry.sequence == 0 {
            ChainStatus::HeadersOnly
        } else {
            ChainStatus::ValidHeaders
        }
    }

    /// What can be read at a block.
    pub fn access(&self, index: usize) -> Access {
        let entry = &self.entries[index];
        match entry.arrival {
            None => Access::Unknown,
            Some(_) if entry.failure.is_some() => Access::Invalid,
            Some(_) if entry.live => Access::World,
            Some(_) if entry.progress == Progress::Connected => Access::Retired,
            Some(_) => Access::NotValidated(self.status(index)),
        }
    }

    /// Whether what the block did is still there.
    pub fn is_kept(&self, index: usize) -> bool {
        self.entries[index].kept
    }

    /// The present life of the world at a block.
    pub fn life(&self, index: usize) -> Life {
        (index, self.entries[index].lives)
    }

    /// Whether whoever holds a world from this life of it must be told that it is gone.
    pub fn is_expired(&self, life: Life) -> bool {
        self.expired.contains(&life)
    }

    /// How many retired worlds are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How high the base may be.
    pub fn base_limit(&self) -> u32 {
        let forks = self
            .held
            .iter()
            .map(|(index, _)| self.entries[self.fork(*index)].height);
        let lowest = forks.fold(self.floor(), u32::min);
        // What is immature at any world must lie above the base.
        lowest.saturating_sub(COINBASE_MATURITY)
    }

    /// The leaves of the tree and the best tip: the best one first, then by work, then by arrival.
    pub fn tips(&self) -> Vec<usize> {
        let placed = self.placed();
        let parents: HashSet<usize> = placed
            .iter()
            .filter(|index| **index != GENESIS)
            .map(|index| self.entries[*index].parent)
            .collect();
        let mut tips: Vec<usize> = placed
            .into_iter()
            .filter(|index| *index == self.best || !parents.contains(index))
            .collect();
        tips.sort_by_key(|index| (*index != self.best, Reverse(self.entries[*index].height)));
        tips
    }

    /// Hands a block in, its bytes mutated or not; then [`NaiveLedger::commit`]. Answers for the block itself and for
    /// those that waited for it.
    pub fn submit(
        &mut self,
        index: usize,
        mutation: Option<Mutation>,
    ) -> (Answer, Vec<(BlockHash, Answer)>) {
        let answer = self.accept(index, mutation);
        (answer, self.join(index))
    }

    /// Hands a header in; `Err` is Bitcoin Core's reason why not.
    pub fn submit_header(&mut self, index: usize) -> Result<(), &'static str> {
        if self.entries[index].arrival.is_some() {
            return Ok(());
        }
        if self.entries[self.entries[index].parent].arrival.is_none() {
            return Err("prev-blk-not-found");
        }
        self.place(index)?;
        self.join(index);
        Ok(())
    }

    fn join(&mut self, parent: usize) -> Vec<(BlockHash, Answer)> {
        let mut joined = Vec::new();
        let mut parents = VecDeque::from([parent]);
        while let Some(parent) = parents.pop_front() {
            if self.entries[parent].arrival.is_none() {
                continue;
            }
            let entries = &self.entries;
            let (waiting, others) = self
                .orphans
                .iter()
                .partition(|(orphan, _)| entries[*orphan].parent == parent);
            self.orphans = others;
            let waiting: Vec<(usize, Option<Mutation>)> = waiting;
            for (orphan, mutation) in waiting {
                joined.push((self.entries[orphan].hash, self.accept(orphan, mutation)));
                parents.push_back(orphan);
            }
        }
        joined
    }

    /// What is wrong with a copy of the block that has other witnesses.
    fn witness_fault(&self, index: usize) -> &'static str {
        match is_committed(&self.entries[index].block) {
            true => "bad-witness-nonce-size",
            false => "unexpected-witness",
        }
    }

    fn accept(&mut self, index: usize, mutation: Option<Mutation>) -> Answer {
        if mutation == Some(Mutation::Cut) {
            return Answer::refused("Block decode failed");
        }
        let entry = &self.entries[index];
        let (parent, flaw) = (entry.parent, entry.flaw);
        if entry.arrival.is_some()
            && (entry.progress >= Progress::Stored || entry.failure.is_some())
        {
            return match self.status(index) {
                ChainStatus::Invalid => Answer::refused("duplicate-invalid"),
                _ => Answer::refused("duplicate"),
            };
        }
        if mutation == Some(Mutation::Repeated) {
            let count = entry.block.txdata.len();
            // The last of an odd number of leaves counts twice anyway, but for the only one.
            return match count > 1 && count % 2 == 1 {
                true => Answer::refused("bad-txns-duplicate"),
                false => Answer::refused("bad-txnmrklroot"),
            };
        }
        if self.entries[parent].arrival.is_none() {
            // A copy with other witnesses must not take the place of the block itself.
            let kept = mutation != Some(Mutation::Witness);
            if kept && !self.orphans.iter().any(|(orphan, _)| *orphan == index) {
                self.orphans.push((index, mutation));
                self.deliver(index);
            }
            return Answer::refused("prev-blk-not-found");
        }
        if self.entries[index].arrival.is_none()
            && let Err(reason) = self.place(index)
        {
            return Answer::refused(reason);
        }
        if let Some(flaw) = flaw.filter(|flaw| flaw.stage() == Stage::Context) {
            self.condemn(index);
            return Answer::refused(flaw.reason());
        }
        if mutation == Some(Mutation::Witness) {
            return Answer::refused(self.witness_fault(index));
        }
        self.entries[index].progress = Progress::Stored;
        self.deliver(index);
        if self.entries[parent].sequence == 0 {
            return self.accepted(index);
        }
        self.complete(index);
        if self.entries[parent].live && !self.connect(index) {
            return Answer::refused(self.failure_of(index));
        }
        self.connect_waiting_children(index);
        self.choose_best();
        match self.entries[index].failure {
            Some(_) => Answer::refused(self.failure_of(index)),
            None => self.accepted(index),
        }
    }

    /// The block's bytes are kept from now on, if they were not before.
    fn deliver(&mut self, index: usize) {
        if self.entries[index].delivery.is_none() {
            self.entries[index].delivery = Some(self.deliveries);
            self.deliveries += 1;
        }
    }

    fn accepted(&self, index: usize) -> Answer {
        Answer::Accepted(self.status(index), index == self.best)
    }

    fn failure_of(&self, index: usize) -> &'static str {
        let failed = self
            .ancestors(index)
            .find(|at| self.entries[*at].failure == Some(Failure::Itself));
        failed
            .and_then(|at| self.entries[at].flaw)
            .map_or("", Flaw::reason)
    }

    fn place(&mut self, index: usize) -> Result<(), &'static str> {
        let parent = self.entries[index].parent;
        if self.entries[parent].failure.is_some() {
            return Err("bad-prevblk");
        }
        match self.entries[index].flaw {
            Some(flaw) if flaw.stage() == Stage::Header => Err(flaw.reason()),
            _ => {
                self.entries[index].arrival = Some(self.arrivals);
                self.arrivals += 1;
                Ok(())
            }
        }
    }

    fn complete(&mut self, index: usize) {
        self.entries[index].sequence = self.sequence;
        self.sequence += 1;
    }

    /// Children in the tree, in order of arrival.
    fn children(&self, index: usize) -> Vec<usize> {
        let mut placed = self.placed();
        placed.retain(|child| *child != GENESIS && self.entries[*child].parent == index);
        placed
    }

    fn descendants(&self, index: usize) -> Vec<usize> {
        let mut found = self.children(index);
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            found.extend(self.children(at));
            next += 1;
        }
        found
    }

    fn connect_waiting_children(&mut self, index: usize) {
        let mut parents = VecDeque::from([index]);
        while let Some(parent) = parents.pop_front() {
            // First seen is the block that came first, whatever header did: so Bitcoin Core.
            let mut children = self.children(parent);
            children.sort_by_key(|child| self.entries[*child].delivery);
            for child in children {
                let entry = &self.entries[child];
                if entry.progress != Progress::Stored
                    || entry.sequence != 0
                    || entry.failure.is_some()
                {
                    continue;
                }
                self.complete(child);
                if !self.entries[parent].live || self.connect(child) {
                    parents.push_back(child);
                }
            }
        }
    }

    /// Whether the block holds against the coins at its parent; if so it has a world now.
    fn connect(&mut self, index: usize) -> bool {
        let flawed = |flaw: Flaw| flaw.stage() == Stage::Connect;
        if self.entries[index].flaw.is_some_and(flawed) {
            self.condemn(index);
            return false;
        }
        self.entries[index].progress = Progress::Connected;
        self.entries[index].kept = true;
        self.come_to_life(index);
        if self.entries[index].height > self.entries[self.best].height {
            self.best = index;
        }
        true
    }

    fn condemn(&mut self, index: usize) {
        for descendant in self.descendants(index) {
            self.entries[descendant]
                .failure
                .get_or_insert(Failure::Ancestor);
        }
        self.entries[index].failure = Some(Failure::Itself);
    }

    /// Most work, first seen; on regtest every block has the same work.
    fn choose_best(&mut self) {
        loop {
            let complete = (0..self.entries.len()).filter(|index| {
                let entry = &self.entries[*index];
                entry.sequence != 0 && entry.failure.is_none()
            });
            let candidate = complete
                .max_by_key(|index| {
                    let entry = &self.entries[*index];
                    (entry.height, Reverse(entry.sequence))
                })
                .unwrap_or(GENESIS);
            if candidate == self.best {
                return;
            }
            let chain: HashSet<usize> = self.ancestors(self.best).collect();
            let mut missing: Vec<usize> = self
                .ancestors(candidate)
                .take_while(|at| !self.entries[*at].live && !chain.contains(at))
                .collect();
            missing.reverse();
            if missing.into_iter().all(|at| self.connect(at)) {
                self.best = candidate;
                return;
            }
        }
    }

    fn come_to_life(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        if !entry.live {
            entry.live = true;
            entry.lives += 1;
        }
    }

    /// Takes a block back, with all that is built on it; then [`NaiveLedger::commit`].
    pub fn invalidate(&mut self, index: usize) {
        self.condemn(index);
        self.choose_best();
    }

    /// Forgets that a block, its ancestors and descendants failed; then [`NaiveLedger::commit`].
    pub fn reconsider(&mut self, index: usize) {
        let mut family: Vec<usize> = self
            .ancestors(index)
            .filter(|at| *at == index || self.entries[*at].failure.is_some())
            .collect();
        family.reverse();
        family.extend(self.descendants(index));
        for member in &family {
            self.entries[*member].failure = None;
        }
        for member in family {
            let entry = &self.entries[member];
            let parent = &self.entries[entry.parent];
            if entry.progress != Progress::Stored || entry.failure.is_some() {
                continue;
            }
            let (parent_complete, parent_live) = (parent.sequence != 0, parent.live);
            if entry.sequence == 0 && parent_complete {
                self.complete(member);
            }
            if parent_live {
                self.connect(member);
            }
        }
        self.choose_best();
    }

    /// Ends a commit: retires what fell behind the horizon and tidies up; `handles` are the worlds that somebody holds.
    pub fn commit(&mut self, handles: &HashSet<Life>) {
        self.retire(handles);
        self.tidy(handles);
    }

    /// Retires what fell behind the horizon, and brings back what is inside it again.
    fn retire(&mut self, handles: &HashSet<Life>) {
        let floor = self.floor();
        let chain = self.best_chain();
        let mut gone: Vec<usize> = Vec::new();
        for index in self.placed() {
            let fork = self.fork_from(&chain, index);
            if fork == index || !self.entries[index].kept {
                continue;
            }
            if self.entries[fork].height >= floor {
                self.come_to_life(index);
            } else if self.entries[index].live {
                gone.push(index);
            }
        }
        gone.sort_by_key(|index| self.entries[*index].height);
        for index in chain.into_iter().rev() {
            self.entries[index].kept = true;
            if self.entries[index].height >= floor {
                self.come_to_life(index);
            } else if self.entries[index].live {
                gone.push(index);
            }
        }
        for index in gone {
            self.entries[index].live = false;
            let life = self.life(index);
            if handles.contains(&life) {
                self.held.push(life);
            }
        }
    }

    /// Lets go of held worlds beyond the quota or too deep, and of what nobody needs.
    pub fn tidy(&mut self, handles: &HashSet<Life>) {
        let deepest = self
            .floor()
            .saturating_sub(self.horizon.max(COINBASE_MATURITY));
        let held: Vec<Life> = std::mem::take(&mut self.held);
        let held: Vec<Life> = held
            .into_iter()
            .filter(|life| handles.contains(life))
            .collect();
        let surplus = held.len().saturating_sub(self.quota);
        for (age, life) in held.into_iter().enumerate() {
            let fork = self.entries[self.fork(life.0)].height;
            if age < surplus || fork < deepest {
                self.expired.insert(life);
            } else {
                self.held.push(life);
            }
        }
        let mut needed: HashSet<usize> = self.ancestors(self.best).collect();
        for (index, _) in &self.held {
            needed.extend(self.ancestors(*index));
        }
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.kept &= entry.live || needed.contains(&index);
        }
    }

    /// The lowest height at which a branch may leave the best chain and stay live.
    pub fn floor(&self) -> u32 {
        self.entries[self.best].height.saturating_sub(self.horizon)
    }

    /// Opens it again, with other settings, when nobody holds a world.
    pub fn reopen(&mut self, horizon: u32, quota: usize) {
        (self.horizon, self.quota) = (horizon, quota);
        self.held.clear();
        self.retire(&HashSet::new());
    }
}

/// Whether the coinbase commits to witnesses.
fn is_committed(block: &Block) -> bool {
    !block.txdata[0].input[0].witness.is_empty()
}

/// The bytes of a block, mutated.
pub fn mutated(block: &Block, mutation: Option<Mutation>) -> Vec<u8> {
    let mut block = block.clone();
    match mutation {
        None | Some(Mutation::Cut) => {}
        Some(Mutation::Repeated) => {
            let last = block.txdata[block.txdata.len() - 1].clone();
            block.txdata.push(last);
        }
        Some(Mutation::Witness) => {
            let committed = is_committed(&block);
            block.txdata[0].input[0].witness = match committed {
                true => Witness::new(),
                false => Witness::from_slice(&[[7; 32]]),
            };
        }
    }
    let mut bytes = serialize(&block);
    if mutation == Some(Mutation::Cut) {
        bytes.pop();
    }
    bytes
}

/// Spends what the transaction spends and adds what it creates.
pub fn apply(coins: &mut Coins, transaction: &Transaction, height: u32, coinbase: bool) {
    for input in &transaction.input {
        coins.remove(&input.previous_output);
    }
    let txid = transaction.compute_txid();
    for (vout, output) in transaction.output.iter().enumerate() {
        if output.script_pubkey.is_op_return() {
            continue;
        }
        let coin = Coin {
            amount: Amount::from_sat(output.value.to_sat()),
            script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
            height,
            coinbase,
        };
        coins.insert(OutPoint::new(txid, vout as u32), coin);
    }
}

/// The coins that are in one of the two only.
fn changes(before: &Coins, after: &Coins) -> Vec<(OutPoint, ScriptBuf)> {
    let gone = before
        .iter()
        .filter(|(outpoint, _)| !after.contains_key(outpoint));
    let new = after
        .iter()
        .filter(|(outpoint, _)| !before.contains_key(outpoint));
    gone.chain(new)
        .map(|(outpoint, coin)| (*outpoint, ScriptBuf::from(coin.script_pubkey.to_bytes())))
        .collect()
}
