//! Owns the life of a node: open, start, wait, stop.
//! Promises an ordered end: the last frontend started stops first, and the ledger is let go when all have stopped.
//! Refuses to die with a frontend: one that fails while it serves is reported, the others go on.

use std::sync::Arc;
use std::time::Duration;

use everett_ledger::Ledger;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::config::NodeConfig;
use crate::error::{CallError, NodeError};
use crate::frontend::{Frontend, Task};
use crate::handle::{Handle, NodeShape};

/// Collects what a node is made of.
pub struct NodeBuilder {
    config: NodeConfig,
    frontends: Vec<Arc<dyn Frontend>>,
}

impl NodeBuilder {
    /// Adds a frontend; they start in the order in which they are added.
    pub fn frontend(mut self, frontend: impl Frontend) -> NodeBuilder {
        self.frontends.push(Arc::new(frontend));
        self
    }

    /// Opens the ledger and starts the frontends.
    ///
    /// # Errors
    ///
    /// [`NodeError`]; frontends that had started by then are stopped again.
    pub async fn start(self) -> Result<Node, NodeError> {
        self.config.check()?;
        let shape = NodeShape::from(&self.config);
        let stop_grace = self.config.stop_grace;
        let opening = self.config.ledger;
        let ledger = tokio::task::spawn_blocking(move || Ledger::open(opening))
            .await
            .map_err(|_| CallError::Panicked)??;
        let mut node = Node {
            handle: Handle::new(ledger, &shape),
            running: Vec::with_capacity(self.frontends.len()),
            stop_grace,
        };
        for frontend in self.frontends {
            if let Err(failed) = node.start_frontend(frontend).await {
                node.stop().await;
                return Err(failed);
            }
        }
        Ok(node)
    }

    /// Starts the node and serves until it is interrupted (SIGINT, SIGTERM) or asked to stop.
    ///
    /// # Errors
    ///
    /// Those of [`NodeBuilder::start`].
    pub async fn run(self) -> Result<(), NodeError> {
        self.start().await?.wait().await;
        Ok(())
    }
}

/// A running node. Dropping it without [`Node::stop`] leaves its frontends running.
pub struct Node {
    handle: Handle,
    /// In the order in which they started.
    running: Vec<Running>,
    stop_grace: Duration,
}

/// A frontend that was started.
struct Running {
    frontend: Arc<dyn Frontend>,
    handle: Handle,
    supervisor: JoinHandle<()>,
}

impl Node {
    /// Begins to compose a node.
    pub fn builder(config: NodeConfig) -> NodeBuilder {
        NodeBuilder {
            config,
            frontends: Vec::new(),
        }
    }

    /// What frontends get: for the program around the node.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Serves until the process is interrupted (SIGINT, SIGTERM) or [`Handle::shut_down`] is called, then stops.
    pub async fn wait(self) {
        tokio::select! {
            () = self.handle.shutdown().wait() => info!("asked to shut down"),
            signal = interrupted() => info!(signal, "shutting down"),
        }
        self.stop().await;
    }

    /// Stops the frontends, the last one first, and lets go of the ledger.
    pub async fn stop(mut self) {
        self.handle.shut_down();
        while let Some(running) = self.running.pop() {
            running.stop(self.stop_grace).await;
        }
        self.handle.close().await;
    }

    async fn start_frontend(&mut self, frontend: Arc<dyn Frontend>) -> Result<(), NodeError> {
        let handle = self.handle.for_frontend();
        let task = frontend
            .start(handle.clone())
            .await
            .map_err(|source| NodeError::Frontend {
                name: frontend.name().to_owned(),
                source,
            })?;
        info!(frontend = frontend.name(), "started");
        let supervisor = tokio::spawn(supervise(frontend.clone(), handle.clone(), task));
        self.running.push(Running {
            frontend,
            handle,
            supervisor,
        });
        Ok(())
    }
}

impl Running {
    async fn stop(mut self, grace: Duration) {
        let name = self.frontend.name();
        self.handle.stop_signal().give();
        let end = async {
            self.frontend.stop().await;
            let _ = (&mut self.supervisor).await;
        };
        if tokio::time::timeout(grace, end).await.is_err() {
            warn!(
                frontend = name,
                ?grace,
                "did not stop in time and is cut off"
            );
            self.supervisor.abort();
        }
    }
}

/// Stays with a frontend until it ends.
async fn supervise(frontend: Arc<dyn Frontend>, handle: Handle, task: Task) {
    let mut task = CutOff(task);
    let end = (&mut task.0).await;
    let name = frontend.name();
    match end {
        Ok(Ok(())) if handle.stop_signal().is_given() => info!(frontend = name, "stopped"),
        Ok(Ok(())) => warn!(frontend = name, "ended by itself"),
        Ok(Err(failed)) => error!(frontend = name, error = %failed, "failed"),
        Err(lost) => error!(frontend = name, error = %lost, "was lost"),
    }
}

/// Cuts a frontend's task off when its supervisor is.
struct CutOff(Task);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for the signal to end, and names it.
async fn interrupted() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = tokio::signal::ctrl_c() => "SIGINT",
            };
        }
    }
    // Without handlers for signals the process ends by them, as it would anyway.
    let _ = tokio::signal::ctrl_c().await;
    "interrupt"
}

#[cfg(test)]
mod tests;
