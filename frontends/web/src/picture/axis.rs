//! Owns the axis of the picture: which row each key block stands on, and how much room the blocks between two rows get.
//! Promises that a higher block is never drawn below a lower one, and that single blocks are shown where they fit.

use std::cmp::Reverse;

use everett_ledger::Skeleton;

use super::density::Density;
use super::{Gap, HeightMark};

/// The most blocks between two rows that are shown one by one.
const MAX_BEADS: u32 = 9;
/// Where the line of a run that is shortened is interrupted: between this part of its room and as much from the other
/// end.
const CUT: f32 = 0.28;
/// Above the first row: room for the heads of the columns.
const TOP: f32 = 48.0;
/// Below the last row.
const BOTTOM: f32 = 20.0;

/// A row: one key block.
struct Row {
    height: u32,
    y: f32,
    tip: bool,
}

/// The rows from top to bottom.
pub(super) struct Axis {
    rows: Vec<Row>,
    /// For each key block the index of its row.
    row_of: Vec<usize>,
}

impl Axis {
    pub(super) fn new(skeleton: &Skeleton, density: &Density) -> Axis {
        let blocks = &skeleton.blocks;
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        // At one height tips stand above fork points: a branch that ends leaves its lane to one that begins there.
        order.sort_by_key(|block| {
            let key = &blocks[*block];
            let rank = (key.tip, key.best, key.info.chainwork);
            (Reverse(key.info.height), Reverse(rank), *block)
        });
        let mut rows: Vec<Row> = Vec::with_capacity(order.len());
        let mut row_of = vec![0; order.len()];
        for block in order {
            let (height, tip) = (blocks[block].info.height, blocks[block].tip);
            let y = match rows.last() {
                None => TOP,
                Some(above) => above.y + room(density, above, height, tip),
            };
            row_of[block] = rows.len();
            rows.push(Row { height, y, tip });
        }
        Axis { rows, row_of }
    }

    /// The row of a key block, counted from the top.
    pub(super) fn row(&self, block: usize) -> usize {
        self.row_of[block]
    }

    pub(super) fn y(&self, block: usize) -> f32 {
        self.rows[self.row_of[block]].y
    }

    pub(super) fn length(&self) -> f32 {
        self.rows.last().map_or(0.0, |row| row.y) + BOTTOM
    }

    /// Each height once, at its first row.
    pub(super) fn heights(&self) -> Vec<HeightMark> {
        let mut marks: Vec<HeightMark> = Vec::new();
        for row in &self.rows {
            if marks.last().is_none_or(|mark| mark.height != row.height) {
                marks.push(HeightMark {
                    height: row.height,
                    y: row.y,
                    tip: row.tip,
                });
            }
        }
        marks
    }

    /// The runs that are too long to be shown block by block.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let long = self.pairs().filter(|(above, below)| is_long(above, below));
        long.map(|(above, below)| Gap {
            blocks: above.height - below.height - 1,
            y: (above.y + below.y) / 2.0,
        })
        .collect()
    }

    /// Where the blocks between two heights are drawn, as far as they are.
    pub(super) fn beads(&self, bottom: u32, top: u32) -> Vec<f32> {
        let mut beads = Vec::new();
        let first = self.rows.partition_point(|row| row.height >= top);
        // The last row at the upper height may stand below the block itself; what is between is in the pairs from it.
        let pairs = self.pairs().skip(first.saturating_sub(1));
        for (above, below) in pairs.take_while(|(above, _)| above.height > bottom) {
            let blocks = above.height - below.height;
            if above.height < top && blocks > 0 {
                beads.push(above.y);
            }
            if !is_long(above, below) {
                let step = (below.y - above.y) / blocks.max(1) as f32;
                beads.extend((1..blocks).map(|block| above.y + step * block as f32));
            }
        }
        beads
    }

    /// Where a line from `top` down to `bottom` is interrupted.
    pub(super) fn cuts(&self, top: f32, bottom: f32) -> Vec<(f32, f32)> {
        let first = self.rows.partition_point(|row| row.y < top);
        let pairs = self.pairs().skip(first);
        pairs
            .take_while(|(_, below)| below.y <= bottom)
            .filter(|(above, below)| is_long(above, below))
            .map(|(above, below)| {
                let edge = (below.y - above.y) * CUT;
                (above.y + edge, below.y - edge)
            })
            .collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&Row, &Row)> {
        self.rows.iter().zip(self.rows.iter().skip(1))
    }
}

/// From a row to the next one.
fn room(density: &Density, above: &Row, height: u32, tip: bool) -> f32 {
    let half = |tip| {
        if tip {
            density.tip_half
        } else {
            density.fork_half
        }
    };
    let rows = half(above.tip) + half(tip);
    match above.height - height {
        long if long > MAX_BEADS => density.gap.max(rows),
        blocks => rows.max((blocks as f32 * density.bead).min(density.beads)),
    }
}

fn is_long(above: &Row, below: &Row) -> bool {
    above.height - below.height > MAX_BEADS
}
