//! Owns the methods that wait for the best chain to move.

use std::time::Duration;

use bitcoin::BlockHash;
use everett_ledger::World;
use tokio::time::Instant;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::object;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

const TIMEOUT: Argument = Argument::default(
    "timeout",
    Kind::Number,
    "0",
    "Milliseconds to wait at most; 0 waits for ever",
);

const RESULT: &str =
    "{\"hash\", \"height\"}    (json object) The best block, also when the time is over";

pub(super) static WAITFORNEWBLOCK: Method = Method {
    name: "waitfornewblock",
    category: Category::Blockchain,
    about: "Waits until another block is the best one.",
    arguments: &[
        TIMEOUT,
        Argument::optional(
            "current_tip",
            Kind::Text,
            "The block that another one is waited for",
        ),
    ],
    result: RESULT,
    at: false,
    run: Run::Wait(|call| Box::pin(wait_for_new_block(call))),
};

pub(super) static WAITFORBLOCK: Method = Method {
    name: "waitforblock",
    category: Category::Blockchain,
    about: "Waits until a certain block is the best one.",
    arguments: &[
        Argument::required("blockhash", Kind::Text, "The hash of the block"),
        TIMEOUT,
    ],
    result: RESULT,
    at: false,
    run: Run::Wait(|call| Box::pin(wait_for_block(call))),
};

pub(super) static WAITFORBLOCKHEIGHT: Method = Method {
    name: "waitforblockheight",
    category: Category::Blockchain,
    about: "Waits until the best chain has a height.",
    arguments: &[
        Argument::required("height", Kind::Number, "The height"),
        TIMEOUT,
    ],
    result: RESULT,
    at: false,
    run: Run::Wait(|call| Box::pin(wait_for_block_height(call))),
};

/// When the waiting is over; `None` for never.
fn deadline(call: &Call, place: usize) -> Result<Option<Instant>, RpcError> {
    let milliseconds: i32 = call.int_or(place, 0)?;
    let milliseconds =
        u64::try_from(milliseconds).map_err(|_| RpcError::misc("Negative timeout"))?;
    let wait = Duration::from_millis(milliseconds);
    Ok((milliseconds > 0).then(|| Instant::now() + wait))
}

/// Waits until the best world is as wanted; the best one, whatever came first.
async fn wait(call: &Call, deadline: Option<Instant>, wanted: impl Fn(&World) -> bool) -> Answer {
    let ledger = call.ledger();
    let mut events = call.handle().event_seq();
    let stop = call.handle().stop_signal();
    loop {
        events.borrow_and_update();
        let best = ledger.best();
        let over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if wanted(&best) || over || stop.is_given() {
            return Ok(object! { "hash" => best.hash(), "height" => best.height() });
        }
        drop(best);
        let time = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = events.changed() => if changed.is_err() {
                return Err(RpcError::misc("Shutting down"));
            },
            () = time => {}
            () = stop.wait() => {}
        }
    }
}

async fn wait_for_new_block(call: Call) -> Answer {
    let deadline = deadline(&call, 0)?;
    let current: BlockHash = match call.maybe(1) {
        None => call.ledger().best().hash(),
        Some(_) => call.block_hash(1, "current_tip")?,
    };
    wait(&call, deadline, |best| best.hash() != current).await
}

async fn wait_for_block(call: Call) -> Answer {
    let wanted = call.block_hash(0, "blockhash")?;
    let deadline = deadline(&call, 1)?;
    wait(&call, deadline, |best| best.hash() == wanted).await
}

async fn wait_for_block_height(call: Call) -> Answer {
    let height: i32 = call.int(0)?;
    let deadline = deadline(&call, 1)?;
    wait(&call, deadline, |best| {
        i64::from(best.height()) >= i64::from(height)
    })
    .await
}
