//! Owns branches: a tip that moves on with what is mined on it, and reorganisations.
//! Promises that a branch stays itself whatever becomes the best world meanwhile.

use bitcoin::{Amount, Transaction};
use everett_ledger::World;
use everett_scenario::Party;

use crate::at::At;
use crate::error::LabError;
use crate::lab::Lab;

/// A branch in the making: what is mined on it goes on top of it. [`Lab::fork`] begins one.
#[derive(Clone)]
pub struct Branch<'l> {
    lab: &'l Lab,
    tip: World,
}

impl Branch<'_> {
    /// The world at its last block; before the first, the one where it forks off.
    pub fn tip(&self) -> &World {
        &self.tip
    }

    /// As [`Lab::mine`], on top of this branch.
    ///
    /// # Errors
    ///
    /// As [`Lab::mine`].
    pub fn mine(
        &mut self,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Result<&World, LabError> {
        self.tip = self.lab.mine(&self.tip, transactions)?;
        Ok(&self.tip)
    }

    /// As [`Lab::grow`], on top of this branch.
    ///
    /// # Errors
    ///
    /// As [`Lab::grow`].
    pub fn grow(&mut self, count: u32) -> Result<&World, LabError> {
        self.tip = self.lab.grow(&self.tip, count)?;
        Ok(&self.tip)
    }

    /// As [`Lab::pay`], from the coins that there are on this branch.
    ///
    /// # Errors
    ///
    /// As [`Lab::pay_at`].
    pub fn pay(&self, from: &Party, to: &Party, amount: Amount) -> Result<Transaction, LabError> {
        self.lab.pay_at(&self.tip, from, to, amount)
    }
}

/// A reorganisation that has happened.
#[derive(Clone, Debug)]
pub struct Reorg {
    /// The best world before.
    pub from: World,
    /// The last world that both have in common.
    pub fork: World,
    /// The best world now.
    pub to: World,
}

impl Lab {
    /// Begins a branch at a block; it is one as soon as something is mined on it.
    ///
    /// # Errors
    ///
    /// [`LabError::World`].
    pub fn fork(&self, at: impl Into<At>) -> Result<Branch<'_>, LabError> {
        Ok(Branch {
            lab: self,
            tip: self.world(at)?,
        })
    }

    /// Undoes the last `depth` blocks of the best chain: `depth + 1` others come on the block below them. With a depth
    /// of 0 the best chain just grows by a block.
    ///
    /// # Errors
    ///
    /// [`LabError::TooDeep`]; [`LabError::World`] behind the horizon.
    pub fn reorg(&self, depth: u32) -> Result<Reorg, LabError> {
        self.reorg_with(depth, [])
    }

    /// The same, with transactions in the first of the new blocks, such as a [`Lab::double_spend`] of what is undone.
    ///
    /// # Errors
    ///
    /// As [`Lab::reorg`] and [`Lab::mine`].
    pub fn reorg_with(
        &self,
        depth: u32,
        transactions: impl IntoIterator<Item = Transaction>,
    ) -> Result<Reorg, LabError> {
        let from = self.best();
        let height = from.height();
        let below = height.checked_sub(depth);
        let fork = self.world(below.ok_or(LabError::TooDeep { depth, height })?)?;
        let mut branch = self.fork(&fork)?;
        branch.mine(transactions)?;
        let to = branch.grow(depth)?.clone();
        Ok(Reorg { from, fork, to })
    }
}
