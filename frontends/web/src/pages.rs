//! Owns which address leads to which page, and what every answer goes through.
//! Promises that every failure becomes a page in the same words.

mod block;
mod conflicts;
mod error;
mod part;
pub(crate) mod peers;
mod script;
mod search;
mod start;
mod transaction;
mod wallet;
mod wallets;
mod world;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use everett_ledger::Ledger;

use crate::fault::Fault;
use crate::gate::{Gate, guard};
use crate::reads::Patience;
use crate::recent::Recent;
use crate::site::Site;
use crate::{assets, headers, live};

/// How long a search waits for the one before it.
const SEARCH_WAIT: Duration = Duration::from_secs(10);

/// All pages, behind the gate.
pub(crate) fn router(site: Arc<Site>, gate: Arc<Gate>) -> Router {
    let home = || async { Redirect::permanent("/admin/") };
    Router::new()
        .route("/", get(home))
        .route("/admin", get(home))
        .route("/admin/", get(start::start))
        .route("/admin/block/{name}", get(block::block))
        .route("/admin/tx/{txid}", get(transaction::transaction))
        .route("/admin/script/{name}", get(script::script))
        .route("/admin/search", get(search::search))
        .route("/admin/conflicts", get(conflicts::conflicts))
        .route("/admin/peers", get(peers::peers))
        .route("/admin/peers/live", get(peers::scene))
        .route("/admin/peers/events", get(live::peer_events))
        .route("/admin/peer/{id}", get(peers::peer))
        .route("/admin/wallets", get(wallets::wallets))
        .route("/admin/wallets/live", get(wallets::scene))
        .route("/admin/wallets/events", get(live::wallets_events))
        .route("/admin/wallet/{name}", get(wallet::wallet))
        .route("/admin/wallet/{name}/live", get(wallet::scene))
        .route("/admin/wallet/{name}/events", get(live::wallet_events))
        .route(
            "/admin/wallet/{name}/address",
            get(wallet::to_wallet).post(wallet::new_address),
        )
        .route(
            "/admin/wallet/{name}/pay",
            get(wallet::pay::form).post(wallet::pay::draft),
        )
        .route(
            "/admin/wallet/{name}/send",
            get(wallet::pay::to_form).post(wallet::pay::send),
        )
        .route("/admin/live", get(start::scene))
        .route("/admin/events", get(live::events))
        .route("/admin/assets/{version}/{name}", get(assets::asset))
        .fallback(|| async { Fault::NoPage })
        .with_state(site.clone())
        .layer(from_fn_with_state(gate, guard))
        .layer(from_fn_with_state(site, error::dress))
        .layer(from_fn(unchanged))
        .layer(from_fn(headers::secure))
}

/// What an address may say behind its question mark; each page takes what it knows and leaves the rest alone.
#[derive(Default, serde::Deserialize)]
pub(crate) struct Choice {
    page: Option<String>,
    block: Option<String>,
    world: Option<String>,
    after: Option<String>,
    a: Option<String>,
    b: Option<String>,
    q: Option<String>,
    coins: Option<String>,
    address: Option<String>,
    amount: Option<String>,
    label: Option<String>,
}

impl Site {
    /// Runs a read that searches the blocks of all branches. One search at a time: a second one finds what the first
    /// one has read.
    pub(crate) async fn search_blocks<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger, &mut Recent, &Patience) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let waiting = tokio::time::timeout(SEARCH_WAIT, self.recent.clone().lock_owned());
        let mut recent = waiting.await.map_err(|_| Fault::StillReading)?;
        self.reads
            .read(move |ledger, patience| work(ledger, &mut recent, patience))
            .await
    }
}

/// A page in HTML that may be shown again while it has not changed.
pub(crate) struct Page(String);

impl Page {
    /// Fills a template.
    pub(crate) fn of(template: &impl Template) -> Result<Page, Fault> {
        filled(template).map(Page)
    }
}

/// Fills a template, of a page or of a part of one.
pub(crate) fn filled(template: &impl Template) -> Result<String, Fault> {
    let text = template.render();
    text.map(visible)
        .map_err(|error| Fault::Template(error.to_string()))
}

/// A text in which control characters of somebody's text, such as a label, are seen and do nothing: HTML has none but those
/// that break lines.
fn visible(text: String) -> String {
    /// Where Unicode has pictures of the first 32 control characters; that of the last one stands behind them.
    const PICTURES: u32 = 0x2400;
    let is_text = |one: char| !one.is_control() || matches!(one, '\n' | '\r' | '\t');
    if text.chars().all(is_text) {
        return text;
    }
    let picture = |one: char| match u32::from(one) {
        code @ 0..0x20 => char::from_u32(PICTURES + code),
        0x7f => char::from_u32(PICTURES + 0x21),
        _ => None,
    };
    let shown = text.chars().map(|one| match is_text(one) {
        true => one,
        false => picture(one).unwrap_or(char::REPLACEMENT_CHARACTER),
    });
    shown.collect()
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let hash = sha256::Hash::hash(self.0.as_bytes());
        let etag = format!("\"{}\"", hash.as_byte_array()[..12].to_lower_hex_string());
        html(self.0, &etag)
    }
}

/// An answer in HTML that a browser asks about before it shows it again.
pub(crate) fn html(text: String, etag: &str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Answers 304 where the browser has what would be sent.
async fn unchanged(request: Request, next: Next) -> Response {
    let has = request.headers().get(header::IF_NONE_MATCH).cloned();
    let mut response = next.run(request).await;
    let same = match (&has, response.headers().get(header::ETAG)) {
        (Some(has), Some(etag)) => has.to_str().is_ok_and(|has| {
            let mut tags = has
                .split(',')
                .map(|tag| tag.trim().trim_start_matches("W/"));
            tags.any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
        }),
        _ => false,
    };
    if same && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_TYPE);
    }
    response
}
