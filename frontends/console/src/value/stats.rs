//! Owns the ledger's figures about itself, as scripts have them.

use everett_ledger::LedgerStats;
use rhai::Engine;
use serde_json::{Value, json};

use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::show::{Align, Shown, facts};

/// The ledger's figures.
#[derive(Clone)]
pub(crate) struct StatsValue {
    stats: LedgerStats,
    horizon: u32,
    network: String,
    tips: usize,
}

impl StatsValue {
    pub(crate) fn read(context: &Ctx) -> Result<StatsValue, Fault> {
        Ok(StatsValue {
            stats: context.ledger.stats()?,
            horizon: context.ledger.horizon(),
            network: context.ledger.params().network.to_string(),
            tips: context.ledger.tips().len(),
        })
    }
}

impl Shown for StatsValue {
    const KIND: &'static str = "Stats";

    fn line(&self) -> String {
        format!(
            "{}: height {}, {} tips",
            self.network, self.stats.best_height, self.tips
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let stats = &self.stats;
        let connect = &stats.timings.connect;
        Ok(facts([
            ("network", self.network.clone()),
            ("best height", stats.best_height.to_string()),
            ("base height", stats.base_height.to_string()),
            ("horizon", format!("{} blocks", self.horizon)),
            ("tips", self.tips.to_string()),
            ("live worlds", stats.live_worlds.to_string()),
            ("held worlds", stats.held_worlds.to_string()),
            ("headers", stats.headers.to_string()),
            ("orphans", stats.orphans.to_string()),
            (
                "overlay",
                format!(
                    "{} coins, {} scripts, {} bytes",
                    stats.overlay_coins, stats.overlay_scripts, stats.overlay_bytes
                ),
            ),
            (
                "validated",
                format!("{} blocks, {:?} each", connect.count, connect.mean()),
            ),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        let stats = &self.stats;
        Ok(json!({
            "network": self.network,
            "best_height": stats.best_height,
            "base_height": stats.base_height,
            "horizon": self.horizon,
            "tips": self.tips,
            "live_worlds": stats.live_worlds,
            "held_worlds": stats.held_worlds,
            "headers": stats.headers,
            "orphans": stats.orphans,
            "overlay_coins": stats.overlay_coins,
            "overlay_scripts": stats.overlay_scripts,
            "overlay_bytes": stats.overlay_bytes,
            "blocks_validated": stats.timings.connect.count,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![("HEIGHT", Align::Right), ("TIPS", Align::Right)]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.stats.best_height.to_string(),
            self.tips.to_string(),
        ])
    }
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<StatsValue>(engine, "the ledger's figures about itself")
        .get("network", "which network it is", |stats| {
            Ok(stats.network.clone())
        })
        .get("best_height", "height of the best world", |stats| {
            Ok(i64::from(stats.stats.best_height))
        })
        .get("base_height", "height of the base", |stats| {
            Ok(i64::from(stats.stats.base_height))
        })
        .get(
            "horizon",
            "blocks behind the best tip inside which branches live",
            |stats| Ok(i64::from(stats.horizon)),
        )
        .get("tips", "how many tips there are", |stats| {
            Ok(int(stats.tips))
        })
        .get(
            "live_worlds",
            "blocks that a world can be read at",
            |stats| Ok(int(stats.stats.live_worlds)),
        )
        .get(
            "held_worlds",
            "worlds held after they were retired",
            |stats| Ok(int(stats.stats.held_worlds)),
        )
        .get("headers", "headers known, on all branches", |stats| {
            Ok(int(stats.stats.headers))
        })
        .get("orphans", "blocks that wait for their parents", |stats| {
            Ok(int(stats.stats.orphans))
        })
        .get("overlay_coins", "coins with a version in memory", |stats| {
            Ok(int(stats.stats.overlay_coins))
        })
        .get("overlay_bytes", "bytes of memory for them", |stats| {
            Ok(int(stats.stats.overlay_bytes))
        });
}
