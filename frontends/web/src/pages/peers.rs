//! Owns the page of peers: that there are none yet, and why.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::Page;
use crate::fault::Fault;
use crate::site::{Frame, Section, Site};

#[derive(Template)]
#[template(path = "peers.html")]
struct PeersPage {
    frame: Frame,
}

/// `GET /admin/peers`
pub(super) async fn peers(State(site): State<Arc<Site>>) -> Result<Page, Fault> {
    Page::of(&PeersPage {
        frame: site.frame(Section::Peers),
    })
}
