//! Owns what wallets need of the node: those marked for it are opened at the start, all move when something changes, their
//! transactions are sent until blocks have them, scans that they owe are done, and they are locked when their time is over.
//! Promises that a wallet which cannot follow says so in the log and does not keep the others from it.
//! Refuses to start a node whose configuration names a wallet that cannot be opened.

mod resend;

use std::sync::Arc;
use std::time::Duration;

use everett_wallet::{NewWallet, Wallet, WalletError, Wallets};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::error::NodeError;
use crate::handle::Handle;
use resend::Resends;

/// How often it is looked whether a wallet is to be locked, owes a scan, or is to have peers told of its payments again.
const LOCK_EVERY: Duration = Duration::from_secs(1);
/// How often transactions that no mempool has are given to it again.
const SEND_EVERY: Duration = Duration::from_secs(600);

/// The wallets' own task; none on a node without wallets.
pub(crate) struct WalletKeeper(Option<JoinHandle<()>>);

impl WalletKeeper {
    /// Opens wallets and begins to follow for them; with `make` one without a name is made where there is none at all.
    pub(crate) async fn start(
        handle: &Handle,
        names: Vec<String>,
        make: bool,
    ) -> Result<WalletKeeper, NodeError> {
        let Some(wallets) = handle.wallets().cloned() else {
            return Ok(WalletKeeper(None));
        };
        let opening = wallets.clone();
        let opened = move |_: &_| {
            open(&opening, &names)?;
            match make {
                true => make_unnamed(&opening),
                false => Ok(()),
            }
        };
        handle.read(opened).await??;
        Ok(WalletKeeper(Some(tokio::spawn(follow(
            handle.clone(),
            wallets,
        )))))
    }

    /// Ends it.
    pub(crate) fn abort(&self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn open(wallets: &Wallets, names: &[String]) -> Result<(), NodeError> {
    for name in names {
        let opened = wallets.load(name);
        opened.map_err(|error| NodeError::Wallet {
            name: name.clone(),
            error: Box::new(error),
        })?;
    }
    let marked = match wallets.opened_at_start() {
        Ok(marked) => marked,
        Err(error) => {
            warn!(%error, "which wallets to open is not known");
            return Ok(());
        }
    };
    // What was marked long ago must not keep the node from starting.
    for name in marked.iter().filter(|name| !names.contains(name)) {
        match wallets.load(name) {
            Ok(_) => info!(wallet = name, "opened"),
            Err(error) => warn!(wallet = name, %error, "not opened"),
        }
    }
    if !names.iter().any(String::is_empty) {
        make_way(wallets);
    }
    Ok(())
}

/// Takes the wallet without a name out where nobody has used it and there is another: calls that name none mean that one.
fn make_way(wallets: &Wallets) {
    let open = wallets.list();
    let Some(other) = open.iter().find(|wallet| !wallet.name().is_empty()) else {
        return;
    };
    if let Err(error) = wallets.make_way_for(other.name()) {
        warn!(%error, "the wallet without a name stays open");
    }
}

/// Makes the wallet without a name, which is opened at every start from then on, if there is no wallet at all.
fn make_unnamed(wallets: &Wallets) -> Result<(), NodeError> {
    let made = || -> Result<(), WalletError> {
        if wallets.list().is_empty() && wallets.names()?.is_empty() {
            // Marked first: where the process ends in between, the next start makes it.
            wallets.open_at_start("", true)?;
            if let Err(error) = wallets.create("", NewWallet::default()) {
                // Or each start would warn that it is not there.
                if let Err(error) = wallets.open_at_start("", false) {
                    warn!(%error, "the wallet without a name was not made, but is still marked for being opened at the start");
                }
                return Err(error);
            }
            info!("made a wallet without a name: there was none");
        }
        Ok(())
    };
    made().map_err(|error| NodeError::Wallet {
        name: String::new(),
        error: Box::new(error),
    })
}

/// Moves all wallets whenever the ledger or the mempool has something new.
async fn follow(handle: Handle, wallets: Wallets) {
    let mut events = handle.event_seq();
    let mut pending = handle.mempool().change_number();
    let mut lock = tokio::time::interval(LOCK_EVERY);
    let mut send = tokio::time::interval(SEND_EVERY);
    let resends = Arc::new(Mutex::new(Resends::default()));
    // One at a time, so that readers are left for others.
    let mut scan: Option<JoinHandle<()>> = None;
    loop {
        let wallets = wallets.clone();
        let done = tokio::select! {
            changed = events.changed() => {
                if changed.is_err() {
                    return;
                }
                // After a reorganisation what fell out goes back at once.
                handle.read(move |_| each(&wallets, |wallet| wallet.send_again().map(drop))).await
            }
            changed = pending.changed() => {
                if changed.is_err() {
                    return;
                }
                handle.read(move |_| each(&wallets, Wallet::catch_up)).await
            }
            _ = send.tick() => {
                // The mempool's file has what waited, with its times: that comes first.
                let loaded = handle.mempool().is_loaded();
                if !loaded {
                    send.reset_after(LOCK_EVERY);
                }
                let give = move |wallet: &Wallet| match loaded {
                    true => wallet.send_again().map(drop),
                    false => wallet.catch_up(),
                };
                handle.read(move |_| each(&wallets, give)).await
            }
            _ = lock.tick() => {
                let (telling, resends) = (handle.clone(), Arc::clone(&resends));
                let may_scan = scan.as_ref().is_none_or(JoinHandle::is_finished);
                // It waits for those that change a wallet, or read it.
                let look = move |_: &_| {
                    let open = wallets.list();
                    open.iter().for_each(Wallet::lock_when_due);
                    resends.lock().tell_again(&telling, &open);
                    open.into_iter().find(|wallet| may_scan && wallet.wants_scan())
                };
                let wanting = handle.read(look).await;
                wanting.map(|wallet| {
                    if let Some(wallet) = wallet {
                        scan = Some(tokio::spawn(pay_owed_scan(handle.clone(), wallet)));
                    }
                })
            }
        };
        if let Err(error) = done {
            warn!(%error, "the wallets do not follow");
        }
    }
}

/// Does the scan that a wallet owes, or as much of it as there is time for.
async fn pay_owed_scan(handle: Handle, wallet: Wallet) {
    let stop = handle.stop_signal().clone();
    let scan = move |_: &_| {
        let Some(from) = wallet.owed_scan() else {
            return;
        };
        let name = wallet.name();
        info!(
            wallet = name,
            from, "blocks are looked into for keys that may be older: it was not done to its end"
        );
        match wallet.pay_owed_scan(&mut |_, _| !stop.is_given()) {
            Ok(true) => info!(wallet = name, from, "the blocks are looked into"),
            // Stopped, locked, unloaded, or somebody wants the wallet: later.
            Ok(false) => {}
            Err(error) => warn!(
                wallet = name,
                from, %error, "blocks that its keys may be paid in were not looked into; what they were paid may be missing: \
                 see to what is in the way and load the wallet anew, or look into them (rescanblockchain, `everett wallet rescan`)"
            ),
        }
    };
    if let Err(error) = handle.read(scan).await {
        warn!(%error, "blocks for keys that may be older are not looked into");
    }
}

fn each(wallets: &Wallets, what: impl Fn(&Wallet) -> Result<(), WalletError>) {
    for wallet in wallets.list() {
        if let Err(error) = what(&wallet) {
            // Tried again with the next event, and by every call.
            warn!(wallet = wallet.name(), %error, "does not follow");
        }
    }
}

#[cfg(test)]
mod tests;
