//! Owns the question whether transactions would be let in, at the best world or at another one.
//! Promises the verdict that giving them in would have, had the mempool room.
//! Refuses to change anything.

use std::sync::Arc;

use everett_ledger::World;
use everett_ledger::decode::DecodedTransaction;

use crate::accept::{self, Failure, PackageVerdict, Terms, Together};
use crate::mempool::{Mempool, MempoolError};
use crate::view::View;
use crate::{Accepted, PackageOutcome, Refused};

impl Mempool {
    /// What [`Mempool::accept`] would answer, had it room; nothing is changed. Costs the same.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn test_accept(
        &self,
        tx: &Arc<DecodedTransaction>,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        self.judge(&self.view()?, tx)
    }

    /// The same at any world: what [`Mempool::accept`] would answer if it were the best one. Costs what
    /// [`Mempool::view_on`] costs in addition.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn test_accept_on(
        &self,
        world: &World,
        tx: &Arc<DecodedTransaction>,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        self.judge(&self.view_on(world)?, tx)
    }

    fn judge(
        &self,
        view: &View<'_>,
        tx: &Arc<DecodedTransaction>,
    ) -> Result<Result<Accepted, Refused>, MempoolError> {
        let around = self.around();
        match accept::single(&view.pool, around, &Terms::single(around.now), tx) {
            Ok(mut checked) => Ok(checked.accepted.pop().ok_or_else(nothing_found)),
            Err(Failure::Rejected(refused)) => Ok(Err(*refused)),
            Err(Failure::Read(error)) => Err(error.into()),
        }
    }

    /// What would become of several transactions given in together, none of which may replace another: Bitcoin Core's
    /// `testmempoolaccept` with more than one. Nothing is changed. Costs as much as accepting each.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn test_accept_package(
        &self,
        package: &[Arc<DecodedTransaction>],
    ) -> Result<PackageVerdict, MempoolError> {
        self.judge_package(&self.view()?, package)
    }

    /// The same at any world, as [`Mempool::test_accept_on`].
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn test_accept_package_on(
        &self,
        world: &World,
        package: &[Arc<DecodedTransaction>],
    ) -> Result<PackageVerdict, MempoolError> {
        self.judge_package(&self.view_on(world)?, package)
    }

    fn judge_package(
        &self,
        view: &View<'_>,
        package: &[Arc<DecodedTransaction>],
    ) -> Result<PackageVerdict, MempoolError> {
        let around = self.around();
        let terms = Terms {
            replacement: false,
            sibling_eviction: false,
            test: true,
            ..Terms::single(around.now)
        };
        Ok(
            match accept::multiple(&view.pool, around, &terms, package)? {
                Together::Refused(verdict) => verdict,
                Together::Fits(checked) => {
                    let wtxids = package.iter().map(|tx| tx.wtxid);
                    let accepted = checked.accepted.into_iter().map(PackageOutcome::Accepted);
                    PackageVerdict {
                        rejection: None,
                        outcomes: wtxids.zip(accepted).collect(),
                    }
                }
            },
        )
    }
}

/// For an answer that a check always has.
fn nothing_found() -> Refused {
    Refused {
        rejection: crate::Rejection::policy("mempool full", ""),
        effective: None,
    }
}
