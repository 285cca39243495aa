//! Owns what is told of the best chain: a line of the log for each block that becomes the best, `-blocknotify`, and
//! `-stopatheight`.
//! Promises Core's words in the log, for those who look for them there.

use everett_ledger::{EventKind, Policy, Start};
use everett_node::{Frontend, FrontendError, Handle, Starting};
use tracing::info;

use super::commands::Runner;

/// What tells it.
pub(super) struct TipLog {
    /// What is run for each new best block; `%s` is its hash.
    pub(super) command: Option<String>,
    /// The height at which the node is asked to stop.
    pub(super) stop_at: Option<u32>,
    /// What runs it.
    pub(super) runner: Runner,
}

impl TipLog {
    fn tell(&self, handle: &Handle, hash: &bitcoin::BlockHash) {
        if let Some(block) = handle.ledger().block_info(hash) {
            info!(
                "UpdateTip: new best={hash} height={} version=0x{:08x} log2_work={:.6} time={}",
                block.height,
                block.header.version.to_consensus(),
                block.chainwork.log2(),
                block.header.time
            );
            if self.stop_at.is_some_and(|height| block.height >= height) {
                info!("the height at which to stop is reached");
                handle.shut_down();
            }
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
            stop_at: self.stop_at,
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
                            [] => log.tell(&handle, &event.to),
                            applied => applied.iter().for_each(|hash| log.tell(&handle, hash)),
                        }
                    }
                }
                Ok::<(), FrontendError>(())
            }))
        })
    }
}
