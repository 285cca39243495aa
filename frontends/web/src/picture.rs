//! Owns the picture of the tree: where every tip, fork point and run of blocks is drawn.
//! Promises that it depends on the skeleton alone, that every tip of it has a place of its own, and that its size is
//! bound by the number of tips, however many blocks lie between them.
//! Refuses colours and words: those are the style sheet's and the template's.
//!
//! ```text
//!   height   lanes                         (newest above)
//!    420   ●            the best world: lane 0
//!    418   │   ●        another: it has a lane to the right for as long as it is drawn
//!    415   │ ● │
//!    410   ├─┴─╯        a fork point: a row without a label
//!     ┆    ┊            a long run of blocks, shortened
//! ```

mod axis;
mod density;
mod lanes;
mod map;

use everett_ledger::{ChainStatus, Skeleton};

use axis::Axis;
pub(crate) use density::Density;
use lanes::Lanes;
pub(crate) use map::Map;

/// Most tips in one picture; the others are counted.
pub(crate) const MAX_TIPS: usize = 250;

/// From the left edge to the middle of lane 0: room for heights.
const GUTTER: f32 = 62.0;
/// Between two lanes at least.
const NARROW_LANE: f32 = 7.0;
/// All lanes together get no wider than this, as long as [`NARROW_LANE`] allows.
const LANES_WIDTH: f32 = 132.0;
/// From the outermost lane to the words.
const MARGIN: f32 = 22.0;

/// How a run of blocks or a mark is drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// A header without its block, or a block that was never validated.
    Pending,
    /// Invalid.
    Invalid,
    /// Valid, but behind the horizon: its world cannot be read any more.
    Retired,
    /// A living branch.
    Rival,
    /// The best chain. The last one, for it is drawn over the others.
    Best,
}

impl Kind {
    fn of(status: ChainStatus, live: bool) -> Kind {
        match status {
            ChainStatus::Active => Kind::Best,
            ChainStatus::ValidFork if live => Kind::Rival,
            ChainStatus::ValidFork => Kind::Retired,
            ChainStatus::ValidHeaders | ChainStatus::HeadersOnly => Kind::Pending,
            ChainStatus::Invalid => Kind::Invalid,
        }
    }

    /// The class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Kind::Pending => "pending",
            Kind::Invalid => "invalid",
            Kind::Retired => "retired",
            Kind::Rival => "rival",
            Kind::Best => "best",
        }
    }
}

/// A run of blocks between two key blocks.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    /// An SVG path.
    pub(crate) path: String,
}

/// A key block's place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Mark {
    /// Index in [`Skeleton::blocks`].
    pub(crate) block: usize,
    pub(crate) kind: Kind,
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// A height, written in the gutter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct HeightMark {
    pub(crate) height: u32,
    pub(crate) y: f32,
    /// Whether a tip stands there.
    pub(crate) tip: bool,
}

/// A run of blocks in which nothing forks, too long to show each.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Gap {
    pub(crate) blocks: u32,
    pub(crate) y: f32,
}

/// All that is drawn, in pixels from the upper left corner.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Picture {
    pub(crate) density: Density,
    pub(crate) height: f32,
    /// Where the words of a row begin.
    pub(crate) words: f32,
    /// In the order in which they are drawn.
    pub(crate) runs: Vec<Run>,
    /// Single blocks along the runs: SVG paths of points, one a kind.
    pub(crate) beads: Vec<Run>,
    /// Where long runs are interrupted: one SVG path.
    pub(crate) cuts: String,
    pub(crate) tips: Vec<Mark>,
    pub(crate) forks: Vec<Mark>,
    pub(crate) heights: Vec<HeightMark>,
    pub(crate) gaps: Vec<Gap>,
    /// The whole tree in a narrow strip.
    pub(crate) map: Map,
}

impl Picture {
    /// Draws a skeleton.
    pub(crate) fn draw(skeleton: &Skeleton) -> Picture {
        let density = Density::of(skeleton);
        let axis = Axis::new(skeleton, &density);
        let lanes = Lanes::new(skeleton, &axis);
        let step = match lanes.count() {
            0 | 1 => density.lane,
            count => (LANES_WIDTH / (count - 1) as f32).clamp(NARROW_LANE, density.lane),
        };
        let place = |block: usize| (GUTTER + lanes.of(block) as f32 * step, axis.y(block));
        let kind = |block: usize| {
            let info = &skeleton.blocks[block].info;
            Kind::of(info.status, info.live)
        };
        let mut picture = Picture {
            density,
            height: axis.length(),
            words: GUTTER + lanes.count().saturating_sub(1) as f32 * step + MARGIN,
            runs: Vec::new(),
            beads: Vec::new(),
            cuts: String::new(),
            tips: Vec::new(),
            forks: Vec::new(),
            heights: axis.heights(),
            gaps: axis.gaps(),
            map: Map::new(skeleton),
        };
        let mut beads: [String; 5] = Default::default();
        for (block, key) in skeleton.blocks.iter().enumerate() {
            let (x, y) = place(block);
            let kind = kind(block);
            let mark = Mark { block, kind, x, y };
            match key.tip {
                true => picture.tips.push(mark),
                false => picture.forks.push(mark),
            }
            let Some(below) = key.below else { continue };
            let (to_x, to_y) = place(below);
            picture.runs.push(Run {
                kind,
                path: run_path((x, y), (to_x, to_y), density.bend),
            });
            let bottom = skeleton.blocks[below].info.height;
            for bead in axis.beads(bottom, key.info.height) {
                beads[kind as usize].push_str(&format!("M{x:.1} {bead:.1}h0"));
            }
            for (from, to) in axis.cuts(y, to_y) {
                picture.cuts.push_str(&format!("M{x:.1} {from:.1}V{to:.1}"));
            }
        }
        picture.runs.sort_by_key(|run| run.kind);
        picture.tips.sort_by(|a, b| a.y.total_cmp(&b.y));
        let kinds = [
            Kind::Pending,
            Kind::Invalid,
            Kind::Retired,
            Kind::Rival,
            Kind::Best,
        ];
        for (kind, path) in kinds.into_iter().zip(beads) {
            if !path.is_empty() {
                picture.beads.push(Run { kind, path });
            }
        }
        picture
    }
}

/// Down from a block, and to the side into the lane of the one below it.
fn run_path((x, y): (f32, f32), (to_x, to_y): (f32, f32), bend: f32) -> String {
    if x == to_x {
        return format!("M{x:.1} {y:.1}V{to_y:.1}");
    }
    let side = if to_x < x { -1.0 } else { 1.0 };
    let bend = bend.min(to_y - y).min((to_x - x).abs());
    format!(
        "M{x:.1} {y:.1}V{:.1}Q{x:.1} {to_y:.1} {:.1} {to_y:.1}H{to_x:.1}",
        to_y - bend,
        x + side * bend
    )
}

#[cfg(test)]
mod tests;
