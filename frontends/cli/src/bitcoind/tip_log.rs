//! Owns what is told of the best chain: a line of the log for each block that becomes the best, and `-blocknotify`.
//! Promises Core's words in the log, for those who look for them there.

use everett_ledger::{EventKind, Ledger, Policy, Start};
use everett_node::{Frontend, FrontendError, Handle, Starting};
use tracing::info;

use super::commands::Runner;

/// What tells it.
pub(super) struct TipLog {
    /// What is run for each new best block; `%s` is its hash.
    pub(super) command: Option<String>,
    /// What runs it.
    pub(super) runner: Runner,
}

impl TipLog {
    fn tell(&self, ledger: &Ledger, hash: &bitcoin::BlockHash) {
        if let Some(block) = ledger.block_info(hash) {
            info!(
                "UpdateTip: new best={hash} height={} version=0x{:08x} log2_work={:.6} time={}",
                block.height,
                block.header.version.to_consensus(),
                block.chainwork.log2(),
                block.header.time
            );
        }
        if let Some(command) = &self.command {
            self.runner.run(command.replace("%s", &hash.to_string()));
        }
    }
}

impl Frontend for TipLog {
    fn name(&self) -> &str {
        "tip-log"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        let log = TipLog {
            command: self.command.clone(),
            runner: self.runner.clone(),
        };
        Box::pin(async move {
            let mut events = handle.follow(Policy::Lossless, Start::Now).await?;
            Ok(tokio::spawn(async move {
                while let Some(batch) = events.next().await? {
                    for delivery in &batch {
                        let event = &delivery.event;
                        if event.kind != EventKind::BestChanged {
                            continue;
                        }
                        // After an invalidation nothing may be put on; the best block is another one all the same.
                        match event.applied.as_slice() {
                            [] => log.tell(handle.ledger(), &event.to),
                            applied => applied
                                .iter()
                                .for_each(|hash| log.tell(handle.ledger(), hash)),
                        }
                    }
                }
                Ok::<(), FrontendError>(())
            }))
        })
    }
}
