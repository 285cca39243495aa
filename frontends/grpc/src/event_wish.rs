//! Owns what a client wants to be told of events.
//! Promises that a wish that cannot be met is refused with the field that it is about.

use std::collections::HashSet;
use std::time::Duration;

use everett_ledger::{Event, EventKind, Network, Policy, ScriptHash, Start};
use everett_proto::v1;
use everett_proto::v1::stream_events_request::Start as Asked;

use crate::fault::Fault;
use crate::parse;
use crate::{MAX_LOCATOR_BLOCKS, MAX_WATCHED_SCRIPTS};

/// What the names of subscribers begin with that belong to the node itself, such as its binary log.
const OWN_NAMES: &str = "everett.";

/// What to stream, and from where.
#[derive(Debug)]
pub(crate) struct EventWish {
    /// `None`: the node keeps no cursor.
    pub(crate) subscriber: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) start: Start,
    /// Empty: all.
    kinds: HashSet<EventKind>,
    /// Scripts as they were given, and their hashes.
    pub(crate) watch: Vec<(v1::Script, ScriptHash)>,
    only_watched: bool,
    pub(crate) heartbeat: Duration,
}

impl EventWish {
    pub(crate) fn read(
        request: v1::StreamEventsRequest,
        network: Network,
    ) -> Result<EventWish, Fault> {
        let subscriber = Some(request.subscriber).filter(|name| !name.is_empty());
        not_our_own(subscriber.as_deref().unwrap_or_default())?;
        let policy = match v1::EventPolicy::try_from(request.policy) {
            Ok(v1::EventPolicy::Unspecified | v1::EventPolicy::Lossless) => Policy::Lossless,
            Ok(v1::EventPolicy::Conflating) => Policy::Conflating,
            Err(_) => return Err(Fault::field("policy", "no such policy")),
        };
        let kinds = request.kinds.into_iter().enumerate();
        let kinds = kinds
            .map(|(index, kind)| {
                event_kind(kind)
                    .ok_or_else(|| Fault::field(format!("kinds[{index}]"), "no such kind"))
            })
            .collect::<Result<_, _>>()?;
        if request.watch.len() > MAX_WATCHED_SCRIPTS {
            let count = request.watch.len();
            let wrong = format!("{count} scripts; at most {MAX_WATCHED_SCRIPTS} can be watched");
            return Err(Fault::field("watch", wrong));
        }
        let watch = request.watch.into_iter().enumerate();
        let watch: Vec<_> = watch
            .map(|(index, script)| {
                let field = format!("watch[{index}]");
                let hash = parse::script_hash(&field, Some(&script), network)?;
                Ok((script, hash))
            })
            .collect::<Result<_, Fault>>()?;
        if request.only_watched && watch.is_empty() {
            return Err(Fault::field("only_watched", "no script is watched"));
        }
        Ok(EventWish {
            start: start(request.start, subscriber.is_some())?,
            subscriber,
            policy,
            kinds,
            watch,
            only_watched: request.only_watched,
            heartbeat: parse::heartbeat(request.heartbeat)?,
        })
    }

    /// Whether events of this kind are to be told.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Whether the event says how watched scripts changed.
    pub(crate) fn watches(&self, event: &Event) -> bool {
        !self.watch.is_empty() && moves_a_world(event.kind)
    }

    /// Whether the event is to be told, now that the changes are known.
    pub(crate) fn wants_message(&self, kind: EventKind, message: &v1::Event) -> bool {
        let changed = !message.changes.is_empty() || message.changes_unknown;
        !(self.only_watched && moves_a_world(kind)) || changed
    }
}

/// Whether coins differ between both ends of such an event.
fn moves_a_world(kind: EventKind) -> bool {
    match kind {
        EventKind::TipAdded | EventKind::TipExtended | EventKind::BestChanged => true,
        EventKind::TipRetired
        | EventKind::BlockInvalid
        | EventKind::Checkpointed
        | EventKind::ConflictFound => false,
    }
}

fn event_kind(kind: i32) -> Option<EventKind> {
    Some(match v1::EventKind::try_from(kind).ok()? {
        v1::EventKind::Unspecified => return None,
        v1::EventKind::TipAdded => EventKind::TipAdded,
        v1::EventKind::TipExtended => EventKind::TipExtended,
        v1::EventKind::BestChanged => EventKind::BestChanged,
        v1::EventKind::TipRetired => EventKind::TipRetired,
        v1::EventKind::BlockInvalid => EventKind::BlockInvalid,
        v1::EventKind::Checkpointed => EventKind::Checkpointed,
        v1::EventKind::ConflictFound => EventKind::ConflictFound,
    })
}

fn start(asked: Option<Asked>, named: bool) -> Result<Start, Fault> {
    Ok(match asked {
        None if named => Start::Stored,
        None | Some(Asked::Now(true)) => Start::Now,
        Some(Asked::Oldest(true)) => Start::Oldest,
        Some(Asked::Now(false)) => return Err(Fault::field("now", "it can only be true")),
        Some(Asked::Oldest(false)) => return Err(Fault::field("oldest", "it can only be true")),
        Some(Asked::Cursor(cursor)) => Start::At(parse::cursor("cursor", Some(cursor))?),
        Some(Asked::Locator(locator)) => {
            let count = locator.block_hashes.len();
            if count == 0 || count > MAX_LOCATOR_BLOCKS {
                let wrong = format!("{count} blocks; 1 to {MAX_LOCATOR_BLOCKS} are taken");
                return Err(Fault::field("locator.block_hashes", wrong));
            }
            let hashes = locator.block_hashes.iter().enumerate();
            let hashes = hashes.map(|(index, hash)| {
                parse::block_hash(&format!("locator.block_hashes[{index}]"), hash)
            });
            Start::After(hashes.collect::<Result<_, _>>()?)
        }
    })
}

/// Refuses a subscriber that belongs to the node: nobody else moves its cursor.
pub(crate) fn not_our_own(name: &str) -> Result<(), Fault> {
    match name.starts_with(OWN_NAMES) {
        true => Err(Fault::field(
            "subscriber",
            format!("names that begin with `{OWN_NAMES}` are the node's own; choose another"),
        )),
        false => Ok(()),
    }
}
