//! Owns the scans of blocks for wallets: one at a time for each, which can be watched and ended.
//! Promises that a scan goes over every live world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use everett_wallet::{Wallet, WalletError};
use parking_lot::Mutex;

use crate::call::Call;
use crate::error::{RpcError, WALLET_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Parts into which the progress of a scan is counted.
const PARTS: u32 = 10_000;

/// One scan that runs.
struct Scan {
    since: Instant,
    /// In [`PARTS`].
    progress: AtomicU32,
    aborted: AtomicBool,
}

/// The scans that run, by the names of their wallets.
#[derive(Default)]
pub(crate) struct Scans(Mutex<BTreeMap<String, Arc<Scan>>>);

impl Scans {
    /// Begins one.
    ///
    /// # Errors
    ///
    /// One runs.
    pub(super) fn begin(&self, wallet: &str) -> Result<Scanning<'_>, RpcError> {
        let mut scans = self.0.lock();
        if scans.contains_key(wallet) {
            return Err(RpcError::new(
                WALLET_ERROR,
                "Wallet is currently rescanning. Abort existing rescan or wait.",
            ));
        }
        let scan = Arc::new(Scan {
            since: Instant::now(),
            progress: AtomicU32::new(0),
            aborted: AtomicBool::new(false),
        });
        scans.insert(wallet.to_owned(), scan.clone());
        Ok(Scanning {
            scans: self,
            wallet: wallet.to_owned(),
            scan,
        })
    }

    /// How far the one of a wallet is: `false` where none runs.
    pub(super) fn json(&self, wallet: &str) -> Json {
        match self.0.lock().get(wallet) {
            None => Json::Bool(false),
            Some(scan) => object! {
                "duration" => scan.since.elapsed().as_secs(),
                "progress" => f64::from(scan.progress.load(Ordering::Acquire)) / f64::from(PARTS),
            },
        }
    }

    /// Ends the one of a wallet; whether one ran that nobody had ended yet.
    fn abort(&self, wallet: &str) -> bool {
        let scans = self.0.lock();
        scans
            .get(wallet)
            .is_some_and(|scan| !scan.aborted.swap(true, Ordering::AcqRel))
    }
}

/// A scan that runs, until it is dropped.
pub(super) struct Scanning<'a> {
    scans: &'a Scans,
    wallet: String,
    scan: Arc<Scan>,
}

impl Drop for Scanning<'_> {
    fn drop(&mut self) {
        self.scans.0.lock().remove(&self.wallet);
    }
}

impl Scanning<'_> {
    /// Looks into the blocks of every live world from a height up to another, or to the tips.
    pub(super) fn run(
        &self,
        call: &Call,
        wallet: &Wallet,
        from: u32,
        to: Option<u32>,
    ) -> Result<(), RpcError> {
        let done = wallet.rescan(from, to, &mut |height, last| {
            let whole = u64::from(last.saturating_sub(from)) + 1;
            let part = u64::from(height.saturating_sub(from)) * u64::from(PARTS) / whole;
            let part = u32::try_from(part).unwrap_or(PARTS).min(PARTS);
            self.scan.progress.store(part, Ordering::Release);
            call.goes_on() && !self.scan.aborted.load(Ordering::Acquire)
        });
        match done {
            Err(WalletError::ScanAborted { .. }) if !call.goes_on() => {
                Err(everett_ledger::ReadError::Cancelled.into())
            }
            done => Ok(done?),
        }
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
    let scanning = call.site.wallet_scans.begin(wallet.name())?;
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
    if start < call.ledger().pruned_below() {
        return Err(RpcError::misc(
            "Can't rescan beyond pruned data. Use RPC call getblockchaininfo to determine your pruned height.",
        ));
    }
    scanning.run(call, &wallet, start, stop)?;
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
        Ok(call.site.wallet_scans.abort(wallet.name()).into())
    }),
};
