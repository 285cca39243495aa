//! Owns the wait for a template that differs from one that a miner has (BIP22).
//! Promises Core's times: another best block is told at once, other transactions after a minute and then every ten seconds.

use std::time::Duration;

use bitcoin::BlockHash;

use crate::call::{Call, parse_block_hash};
use crate::error::{CLIENT_NOT_CONNECTED, RpcError};
use crate::json::Json;

/// When it is first looked whether transactions came.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// When it is looked again.
const NEXT_LOOK: Duration = Duration::from_secs(10);
/// Characters of a block's hash.
const HASH_CHARS: usize = 64;

/// What a miner has.
pub(super) struct Watched {
    /// The block that it stands on.
    tip: BlockHash,
    /// The number of changes of the mempool that are in it.
    updates: u64,
}

impl Watched {
    /// Reads a `longpollid`. What is no text stands for the template that was made last.
    pub(super) fn parse(call: &Call, id: &Json) -> Result<Watched, RpcError> {
        let Json::Text(text) = id else {
            return Ok(Watched {
                tip: call.ledger().best().hash(),
                updates: call.site.templates.last_updates(),
            });
        };
        let start = text.get(..HASH_CHARS).unwrap_or(text);
        let tip = parse_block_hash(&Json::from(start), "longpollid")?;
        let rest = text.get(HASH_CHARS..).unwrap_or_default();
        Ok(Watched {
            tip,
            updates: rest.parse().unwrap_or(0),
        })
    }

    /// Waits until there is something else.
    pub(super) async fn wait(&self, call: &Call) -> Result<(), RpcError> {
        let mut events = call.handle().event_seq();
        let stop = call.handle().stop_signal();
        let mut look = tokio::time::Instant::now() + FIRST_LOOK;
        while !stop.is_given() {
            events.borrow_and_update();
            if call.ledger().best().hash() != self.tip {
                return Ok(());
            }
            tokio::select! {
                changed = events.changed() => if changed.is_err() {
                    break;
                },
                () = tokio::time::sleep_until(look) => {
                    if call.site.mempool_updates() != self.updates {
                        return Ok(());
                    }
                    look += NEXT_LOOK;
                }
                () = stop.wait() => {}
            }
        }
        Err(RpcError::new(CLIENT_NOT_CONNECTED, "Shutting down"))
    }
}
