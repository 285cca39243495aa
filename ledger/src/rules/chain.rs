//! Owns the rules' view of a chain of headers.
//! Promises that a rule sees one chain only: the one that ends at the parent of what it judges.

use bitcoin::BlockHash;

/// How many blocks the median time past looks at (BIP113).
const MEDIAN_TIME_SPAN: usize = 11;

/// What rules need to know about a header of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderFacts {
    /// The block's hash.
    pub hash: BlockHash,
    /// The version, signed as consensus reads it.
    pub version: i32,
    /// Seconds since 1970.
    pub time: u32,
    /// The target in compact form.
    pub bits: u32,
}

/// A chain from genesis to a given block.
pub trait Chain {
    /// The height of its last block.
    fn height(&self) -> u32;

    /// The header at `height`, which is at most [`Chain::height`].
    fn header(&self, height: u32) -> HeaderFacts;

    /// The headers from `height` down to genesis.
    fn headers_down(&self, height: u32) -> impl Iterator<Item = HeaderFacts> {
        (0..=height).rev().map(|height| self.header(height))
    }
}

/// The median of the times of the block at `height` and the ten before it (fewer near genesis), in seconds.
pub fn median_time_past(chain: &impl Chain, height: u32) -> u32 {
    let mut times = [0; MEDIAN_TIME_SPAN];
    let mut count = 0;
    for (time, header) in times.iter_mut().zip(chain.headers_down(height)) {
        *time = header.time;
        count += 1;
    }
    let times = &mut times[..count];
    times.sort_unstable();
    times[count / 2]
}
