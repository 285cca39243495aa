//! Owns the page of a wallet: its balances in every live world side by side, warnings, payments with what becomes of them in
//! each world, coins, and an address to be paid to.
//! Promises that all of one page is of one moment, and nothing secret on it.
//! Refuses to pay by itself: that is for a page of its own.

mod balances;
mod coins;
pub(super) mod pay;
mod payments;
mod receive;
mod warnings;

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use bitcoin::BlockHash;
use everett_ledger::{BlockInfo, Ledger, World};
use everett_wallet::{Chain, Purpose, View, WalletError};

use super::part::Part;
use super::wallets::{Lock, link, moving, title};
use super::world::WorldRow;
use super::{Choice, Page, filled};
use crate::fault::Fault;
use crate::parse;
use crate::payment_uri::escaped;
use crate::reads::Patience;
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};
use balances::WorldCard;
use coins::CoinRow;
use payments::PaymentRow;
use receive::{Asked, Receive};
use warnings::WarningRow;

/// Worlds side by side, at most: those of the most work.
const MAX_WORLDS: usize = 24;
/// Worlds beside each other in the table of payments, at most.
const MAX_COLUMNS: usize = 6;

#[derive(Template)]
#[template(path = "wallet.html")]
struct WalletPage {
    frame: Frame,
    title: String,
    link: String,
    /// What the part that moves was asked for, with its question mark.
    query: String,
    scene: String,
    receive: Receive,
    may_pay: bool,
    token: String,
}

/// The part that moves.
#[derive(Template)]
#[template(path = "wallet_scene.html")]
struct WalletScene {
    title: String,
    link: String,
    height: String,
    spendable: Btc,
    pending: Option<Btc>,
    immature: Option<Btc>,
    held: Option<Btc>,
    reused: Option<Btc>,
    safe: Btc,
    at_risk: Option<Btc>,
    worlds: usize,
    lock: Lock,
    warnings: Vec<WarningRow>,
    cards: Vec<WorldCard>,
    more_worlds: usize,
    columns: Vec<WorldRow>,
    more_columns: usize,
    payments: Vec<PaymentRow>,
    payments_part: Part,
    chosen: WorldRow,
    chosen_is_best: bool,
    coins: Vec<CoinRow>,
    coins_part: Part,
}

/// The live worlds, the best one first, the others by work.
struct Worlds {
    all: Vec<(BlockInfo, World)>,
    now: u64,
}

impl Worlds {
    fn of(ledger: &Ledger, view: &View<'_>) -> Worlds {
        let found = |world: &World| Some((ledger.block_info(&world.hash())?, world.clone()));
        let mut rivals: Vec<(BlockInfo, World)> = view.rivals().iter().filter_map(found).collect();
        rivals.sort_by(|(a, _), (b, _)| b.chainwork.cmp(&a.chainwork).then(a.hash.cmp(&b.hash)));
        let best = found(view.best());
        Worlds {
            all: best.into_iter().chain(rivals).collect(),
            now: ledger.clock().now(),
        }
    }

    fn row(&self, info: &BlockInfo, view: &View<'_>) -> WorldRow {
        super::world::row(info, view.best(), self.now)
    }

    /// The best one, or the one that was asked for: the first whose chain holds that block, for a world goes on under the
    /// name of any of its blocks. A page that is looked at so follows a branch that grows.
    fn chosen(
        &self,
        hash: Option<BlockHash>,
        ledger: &Ledger,
    ) -> Result<&(BlockInfo, World), Fault> {
        let found = match hash {
            None => self.all.first(),
            Some(hash) => {
                let height = ledger.block_info(&hash).ok_or(Fault::NoPage)?.height;
                let mut worlds = self.all.iter();
                worlds.find(|(_, world)| world.block_hash_at(height) == Some(hash))
            }
        };
        found.ok_or(Fault::NoPage)
    }
}

/// What of the wallet is to be shown.
struct Wanted {
    world: Option<BlockHash>,
    page: u64,
    coins: u64,
    /// How far behind a branch may be that is warned of, as the node is configured.
    warn_blocks: u32,
}

impl Wanted {
    fn of(choice: &Choice, site: &Site) -> Result<Wanted, Fault> {
        Ok(Wanted {
            world: choice.world.as_deref().map(parse::block_hash).transpose()?,
            page: parse::page(choice.page.as_deref())?,
            coins: parse::page(choice.coins.as_deref())?,
            warn_blocks: site.wallets()?.config().warn_blocks,
        })
    }

    /// The same as a query, but for one name at its end.
    fn query(&self, last: &str) -> String {
        let world = self.world.map(|hash| format!("world={hash}"));
        let page = (last != "page" && self.page > 1).then(|| format!("page={}", self.page));
        let coins = (last != "coins" && self.coins > 1).then(|| format!("coins={}", self.coins));
        let ends = (!last.is_empty()).then(|| format!("{last}="));
        let all = [world, page, coins, ends];
        let all: Vec<String> = all.into_iter().flatten().collect();
        match all.is_empty() {
            true => String::new(),
            false => format!("?{}", all.join("&")),
        }
    }

    fn scene(
        &self,
        name: &str,
        ledger: &Ledger,
        view: &View<'_>,
        patience: &Patience,
    ) -> Result<String, Fault> {
        let worlds = Worlds::of(ledger, view);
        let chosen = worlds.chosen(self.world, ledger)?;
        let best = view.best();
        let balance = view.balance(best)?;
        let safe = view.safe()?;
        let base = format!("/admin/wallet/{}", link(name));
        let part = |page: u64, items: usize, size: usize, last: &str| {
            Part::of(page, items, size, format!("{base}{}", self.query(last)))
        };
        let columns = &worlds.all[..worlds.all.len().min(MAX_COLUMNS)];
        let (payments, payments_part) = payments::list(
            view,
            columns,
            |items| part(self.page, items, payments::PAYMENTS, "page"),
            patience,
        )?;
        let (coins, coins_part) = coins::list(view, &chosen.1, |items| {
            part(self.coins, items, coins::COINS, "coins")
        })?;
        let scene = WalletScene {
            title: title(name),
            link: link(name),
            height: show::thousands(u64::from(best.height())),
            spendable: Btc::of(balance.trusted.to_sat()),
            pending: super::wallets::some(balance.pending),
            immature: super::wallets::some(balance.immature),
            held: super::wallets::some(balance.held.trusted),
            reused: super::wallets::some(balance.reused),
            safe: Btc::of(safe.amount.to_sat()),
            at_risk: super::wallets::some(safe.at_risk),
            worlds: worlds.all.len(),
            lock: Lock::of(view),
            warnings: warnings::list(view, self.warn_blocks)?,
            cards: balances::cards(view, &worlds, patience)?,
            more_worlds: worlds.all.len().saturating_sub(MAX_WORLDS),
            columns: columns
                .iter()
                .map(|(info, _)| worlds.row(info, view))
                .collect(),
            more_columns: worlds.all.len() - columns.len(),
            payments,
            payments_part,
            chosen: worlds.row(&chosen.0, view),
            chosen_is_best: chosen.0.hash == best.hash(),
            coins,
            coins_part,
        };
        filled(&scene)
    }
}

/// `GET /admin/wallet/NAME`
pub(super) async fn wallet(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Page, Fault> {
    let wallet = site.wallet(&name)?;
    let wanted = Wanted::of(&choice, &site)?;
    let asked = Asked::of(&choice, site.network())?;
    let query = wanted.query("");
    let kind = site.wallets()?.config().address_type;
    let name = wallet.name().to_owned();
    let read = move |ledger: &Ledger, patience: &Patience| {
        let view = wallet.view()?;
        let scene = wanted.scene(wallet.name(), ledger, &view, patience)?;
        let receive = receive::receive(&view, asked, kind, patience)?;
        Ok((scene, receive))
    };
    let (scene, receive) = site.reads.read(read).await?;
    Page::of(&WalletPage {
        frame: site.frame(Section::Wallets),
        title: title(&name),
        link: link(&name),
        query,
        scene,
        receive,
        may_pay: site.may_pay(),
        token: site.forms.token().to_owned(),
    })
}

/// `GET /admin/wallet/NAME/live`: the part of that page which moves.
pub(super) async fn scene(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Response, Fault> {
    let wallet = site.wallet(&name)?;
    let wanted = Wanted::of(&choice, &site)?;
    let read = move |ledger: &Ledger, patience: &Patience| {
        let view = wallet.view()?;
        wanted.scene(wallet.name(), ledger, &view, patience)
    };
    Ok(moving(site.reads.read(read).await?))
}

/// The form for a new address.
#[derive(serde::Deserialize)]
pub(super) struct NewAddress {
    #[serde(default)]
    token: String,
    #[serde(default)]
    label: String,
}

/// `POST /admin/wallet/NAME/address`: gives the next address out, and leads to the page that shows it.
pub(super) async fn new_address(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: Result<Form<NewAddress>, FormRejection>,
) -> Result<Response, Fault> {
    let Form(form) = form?;
    site.forms.check(&headers, &form.token)?;
    let wallet = site.wallet(&name)?;
    let kind = site.wallets()?.config().address_type;
    let back = link(wallet.name());
    let give = move |_: &Ledger, _: &Patience| {
        let label = form.label.trim();
        let address = wallet.change_keys(|keyring| -> Result<String, WalletError> {
            let (_, address) = keyring.new_address(kind, Chain::External)?;
            let address = address.to_string();
            keyring
                .labels_mut()
                .set_address(&address, label, Purpose::Receive)?;
            Ok(address)
        })?;
        Ok(address)
    };
    let address = site.reads.read(give).await?;
    let to = format!("/admin/wallet/{back}?address={}#receive", escaped(&address));
    Ok(Redirect::to(&to).into_response())
}

/// `GET` of the same: a browser that comes back to it.
pub(super) async fn to_wallet(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Redirect, Fault> {
    let wallet = site.wallet(&name)?;
    Ok(Redirect::to(&format!(
        "/admin/wallet/{}#receive",
        link(wallet.name())
    )))
}
