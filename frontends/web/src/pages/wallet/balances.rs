//! Owns what a wallet has in each live world, side by side.

use everett_wallet::View;

use super::{MAX_WORLDS, Worlds};
use crate::fault::Fault;
use crate::pages::wallets::some;
use crate::pages::world::WorldRow;
use crate::reads::Patience;
use crate::show::Btc;

/// A world's column.
pub(super) struct WorldCard {
    pub(super) world: WorldRow,
    pub(super) best: bool,
    pub(super) spendable: Btc,
    pub(super) pending: Option<Btc>,
    pub(super) immature: Option<Btc>,
    pub(super) coins: u64,
    /// More (`+`) or less (`−`) that can be spent than in the best world, if it differs.
    pub(super) difference: Option<(&'static str, Btc)>,
}

pub(super) fn cards(
    view: &View<'_>,
    worlds: &Worlds,
    patience: &Patience,
) -> Result<Vec<WorldCard>, Fault> {
    let mut cards: Vec<WorldCard> = Vec::new();
    let mut in_best = 0;
    for (info, world) in worlds.all.iter().take(MAX_WORLDS) {
        patience.check()?;
        let best = info.hash == view.best().hash();
        let balance = view.balance(world)?;
        let here = balance.trusted.to_sat();
        if best {
            in_best = here;
        }
        cards.push(WorldCard {
            world: worlds.row(info, view),
            best,
            spendable: Btc::of(here),
            pending: some(balance.pending),
            immature: some(balance.immature),
            coins: balance.coins,
            difference: match in_best {
                there if here > there => Some(("+", Btc::of(here - there))),
                there if here < there => Some(("−", Btc::of(there - here))),
                _ => None,
            },
        });
    }
    Ok(cards)
}
