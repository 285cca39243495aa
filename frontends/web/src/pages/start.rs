//! Owns the start page: the tree of worlds and the node's state.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::{Page, html};
use crate::fault::Fault;
use crate::site::{Frame, Section, Site};

#[derive(Template)]
#[template(path = "start.html")]
struct Start<'a> {
    frame: Frame,
    /// Which picture it is, as the events name it.
    number: u64,
    height: u32,
    scene: &'a str,
}

/// `GET /admin/`
pub(super) async fn start(State(site): State<Arc<Site>>) -> Result<Page, Fault> {
    let scene = site.scene().await?;
    Page::of(&Start {
        frame: site.frame(Section::Worlds),
        number: scene.number,
        height: scene.height,
        scene: &scene.html,
    })
}

/// `GET /admin/live`: the part of the start page that moves.
pub(super) async fn scene(State(site): State<Arc<Site>>) -> Result<Response, Fault> {
    let scene = site.scene().await?;
    Ok(html(scene.html.clone(), &scene.etag).into_response())
}
