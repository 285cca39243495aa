//! Owns what the wallet has in one world: coins, who spent the others, which transactions are confirmed.
//! Promises clones that share all they have in common, and a balance at the cost of the young coinbases alone.
//! Refuses to know which block it stands at: [`Timeline`](super::Timeline) does.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use everett_ledger::COINBASE_MATURITY;
use im::OrdMap;
use im::ordmap::DiffItem;

use super::touched::Touched;
use crate::slot::Slot;

/// A coin of ours, as one world has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnCoin {
    /// What it is worth.
    pub amount: Amount,
    /// Whose it is.
    pub slot: Slot,
    /// Height of the block that made it.
    pub height: u32,
    /// Whether a coinbase made it.
    pub coinbase: bool,
}

impl OwnCoin {
    /// Whether it counts as spendable at a tip of this height: with a coinbase, one block later than the rules ask for, as
    /// Bitcoin Core's wallet and the ledger's own balances have it.
    pub fn is_mature(&self, tip_height: u32) -> bool {
        !self.coinbase || self.height + COINBASE_MATURITY <= tip_height
    }
}

/// Where a world has a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Height of the block.
    pub height: u32,
    /// The block.
    pub block: BlockHash,
    /// The transaction's place in it, from 0.
    pub index: u32,
}

/// What a wallet has in one world, without what is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Balance {
    /// Confirmed and mature.
    pub confirmed: Amount,
    /// Coinbases that are too young.
    pub immature: Amount,
    /// Coins of both kinds.
    pub coins: u64,
}

/// What a wallet has at one block.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct State {
    coins: OrdMap<OutPoint, OwnCoin>,
    total: Amount,
    /// The unspent coinbases by height, so that the young ones are found without looking at the others.
    coinbases: OrdMap<(u32, OutPoint), Amount>,
    spends: OrdMap<OutPoint, Txid>,
    places: OrdMap<Txid, Place>,
    history: OrdMap<(u32, u32), Txid>,
    /// Blocks that did something, up to here.
    blocks: u32,
}

impl State {
    /// The coins, by outpoint.
    pub fn coins(&self) -> impl DoubleEndedIterator<Item = (&OutPoint, &OwnCoin)> {
        self.coins.iter()
    }

    /// How many coins there are.
    pub fn coin_count(&self) -> usize {
        self.coins.len()
    }

    /// The coin at `outpoint`, if it is ours and unspent.
    pub fn coin(&self, outpoint: &OutPoint) -> Option<&OwnCoin> {
        self.coins.get(outpoint)
    }

    /// Which transaction of this world spent a coin of ours.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.spends.get(outpoint).copied()
    }

    /// Where this world has a transaction of ours.
    pub fn place(&self, txid: &Txid) -> Option<Place> {
        self.places.get(txid).copied()
    }

    /// The transactions of ours that this state and another one have not at the same place. Costs what they do not share.
    pub(crate) fn moved<'a>(&'a self, other: &'a State) -> impl Iterator<Item = Txid> + 'a {
        self.places.diff(&other.places).map(|item| match item {
            DiffItem::Add(txid, _) | DiffItem::Remove(txid, _) => *txid,
            DiffItem::Update { new: (txid, _), .. } => *txid,
        })
    }

    /// The confirmed transactions of ours, in the chain's order.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = Txid> + '_ {
        self.history.values().copied()
    }

    /// The unspent coinbases of blocks from a height on.
    pub(crate) fn coinbases_since(&self, height: u32) -> impl Iterator<Item = OutPoint> + '_ {
        self.young(height).map(|((_, outpoint), _)| *outpoint)
    }

    fn young(&self, height: u32) -> impl Iterator<Item = (&(u32, OutPoint), &Amount)> {
        let first = OutPoint::new(Txid::all_zeros(), 0);
        self.coinbases.range((height, first)..)
    }

    /// How many coinbases are too young at a tip of this height.
    pub(crate) fn immature_coins(&self, tip_height: u32) -> u64 {
        self.young(oldest_young(tip_height)).count() as u64
    }

    /// The balance at a tip of this height.
    pub fn balance(&self, tip_height: u32) -> Balance {
        let young = self.young(oldest_young(tip_height));
        let immature: Amount = young.map(|(_, amount)| *amount).sum();
        Balance {
            confirmed: self.total - immature,
            immature,
            coins: self.coins.len() as u64,
        }
    }

    /// How many blocks did something to the wallet, up to here.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// The state after a block.
    pub(crate) fn after(mut self, block: &Touched) -> State {
        for (outpoint, coin) in &block.created {
            self.put(*outpoint, *coin);
        }
        let mut changed = !block.transactions.is_empty();
        // What a block makes and spends itself is in both lists. Coins of others are no part of the state: which of them a block
        // has in its list depends on what the wallet knew when it looked.
        for (outpoint, txid) in &block.spent {
            if self.take(outpoint) {
                self.spends.insert(*outpoint, *txid);
                changed = true;
            }
        }
        for (index, txid) in &block.transactions {
            let place = Place {
                height: block.height,
                block: block.hash,
                index: *index,
            };
            self.places.insert(*txid, place);
            self.history.insert((block.height, *index), *txid);
        }
        self.blocks += u32::from(changed);
        self
    }

    fn put(&mut self, outpoint: OutPoint, coin: OwnCoin) {
        // The same transaction twice on one chain (BIP30's exceptions) makes a coin that takes the place of the first.
        self.take(&outpoint);
        self.total += coin.amount;
        if coin.coinbase {
            self.coinbases.insert((coin.height, outpoint), coin.amount);
        }
        self.coins.insert(outpoint, coin);
    }

    /// Says whether it was there.
    fn take(&mut self, outpoint: &OutPoint) -> bool {
        let Some(coin) = self.coins.remove(outpoint) else {
            return false;
        };
        self.total -= coin.amount;
        if coin.coinbase {
            self.coinbases.remove(&(coin.height, *outpoint));
        }
        true
    }
}

/// The lowest height whose coinbase is too young at a tip of this height.
fn oldest_young(tip_height: u32) -> u32 {
    (tip_height + 1).saturating_sub(COINBASE_MATURITY)
}
