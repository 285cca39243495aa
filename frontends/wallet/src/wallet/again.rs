//! Owns what is done again for payments that wait: they are given to the mempool that lost them, and peers are to be told of them.
//! Promises that what waits is not pushed out by what stands against it.
//! Refuses to tell anybody by itself.

use std::sync::Arc;

use bitcoin::Txid;
use everett_ledger::decode::DecodedTransaction;

use super::Wallet;
use crate::error::WalletError;
use crate::record::Record;

impl Wallet {
    /// Gives our transactions that wait, and that the mempool does not have, to it again: what was refused or fell out, unless
    /// another one waits that spends the same. Says how many it took.
    ///
    /// # Errors
    ///
    /// Those of the mempool, and what the disk does.
    pub fn send_again(&self) -> Result<usize, WalletError> {
        if !self.inner.broadcast {
            return Ok(0);
        }
        let waiting: Vec<Arc<DecodedTransaction>> = {
            let view = self.view()?;
            let pending = view.pending_on(view.best())?;
            let waits = |record: &&Record| {
                let given_up = record.abandoned || record.replaced_by.is_some();
                let stays = record.tx.is_coinbase() || given_up || pending.contains(&record.txid);
                view.book.loose.contains(&record.txid) && !stays
            };
            // Parents came before their children.
            let records = view.records().filter(waits);
            records
                .map(|record| Arc::new(DecodedTransaction::new((*record.tx).clone())))
                .collect()
        };
        let mut taken = 0;
        for tx in waiting {
            let stands_against_another = {
                let mempool = self.inner.mempool.view()?;
                let mut spent = tx.tx.input.iter().map(|input| input.previous_output);
                spent.any(|outpoint| mempool.spender(&outpoint).is_some())
            };
            // What a rival branch has must not push out what waits for this one.
            if stands_against_another {
                continue;
            }
            taken += usize::from(self.inner.mempool.accept_own(&tx)?.is_ok());
        }
        Ok(taken)
    }

    /// Transactions of ours that wait in the mempool, and were known at a time already (seconds since 1970): those that peers may
    /// have forgotten, in the order in which they came. None where payments are not to be told of.
    ///
    /// # Errors
    ///
    /// Those of the mempool, and what the disk does.
    pub fn waiting_since(&self, time: u64) -> Result<Vec<Txid>, WalletError> {
        if !self.inner.broadcast {
            return Ok(Vec::new());
        }
        let view = self.view()?;
        let pending = view.pending_on(view.best())?;
        let waits = |record: &&Record| record.received <= time && pending.contains(&record.txid);
        Ok(view
            .records()
            .filter(waits)
            .map(|record| record.txid)
            .collect())
    }
}
