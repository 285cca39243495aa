//! A shop that delivers once a payment is confirmed, tested against a double spend in a reorganisation.
//!
//! `cargo run -p everett-lab --example shop`

use std::collections::HashSet;

use bitcoin::{Amount, Txid};
use everett_lab::{Lab, Party};
use everett_ledger::{ConflictKind, World};

/// The code under test: what is owed to whom follows from one world, and nothing else.
struct Shop {
    till: Party,
    price: Amount,
    confirmations: u32,
}

impl Shop {
    /// The payments that it delivers for, as it looks from a world.
    fn delivers(&self, world: &World) -> Result<HashSet<Txid>, Box<dyn std::error::Error>> {
        let coins = world.coins_of(&self.till.script_hash(), None, 1_000)?;
        let deep = |height: u32| world.height() + 1 - height >= self.confirmations;
        let paid = coins
            .iter()
            .filter(|(_, coin)| coin.amount >= self.price && deep(coin.height));
        Ok(paid.map(|(outpoint, _)| outpoint.txid).collect())
    }
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The same seed makes the same keys, blocks and hashes, everywhere.
    let lab = Lab::new(2026);
    let customer = lab.party("customer");
    let shop = Shop {
        till: lab.party("shop"),
        price: Amount::ONE_BTC,
        confirmations: 2,
    };
    let ready = lab.fund(&customer)?;

    // The customer pays; after two blocks the shop delivers.
    let payment = lab.pay(&customer, &shop.till, Amount::ONE_BTC)?;
    let first = lab.mine(&ready, [payment.clone()])?;
    assert!(shop.delivers(&first)?.is_empty());
    let second = lab.grow(&first, 1)?;
    assert!(shop.delivers(&second)?.contains(&payment.compute_txid()));

    // A longer branch, on which the customer has paid herself.
    let theft = lab.double_spend(&payment, &customer)?;
    let reorg = lab.reorg_with(2, [theft.clone()])?;
    lab.expect(&reorg.to)
        .best()
        .has_tx(&theft)
        .has_no_tx(&payment)
        .balance(&shop.till, Amount::ZERO)
        .conflicts(&second, ConflictKind::DoubleSpend, 1);
    assert!(shop.delivers(&reorg.to)?.is_empty());

    // The world in which it was paid is still there to be asked.
    lab.expect(&second)
        .not_best()
        .balance(&shop.till, Amount::ONE_BTC);
    println!("{}", lab.picture());
    Ok(())
}
