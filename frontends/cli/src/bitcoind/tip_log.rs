//! Owns what is told of the best chain: a line of the log for each block that becomes the best, `-blocknotify`, and
//! `-stopatheight`.
//! Promises Core's words in the log, for those who look for them there, and `-blocknotify` when Core has it: after the initial
//! download, for each block that is the best one at the end of a step.

use bitcoin::BlockHash;
use everett_ledger::{Event, EventKind, Policy, Start};
use everett_node::{Frontend, FrontendError, Handle, Starting, Steps};
use tracing::info;

use super::commands::Runner;

/// What tells it.
pub(super) struct TipLog {
    /// What is run for a new best block; `%s` is its hash.
    pub(super) command: Option<String>,
    /// The height at which the node is asked to stop.
    pub(super) stop_at: Option<u32>,
    /// What runs it.
    pub(super) runner: Runner,
}

impl TipLog {
    fn log(&self, handle: &Handle, hash: &BlockHash) {
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
    }

    /// Tells a change; `begun` is whether a block was news before, after which each is.
    fn tell(&self, handle: &Handle, event: &Event, begun: &mut bool) {
        // After an invalidation nothing may be put on; the best block is another one all the same.
        match event.applied.as_slice() {
            [] => self.log(handle, &event.to),
            applied => applied.iter().for_each(|hash| self.log(handle, hash)),
        }
        if let Some(command) = &self.command {
            for hash in news(handle, event, begun) {
                self.runner.run(command.replace("%s", &hash.to_string()));
            }
        }
    }
}

/// The blocks of a change that others want to hear of.
fn news(handle: &Handle, event: &Event, begun: &mut bool) -> Vec<BlockHash> {
    let ledger = handle.ledger();
    let steps = Steps::new(ledger, &event.undone, &event.applied);
    let ends = steps.applied.iter().filter_map(|step| step.last().copied());
    let best = steps.back_to.into_iter().chain(ends);
    best.filter(|hash| {
        let block = ledger.block_info(hash);
        *begun = *begun || block.is_some_and(|block| handle.is_news(&block));
        *begun
    })
    .collect()
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
                let mut begun = false;
                while let Some(batch) = events.next().await? {
                    for delivery in &batch {
                        let event = &delivery.event;
                        if event.kind == EventKind::BestChanged {
                            log.tell(&handle, event, &mut begun);
                        }
                    }
                }
                Ok::<(), FrontendError>(())
            }))
        })
    }
}
