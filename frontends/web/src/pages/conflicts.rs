//! Owns the page of conflicts: the coins that two worlds spend in different transactions.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bitcoin::BlockHash;
use everett_ledger::{BlockInfo, Conflict, ConflictKind, Ledger, Network};

use super::part::Part;
use super::world::{WorldRow, row};
use super::{Choice, Page};
use crate::fault::Fault;
use crate::parse;
use crate::picture::MAX_TIPS;
use crate::reads::Patience;
use crate::recent::Recent;
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};

/// Conflicts on a page.
const CONFLICTS: usize = 50;
/// Worlds on a page of the list.
const WORLDS: usize = 100;

#[derive(Template)]
#[template(path = "conflicts.html")]
struct ListPage {
    frame: Frame,
    best: WorldRow,
    rows: Vec<ListRow>,
    part: Part,
    clashing: usize,
}

/// A world, and how much it differs from the best one.
struct ListRow {
    world: WorldRow,
    /// Unknown where blocks of it cannot be read.
    coins: Option<u64>,
}

#[derive(Template)]
#[template(path = "between.html")]
struct BetweenPage {
    frame: Frame,
    a: WorldRow,
    b: WorldRow,
    b_is_best: bool,
    fork_hash: String,
    fork_height: u32,
    undone: usize,
    applied: usize,
    rows: Vec<ConflictRow>,
    amount: Btc,
    double_spends: usize,
    part: Part,
}

struct ConflictRow {
    coin_txid: String,
    vout: u32,
    amount: Btc,
    script: String,
    address: String,
    class: &'static str,
    kind: &'static str,
    a: Side,
    b: Side,
}

/// What one of the worlds does with the coin.
struct Side {
    txid: String,
    short: String,
    block: String,
}

/// Class and words for a kind of conflict.
pub(super) fn kind(kind: ConflictKind) -> (&'static str, &'static str) {
    match kind {
        ConflictKind::SameRecipients => ("same", "pays the same"),
        ConflictKind::FeeBump => ("bump", "other amounts"),
        ConflictKind::DoubleSpend => ("double", "double spend"),
    }
}

/// `GET /admin/conflicts`: all worlds against the best one, or `?a=HASH&b=HASH` two worlds.
pub(super) async fn conflicts(
    State(site): State<Arc<Site>>,
    Query(choice): Query<Choice>,
) -> Result<Response, Fault> {
    let frame = site.frame(Section::Conflicts);
    let page = parse::page(choice.page.as_deref())?;
    let a = choice.a.as_deref().map(parse::block_hash).transpose()?;
    let b = choice.b.as_deref().map(parse::block_hash).transpose()?;
    let Some(a) = a else {
        let page = site
            .search_blocks(move |ledger, recent, patience| {
                list(ledger, recent, patience, frame, page)
            })
            .await?;
        return Ok(Page::of(&page)?.into_response());
    };
    let network = site.network();
    let page = site
        .reads
        .read(move |ledger, _| between(ledger, frame, network, &a, b.as_ref(), page))
        .await?;
    Ok(Page::of(&page)?.into_response())
}

fn list(
    ledger: &Ledger,
    recent: &mut Recent,
    patience: &Patience,
    frame: Frame,
    page: u64,
) -> Result<ListPage, Fault> {
    let best = ledger.best();
    let now = ledger.clock().now();
    let skeleton = ledger.skeleton(MAX_TIPS);
    let tips = skeleton.blocks.iter().filter(|key| key.tip && !key.best);
    let mut rivals: Vec<&BlockInfo> = tips.map(|key| &key.info).filter(|info| info.live).collect();
    rivals.sort_by_key(|info| std::cmp::Reverse(info.chainwork));
    if let Some(lowest) = rivals.iter().map(|info| info.fork_height).min()
        && !recent.catch_up(ledger, &skeleton, lowest, patience)?
    {
        return Err(Fault::StillReading);
    }
    let clashes = recent.clashes(ledger, &skeleton);
    let clashing = rivals
        .iter()
        .filter(|info| clashes.get(&info.hash).is_some_and(|n| *n > 0));
    let clashing = clashing.count();
    let part = Part::of(
        page,
        rivals.len(),
        WORLDS,
        "/admin/conflicts?page=".to_owned(),
    )?;
    let rows = rivals[part.range.clone()].iter().map(|info| ListRow {
        world: row(info, &best, now),
        coins: clashes.get(&info.hash).copied(),
    });
    let rows = rows.collect();
    let best_info = ledger.block_info(&best.hash()).ok_or(Fault::NoPage)?;
    Ok(ListPage {
        frame,
        best: row(&best_info, &best, now),
        rows,
        part,
        clashing,
    })
}

fn between(
    ledger: &Ledger,
    frame: Frame,
    network: Network,
    a: &BlockHash,
    b: Option<&BlockHash>,
    page: u64,
) -> Result<BetweenPage, Fault> {
    let best = ledger.best();
    let now = ledger.clock().now();
    let world_a = ledger.world(a)?;
    let world_b = match b {
        Some(hash) => ledger.world(hash)?,
        None => best.clone(),
    };
    let comparison = ledger.compare(&world_a, &world_b);
    let conflicts = ledger.conflicts(&world_a, &world_b)?;
    let (hash_a, hash_b) = (world_a.hash(), world_b.hash());
    let link = format!("/admin/conflicts?a={hash_a}&b={hash_b}&page=");
    let part = Part::of(page, conflicts.len(), CONFLICTS, link)?;
    let world_row = |hash: &BlockHash| {
        let info = ledger.block_info(hash).ok_or(Fault::NoPage)?;
        Ok::<WorldRow, Fault>(row(&info, &best, now))
    };
    let amounts = conflicts.iter().map(|conflict| conflict.amount.to_sat());
    let shown = conflicts[part.range.clone()].iter();
    Ok(BetweenPage {
        frame,
        a: world_row(&hash_a)?,
        b: world_row(&hash_b)?,
        b_is_best: hash_b == best.hash(),
        fork_hash: comparison.fork_hash.to_string(),
        fork_height: comparison.fork_height,
        undone: comparison.undone.len(),
        applied: comparison.applied.len(),
        rows: shown
            .map(|conflict| conflict_row(conflict, network))
            .collect(),
        amount: Btc::of(amounts.fold(0, u64::saturating_add)),
        double_spends: conflicts
            .iter()
            .filter(|conflict| conflict.kind == ConflictKind::DoubleSpend)
            .count(),
        part,
    })
}

fn conflict_row(conflict: &Conflict, network: Network) -> ConflictRow {
    let (class, kind) = kind(conflict.kind);
    let address = show::address(&conflict.script_pubkey, network);
    let side = |txid: &bitcoin::Txid, block: &BlockHash| Side {
        txid: txid.to_string(),
        short: show::short(txid),
        block: block.to_string(),
    };
    ConflictRow {
        coin_txid: conflict.outpoint.txid.to_string(),
        vout: conflict.outpoint.vout,
        amount: Btc::of(conflict.amount.to_sat()),
        script: match &address {
            Some(address) => address.clone(),
            None => format!("hex:{}", conflict.script_pubkey.to_hex_string()),
        },
        address: address.unwrap_or_else(|| parse::cut(&conflict.script_pubkey.to_hex_string())),
        class,
        kind,
        a: side(&conflict.txid_a, &conflict.block_a),
        b: side(&conflict.txid_b, &conflict.block_b),
    }
}
