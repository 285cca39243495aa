//! Owns the delta: what one block did to the UTXO set.
//! Promises that it is its own undo: the spent coins are in it whole.
//! Refuses coins that the block both made and spent: those leave no trace.

use bitcoin::OutPoint;

use crate::coin::Coin;

/// What one block created and spent.
///
/// An outpoint may stand in both lists only where BIP30's exceptions overwrite a coin:
/// `spent` is to be applied before `created`, and undone after it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// Coins of earlier blocks that the block spent, in the order of its inputs.
    pub spent: Vec<(OutPoint, Coin)>,
    /// Coins the block made and did not spend itself, in the order of its outputs.
    pub created: Vec<(OutPoint, Coin)>,
}

impl Delta {
    /// How many coins it touches.
    pub fn len(&self) -> usize {
        self.spent.len() + self.created.len()
    }

    /// Whether it touches none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
