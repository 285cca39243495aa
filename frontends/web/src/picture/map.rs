//! Owns the map: the whole tree in one narrow strip, oldest on the left. Each branch rises from where it left the best
//! chain, the higher the more blocks it has.
//! Promises that the best chain is its floor; where nothing happens for long, the strip is shortened.

use everett_ledger::Skeleton;

use super::{Kind, Run};

/// Width of the strip, in its own units: it is stretched to the width of the page.
const WIDTH: f32 = 1000.0;
/// Blocks without a key block that are shown as they are; of more, only so many.
const MAX_QUIET: u32 = 16;
/// How high a branch rises with each block, where all are short.
const BLOCK: f32 = 6.0;
/// How high the longest branch rises at most.
const MAX_RISE: f32 = 96.0;
/// Beyond this many blocks a branch of four times the length is drawn twice as high.
const LONG: u32 = 32;
/// Above the longest branch, and below the best chain.
const EDGE: f32 = 6.0;

/// The strip.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Map {
    pub(crate) height: f32,
    /// Runs of blocks, in the order in which they are drawn.
    pub(crate) runs: Vec<Run>,
    /// The tips: SVG paths of points, one a kind.
    pub(crate) tips: Vec<Run>,
    /// The height at its left end.
    pub(crate) from: u32,
    /// The height at its right end.
    pub(crate) to: u32,
}

impl Map {
    pub(super) fn new(skeleton: &Skeleton) -> Map {
        let blocks = &skeleton.blocks;
        // What is below the first fork is the same for all, and left out.
        let mut children = vec![0; blocks.len()];
        for below in blocks.iter().filter_map(|key| key.below) {
            children[below] += 1;
        }
        let root = children.iter().position(|children| *children > 1);
        let from = blocks[root.unwrap_or(0)].info.height;
        let mut along: Vec<u32> = Vec::with_capacity(blocks.len());
        let mut before = (from, 0);
        for key in blocks {
            let height = key.info.height.max(from);
            let at = before.1 + (height - before.0).min(MAX_QUIET);
            along.push(at);
            before = (height, at);
        }
        let scale = WIDTH / before.1.max(1) as f32;
        let length = |block: usize| blocks[block].info.height - blocks[block].info.fork_height;
        let longest = (0..blocks.len()).map(length).max().unwrap_or(0);
        let rise = |blocks: u32| match longest {
            short if short <= LONG => blocks as f32 * BLOCK.min(MAX_RISE / short.max(1) as f32),
            long => (blocks as f32 / long as f32).sqrt() * MAX_RISE,
        };
        let floor = EDGE + rise(longest);
        let place = |block: usize| (along[block] as f32 * scale, floor - rise(length(block)));
        let mut runs = Vec::new();
        let mut tips: Vec<Run> = Vec::new();
        for (block, key) in blocks.iter().enumerate() {
            let kind = Kind::of(key.info.status, key.info.live);
            let (x, y) = place(block);
            if key.tip {
                let path = format!("M{x:.1} {y:.1}h0");
                match tips.iter_mut().find(|run| run.kind == kind) {
                    Some(run) => run.path.push_str(&path),
                    None => tips.push(Run { kind, path }),
                }
            }
            if let Some(below) = key.below.filter(|_| key.info.height > from) {
                let (to_x, to_y) = place(below);
                let path = format!("M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}");
                runs.push(Run { kind, path });
            }
        }
        runs.sort_by_key(|run| run.kind);
        tips.sort_by_key(|run| run.kind);
        Map {
            height: floor + EDGE,
            runs,
            tips,
            from,
            to: before.0,
        }
    }
}
