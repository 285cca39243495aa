//! Owns the search: what a visitor writes leads to the page of what is called so.
//! Promises to look on every branch.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use bitcoin::{BlockHash, Txid};
use everett_ledger::{Ledger, ScriptHash};

use super::transaction::find;
use super::{Choice, script};
use crate::fault::Fault;
use crate::parse;
use crate::reads::Patience;
use crate::recent::Recent;
use crate::site::Site;

/// Worlds in which a script hash is looked for.
const MAX_WORLDS: usize = 200;

/// `GET /admin/search?q=`
pub(super) async fn search(
    State(site): State<Arc<Site>>,
    Query(choice): Query<Choice>,
) -> Result<Response, Fault> {
    let query = choice.q.unwrap_or_default();
    let query = query.trim().to_owned();
    if query.is_empty() {
        return Ok(Redirect::to("/admin/").into_response());
    }
    let nothing = || Fault::NothingFound {
        query: parse::cut(&query),
    };
    if parse::height(&query).is_some() {
        return Ok(Redirect::to(&format!("/admin/block/{query}")).into_response());
    }
    let is_hash = query.len() == 64 && query.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        let query = query.clone();
        let found = site
            .search_blocks(move |ledger, recent, patience| {
                by_hash(ledger, recent, patience, &query)
            })
            .await?;
        let to = found.ok_or_else(nothing)?;
        return Ok(Redirect::to(&to).into_response());
    }
    match parse::script(&query, site.network()) {
        // Letters, digits and a colon only: nothing in it has to be escaped in an address.
        Ok(_) => Ok(Redirect::to(&format!("/admin/script/{query}")).into_response()),
        Err(Fault::Malformed { given, wanted }) if wanted.starts_with("an address of") => {
            Err(Fault::Malformed { given, wanted })
        }
        Err(_) => Err(nothing()),
    }
}

/// What 64 hexadecimal characters stand for: a block, a transaction on any branch, or a script hash that has coins in
/// some world.
fn by_hash(
    ledger: &Ledger,
    recent: &mut Recent,
    patience: &Patience,
    query: &str,
) -> Result<Option<String>, Fault> {
    if let Ok(hash) = query.parse::<BlockHash>()
        && ledger.block_info(&hash).is_some()
    {
        return Ok(Some(format!("/admin/block/{hash}")));
    }
    if let Some(hash) = ScriptHash::from_display_hex(query) {
        let (worlds, _) = script::worlds(ledger, MAX_WORLDS);
        for (_, world) in worlds {
            patience.check()?;
            if world.balance(&hash)?.coins > 0 {
                return Ok(Some(format!("/admin/script/{hash}")));
            }
        }
    }
    let Ok(txid) = query.parse::<Txid>() else {
        return Ok(None);
    };
    match find(ledger, recent, patience, &txid, None) {
        Ok(_) => Ok(Some(format!("/admin/tx/{txid}"))),
        Err(Fault::NoTransaction { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}
