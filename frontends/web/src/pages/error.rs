//! Owns the page that a failure becomes.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::error;

use super::visible;
use crate::fault::Fault;
use crate::site::{Frame, Section, Site};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    status: u16,
    reason: &'a str,
    what: String,
    advice: &'a str,
    /// What was searched for.
    query: &'a str,
}

/// Puts words to a failure, whoever it came from.
pub(super) async fn dress(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let fault = parts.extensions.get::<Arc<Fault>>().cloned();
    // What axum refuses by itself: an address that does not decode, mostly.
    let fault = fault.unwrap_or_else(|| {
        Arc::new(match status {
            StatusCode::METHOD_NOT_ALLOWED => Fault::OnlyReading,
            StatusCode::BAD_REQUEST => Fault::Malformed {
                given: "This address".to_owned(),
                wanted: "one that can be read",
            },
            _ => Fault::NoPage,
        })
    });
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        error!(fault = %fault, "the web page failed");
    }
    let page = ErrorPage {
        frame: site.frame(Section::None),
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or("Error"),
        what: fault.to_string(),
        advice: fault.advice(),
        query: match &*fault {
            Fault::NothingFound { query } => query,
            _ => "",
        },
    };
    let text = visible(page.render().unwrap_or_else(|_| fault.to_string()));
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    parts
        .headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Response::from_parts(parts, Body::from(text))
}
