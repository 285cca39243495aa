//! Owns the counts that are made out of events: reorganisations and their depth, conflicts and what they are worth.
//! Promises that they count from the node's start on, each event once.

use everett_ledger::{ConflictKind, Event, EventKind, EventsError, Policy, Start};
use everett_node::meters::{Counter, Described, Histogram, Meters};
use everett_node::{FrontendError, Handle, StreamError};

/// Changes of the best world.
const CHANGES: Described = Described {
    name: "everett_best_changes_total",
    help: "Changes of the best world since the node started, reorganisations included.",
};
/// Those that took blocks back.
const REORGANISATIONS: Described = Described {
    name: "everett_reorganisations_total",
    help: "Changes of the best world since the node started that took blocks back.",
};
/// How many blocks they took back.
const DEPTH: Described = Described {
    name: "everett_reorganisation_depth_blocks",
    help: "Blocks that reorganisations since the node started took back.",
};
/// Bounds of its buckets.
const DEPTHS: &[f64] = &[
    1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0, 100.0, 288.0, 1000.0,
];
/// Blocks that were refused.
const INVALID: Described = Described {
    name: "everett_invalid_blocks_total",
    help: "Blocks since the node started that broke a rule or were invalidated by hand.",
};
/// Coins that two branches spend otherwise.
const CONFLICTS: Described = Described {
    name: "everett_conflicts_total",
    help: "Coins since the node started that two branches spend in different transactions, by kind.",
};
/// What they are worth.
const CONFLICT_SAT: Described = Described {
    name: "everett_conflict_value_satoshis_total",
    help: "Value of the coins since the node started that two branches spend in different transactions, by kind, in satoshis.",
};
/// Those that events do not list for their number.
const UNLISTED: Described = Described {
    name: "everett_conflicts_unlisted_total",
    help: "Further such coins that events do not list for their number, and that are in no other count.",
};

/// The counts.
struct Counts {
    changes: Counter,
    reorganisations: Counter,
    depth: Histogram,
    invalid: Counter,
    unlisted: Counter,
    /// Count and satoshis, by kind.
    conflicts: [(ConflictKind, Counter, Counter); 3],
}

impl Counts {
    fn new(meters: &Meters) -> Counts {
        let kinds = [
            (ConflictKind::SameRecipients, "same-recipients"),
            (ConflictKind::FeeBump, "fee-bump"),
            (ConflictKind::DoubleSpend, "double-spend"),
        ];
        Counts {
            changes: meters.counter(CHANGES, &[]),
            reorganisations: meters.counter(REORGANISATIONS, &[]),
            depth: meters.histogram(DEPTH, DEPTHS, &[]),
            invalid: meters.counter(INVALID, &[]),
            unlisted: meters.counter(UNLISTED, &[]),
            conflicts: kinds.map(|(kind, name)| {
                let labels = [("kind", name)];
                (
                    kind,
                    meters.counter(CONFLICTS, &labels),
                    meters.counter(CONFLICT_SAT, &labels),
                )
            }),
        }
    }

    fn see(&self, event: &Event) {
        match event.kind {
            EventKind::BestChanged => {
                self.changes.one();
                if !event.undone.is_empty() {
                    self.reorganisations.one();
                    self.depth.see(event.undone.len() as f64);
                }
            }
            EventKind::BlockInvalid => self.invalid.one(),
            EventKind::ConflictFound => {
                for conflict in &event.conflicts {
                    let of_kind = self
                        .conflicts
                        .iter()
                        .find(|(kind, _, _)| *kind == conflict.kind);
                    if let Some((_, count, sat)) = of_kind {
                        count.one();
                        sat.add(conflict.amount.to_sat());
                    }
                }
                self.unlisted.add(event.unlisted.into());
            }
            EventKind::TipAdded
            | EventKind::TipExtended
            | EventKind::TipRetired
            | EventKind::Checkpointed => {}
        }
    }
}

/// Counts events until the frontend is to stop.
pub(crate) async fn count(handle: Handle) -> Result<(), FrontendError> {
    let counts = Counts::new(handle.meters());
    let mut events = handle.follow(Policy::Lossless, Start::Now).await?;
    loop {
        match events.next().await {
            Ok(None) => return Ok(()),
            Ok(Some(batch)) => batch
                .iter()
                .for_each(|delivery| counts.see(&delivery.event)),
            Err(StreamError::Events(EventsError::CursorExpired { mut cursor, oldest })) => {
                cursor.seq = oldest;
                events.seek(cursor);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
