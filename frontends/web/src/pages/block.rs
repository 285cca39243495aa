//! Owns the pages of blocks: one block, and all blocks at a height.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bitcoin::BlockHash;
use everett_ledger::decode::{DecodedBlock, DecodedTransaction};
use everett_ledger::{BlockError, BlockInfo, ChainStatus, Ledger, Network};

use super::part::Part;
use super::world::{Standing, WorldRow, above, rows};
use super::{Choice, Page};
use crate::fault::Fault;
use crate::parse::{self, BlockName};
use crate::recent::decoded;
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};

/// Transactions on a page.
const TRANSACTIONS: usize = 25;
/// Worlds that are listed as holding a block, at most.
const MAX_WORLDS: usize = 100;
/// Outputs of a transaction that are named in a list.
const MAX_RECIPIENTS: usize = 2;

#[derive(Template)]
#[template(path = "block.html")]
struct BlockPage {
    frame: Frame,
    hash: String,
    short: String,
    height: u32,
    standing: Standing,
    confirmations: u32,
    time: String,
    age: String,
    /// Names and values of the header's fields and what follows from them.
    facts: Vec<(&'static str, String)>,
    previous: Option<String>,
    next: Option<String>,
    /// Other blocks at its height.
    siblings: usize,
    worlds: Vec<WorldRow>,
    worlds_in_all: usize,
    body: Body,
}

/// The transactions of a block, as far as they are known.
enum Body {
    /// One page of them.
    Transactions(Vec<TransactionRow>, Part),
    /// Only the header is here, or still here.
    Missing,
}

struct TransactionRow {
    index: usize,
    txid: String,
    short: String,
    coinbase: bool,
    /// The first who are paid.
    recipients: Vec<String>,
    /// How many more are.
    more: usize,
    amount: Btc,
}

#[derive(Template)]
#[template(path = "height.html")]
struct HeightPage {
    frame: Frame,
    height: u32,
    rows: Vec<SiblingRow>,
    part: Part,
    lower: Option<u32>,
    higher: Option<u32>,
}

struct SiblingRow {
    hash: String,
    short: String,
    standing: Standing,
    age: String,
    transactions: u32,
    size: String,
    fork_height: u32,
}

/// `GET /admin/block/NAME`: a block by its hash, or all at a height.
pub(super) async fn block(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Response, Fault> {
    let page = parse::page(choice.page.as_deref())?;
    let frame = site.frame(Section::Worlds);
    match parse::block(&name)? {
        BlockName::Hash(hash) => {
            let network = site.network();
            let page = site
                .reads
                .read(move |ledger, _| one(ledger, frame, network, &hash, page))
                .await?;
            Ok(Page::of(&page)?.into_response())
        }
        BlockName::Height(height) => {
            let page = site
                .reads
                .read(move |ledger, _| all(ledger, frame, height, page))
                .await?;
            Ok(Page::of(&page)?.into_response())
        }
    }
}

fn one(
    ledger: &Ledger,
    frame: Frame,
    network: Network,
    hash: &BlockHash,
    page: u64,
) -> Result<BlockPage, Fault> {
    let unknown = || Fault::Block(BlockError::Unknown { hash: *hash });
    let info = ledger.block_info(hash).ok_or_else(unknown)?;
    let mut worlds = above(ledger, hash);
    let worlds_in_all = worlds.len();
    worlds.truncate(MAX_WORLDS);
    let best = ledger.best();
    let now = ledger.clock().now();
    let block = match decoded(ledger, hash) {
        Ok(block) => Some(block),
        Err(BlockError::HeaderOnly { .. } | BlockError::Pruned { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let body = match &block {
        None => Body::Missing,
        Some(block) => {
            let link = format!("/admin/block/{hash}?page=");
            let part = Part::of(page, block.transactions.len(), TRANSACTIONS, link)?;
            let first = part.range.start;
            let shown = block.transactions[part.range.clone()].iter();
            let rows = (first..).zip(shown);
            let rows = rows.map(|(index, tx)| transaction_row(index, tx, network));
            Body::Transactions(rows.collect(), part)
        }
    };
    let header = &info.header;
    let time = u64::from(header.time);
    let confirmations = match info.status {
        ChainStatus::Active => best.height() - info.height + 1,
        _ => 0,
    };
    let siblings = ledger.blocks_at_height(info.height).len().saturating_sub(1);
    Ok(BlockPage {
        frame,
        hash: info.hash.to_string(),
        short: show::short(&info.hash),
        height: info.height,
        confirmations,
        time: show::moment(time),
        age: show::age(now, time),
        facts: facts(&info, block.as_ref()),
        previous: (info.height > 0).then(|| header.prev_blockhash.to_string()),
        next: info.next_hash.map(|next| next.to_string()),
        siblings,
        worlds: rows(&worlds, &best, now),
        worlds_in_all,
        standing: Standing::of(&info, best.hash()),
        body,
    })
}

fn facts(info: &BlockInfo, block: Option<&DecodedBlock>) -> Vec<(&'static str, String)> {
    let header = &info.header;
    let mut facts = vec![
        ("Hash", info.hash.to_string()),
        ("Merkle root", header.merkle_root.to_string()),
        (
            "Version",
            format!("0x{:08x}", header.version.to_consensus() as u32),
        ),
        (
            "Time",
            format!("{} ({})", show::moment(u64::from(header.time)), header.time),
        ),
        (
            "Median time past",
            show::moment(u64::from(info.median_time_past)),
        ),
        ("Bits", format!("0x{:08x}", header.bits.to_consensus())),
        ("Nonce", header.nonce.to_string()),
        ("Work of the chain", show::work(info.chainwork)),
        ("First seen here", show::moment(info.first_seen)),
    ];
    if let Some(block) = block {
        facts.push((
            "Transactions",
            show::thousands(block.transactions.len() as u64),
        ));
        facts.push((
            "Size",
            format!(
                "{} bytes, weight {}",
                show::thousands(block.size as u64),
                show::thousands(block.weight() as u64)
            ),
        ));
    }
    facts
}

fn transaction_row(
    index: usize,
    transaction: &DecodedTransaction,
    network: Network,
) -> TransactionRow {
    let outputs = &transaction.tx.output;
    let named = outputs.iter().take(MAX_RECIPIENTS).map(|output| {
        match show::address(&output.script_pubkey, network) {
            Some(address) => address,
            None if output.script_pubkey.is_op_return() => "data".to_owned(),
            None => "a script".to_owned(),
        }
    });
    let amounts = outputs.iter().map(|output| output.value.to_sat());
    TransactionRow {
        index,
        txid: transaction.txid.to_string(),
        short: show::short(&transaction.txid),
        coinbase: transaction.is_coinbase(),
        recipients: named.collect(),
        more: outputs.len().saturating_sub(MAX_RECIPIENTS),
        // Outputs of an invalid block may add up to more than fits.
        amount: Btc::of(amounts.fold(0, u64::saturating_add)),
    }
}

fn all(ledger: &Ledger, frame: Frame, height: u32, page: u64) -> Result<HeightPage, Fault> {
    const BLOCKS: usize = 50;
    let best = ledger.best();
    let now = ledger.clock().now();
    let mut blocks = ledger.blocks_at_height(height);
    if blocks.is_empty() {
        let tips = ledger.tips().into_iter().map(|tip| tip.height);
        let highest = tips.max().unwrap_or(best.height());
        return Err(Fault::NoHeight { height, highest });
    }
    // The best chain's block first, the others as they arrived.
    blocks.sort_by_key(|block| block.status != ChainStatus::Active);
    let link = format!("/admin/block/{height}?page=");
    let part = Part::of(page, blocks.len(), BLOCKS, link)?;
    let rows = blocks[part.range.clone()].iter().map(|info| SiblingRow {
        hash: info.hash.to_string(),
        short: show::short(&info.hash),
        standing: Standing::of(info, best.hash()),
        age: show::age(now, u64::from(info.header.time)),
        transactions: info.tx_count,
        size: match info.size {
            0 => "header only".to_owned(),
            size => show::bytes(u64::from(size)),
        },
        fork_height: info.fork_height,
    });
    Ok(HeightPage {
        frame,
        height,
        rows: rows.collect(),
        part,
        lower: height.checked_sub(1),
        higher: (!ledger.blocks_at_height(height + 1).is_empty()).then_some(height + 1),
    })
}
