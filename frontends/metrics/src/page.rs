//! Owns what is on the page: the ledger's figures, the frontends', the subscribers', the process's.
//! Promises the state of the moment; an answer takes some milliseconds of a reader's thread.

mod mempool;
mod peers;

use std::collections::BTreeMap;

use everett_ledger::meter::Spent;
use everett_ledger::{ChainStatus, Ledger, LedgerStats, StoreError, Timings};
use everett_node::{FrontendState, Handle};

use crate::process::{disk, process};
use crate::text::{Page, Type};

/// Subscribers that have series of their own; of more, the slowest ones do.
const MAX_SUBSCRIBERS: usize = 100;

/// Renders the page.
pub(crate) fn render(handle: &Handle) -> Result<String, StoreError> {
    let mut page = Page::default();
    let ledger = handle.ledger();
    page.family(
        "everett_build_info",
        Type::Gauge,
        "The version and network of the node; always 1.",
    )
    .sample(
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("network", &ledger.params().network.to_string()),
        ],
        1.0,
    );
    worlds(&mut page, ledger);
    figures(&mut page, &ledger.stats()?);
    events(&mut page, ledger)?;
    mempool::write(&mut page, handle.mempool());
    frontends(&mut page, handle)?;
    if let Some(peers) = handle.peers() {
        peers::write(&mut page, &*peers);
    }
    for family in handle.meters().now() {
        page.kept(&family);
    }
    disk(&mut page, ledger);
    process(&mut page);
    Ok(page.into_text())
}

fn worlds(page: &mut Page, ledger: &Ledger) {
    let tips = ledger.tips();
    let statuses = [
        ChainStatus::Active,
        ChainStatus::ValidFork,
        ChainStatus::ValidHeaders,
        ChainStatus::HeadersOnly,
        ChainStatus::Invalid,
    ];
    let mut counts: BTreeMap<&'static str, usize> =
        statuses.iter().map(|status| (status.as_str(), 0)).collect();
    for tip in &tips {
        *counts.entry(tip.status.as_str()).or_default() += 1;
    }
    let mut family = page.family(
        "everett_tips",
        Type::Gauge,
        "Tips of branches, by their status in getchaintips.",
    );
    for (status, count) in counts {
        family.sample(&[("status", status)], count as f64);
    }
    let rivals = || tips.iter().filter(|tip| tip.live && !tip.best);
    page.one(
        "everett_worlds",
        Type::Gauge,
        "Live worlds: tips whose balances can be read, the best one included.",
        tips.iter().filter(|tip| tip.live).count() as f64,
    );
    let best = tips.iter().find(|tip| tip.best).map_or(0, |tip| tip.height);
    page.one(
        "everett_fork_depth_blocks",
        Type::Gauge,
        "Blocks from the best tip down to the lowest block where a live branch leaves the best chain; 0 without one.",
        rivals().map(|tip| best.saturating_sub(tip.fork_height)).max().unwrap_or(0) as f64,
    );
    page.one(
        "everett_fork_length_blocks",
        Type::Gauge,
        "Blocks of the longest live branch beside the best chain; 0 without one.",
        rivals()
            .map(|tip| tip.height.saturating_sub(tip.fork_height))
            .max()
            .unwrap_or(0) as f64,
    );
}

fn figures(page: &mut Page, stats: &LedgerStats) {
    let gauges: [(&'static str, &str, f64); 12] = [
        (
            "everett_best_height",
            "Height of the best tip.",
            stats.best_height.into(),
        ),
        (
            "everett_base_height",
            "Height of the base.",
            stats.base_height.into(),
        ),
        (
            "everett_headers",
            "Headers known, on all branches.",
            stats.headers as f64,
        ),
        (
            "everett_live_blocks",
            "Blocks that a world can be read at.",
            stats.live_worlds as f64,
        ),
        (
            "everett_held_worlds",
            "Worlds held by somebody after they were retired.",
            stats.held_worlds as f64,
        ),
        (
            "everett_orphans",
            "Blocks that wait for their parents.",
            stats.orphans as f64,
        ),
        (
            "everett_overlay_coins",
            "Coins with a version in the overlay.",
            stats.overlay_coins as f64,
        ),
        (
            "everett_overlay_scripts",
            "Scripts with a version in the overlay.",
            stats.overlay_scripts as f64,
        ),
        (
            "everett_overlay_bytes",
            "Memory of the overlay's tables.",
            stats.overlay_bytes as f64,
        ),
        (
            "everett_journal_bytes",
            "Bytes of the journal: the deltas of all blocks above the base.",
            stats.journal_bytes as f64,
        ),
        (
            "everett_outbox_bytes",
            "Bytes of the outbox: the events that are kept.",
            stats.outbox_bytes as f64,
        ),
        (
            "everett_base_lag_blocks",
            "Blocks from the base up to the best tip.",
            f64::from(stats.best_height.saturating_sub(stats.base_height)),
        ),
    ];
    for (name, help, value) in gauges {
        page.one(name, Type::Gauge, help, value);
    }
    steps(page, &stats.timings);
    let timings = &stats.timings;
    for (names, what, spent) in [
        (
            (
                "everett_blocks_validated_total",
                "everett_validation_seconds_total",
            ),
            "blocks connected to their parents' worlds, scripts included",
            &timings.connect,
        ),
        (
            (
                "everett_checkpoints_total",
                "everett_checkpoint_seconds_total",
            ),
            "moves of the base",
            &timings.checkpoint,
        ),
    ] {
        page.one(
            names.0,
            Type::Counter,
            &format!("Since the node started: {what}."),
            spent.count as f64,
        );
        page.one(
            names.1,
            Type::Counter,
            &format!("Time since the node started for {what}."),
            seconds(spent),
        );
    }
    page.one(
        "everett_coin_changes_total",
        Type::Counter,
        "Coins made and spent by blocks connected since the node started.",
        timings.changes as f64,
    );
}

fn seconds(spent: &Spent) -> f64 {
    spent.time.as_secs_f64()
}

/// Where the writer's time went, by its steps.
fn steps(page: &mut Page, timings: &Timings) {
    let steps = [
        ("decode", &timings.decode),
        ("check", &timings.check),
        ("connect", &timings.connect),
        ("journal", &timings.journal),
        ("overlay", &timings.overlay),
        ("conflicts", &timings.conflicts),
        ("best_change", &timings.best_change),
        ("commit", &timings.commit),
        ("checkpoint", &timings.checkpoint),
    ];
    let mut family = page.family(
        "everett_writer_seconds_total",
        Type::Counter,
        "Time of the ledger's writer since the node started, by what it did.",
    );
    for (step, spent) in steps {
        family.sample(&[("step", step)], seconds(spent));
    }
    let mut family = page.family(
        "everett_writer_steps_total",
        Type::Counter,
        "How often the ledger's writer did each step since the node started.",
    );
    for (step, spent) in steps {
        family.sample(&[("step", step)], spent.count as f64);
    }
}

fn events(page: &mut Page, ledger: &Ledger) -> Result<(), StoreError> {
    let log = ledger.event_log()?;
    page.one(
        "everett_events_total",
        Type::Counter,
        "Events that this ledger ever had.",
        log.next as f64,
    );
    page.one(
        "everett_events_kept",
        Type::Gauge,
        "Events that are kept for subscribers.",
        log.next.saturating_sub(log.oldest) as f64,
    );
    let mut subscribers = ledger.subscribers()?;
    page.one(
        "everett_subscribers",
        Type::Gauge,
        "Subscribers of events that are registered by name.",
        subscribers.len() as f64,
    );
    subscribers.sort_by_key(|subscriber| std::cmp::Reverse(subscriber.lag_events));
    subscribers.truncate(MAX_SUBSCRIBERS);
    let mut family = page.family(
        "everett_subscriber_lag_events",
        Type::Gauge,
        "Events that a subscriber has not acknowledged; at most 100 subscribers, the slowest ones.",
    );
    for subscriber in &subscribers {
        family.sample(
            &[("subscriber", &subscriber.name)],
            subscriber.lag_events as f64,
        );
    }
    let mut family = page.family(
        "everett_subscriber_lag_seconds",
        Type::Gauge,
        "How long the first event that a subscriber has not acknowledged has been waiting.",
    );
    for subscriber in &subscribers {
        family.sample(
            &[("subscriber", &subscriber.name)],
            subscriber.lag_seconds as f64,
        );
    }
    let mut family = page.family(
        "everett_subscriber_missed_events",
        Type::Gauge,
        "Events that are gone before a subscriber acknowledged them.",
    );
    for subscriber in &subscribers {
        family.sample(
            &[("subscriber", &subscriber.name)],
            subscriber.missed as f64,
        );
    }
    Ok(())
}

fn frontends(page: &mut Page, handle: &Handle) -> Result<(), StoreError> {
    let frontends = handle.frontends()?;
    let mut family = page.family(
        "everett_frontend_up",
        Type::Gauge,
        "Whether a frontend serves: 1, or 0.",
    );
    for frontend in &frontends {
        let up = f64::from(u8::from(
            frontend.state == FrontendState::Running || frontend.state == FrontendState::Starting,
        ));
        family.sample(&[("frontend", &frontend.name)], up);
    }
    let mut family = page.family(
        "everett_frontend_restarts_total",
        Type::Counter,
        "How often a frontend was started again after it had failed.",
    );
    for frontend in &frontends {
        family.sample(&[("frontend", &frontend.name)], frontend.restarts as f64);
    }
    let mut family = page.family(
        "everett_frontend_lag_events",
        Type::Gauge,
        "Events that a frontend which follows them is not done with.",
    );
    for frontend in &frontends {
        if let Some(lag) = frontend.lag {
            family.sample(&[("frontend", &frontend.name)], lag.events as f64);
        }
    }
    Ok(())
}
