//! Owns the node's side of the protocol: what it says to its peers and makes of what they say.
//! Promises to be deterministic: the same inputs at the same times give the same actions. It has no socket, no thread,
//! no clock; it reads the ledger and leaves every write to its driver.
//! Refuses to judge blocks: that is the ledger's.
//!
//! ```text
//!   connected, received, disconnected, tick          headers_taken, blocks_taken, best_changed
//!          peers ----------------------> Protocol <---------------------- ledger
//!                <----------------------          ---------------------->
//!          Send, Disconnect, Discourage             SubmitHeaders, SubmitBlock
//! ```
//!
//! Its rules are those of Bitcoin Core's `net_processing`, but where a node that keeps every branch needs others: see
//! [`ForkLimits`] and the book's chapter on the network.

mod action;
mod addresses;
mod announce;
mod availability;
mod blocks;
mod bounded;
mod collector;
mod compact_blocks;
mod compact_figures;
mod config;
mod download;
mod fetch;
mod header_requests;
mod header_sync;
mod headers;
mod holdings;
mod messages;
mod misbehaviour;
mod patience;
mod peer;
mod permissions;
mod progress;
mod serving;
mod sources;
mod state;
mod tell_transactions;
#[cfg(test)]
mod tests;
mod transactions;
mod watch;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2Message;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::{BlockHash, Work};
use everett_ledger::{Ledger, Reject, Submitted};
use everett_mempool::Mempool;
use everett_net::{Message, NetworkKind, PeerId, PeerInfo, Purpose};
use foldhash::fast::RandomState;

use crate::addr_relay::AddrRelay;
use crate::chance::Chance;
use crate::compact::Reconstructions;
use crate::recent_transactions::{RecentLimits, RecentTransactions};
use crate::serve::{ServeConfig, Serving};
use crate::transactions::fee_filter::FeeSteps;
use crate::transactions::incoming::{Incoming, Source};
use crate::transactions::outgoing::Outgoing;
use crate::transactions::pending::Pending;
use availability::Knowers;
use bounded::BoundedSet;
use collector::Collector;
use download::Download;
use headers::Batch;
use peer::{Known, Peer};
use progress::Speed;
use sources::Sources;
use transactions::LastBlock;
use watch::Watch;

pub use action::{Action, Useful};
pub use compact_figures::CompactFigures;
pub use config::{ForkLimits, Judge, ProtocolConfig};
pub use holdings::Holding;
pub use misbehaviour::{Consequence, Reason};
pub use permissions::{Grants, Permissions};
pub use progress::{PeerSync, Phase, SyncProgress};

/// The message that those send between `version` and `verack` who want to hear of every tip, also of those that lose.
pub const TIPS_FEATURE: &str = "sendtips";
/// The version that `getheaders` carries.
const USER_PROTOCOL_VERSION: u32 = 70_016;
/// Block spacings by which the best tip may be old for blocks to be asked for right away.
const NEAR_TIP: u64 = 20;
/// Blocks that are remembered to be asked for whole.
const MAX_WHOLE_ONLY: usize = 100;
/// How often the plan is made anew for what brings no work.
const PLAN_INTERVAL: Duration = Duration::from_millis(50);
/// Block spacings by which the best tip may be old for peers with recent blocks only to be of use: Bitcoin Core's
/// `NODE_NETWORK_LIMITED_ALLOW_CONN_BLOCKS`.
const LIMITED_SPACINGS: u64 = 144;
/// How often the plan is made anew though nothing happened, for budgets that have filled up.
const REPLAN: Duration = Duration::from_secs(10);

/// The node's side of the protocol with all its peers.
pub struct Protocol {
    config: ProtocolConfig,
    ledger: Ledger,
    chance: Chance,
    /// The time of the current input.
    now: Duration,
    actions: Vec<Action>,
    /// In order, so that the same inputs lead to the same actions.
    peers: BTreeMap<PeerId, Peer>,
    knowers: Knowers,

    /// The best world as it was last looked at.
    best: Known,
    best_header: Header,
    last_tip: Duration,
    /// Height of the last block that was passed on before its verdict.
    highest_sound: u32,
    /// Turns false once, and stays so.
    initial_download: bool,

    /// Headers at the ledger, oldest first.
    batches: VecDeque<Batch>,
    /// The last header of each.
    pending_headers: HashMap<BlockHash, Known>,
    /// Some peer has told of all its headers.
    headers_once_done: bool,
    last_inv_trigger: Option<BlockHash>,
    /// Not all tips were told to those who want to hear of them.
    tips_left: bool,

    download: Download,
    collector: Collector,
    sources: Sources,
    /// What is missing has to be found out anew.
    plan_stale: bool,
    /// The same, but it can wait a while.
    plan_soon: bool,
    planned: Duration,
    next_plan: Duration,

    /// Peers that send compact blocks right away, the last chosen last.
    compact_peers: VecDeque<PeerId>,
    reconstructions: Reconstructions,
    compact_figures: CompactFigures,
    /// Blocks that were put together from compact ones and refused: they are asked for whole.
    whole_only: BoundedSet<BlockHash>,
    /// Transactions that the mempool does not hold and a block may.
    recent: RecentTransactions,

    mempool: Mempool,
    pending: Pending,
    incoming: Incoming,
    /// Ids of either kind of what the driver has judged now, and bytes of all that.
    judging: HashSet<[u8; 32], RandomState>,
    judged_bytes: usize,
    /// The last change of the mempool that was one of the best world.
    moved: u64,
    last_block: Option<LastBlock>,
    /// When those who called us are told of transactions next, by network.
    inbound_turns: BTreeMap<NetworkKind, Duration>,
    /// When what nobody has taken is told again.
    next_retry: Duration,
    fee_steps: FeeSteps,
    /// The fee rate that a full mempool wants, satoshis for 1,000 virtual bytes, and when it is asked again.
    crowding_fee: i64,
    crowding_fee_next: Duration,

    serving: Serving,
    gossip: AddrRelay,
    watch: Watch,

    speed: Speed,
    blocks_received: u64,
    block_bytes: u64,
}

impl Protocol {
    /// A protocol without peers, of a mempool and the ledger that it stands on. `now` is the time since some start, as in every other call; `seed` decides where
    /// chance does, and must not be known to peers.
    pub fn new(config: ProtocolConfig, mempool: Mempool, seed: u64, now: Duration) -> Protocol {
        let ledger = mempool.ledger().clone();
        let mut chance = Chance::new(seed);
        let mut gossip_seed = [0; 32];
        for eight in gossip_seed.chunks_exact_mut(8) {
            eight.copy_from_slice(&chance.number().to_le_bytes());
        }
        let minimum_chain_work =
            (config.minimum_chain_work).unwrap_or_else(|| ledger.minimum_chain_work());
        let serving = Serving::new(ServeConfig {
            limited: !config.services.has(ServiceFlags::NETWORK),
            minimum_chain_work,
            seed: chance.number(),
        });
        let mut gossip = AddrRelay::new(gossip_seed);
        gossip.announce(config.announced.clone().map(|own| (own, config.services)));
        let best = ledger.best();
        let known = Known {
            hash: best.hash(),
            height: best.height(),
            work: best.chainwork(),
        };
        let relay_keys = chance.keys();
        let next_retry = Protocol::retry_after(now, &mut chance);
        let mut protocol = Protocol {
            chance,
            now,
            actions: Vec::new(),
            peers: BTreeMap::new(),
            knowers: Knowers::default(),
            best: known,
            best_header: best.header(),
            last_tip: now,
            highest_sound: 0,
            initial_download: true,
            batches: VecDeque::new(),
            pending_headers: HashMap::new(),
            headers_once_done: false,
            last_inv_trigger: None,
            tips_left: false,
            download: Download::new(),
            collector: Collector::new(&config.forks, now),
            sources: Sources::default(),
            plan_stale: false,
            plan_soon: false,
            planned: now,
            next_plan: now + REPLAN,
            compact_peers: VecDeque::new(),
            reconstructions: Reconstructions::new(),
            compact_figures: CompactFigures::default(),
            whole_only: BoundedSet::new(MAX_WHOLE_ONLY),
            recent: RecentTransactions::new(RecentLimits::default()),
            pending: Pending::new(),
            incoming: Incoming::new(relay_keys),
            judging: HashSet::default(),
            judged_bytes: 0,
            moved: 0,
            last_block: None,
            inbound_turns: BTreeMap::new(),
            next_retry,
            fee_steps: FeeSteps::new(),
            crowding_fee: 0,
            crowding_fee_next: now,
            mempool,
            serving,
            gossip,
            watch: Watch::new(now),
            speed: Speed::default(),
            blocks_received: 0,
            block_bytes: 0,
            config,
            ledger,
        };
        protocol.check_initial_download();
        protocol.follow_mempool();
        protocol
    }

    /// A peer has shaken hands.
    pub fn connected(&mut self, info: PeerInfo, now: Duration) {
        self.now = now;
        let id = info.id;
        let asks_for_addresses = self.gossip.connected(&info, now);
        let outgoing = Outgoing::of(&info, self.chance.keys());
        let permissions = (self.config.permissions.0)(&info);
        let peer = Peer::new(info, outgoing, permissions, now);
        let source = Source {
            preferred: !peer.info.purpose.is_inbound() || permissions.no_ban,
            wtxid_relay: peer.info.wtxid_relay,
            unlimited: permissions.relay,
        };
        let purpose = peer.info.purpose;
        let useless = peer.is_chosen() && !self.offers_enough(&peer);
        let wants_tips = peer.wants_tips;
        self.peers.insert(id, peer);
        if purpose == Purpose::Feeler {
            return self.let_go(id, Reason::Done);
        }
        if useless {
            return self.punish(id, Reason::NoBlocks);
        }
        self.incoming.connected(id, source);
        self.send_compact(id, false);
        if asks_for_addresses {
            self.send(id, NetworkMessage::GetAddr);
        }
        self.tell_fee_rates();
        self.tell_transactions_to(id);
        if wants_tips {
            self.tell_tips();
        }
        self.plan_stale = true;
        self.settle();
    }

    /// A peer sent a message. Of peers that are not connected (any more) nothing is taken.
    pub fn received(&mut self, peer: PeerId, message: Message, now: Duration) {
        self.now = now;
        if self.peers.contains_key(&peer) {
            self.on_message(peer, message);
            self.settle();
        }
    }

    /// A connection ended.
    pub fn disconnected(&mut self, peer: PeerId, now: Duration) {
        self.now = now;
        self.forget(peer);
        self.settle();
    }

    /// The ledger's answer to the oldest [`Action::SubmitHeaders`] that has none yet.
    pub fn headers_taken(&mut self, answer: Result<(), (usize, Reject)>, now: Duration) {
        self.now = now;
        self.on_headers_taken(answer);
        self.settle();
    }

    /// A block of an [`Action::SubmitBlock`] that has no answer yet stands on the best tip and holds by the rules that need
    /// no coins: [`Ledger::submit_blocks_telling`].
    pub fn sound_block(&mut self, hash: &BlockHash, now: Duration) {
        self.now = now;
        self.announce_sound(hash);
    }

    /// The ledger's answers to [`Action::SubmitBlock`]s, in whatever groups: to each its hash and what the ledger said.
    pub fn blocks_taken(&mut self, verdicts: Vec<(BlockHash, Submitted)>, now: Duration) {
        self.now = now;
        self.on_blocks_taken(verdicts);
        self.on_best_changed();
        self.settle();
    }

    /// The ledger has committed something ([`Ledger::event_seq`] changed): a new best world, a new tip, whoever made it.
    pub fn best_changed(&mut self, now: Duration) {
        self.now = now;
        self.on_best_changed();
        self.settle();
    }

    /// The answer to the oldest [`Action::FindAddresses`] that has none yet.
    pub fn addresses_found(&mut self, addresses: Vec<AddrV2Message>, now: Duration) {
        self.now = now;
        self.gossip.found(addresses, now);
    }

    /// Time passes: to be called about every 100 ms. Cheap if nothing is due.
    pub fn tick(&mut self, now: Duration) {
        self.now = now;
        self.check_initial_download();
        self.check_downloads();
        self.check_header_deadlines();
        self.ask_again();
        self.start_header_syncs();
        self.send_addresses();
        self.follow_mempool();
        self.ask_for_transactions();
        self.tell_transactions();
        self.tell_fee_rates();
        self.watch_peers();
        if self.tips_left {
            self.tell_tips();
        }
        if now >= self.next_plan {
            self.next_plan = now + REPLAN;
            self.plan_stale = true;
        }
        self.settle();
    }

    /// What is to be done, oldest first.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Where the transactions of compact blocks came from.
    pub fn compact_figures(&self) -> CompactFigures {
        self.compact_figures
    }

    /// Whether the first download of the chain is still on: until then nothing is announced, and transactions are of no
    /// use. Ends once with a recent best tip, or when peers have told all their headers and none has more than we.
    pub fn is_initial_download(&self) -> bool {
        self.initial_download
    }

    fn check_initial_download(&mut self) {
        if !self.initial_download || self.best.work < self.minimum_chain_work() {
            return;
        }
        let age = self.config.max_tip_age.as_secs();
        let recent = u64::from(self.best_header.time) + age > self.ledger.clock().now();
        let at_end = self.batches.is_empty()
            && self.ledger.best_header().chainwork <= self.best.work
            && self.none_has_more();
        if !recent && !at_end {
            return;
        }
        self.initial_download = false;
        self.tips_left = true;
        self.tell_fee_rates();
    }

    /// Who knows has told that our chain is the best: a peer that we called and that has as much. The word of those whom
    /// the user named is enough if all say so, that of peers who called us only where there are no others.
    fn none_has_more(&self) -> bool {
        let told = |peer: &Peer| peer.sync.finished && peer.sync.told;
        let called = || self.peers.values().filter(|peer| peer.is_preferred());
        if called().next().is_none() {
            return self.peers.values().any(told);
        }
        let has_as_much = |peer: &Peer| (peer.best_known).is_some_and(|k| k.work >= self.best.work);
        called().any(|peer| told(peer) && has_as_much(peer))
            || called().all(|peer| peer.info.purpose == Purpose::Manual && told(peer))
    }

    /// A peer that we chose has what we need of one: blocks with witnesses, all of them unless we need only the last.
    fn offers_enough(&self, peer: &Peer) -> bool {
        let spacing = u64::from(self.ledger.params().target_spacing);
        let recent = u64::from(self.best_header.time) + LIMITED_SPACINGS * spacing
            > self.ledger.clock().now();
        peer.serves_blocks() && (!peer.is_limited() || recent)
    }

    /// The best tip is so recent that what is announced is asked for right away.
    fn is_near_tip(&self) -> bool {
        let spacing = u64::from(self.ledger.params().target_spacing);
        u64::from(self.best_header.time) + NEAR_TIP * spacing > self.ledger.clock().now()
            || !self.download.behind()
    }

    fn minimum_chain_work(&self) -> Work {
        (self.config.minimum_chain_work).unwrap_or_else(|| self.ledger.minimum_chain_work())
    }

    /// What every input ends with.
    fn settle(&mut self) {
        self.plan_stale |= self.plan_soon && self.now >= self.planned + PLAN_INTERVAL;
        if self.plan_stale {
            self.start_header_syncs();
        }
        self.plan();
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn send(&mut self, id: PeerId, message: NetworkMessage) {
        self.send_message(id, Message::from(message));
    }

    fn send_message(&mut self, id: PeerId, message: Message) {
        if self.peers.contains_key(&id) {
            self.act(Action::Send(id, message));
        }
    }

    /// What a reason leads to.
    fn punish(&mut self, id: PeerId, reason: Reason) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        match reason.consequence() {
            Consequence::Noted => self.note(id, reason),
            Consequence::Disconnected => self.let_go(id, reason),
            Consequence::Discouraged if peer.permissions.no_ban => self.note(id, reason),
            // The user wants that very address.
            Consequence::Discouraged if peer.info.purpose == Purpose::Manual => {
                self.let_go(id, reason);
            }
            Consequence::Discouraged => {
                self.forget(id);
                self.act(Action::Discourage(id, reason));
            }
        }
    }

    fn note(&mut self, id: PeerId, reason: Reason) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.noted = peer.noted.saturating_add(1);
            peer.last_noted = Some(reason.to_string());
            self.act(Action::Note(id, reason));
        }
    }

    fn let_go(&mut self, id: PeerId, reason: Reason) {
        if self.peers.contains_key(&id) {
            self.forget(id);
            self.act(Action::Disconnect(id, reason));
        }
    }

    fn forget(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        self.knowers.forget(id, &peer);
        self.forget_requests(id, &peer);
        self.forget_compact_peer(id);
        self.incoming.disconnected(id);
        self.gossip.disconnected(id);
        self.plan_stale = true;
    }
}
