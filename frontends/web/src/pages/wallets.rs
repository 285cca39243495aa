//! Owns the page of all wallets: what each has in the best world, what of it is the same in every one, what is warned of.
//! Promises that a wallet which cannot be read does not hide the others.
//! Refuses to open and to make wallets.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use everett_wallet::{View, Wallet, WalletError, Wallets};

use super::{Page, filled, html};
use crate::fault::Fault;
use crate::payment_uri::escaped;
use crate::reads::Patience;
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};

/// What the wallet without a name is called in an address of ours; no name has that character.
const UNNAMED: &str = "@unnamed";
/// Wallets that are listed but not open, at most.
const MAX_CLOSED: usize = 50;

#[derive(Template)]
#[template(path = "wallets.html")]
struct WalletsPage {
    frame: Frame,
    scene: String,
}

/// The part that moves.
#[derive(Template)]
#[template(path = "wallets_scene.html")]
struct WalletsScene {
    rows: Vec<WalletRow>,
    closed: Vec<String>,
    more_closed: usize,
    worlds: usize,
}

struct WalletRow {
    title: String,
    link: String,
    /// What it has, or why that cannot be told.
    told: Result<Told, String>,
}

struct Told {
    spendable: Btc,
    pending: Option<Btc>,
    immature: Option<Btc>,
    safe: Btc,
    at_risk: Option<Btc>,
    payments: String,
    warnings: usize,
    double_spend: bool,
    lock: Lock,
}

/// Whether a wallet can sign.
pub(super) struct Lock {
    /// The class in the style sheet.
    pub(super) class: &'static str,
    pub(super) words: String,
}

impl Lock {
    pub(super) fn of(view: &View<'_>) -> Lock {
        let keyring = view.keyring();
        let (class, words) = match () {
            () if keyring.flags().disable_private_keys => ("watches", "watches only".to_owned()),
            () if keyring.is_locked() => ("locked", "locked".to_owned()),
            () if keyring.is_encrypted() => {
                let left = view.unlocked_for().unwrap_or_default();
                ("open", format!("unlocked for {}", show::span(left)))
            }
            () => ("open", "no passphrase".to_owned()),
        };
        Lock { class, words }
    }
}

/// The name of a wallet in an address of ours.
pub(super) fn link(name: &str) -> String {
    match name {
        "" => UNNAMED.to_owned(),
        name => escaped(name),
    }
}

/// The name of a wallet for people.
pub(super) fn title(name: &str) -> String {
    match name {
        "" => "The wallet without a name".to_owned(),
        name => name.to_owned(),
    }
}

impl Site {
    /// The node's wallets.
    pub(super) fn wallets(&self) -> Result<Wallets, Fault> {
        let wallets = self.reads.handle().wallets();
        wallets.cloned().ok_or(Fault::NoWallets)
    }

    /// The wallet that an address of ours names.
    pub(crate) fn wallet(&self, link: &str) -> Result<Wallet, Fault> {
        let name = if link == UNNAMED { "" } else { link };
        let wallet = self.wallets()?.get(name);
        wallet.ok_or_else(|| Fault::NoWallet(crate::parse::cut(link)))
    }
}

/// An amount, if it is not 0.
pub(super) fn some(amount: bitcoin::Amount) -> Option<Btc> {
    (amount > bitcoin::Amount::ZERO).then(|| Btc::of(amount.to_sat()))
}

/// `GET /admin/wallets`
pub(super) async fn wallets(State(site): State<Arc<Site>>) -> Result<Page, Fault> {
    Page::of(&WalletsPage {
        frame: site.frame(Section::Wallets),
        scene: scene_of(&site).await?,
    })
}

/// `GET /admin/wallets/live`: the part of that page which moves.
pub(super) async fn scene(State(site): State<Arc<Site>>) -> Result<Response, Fault> {
    Ok(moving(scene_of(&site).await?))
}

/// A part of a page that moves, as an answer.
pub(super) fn moving(text: String) -> Response {
    let hash = sha256::Hash::hash(text.as_bytes());
    let etag = format!("\"{}\"", hash.as_byte_array()[..12].to_lower_hex_string());
    html(text, &etag).into_response()
}

async fn scene_of(site: &Site) -> Result<String, Fault> {
    let wallets = site.wallets()?;
    let read = move |_: &_, patience: &Patience| {
        let open = wallets.list();
        let mut closed = wallets.names().unwrap_or_default();
        closed.retain(|name| !open.iter().any(|wallet| wallet.name() == name));
        let more_closed = closed.len().saturating_sub(MAX_CLOSED);
        closed.truncate(MAX_CLOSED);
        let mut rows = Vec::with_capacity(open.len());
        let mut worlds = 1;
        for wallet in &open {
            patience.check()?;
            let told = tell(wallet, wallets.config().warn_blocks, &mut worlds);
            rows.push(WalletRow {
                title: title(wallet.name()),
                link: link(wallet.name()),
                told: told.map_err(|error| error.to_string()),
            });
        }
        let scene = WalletsScene {
            rows,
            closed: closed.iter().map(|name| title(name)).collect(),
            more_closed,
            worlds,
        };
        filled(&scene)
    };
    site.reads.read(read).await
}

fn tell(wallet: &Wallet, warn_blocks: u32, worlds: &mut usize) -> Result<Told, WalletError> {
    let view = wallet.view()?;
    *worlds = 1 + view.rivals().len();
    let balance = view.balance(view.best())?;
    let safe = view.safe()?;
    let warnings = view.warnings(warn_blocks)?;
    Ok(Told {
        spendable: Btc::of(balance.trusted.to_sat()),
        pending: some(balance.pending),
        immature: some(balance.immature),
        safe: Btc::of(safe.amount.to_sat()),
        at_risk: some(safe.at_risk),
        payments: show::thousands(view.records().count() as u64),
        warnings: warnings.len(),
        double_spend: warnings.iter().any(|warning| warning.has_double_spend()),
        lock: Lock::of(&view),
    })
}
