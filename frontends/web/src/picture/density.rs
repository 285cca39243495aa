//! Owns how much room the picture gives to each thing: a small tree is drawn large, a large one small.

use everett_ledger::Skeleton;

/// Up to this many key blocks a tree is small.
const SMALL: usize = 16;

/// Lengths in pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Density {
    /// Whether the tree is drawn large.
    pub(crate) roomy: bool,
    /// Half the height of a tip's row.
    pub(crate) tip_half: f32,
    /// Half the height of a fork point's row.
    pub(super) fork_half: f32,
    /// Room that a single block gets, where there are few.
    pub(super) bead: f32,
    /// The most room for blocks that are shown one by one.
    pub(super) beads: f32,
    /// Room for a run that is shortened.
    pub(super) gap: f32,
    /// Between two lanes, when there are few.
    pub(super) lane: f32,
    /// Radius of the bend in which a branch leaves its parent's lane.
    pub(super) bend: f32,
}

impl Density {
    const ROOMY: Density = Density {
        roomy: true,
        tip_half: 19.0,
        fork_half: 15.0,
        bead: 26.0,
        beads: 130.0,
        gap: 72.0,
        lane: 36.0,
        bend: 14.0,
    };

    const DENSE: Density = Density {
        roomy: false,
        tip_half: 13.0,
        fork_half: 8.0,
        bead: 7.5,
        beads: 48.0,
        gap: 48.0,
        lane: 17.0,
        bend: 8.0,
    };

    /// What suits a tree.
    pub(super) fn of(skeleton: &Skeleton) -> Density {
        match skeleton.blocks.len() {
            0..=SMALL => Density::ROOMY,
            _ => Density::DENSE,
        }
    }
}
