//! Owns the moving part of the start page: the tree's picture with its words, and the node's state.

use std::collections::HashMap;
use std::time::Duration;

use askama::Template;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use bitcoin::{BlockHash, Work};
use everett_ledger::{ChainStatus, Ledger, LedgerStats, Skeleton};
use everett_node::{FrontendHealth, FrontendState, Phase, SyncPhase, SyncProgress};

use super::system;
use crate::fault::Fault;
use crate::pages::filled;
use crate::picture::{Density, Gap, HeightMark, Map, Mark, Picture, Run};
use crate::sync_words::SyncWords;
use crate::{parse, show};

/// The longest reason that is written beside a tip.
const MAX_REASON: usize = 30;

/// From how many tips on there is a map.
const MAP_FROM: usize = 8;

/// One rendering of it.
pub(crate) struct Scene {
    /// Which one, as the events name it.
    pub(crate) number: u64,
    /// The sequence of the first event that it does not show.
    pub(super) events: u64,
    /// HTML, to be put into the page as it is.
    pub(crate) html: String,
    /// For the page's title.
    pub(crate) height: u32,
    /// How many coins each branch spends otherwise than the best chain, by tip.
    pub(super) clashes: HashMap<BlockHash, u64>,
    /// Changes with the content.
    pub(crate) etag: String,
}

impl Scene {
    pub(super) fn make(
        ledger: &Ledger,
        skeleton: &Skeleton,
        clashes: HashMap<BlockHash, u64>,
        (number, events): (u64, u64),
        state: &NodeState,
    ) -> Result<Scene, Fault> {
        let stats = ledger.stats()?;
        let view = SceneView::new(ledger, skeleton, &clashes, &stats, state);
        let html = filled(&view)?;
        let hash = sha256::Hash::hash(html.as_bytes());
        Ok(Scene {
            number,
            events,
            height: view.height,
            etag: format!("\"{}\"", hash.as_byte_array()[..12].to_lower_hex_string()),
            html,
            clashes,
        })
    }
}

/// What the picture says of the node beside the ledger.
pub(super) struct NodeState {
    pub(super) phase: Phase,
    /// How far it has synced, on a node that is on the network.
    pub(super) network: Option<SyncProgress>,
    /// Blocks a second.
    pub(super) speed: Option<f64>,
    /// Bytes.
    pub(super) disk: Option<u64>,
    pub(super) frontends: Vec<FrontendHealth>,
}

/// A frontend and how it fares.
struct FrontendRow {
    name: String,
    state: &'static str,
    well: bool,
    /// Restarts and lag, if there are any.
    note: String,
    error: Option<String>,
}

impl FrontendRow {
    fn of(health: &FrontendHealth) -> FrontendRow {
        let mut notes = Vec::new();
        if let Some(lag) = health.lag {
            notes.push(match lag.events {
                0 => "has every event".to_owned(),
                events => format!(
                    "{} behind, {}",
                    show::count(events, "event", "events"),
                    show::span(Duration::from_secs(lag.seconds))
                ),
            });
        }
        if health.restarts > 0 {
            notes.push(show::count(health.restarts, "restart", "restarts"));
        }
        FrontendRow {
            name: health.name.clone(),
            state: health.state.as_str(),
            well: matches!(
                health.state,
                FrontendState::Starting | FrontendState::Running
            ),
            note: notes.join(" · "),
            error: health.last_error.as_deref().map(parse::cut),
        }
    }
}

/// What the template is given.
#[derive(Template)]
#[template(path = "scene.html")]
struct SceneView {
    height: u32,
    /// As people read it.
    height_words: String,
    best_hash: String,
    best_short: String,
    best_age: String,
    best_time: String,
    /// Tips in the whole tree.
    tips: usize,
    /// Those of them that a world can be read at; what is not drawn counts as such.
    worlds: usize,
    /// In words, how far behind the next best world is.
    rival: Option<String>,
    sync: Sync,
    figures: Vec<Figure>,
    frontends: Vec<FrontendRow>,
    picture_height: f32,
    density: Density,
    /// Where the columns begin (that of heights: where it ends), in pixels.
    columns: Columns,
    /// Only where there is too much to see at once.
    map: Option<Map>,
    runs: Vec<Run>,
    beads: Vec<Run>,
    cuts: String,
    heights: Vec<HeightMark>,
    gaps: Vec<Gap>,
    tip_rows: Vec<TipRow>,
    forks: Vec<ForkMark>,
    /// Tips that are not drawn.
    more: usize,
}

/// Where the columns of the picture begin, in pixels.
struct Columns {
    /// Where the heights end.
    height: f32,
    world: f32,
    branch: f32,
    behind: f32,
}

impl Columns {
    /// With worlds beginning at `world` and no height longer than `highest`.
    fn new(world: f32, highest: u32) -> Columns {
        const DIGIT: f32 = 8.0;
        // Three digits fit where nothing is moved, and so does a regtest.
        let more = highest.to_string().len().saturating_sub(3) as f32;
        Columns {
            height: (34.0 + (more - 1.0).max(0.0) * DIGIT).min(48.0),
            world,
            branch: world + 124.0,
            behind: world + 262.0 + more * DIGIT,
        }
    }
}

/// How far the node has come.
struct Sync {
    ready: bool,
    words: String,
    /// In percent, where there is a goal.
    progress: Option<String>,
}

/// A figure of the node's state.
struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

/// A tip, drawn and described.
struct TipRow {
    hash: String,
    short: String,
    mark: Mark,
    best: bool,
    /// `8 blocks since 410`.
    branch: String,
    /// `2 behind`.
    behind: String,
    /// How many coins it spends otherwise than the best chain, if any.
    clash: Option<String>,
    /// The word behind that.
    clashes: &'static str,
    /// What is wrong with it, if anything.
    trouble: Option<String>,
    age: String,
    title: String,
}

/// A fork point.
struct ForkMark {
    hash: String,
    mark: Mark,
    title: String,
}

impl SceneView {
    fn new(
        ledger: &Ledger,
        skeleton: &Skeleton,
        clashes: &HashMap<BlockHash, u64>,
        stats: &LedgerStats,
        state: &NodeState,
    ) -> SceneView {
        let now = ledger.clock().now();
        let picture = Picture::draw(skeleton);
        let best_key = skeleton.blocks.iter().find(|key| key.best);
        let best = match best_key {
            Some(key) => key.info.clone(),
            // Every skeleton holds the best tip; genesis stands in where it would not.
            None => skeleton.blocks[0].info.clone(),
        };
        let block_work = best.header.work();
        let behind = |work: Work| match work < best.chainwork {
            true => Some(show::work_in_blocks(best.chainwork - work, block_work)),
            false => None,
        };
        let tip_rows = picture
            .tips
            .iter()
            .map(|mark| {
                let key = &skeleton.blocks[mark.block];
                let info = &key.info;
                let length = u64::from(info.height - info.fork_height);
                let behind = match behind(info.chainwork) {
                    _ if key.best => String::new(),
                    None if info.chainwork == best.chainwork => "same work".to_owned(),
                    None => format!(
                        "{} ahead",
                        show::work_in_blocks(info.chainwork - best.chainwork, block_work)
                    ),
                    Some(behind) => format!("{behind} behind"),
                };
                let trouble = match info.status {
                    ChainStatus::Invalid => Some(match &info.reject_reason {
                        // The rule's name, but no story; that is in the title.
                        Some(reason) if reason.starts_with("invalid") => parse::cut(reason),
                        Some(reason) if reason.len() <= MAX_REASON => format!("invalid: {reason}"),
                        _ => "invalid".to_owned(),
                    }),
                    ChainStatus::HeadersOnly => Some("headers only".to_owned()),
                    ChainStatus::ValidHeaders => Some("not validated".to_owned()),
                    ChainStatus::ValidFork if !info.live => Some("retired".to_owned()),
                    ChainStatus::ValidFork | ChainStatus::Active => None,
                };
                let time = u64::from(info.header.time);
                let mut title = format!(
                    "{}{}\nHeight {}, {}\n",
                    if key.best {
                        "The best world: "
                    } else {
                        "World "
                    },
                    info.hash,
                    show::thousands(u64::from(info.height)),
                    info.status
                );
                if !key.best {
                    title.push_str(&format!(
                        "{} since it left the best chain at {}\n",
                        show::count(length, "block", "blocks"),
                        show::thousands(u64::from(info.fork_height))
                    ));
                }
                let clash = clashes.get(&info.hash).copied();
                // A branch without a world spends nothing.
                let clash = clash.filter(|coins| *coins > 0 && info.live);
                if let Some(coins) = clash {
                    title.push_str(&format!(
                        "{} spent otherwise than on the best chain\n",
                        show::count(coins, "coin", "coins")
                    ));
                }
                if let Some(reason) = &info.reject_reason {
                    title.push_str(&format!("Invalid: {reason}\n"));
                } else if let Some(trouble) = &trouble {
                    title.push_str(&format!("{trouble}\n"));
                }
                title.push_str(&format!(
                    "Work {}{}\nMined {}, first seen {}",
                    show::work(info.chainwork),
                    if behind.is_empty() {
                        String::new()
                    } else {
                        format!(", in blocks: {behind}")
                    },
                    show::moment(time),
                    show::moment(info.first_seen)
                ));
                TipRow {
                    hash: info.hash.to_string(),
                    short: show::short(&info.hash),
                    mark: *mark,
                    best: key.best,
                    branch: format!(
                        "{} since {}",
                        show::count(length, "block", "blocks"),
                        info.fork_height
                    ),
                    behind,
                    clash: clash.map(show::thousands),
                    clashes: if clash == Some(1) {
                        "conflict"
                    } else {
                        "conflicts"
                    },
                    trouble,
                    age: show::age(now, time),
                    title,
                }
            })
            .collect();
        let branches = |block: usize| {
            let children = skeleton.blocks.iter();
            children.filter(|key| key.below == Some(block)).count()
        };
        let forks = picture
            .forks
            .iter()
            .map(|mark| {
                let info = &skeleton.blocks[mark.block].info;
                let title = match info.height {
                    0 => format!("Genesis {}", info.hash),
                    height => format!(
                        "{} part at height {height}\n{}",
                        show::count(branches(mark.block) as u64, "branch", "branches"),
                        info.hash
                    ),
                };
                ForkMark {
                    hash: info.hash.to_string(),
                    mark: *mark,
                    title,
                }
            })
            .collect();
        let rivals = skeleton.blocks.iter().filter(|key| {
            key.tip && !key.best && key.info.status == ChainStatus::ValidFork && key.info.live
        });
        let rival = rivals.max_by_key(|key| key.info.chainwork).map(|key| {
            match behind(key.info.chainwork).as_deref() {
                None | Some("0") => "has as much work".to_owned(),
                Some("1") => "is 1 block of work behind".to_owned(),
                Some(blocks) => format!("is {blocks} blocks of work behind"),
            }
        });
        let highest = skeleton.blocks.iter().map(|key| key.info.height).max();
        let highest = highest.unwrap_or(best.height);
        let more = skeleton.tips - picture.tips.len();
        let tips = skeleton.blocks.iter().filter(|key| key.tip);
        let worlds = tips.filter(|key| key.info.live).count() + more;
        SceneView {
            height: best.height,
            height_words: show::thousands(u64::from(best.height)),
            best_hash: best.hash.to_string(),
            best_short: show::short(&best.hash),
            best_age: show::age(now, u64::from(best.header.time)),
            best_time: show::moment(u64::from(best.header.time)),
            tips: skeleton.tips,
            worlds,
            rival,
            sync: Sync::new(skeleton, best.height, &best.chainwork, state),
            figures: figures(ledger, stats, state.disk),
            frontends: state.frontends.iter().map(FrontendRow::of).collect(),
            picture_height: picture.height,
            density: picture.density,
            columns: Columns::new(picture.words, highest),
            map: (picture.tips.len() >= MAP_FROM).then_some(picture.map),
            runs: picture.runs,
            beads: picture.beads,
            cuts: picture.cuts,
            heights: picture.heights,
            gaps: picture.gaps,
            more,
            tip_rows,
            forks,
        }
    }
}

impl Sync {
    fn new(skeleton: &Skeleton, height: u32, work: &Work, state: &NodeState) -> Sync {
        // What the network knows goes before what can be seen in the tree.
        if let Some(progress) = &state.network
            && progress.phase != SyncPhase::Synced
        {
            let mut sync = SyncWords::of(progress);
            if let (SyncPhase::Blocks, Some(speed)) = (progress.phase, state.speed) {
                sync.words.push_str(&format!(" · {}", speed_words(speed)));
            }
            return Sync {
                ready: sync.ready,
                words: sync.words,
                progress: sync.progress,
            };
        }
        let (phase, speed) = (state.phase, state.speed);
        let waiting = skeleton.blocks.iter().filter(|key| {
            let pending = matches!(
                key.info.status,
                ChainStatus::HeadersOnly | ChainStatus::ValidHeaders
            );
            key.tip && pending && key.info.chainwork > *work
        });
        let goal = waiting.map(|key| key.info.height).max();
        let catching_up = phase == Phase::CatchingUp;
        let mut words = vec![match (catching_up, goal) {
            (false, None) => "Up to date".to_owned(),
            (_, Some(goal)) => format!(
                "{} of {}",
                show::thousands(u64::from(height)),
                show::count(u64::from(goal), "header", "headers")
            ),
            (true, None) => "Catching up".to_owned(),
        }];
        if catching_up || goal.is_some() {
            words.extend(speed.map(speed_words));
        }
        if let (Some(goal), Some(speed)) = (goal, speed) {
            let left = f64::from(goal.saturating_sub(height)) / speed;
            let left = Duration::from_secs(left as u64);
            words.push(format!("about {} left", show::span(left)));
        }
        Sync {
            ready: !catching_up && goal.is_none(),
            words: words.join(" · "),
            progress: goal
                .filter(|goal| *goal > 0)
                .map(|goal| format!("{:.1}", f64::from(height) / f64::from(goal) * 100.0)),
        }
    }
}

fn speed_words(speed: f64) -> String {
    let rounded = match speed {
        slow if slow < 10.0 => format!("{slow:.1}"),
        fast => show::thousands(fast.round() as u64),
    };
    format!("{rounded} blocks/s")
}

fn figures(ledger: &Ledger, stats: &LedgerStats, disk: Option<u64>) -> Vec<Figure> {
    let unknown = || "not told".to_owned();
    let number = |number: usize| show::thousands(number as u64);
    vec![
        Figure {
            name: "Headers",
            value: number(stats.headers),
            note: "on all branches".to_owned(),
        },
        Figure {
            name: "Live worlds",
            value: number(stats.live_worlds),
            note: match stats.held_worlds {
                0 => "blocks that can be read at".to_owned(),
                held => format!("and {held} held after retirement"),
            },
        },
        Figure {
            name: "Checkpoint",
            value: show::thousands(u64::from(stats.base_height)),
            note: format!(
                "the base's height; horizon {}",
                show::thousands(u64::from(ledger.horizon()))
            ),
        },
        Figure {
            name: "Overlay",
            value: show::bytes(stats.overlay_bytes as u64),
            note: format!(
                "{}, {}",
                show::count(stats.overlay_coins as u64, "coin", "coins"),
                show::count(stats.overlay_scripts as u64, "script", "scripts")
            ),
        },
        Figure {
            name: "Memory",
            value: system::memory().map_or_else(unknown, show::bytes),
            note: "resident".to_owned(),
        },
        Figure {
            name: "Disk",
            value: disk.map_or_else(unknown, show::bytes),
            note: "blocks and index".to_owned(),
        },
    ]
}
