//! Owns the pages of peers: all of them with the node's progress, and what is known of one.
//! Promises to write foreign words as text, and that a flood of bans is no long page.
//! Refuses to change anything: peers are steered over gRPC, from the command line and in the console.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use everett_node::{AddedPeer, BanState, PeerState, Peers, service_names};

use super::{Page, filled, html};
use crate::fault::Fault;
use crate::parse;
use crate::show;
use crate::site::{Frame, Section, Site};
use crate::sync_words::SyncWords;

/// Bans that are listed; of more, those that end last.
const MAX_BANS: usize = 100;

#[derive(Template)]
#[template(path = "peers.html")]
struct PeersPage {
    frame: Frame,
    /// None on a node without a network.
    scene: Option<String>,
}

/// The part that moves.
#[derive(Template)]
#[template(path = "peers_scene.html")]
struct PeersScene {
    height: String,
    headers: String,
    inbound: usize,
    outbound: usize,
    sync: SyncWords,
    facts: Vec<(&'static str, String)>,
    peers: Vec<PeerRow>,
    bans: Vec<BanRow>,
    more_bans: usize,
}

struct PeerRow {
    id: u64,
    address: String,
    kind: &'static str,
    transport: &'static str,
    height: String,
    in_flight: String,
    ping: String,
    received: String,
    sent: String,
    agent: String,
    wrong: Option<String>,
}

struct BanRow {
    subnet: String,
    since: String,
    until: String,
}

#[derive(Template)]
#[template(path = "peer.html")]
struct PeerPage {
    frame: Frame,
    id: u64,
    address: String,
    words: String,
    wrong: Option<String>,
    facts: Vec<(&'static str, String)>,
    messages: Vec<MessageRow>,
}

struct MessageRow {
    command: String,
    received: String,
    bytes_received: String,
    sent: String,
    bytes_sent: String,
}

/// `GET /admin/peers`
pub(super) async fn peers(State(site): State<Arc<Site>>) -> Result<Page, Fault> {
    let peers = site.reads.handle().peers();
    Page::of(&PeersPage {
        frame: site.frame(Section::Peers),
        scene: peers.map(|peers| render(&*peers)).transpose()?,
    })
}

/// `GET /admin/peers/live`: the part of that page which moves.
pub(super) async fn scene(State(site): State<Arc<Site>>) -> Result<Response, Fault> {
    let peers = site.reads.handle().peers().ok_or(Fault::NoNetwork)?;
    let text = render(&*peers)?;
    let hash = sha256::Hash::hash(text.as_bytes());
    let etag = format!("\"{}\"", hash.as_byte_array()[..12].to_lower_hex_string());
    Ok(html(text, &etag).into_response())
}

/// `GET /admin/peer/ID`
pub(super) async fn peer(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Page, Fault> {
    let peers = site.reads.handle().peers().ok_or(Fault::NoNetwork)?;
    let found = name.parse().ok().and_then(|id: u64| {
        let mut list = peers.list().into_iter();
        list.find(|peer| peer.info.id.0 == id)
    });
    let peer = found.ok_or_else(|| Fault::NoPeer(parse::cut(&name)))?;
    Page::of(&PeerPage {
        frame: site.frame(Section::Peers),
        id: peer.info.id.0,
        address: peer.info.endpoint.to_string(),
        words: words(&peer),
        wrong: peer.sync.misbehavior.clone(),
        facts: facts(&peer),
        messages: peer
            .traffic
            .messages
            .iter()
            .map(|count| MessageRow {
                command: count.command.clone(),
                received: show::thousands(count.received),
                bytes_received: show::bytes(count.bytes_received),
                sent: show::thousands(count.sent),
                bytes_sent: show::bytes(count.bytes_sent),
            })
            .collect(),
    })
}

/// A peer that was added by hand, and what keeps it from being connected.
fn added_words(peer: &AddedPeer) -> String {
    match (&peer.last_error, peer.connected) {
        (_, true) => format!("{} (connected)", peer.endpoint),
        (None, false) => format!("{} (being called)", peer.endpoint),
        (Some(error), false) => format!("{} ({error})", peer.endpoint),
    }
}

fn render(peers: &dyn Peers) -> Result<String, Fault> {
    let (list, progress, network) = (peers.list(), peers.progress(), peers.network());
    let inbound = list.iter().filter(|peer| peer.info.purpose.is_inbound());
    let inbound = inbound.count();
    let listening: Vec<String> = network.listening.iter().map(ToString::to_string).collect();
    let added: Vec<String> = network.added.iter().map(added_words).collect();
    let words_or = |list: Vec<String>, none: &str| match list.is_empty() {
        true => none.to_owned(),
        false => list.join(", "),
    };
    let mut facts = vec![
        (
            "Blocks in flight",
            show::thousands(u64::from(progress.blocks_in_flight)),
        ),
        (
            "Other branches being fetched",
            show::thousands(u64::from(progress.branches_in_flight)),
        ),
        ("Blocks taken", show::bytes(progress.block_bytes)),
        (
            "From and to all peers",
            format!(
                "{} received, {} sent",
                show::bytes(network.bytes_received),
                show::bytes(network.bytes_sent)
            ),
        ),
        ("Listens on", words_or(listening, "nowhere")),
        ("Added by hand", words_or(added, "nobody")),
        (
            "Known addresses",
            show::thousands(network.known_addresses as u64),
        ),
    ];
    if progress.presync_height > 0 {
        let height = show::thousands(u64::from(progress.presync_height));
        facts.insert(0, ("Headers looked at", height));
    }
    let mut bans = peers.bans();
    let more_bans = bans.len().saturating_sub(MAX_BANS);
    if more_bans > 0 {
        bans.sort_by_key(|ban| std::cmp::Reverse(ban.until));
        bans.truncate(MAX_BANS);
    }
    let scene = PeersScene {
        height: show::thousands(u64::from(progress.best_height)),
        headers: show::thousands(u64::from(progress.header_height)),
        inbound,
        outbound: list.len() - inbound,
        sync: SyncWords::of(&progress),
        facts,
        peers: list.iter().map(row).collect(),
        bans: bans.iter().map(ban_row).collect(),
        more_bans,
    };
    filled(&scene)
}

fn row(peer: &PeerState) -> PeerRow {
    let said = u32::try_from(peer.info.start_height).ok();
    let height = peer.sync.best.map(|(_, height)| height).or(said);
    PeerRow {
        id: peer.info.id.0,
        address: peer.info.endpoint.to_string(),
        kind: peer.info.purpose.as_str(),
        transport: peer.info.transport.as_str(),
        height: height.map_or_else(String::new, |height| show::thousands(u64::from(height))),
        in_flight: match peer.sync.in_flight.len() {
            0 => String::new(),
            blocks => blocks.to_string(),
        },
        ping: peer.traffic.ping.map_or_else(String::new, millis),
        received: show::bytes(peer.traffic.bytes_received),
        sent: show::bytes(peer.traffic.bytes_sent),
        agent: peer.info.user_agent.clone(),
        wrong: peer.sync.misbehavior.clone(),
    }
}

fn ban_row(ban: &BanState) -> BanRow {
    BanRow {
        subnet: ban.subnet.clone(),
        since: show::moment(unix(ban.created)),
        until: show::moment(unix(ban.until)),
    }
}

fn words(peer: &PeerState) -> String {
    let who = match peer.info.purpose.is_inbound() {
        true => "It called this node",
        false => "This node called it",
    };
    let how = match peer.info.session_id {
        Some(_) => "the connection is encrypted",
        None => "the connection is in the clear",
    };
    format!(
        "{who} ({}), {how} ({}). Connected since {}.",
        peer.info.purpose.as_str(),
        peer.info.transport.as_str(),
        show::moment(unix(peer.traffic.connected))
    )
}

fn facts(peer: &PeerState) -> Vec<(&'static str, String)> {
    let (info, traffic, sync) = (&peer.info, &peer.traffic, &peer.sync);
    let moment = |time: Option<SystemTime>| match time {
        Some(time) => show::moment(unix(time)),
        None => "never".to_owned(),
    };
    let number = |height: u32| show::thousands(u64::from(height));
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut facts = vec![
        (
            "Calls itself",
            format!("{} (version {})", info.user_agent, info.version),
        ),
        ("Offers", service_names(info.services).join(", ")),
        (
            "Best block",
            match sync.best {
                Some((hash, height)) => format!("{} {hash}", number(height)),
                None => format!("none known; it said {}", info.start_height),
            },
        ),
        (
            "Common block",
            sync.common_height.map_or("none known".to_owned(), number),
        ),
        (
            "Blocks in flight",
            match sync.in_flight.as_slice() {
                [] => "none".to_owned(),
                [only] => number(*only),
                all => {
                    let (lowest, highest) = (all.iter().min(), all.iter().max());
                    let ends =
                        [lowest, highest].map(|end| end.map_or(String::new(), |h| number(*h)));
                    format!("{}, from {} to {}", all.len(), ends[0], ends[1])
                }
            },
        ),
        (
            "Ping",
            match (traffic.ping, traffic.min_ping) {
                (Some(ping), Some(least)) => {
                    format!("{}; the shortest was {}", millis(ping), millis(least))
                }
                _ => "not known".to_owned(),
            },
        ),
        (
            "Clock",
            match info.time_offset {
                0 => "as ours".to_owned(),
                ahead @ 1.. => format!("{ahead} s ahead of ours"),
                behind => format!("{} s behind ours", behind.unsigned_abs()),
            },
        ),
        ("Wants transactions", yes(info.relay)),
        ("Sends compact blocks at once", yes(sync.compact_from)),
        ("Is sent compact blocks at once", yes(sync.compact_to)),
        ("Last received", moment(traffic.last_received)),
        ("Last sent", moment(traffic.last_sent)),
        ("Last new block", moment(sync.last_block)),
        ("Last new transaction", moment(sync.last_transaction)),
        (
            "Addresses taken from it",
            format!(
                "{}, and {} that came too fast",
                show::thousands(sync.addresses_processed),
                show::thousands(sync.addresses_rate_limited)
            ),
        ),
    ];
    if !info.features.is_empty() {
        facts.insert(2, ("Features", info.features.join(", ")));
    }
    if let Some(height) = sync.presync_height {
        facts.push(("Headers looked at", number(height)));
    }
    if let Some(id) = info.session_id {
        facts.push(("Session", id.to_lower_hex_string()));
    }
    facts
}

/// Unix seconds.
fn unix(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        ..0.1 => "< 0.1 ms".to_owned(),
        ..10.0 => format!("{millis:.1} ms"),
        _ => format!("{millis:.0} ms"),
    }
}
