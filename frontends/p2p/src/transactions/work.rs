//! Owns what is to be done with the mempool beside the protocol's thread, and what comes of it.
//! Promises plain data both ways: work can be done on any thread, in its order, and the answer be given back to the protocol.
//! Refuses to hold the mempool.

use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use everett_ledger::decode::{DecodedBlock, DecodedTransaction, decode_block};
use everett_mempool::{Mempool, PackageVerdict, Rejection};
use everett_net::PeerId;
use tracing::warn;

/// Something to be done with the mempool, which may take as long as a block does.
#[derive(Clone, Debug)]
pub enum MempoolWork {
    /// Let a transaction in, if the rules allow it.
    Judge {
        /// Who gave it.
        from: PeerId,
        /// The transaction.
        tx: Arc<DecodedTransaction>,
        /// Whether this is the first time, not an orphan's second.
        first: bool,
    },
    /// Let a parent and its child in together.
    JudgePackage {
        /// Who gave them.
        from: PeerId,
        /// The parent, which pays too little by itself.
        parent: Arc<DecodedTransaction>,
        /// The child.
        child: Arc<DecodedTransaction>,
    },
    /// Read a block that the best world has now.
    ReadBlock(BlockHash),
    /// A peer has taken a transaction: it need not be told again.
    Taken(Txid),
}

/// What the mempool said.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is in.
    Accepted,
    /// It is not.
    Refused(Rejection),
    /// The disk failed; nothing is known of it.
    Failed,
}

/// What came of [`MempoolWork`].
#[derive(Clone, Debug)]
pub enum MempoolAnswer {
    /// A transaction was judged: what the work said, and the verdict.
    Judged {
        /// Who gave it.
        from: PeerId,
        /// The transaction.
        tx: Arc<DecodedTransaction>,
        /// Whether this was the first time.
        first: bool,
        /// The mempool's last change before.
        change: u64,
        /// The verdict.
        verdict: Verdict,
    },
    /// A package was judged.
    PackageJudged {
        /// Who gave it.
        from: PeerId,
        /// The parent.
        parent: Arc<DecodedTransaction>,
        /// The child.
        child: Arc<DecodedTransaction>,
        /// The mempool's last change before.
        change: u64,
        /// The verdict; `None` where the disk failed.
        verdict: Option<PackageVerdict>,
    },
    /// A block was read.
    Block(BlockHash, Arc<DecodedBlock>),
}

impl MempoolWork {
    /// Does it. Blocks: on the scripts of what is judged, the disk, those who change the mempool.
    pub fn run(self, mempool: &Mempool) -> Option<MempoolAnswer> {
        match self {
            MempoolWork::Judge { from, tx, first } => {
                let change = *mempool.change_number().borrow();
                let verdict = match mempool.accept(&tx) {
                    Ok(Ok(_)) => Verdict::Accepted,
                    Ok(Err(refused)) => Verdict::Refused(refused.rejection),
                    Err(error) => {
                        warn!(txid = %tx.txid, %error, "a transaction is not judged");
                        Verdict::Failed
                    }
                };
                Some(MempoolAnswer::Judged {
                    from,
                    tx,
                    first,
                    change,
                    verdict,
                })
            }
            MempoolWork::JudgePackage {
                from,
                parent,
                child,
            } => {
                let change = *mempool.change_number().borrow();
                let verdict = mempool.accept_package(&[parent.clone(), child.clone()], None);
                let verdict = verdict.inspect_err(|error| {
                    warn!(txid = %child.txid, %error, "a package is not judged");
                });
                Some(MempoolAnswer::PackageJudged {
                    from,
                    parent,
                    child,
                    change,
                    verdict: verdict.ok(),
                })
            }
            MempoolWork::ReadBlock(hash) => {
                // One that is pruned already is old enough not to matter.
                let bytes = mempool.ledger().block_bytes(&hash).ok()?;
                let (block, _) = decode_block(&bytes).ok()?;
                Some(MempoolAnswer::Block(hash, Arc::new(block)))
            }
            MempoolWork::Taken(txid) => {
                mempool.set_unbroadcast(&txid, false);
                None
            }
        }
    }
}
