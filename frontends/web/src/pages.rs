//! Owns which address leads to which page, and what every answer goes through.
//! Promises that every failure becomes a page in the same words.

mod error;
mod start;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;

use crate::fault::Fault;
use crate::gate::{Gate, guard};
use crate::site::Site;
use crate::{assets, headers, live};

/// All pages, behind the gate.
pub(crate) fn router(site: Arc<Site>, gate: Arc<Gate>) -> Router {
    let home = || async { Redirect::permanent("/admin/") };
    Router::new()
        .route("/", get(home))
        .route("/admin", get(home))
        .route("/admin/", get(start::start))
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

/// A page in HTML that may be shown again while it has not changed.
pub(crate) struct Page(String);

impl Page {
    /// Fills a template.
    pub(crate) fn of(template: &impl Template) -> Result<Page, Fault> {
        template
            .render()
            .map(Page)
            .map_err(|error| Fault::Template(error.to_string()))
    }
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
