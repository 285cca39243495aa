//! Owns how far the node has come: whether its best world is what the network has.

/// Whether the node is up to date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It imports or fetches blocks that others have long had; its best world lies in the past.
    CatchingUp,
    /// Its best world is the best that it can know of.
    Ready,
}
