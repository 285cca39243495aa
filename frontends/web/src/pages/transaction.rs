//! Owns the page of a transaction: in which worlds it is confirmed, and what stands against it in others.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use bitcoin::{Amount, BlockHash, OutPoint, Script, TxOut, Txid};
use everett_ledger::decode::DecodedBlock;
use everett_ledger::{BlockInfo, Coin, ConflictKind, Ledger, Network, World};

use super::part::Part;
use super::world::{Standing, WorldRow, above, row};
use super::{Choice, Page};
use crate::fault::Fault;
use crate::parse;
use crate::picture::MAX_TIPS;
use crate::reads::Patience;
use crate::recent::{Found, Recent, decoded};
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};

/// Inputs and outputs on a page, each.
const ITEMS: usize = 50;
/// Worlds that are listed, at most.
const MAX_WORLDS: usize = 100;
/// Conflicting transactions that are listed, at most.
const MAX_RIVALS: usize = 50;
/// Inputs whose coins are looked up for the fee, at most.
const MAX_FEE_INPUTS: usize = 2_000;

#[derive(Template)]
#[template(path = "transaction.html")]
struct TransactionPage {
    frame: Frame,
    txid: String,
    short: String,
    coinbase: bool,
    /// The worlds it is confirmed in, the best one first.
    confirmed: Vec<Confirmed>,
    confirmed_in_all: usize,
    /// Worlds that can be read or not: all tips.
    worlds: usize,
    in_best: bool,
    rivals: Vec<Rival>,
    places: Vec<Place>,
    inputs: Vec<InputRow>,
    outputs: Vec<OutputRow>,
    part: Part,
    paid: Btc,
    fee: Option<Btc>,
    facts: Vec<(&'static str, String)>,
}

/// A block that holds it.
struct Place {
    hash: String,
    short: String,
    height: u32,
    index: usize,
    standing: Standing,
}

/// A world that it is confirmed in.
struct Confirmed {
    world: WorldRow,
    depth: u32,
    block: String,
    block_height: u32,
}

/// A transaction that spends one of the same coins.
struct Rival {
    txid: String,
    short: String,
    coin: String,
    kind: &'static str,
    class: &'static str,
    block: String,
    height: u32,
    standing: Standing,
    worlds: usize,
}

struct InputRow {
    /// Nothing for a coinbase.
    coin: Option<CoinName>,
    /// The coin itself, where it can still be looked up.
    spent: Option<OutputName>,
}

struct CoinName {
    txid: String,
    short: String,
    vout: u32,
}

/// Whom an output pays, and how much.
struct OutputName {
    /// What its page is called.
    script: String,
    address: Option<String>,
    /// For a script without an address: its bytes, or what is known of it.
    words: String,
    amount: Btc,
}

struct OutputRow {
    index: usize,
    output: OutputName,
    unspent: String,
}

/// `GET /admin/tx/TXID`
pub(super) async fn transaction(
    State(site): State<Arc<Site>>,
    Path(txid): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Page, Fault> {
    let txid = parse::txid(&txid)?;
    let page = parse::page(choice.page.as_deref())?;
    let block = choice.block.as_deref().map(parse::block_hash).transpose()?;
    let (frame, network) = (site.frame(Section::Worlds), site.network());
    let page = site
        .search_blocks(move |ledger, recent, patience| {
            let found = find(ledger, recent, patience, &txid, block.as_ref())?;
            let view = View {
                ledger,
                recent,
                patience,
                network,
            };
            view.page(frame, &txid, found, page)
        })
        .await?;
    Page::of(&page)
}

/// Every block that holds a transaction: those that were read, the one that was named, and the one that a coin of it
/// tells of.
pub(super) fn find(
    ledger: &Ledger,
    recent: &mut Recent,
    patience: &Patience,
    txid: &Txid,
    named: Option<&BlockHash>,
) -> Result<Vec<Found>, Fault> {
    if let Some(found) = indexed(ledger, txid)? {
        return Ok(found);
    }
    let base = ledger.stats()?.base_height;
    let skeleton = ledger.skeleton(MAX_TIPS);
    if !recent.catch_up(ledger, &skeleton, base, patience)? {
        return Err(Fault::StillReading);
    }
    let mut found = recent.find(ledger, txid)?;
    let best = ledger.best();
    let by_coin = match best.height_of_a_coin(txid)? {
        Some(height) => best.block_hash_at(height),
        None => None,
    };
    for hash in named.copied().into_iter().chain(by_coin) {
        if found.iter().any(|found| found.block == hash) {
            continue;
        }
        let block = decoded(ledger, &hash)?;
        let height = ledger.block_info(&hash).map_or(0, |info| info.height);
        let transactions = block.transactions.into_iter().enumerate();
        let here = transactions.into_iter().find(|(_, tx)| tx.txid == *txid);
        found.extend(here.map(|(index, transaction)| Found {
            block: hash,
            height,
            index,
            transaction,
        }));
    }
    // A block of the best chain first, then the highest one.
    let on_best = |found: &Found| best.block_hash_at(found.height) == Some(found.block);
    found.sort_by_key(|found| {
        (
            !on_best(found),
            std::cmp::Reverse(found.height),
            found.block,
        )
    });
    match found.is_empty() {
        false => Ok(found),
        true => Err(Fault::NoTransaction {
            txid: txid.to_string(),
            searched: match base.max(recent.forgotten()) {
                0 => "every block of every branch".to_owned(),
                low => format!(
                    "every block above height {low} on every branch, and all that has an unspent coin"
                ),
            },
        }),
    }
}

/// What the transaction index says, if there is one and it is complete.
fn indexed(ledger: &Ledger, txid: &Txid) -> Result<Option<Vec<Found>>, Fault> {
    let places = match ledger.tx_index_complete().unwrap_or(false) {
        true => ledger.transaction_places(txid)?.unwrap_or_default(),
        false => return Ok(None),
    };
    let mut found = Vec::with_capacity(places.len());
    for place in places {
        let mut transactions = decoded(ledger, &place.block)?.transactions.into_iter();
        let here = transactions.nth(place.index as usize);
        found.extend(here.map(|transaction| Found {
            block: place.block,
            height: place.height,
            index: place.index as usize,
            transaction,
        }));
    }
    let best = ledger.best();
    let on_best = |found: &Found| best.block_hash_at(found.height) == Some(found.block);
    found.sort_by_key(|found| {
        (
            !on_best(found),
            std::cmp::Reverse(found.height),
            found.block,
        )
    });
    match found.is_empty() {
        false => Ok(Some(found)),
        true => Err(Fault::NoTransaction {
            txid: txid.to_string(),
            searched: "every block of every branch".to_owned(),
        }),
    }
}

/// What the parts of the page are looked up in.
struct View<'a> {
    ledger: &'a Ledger,
    recent: &'a Recent,
    patience: &'a Patience,
    network: Network,
}

impl View<'_> {
    fn page(
        &self,
        frame: Frame,
        txid: &Txid,
        found: Vec<Found>,
        page: u64,
    ) -> Result<TransactionPage, Fault> {
        let ledger = self.ledger;
        let best = ledger.best();
        let now = ledger.clock().now();
        let Some(first) = found.first() else {
            return Err(Fault::NoTransaction {
                txid: txid.to_string(),
                searched: "every block".to_owned(),
            });
        };
        let transaction = &first.transaction;
        let mut places = Vec::new();
        let mut tips: Vec<(BlockInfo, &Found)> = Vec::new();
        for found in &found {
            let Some(info) = ledger.block_info(&found.block) else {
                continue;
            };
            places.push(Place {
                hash: found.block.to_string(),
                short: show::short(&found.block),
                height: found.height,
                index: found.index,
                standing: Standing::of(&info, best.hash()),
            });
            let above = above(ledger, &found.block);
            tips.extend(above.into_iter().map(|tip| (tip, found)));
        }
        let is_best = |tip: &BlockInfo| tip.hash == best.hash();
        tips.sort_by_key(|(tip, _)| (!is_best(tip), std::cmp::Reverse(tip.chainwork)));
        let confirmed_in_all = tips.len();
        tips.truncate(MAX_WORLDS);
        let in_best = tips.first().is_some_and(|(tip, _)| is_best(tip));
        let confirmed = tips.iter().map(|(tip, found)| Confirmed {
            world: row(tip, &best, now),
            depth: tip.height - found.height + 1,
            block: found.block.to_string(),
            block_height: found.height,
        });
        let (inputs, outputs) = (&transaction.tx.input, &transaction.tx.output);
        let link = format!("/admin/tx/{txid}?page=");
        let part = Part::of(page, inputs.len().max(outputs.len()), ITEMS, link)?;
        let spent = self.spent(first)?;
        let fee = self.fee(first, &spent);
        let on_page = |length: usize| part.range.start.min(length)..part.range.end.min(length);
        let input_rows = on_page(inputs.len()).map(|index| {
            let coin = inputs[index].previous_output;
            InputRow {
                coin: (!transaction.is_coinbase()).then(|| CoinName {
                    txid: coin.txid.to_string(),
                    short: show::short(&coin.txid),
                    vout: coin.vout,
                }),
                spent: spent
                    .get(index)
                    .and_then(Option::as_ref)
                    .map(|output| self.name(output)),
            }
        });
        let live: Vec<World> = tips
            .iter()
            .filter_map(|(tip, _)| ledger.world(&tip.hash).ok())
            .collect();
        let mut output_rows = Vec::new();
        for index in on_page(outputs.len()) {
            self.patience.check()?;
            output_rows.push(OutputRow {
                index,
                output: self.name(&outputs[index]),
                unspent: unspent(&outputs[index], OutPoint::new(*txid, index as u32), &live)?,
            });
        }
        let paid = outputs.iter().map(|output| output.value.to_sat());
        Ok(TransactionPage {
            frame,
            txid: txid.to_string(),
            short: show::short(txid),
            coinbase: transaction.is_coinbase(),
            confirmed: confirmed.collect(),
            confirmed_in_all,
            worlds: above(ledger, &ledger.params().genesis_hash()).len(),
            in_best,
            rivals: self.rivals(first, &best)?,
            places,
            inputs: input_rows.collect(),
            outputs: output_rows,
            part,
            paid: Btc::of(paid.fold(0, u64::saturating_add)),
            fee: fee.map(|fee| Btc::of(fee.to_sat())),
            facts: vec![
                ("Transaction id", txid.to_string()),
                ("With witness", transaction.wtxid.to_string()),
                (
                    "Size",
                    format!(
                        "{} bytes, {} virtual",
                        show::thousands(transaction.size as u64),
                        show::thousands(transaction.tx.vsize() as u64)
                    ),
                ),
                ("Version", transaction.tx.version.0.to_string()),
                (
                    "Lock time",
                    transaction.tx.lock_time.to_consensus_u32().to_string(),
                ),
            ],
        })
    }

    /// What each input spends, where it can still be looked up: coins of earlier blocks, or of the block itself.
    fn spent(&self, found: &Found) -> Result<Vec<Option<TxOut>>, Fault> {
        let mut spent = Vec::new();
        if found.transaction.is_coinbase() {
            return Ok(spent);
        }
        let earlier = self.ledger.coins_spent_by(&found.block)?;
        let earlier: HashMap<OutPoint, Coin> = earlier.into_iter().flatten().collect();
        let mut block: Option<DecodedBlock> = None;
        for input in found.transaction.tx.input.iter().take(MAX_FEE_INPUTS) {
            self.patience.check()?;
            if let Some(coin) = earlier.get(&input.previous_output) {
                spent.push(Some(TxOut {
                    value: coin.amount,
                    script_pubkey: Script::to_owned(&coin.script_pubkey),
                }));
                continue;
            }
            if block.is_none() {
                block = Some(decoded(self.ledger, &found.block)?);
            }
            let OutPoint { txid, vout } = input.previous_output;
            let made_here = block.iter().flat_map(|block| &block.transactions);
            let maker = made_here.into_iter().find(|tx| tx.txid == txid);
            spent.push(maker.and_then(|tx| tx.tx.output.get(vout as usize).cloned()));
        }
        Ok(spent)
    }

    fn fee(&self, found: &Found, spent: &[Option<TxOut>]) -> Option<Amount> {
        let transaction = &found.transaction.tx;
        if spent.len() != transaction.input.len() {
            return None;
        }
        let mut taken = 0u64;
        for output in spent {
            taken = taken.checked_add(output.as_ref()?.value.to_sat())?;
        }
        let paid = transaction.output.iter();
        let paid = paid
            .map(|output| output.value.to_sat())
            .try_fold(0u64, u64::checked_add)?;
        taken.checked_sub(paid).map(Amount::from_sat)
    }

    fn name(&self, output: &TxOut) -> OutputName {
        const SHOWN: usize = 60;
        let script = &output.script_pubkey;
        let hex = script.to_hex_string();
        let address = show::address(script, self.network);
        OutputName {
            script: match &address {
                Some(address) => address.clone(),
                // An empty script has a page, too; a script as long as a hash must not be taken for one.
                None if script.len() <= parse::MAX_SCRIPT_BYTES => format!("hex:{hex}"),
                None => String::new(),
            },
            words: match script.is_op_return() {
                true => format!(
                    "data, {}",
                    show::count(script.len() as u64, "byte", "bytes")
                ),
                false if script.is_empty() => "an empty script".to_owned(),
                false if hex.len() > SHOWN => format!("{}…", &hex[..SHOWN]),
                false => hex,
            },
            address,
            amount: Btc::of(output.value.to_sat()),
        }
    }

    fn rivals(&self, found: &Found, best: &World) -> Result<Vec<Rival>, Fault> {
        let transaction = &found.transaction;
        if transaction.is_coinbase() {
            return Ok(Vec::new());
        }
        let inputs = transaction.tx.input.iter();
        let coins: Vec<OutPoint> = inputs.map(|input| input.previous_output).collect();
        let rivals = self
            .recent
            .rivals(self.ledger, &transaction.txid, &coins, MAX_RIVALS)?;
        let rivals = rivals.into_iter().filter_map(|(coin, rival)| {
            let info = self.ledger.block_info(&rival.block)?;
            let worlds = above(self.ledger, &rival.block).len();
            let kind = ConflictKind::between(&transaction.tx, &rival.transaction.tx);
            let (class, kind) = super::conflicts::kind(kind);
            Some(Rival {
                txid: rival.transaction.txid.to_string(),
                short: show::short(&rival.transaction.txid),
                coin: coin.to_string(),
                kind,
                class,
                block: rival.block.to_string(),
                height: rival.height,
                standing: Standing::of(&info, best.hash()),
                worlds,
            })
        });
        Ok(rivals.collect())
    }
}

/// In how many of the worlds that hold its transaction an output is unspent, in words.
fn unspent(output: &TxOut, outpoint: OutPoint, worlds: &[World]) -> Result<String, Fault> {
    if Coin::is_unspendable(&output.script_pubkey) {
        return Ok("cannot be spent".to_owned());
    }
    let mut unspent = 0;
    for world in worlds {
        unspent += usize::from(world.coin(&outpoint)?.is_some());
    }
    Ok(match (unspent, worlds.len()) {
        (_, 0) => "in no world that can be read".to_owned(),
        (0, 1) => "spent".to_owned(),
        (1, 1) => "unspent".to_owned(),
        (0, _) => "spent in each".to_owned(),
        (some, all) if some == all => "unspent in each".to_owned(),
        (some, all) => format!("unspent in {some} of {all}"),
    })
}
