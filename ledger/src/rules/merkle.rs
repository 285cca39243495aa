//! Owns merkle trees as Bitcoin has them: an odd node at the end of a level is paired with itself.
//! Promises to notice when that was abused to make two lists of transactions with one root (CVE-2012-2459).

use crate::sha256d::sha256d_pair;

#[cfg(test)]
mod tests;

/// The root of a merkle tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MerkleRoot {
    /// The root, in the byte order in which it is hashed; zeros for no leaves.
    pub root: [u8; 32],
    /// Whether two equal nodes were paired, so that a shorter list has the same root.
    pub mutated: bool,
}

/// Computes the root over `leaves`, level by level in place.
pub fn merkle_root(mut leaves: Vec<[u8; 32]>) -> MerkleRoot {
    let mut mutated = false;
    let mut count = leaves.len();
    while count > 1 {
        for pair in 0..count / 2 {
            let (left, right) = (leaves[2 * pair], leaves[2 * pair + 1]);
            mutated |= left == right;
            leaves[pair] = sha256d_pair(&left, &right);
        }
        if count % 2 == 1 {
            let last = leaves[count - 1];
            leaves[count / 2] = sha256d_pair(&last, &last);
        }
        count = count.div_ceil(2);
    }
    MerkleRoot {
        root: leaves.first().copied().unwrap_or_default(),
        mutated,
    }
}
