//! Owns the scans of blocks for a wallet, as its owner asks for them, watches them and ends them.
//! Promises that a scan goes over every live world.

use everett_wallet::Wallet;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// How far the scan of a wallet is: `false` where none runs.
pub(super) fn json(wallet: &Wallet) -> Json {
    match wallet.scan_progress() {
        None => Json::Bool(false),
        Some(scan) => object! {
            "duration" => scan.elapsed.as_secs(),
            "progress" => scan.part,
        },
    }
}

pub(super) static RESCANBLOCKCHAIN: Method = Method {
    name: "rescanblockchain",
    category: Category::Wallet,
    about: "Looks for the wallet's transactions in the blocks of every live world again.",
    arguments: &[
        Argument::default("start_height", Kind::Number, "0", "The first block"),
        Argument::optional(
            "stop_height",
            Kind::Number,
            "The last block [default: the tips]",
        ),
    ],
    result: "{\"start_height\", \"stop_height\"}    (json object) What was looked into",
    at: false,
    run: Run::Read(rescan_blockchain),
};

fn rescan_blockchain(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let turn = wallet.scan_turn()?;
    let tip = call.ledger().best().height();
    let on_chain = |place, wrong: &str| -> Result<Option<u32>, RpcError> {
        let Some(given) = call.maybe(place) else {
            return Ok(None);
        };
        let height: i32 = given.int()?;
        let height = u32::try_from(height).ok().filter(|height| *height <= tip);
        height
            .map(Some)
            .ok_or_else(|| RpcError::parameter(wrong.to_owned()))
    };
    let start = on_chain(0, "Invalid start_height")?.unwrap_or(0);
    let stop = on_chain(1, "Invalid stop_height")?;
    if stop.is_some_and(|stop| stop < start) {
        return Err(RpcError::parameter(
            "stop_height must be greater than start_height",
        ));
    }
    super::unlocked(&wallet)?;
    turn.run(start, stop, &mut |_, _| call.goes_on())?;
    Ok(object! {
        "start_height" => start,
        "stop_height" => stop.unwrap_or(tip),
    })
}

pub(super) static ABORTRESCAN: Method = Method {
    name: "abortrescan",
    category: Category::Wallet,
    about: "Ends the scan of blocks for this wallet.",
    arguments: &[],
    result: "true|false    (boolean) Whether there was one to end",
    at: false,
    run: Run::Read(|call| {
        let wallet = call.wallet()?;
        Ok(wallet.abort_scan()?.into())
    }),
};
