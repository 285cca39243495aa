//! Owns who may change the ledger, and the way such a change takes.
//! Promises that a write goes through the node's one queue of writes, and is durable before its answer.
//! Refuses every write unless the console was started for it, and says how.

use everett_ledger::Ledger;
use everett_node::Handle;
use everett_proto::v1::ErrorReason;

use crate::fault::Fault;

/// A session's right to write.
#[derive(Clone)]
pub(crate) enum Pen {
    /// None; with what would give it.
    Refused(&'static str),
    /// Through the node's queue.
    Node(Handle, tokio::runtime::Handle),
    /// On a ledger that nobody else writes to.
    Own,
}

impl Pen {
    /// Whether it writes.
    pub(crate) fn writes(&self) -> bool {
        !matches!(self, Pen::Refused(_))
    }

    /// Fails where `what` would be refused.
    pub(crate) fn check(&self, what: &str) -> Result<(), Fault> {
        match self {
            Pen::Refused(how) => Err(Fault::new(
                ErrorReason::ReadOnly,
                format!(
                    "{what} would change something, and this console takes queries only; {how}"
                ),
            )),
            Pen::Node(..) | Pen::Own => Ok(()),
        }
    }

    /// Makes a change, from a thread that may wait.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        what: &str,
        ledger: &Ledger,
        work: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        self.check(what)?;
        match self {
            Pen::Node(handle, runtime) => Ok(runtime.block_on(handle.write(work))?),
            Pen::Refused(_) | Pen::Own => Ok(work(ledger)),
        }
    }
}
