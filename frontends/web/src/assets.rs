//! Owns the files that pages refer to: style, script, icon, fonts.
//! Promises that a browser keeps them until they change: their address holds a hash of their content.
//! Refuses anything from elsewhere.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;

use crate::fault::Fault;

/// A file in the binary.
pub(crate) struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 6] = [
    Asset {
        name: "everett.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/everett.css"),
    },
    Asset {
        name: "live.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/live.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        bytes: include_bytes!("../assets/icon.svg"),
    },
    Asset {
        name: "plex-sans.woff2",
        kind: "font/woff2",
        bytes: include_bytes!("../assets/plex-sans.woff2"),
    },
    Asset {
        name: "plex-mono.woff2",
        kind: "font/woff2",
        bytes: include_bytes!("../assets/plex-mono.woff2"),
    },
    Asset {
        name: "fonts-license.txt",
        kind: "text/plain; charset=utf-8",
        bytes: include_bytes!("../assets/FONTS-LICENSE.txt"),
    },
];

/// One hash over all of them: they change together, with the binary.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Vec::new();
    for asset in &ASSETS {
        all.extend_from_slice(asset.bytes);
    }
    sha256::Hash::hash(&all).as_byte_array()[..6].to_lower_hex_string()
});

/// What stands in the address of every asset.
pub(crate) fn version() -> &'static str {
    &VERSION
}

/// `GET /admin/assets/VERSION/NAME`
pub(crate) async fn asset(Path((version, name)): Path<(String, String)>) -> Response {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = found else {
        return Fault::NoPage.into_response();
    };
    // A page that was loaded before an update may ask for a file of the old version: it gets today's, for now.
    let keep = match version == *VERSION {
        true => "private, max-age=31536000, immutable",
        false => "no-store",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    (StatusCode::OK, headers, asset.bytes).into_response()
}
