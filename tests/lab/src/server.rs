//! Owns the lab's gRPC server: for tests of clients in other languages.
//! Promises a free port on loopback, the lab service switched on, and that it ends when the handle is dropped.
//! Refuses to listen beyond this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;

use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Params};
use everett_node::{Handle, Node, NodeConfig, NodeError};

use crate::lab::Lab;

/// Threads that serve calls; each read of the ledger has one of its own beside them.
const THREADS: usize = 2;

/// Why a lab could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The server did not start.
    #[error("the lab's server did not start: {0}")]
    Node(#[from] NodeError),
    /// The system gives no threads.
    #[error("the lab's server cannot be started: {0}")]
    Threads(#[from] std::io::Error),
    /// The server started, and says not where.
    #[error("the lab's server ended before it said where it listens")]
    Ended,
}

/// A gRPC server on a lab's ledger; dropped, it ends. The lab can be used on meanwhile: clients see what it does.
pub struct LabServer {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl LabServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it, after the calls that are under way.
    pub fn stop(self) {
        drop(self);
    }
}

impl std::fmt::Debug for LabServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LabServer({})", self.address)
    }
}

impl Drop for LabServer {
    fn drop(&mut self) {
        self.handle.shut_down();
        if let Some(thread) = self.thread.take() {
            // It has no panics of its own to tell.
            let _ = thread.join();
        }
    }
}

impl Lab {
    /// Serves the lab's ledger over gRPC, with the lab service, on a free port of this machine.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn serve(&self) -> Result<LabServer, ServeError> {
        let grpc = Grpc::new(GrpcConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ..GrpcConfig::default()
        });
        let bound = grpc.bound_address();
        let ledger = self.ledger().clone();
        let mut config = NodeConfig::new(LedgerConfig::in_memory(Params::clone(ledger.params())));
        config.lab = true;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()?;
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("lab-server".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match Node::builder(config)
                        .on(ledger)
                        .frontend(grpc)
                        .start()
                        .await
                    {
                        Ok(node) => {
                            let handle = node.handle().clone();
                            let shutdown = handle.shutdown().clone();
                            // Whoever started it may be gone by now; then it ends at once.
                            if tell.send(Ok(handle)).is_ok() {
                                shutdown.wait().await;
                            }
                            node.stop().await;
                        }
                        Err(error) => drop(tell.send(Err(error))),
                    }
                });
            })?;
        let handle = told.recv().map_err(|_| ServeError::Ended)??;
        let server = LabServer {
            address: bound
                .get()
                .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            handle,
            thread: Some(thread),
        };
        match bound.get() {
            Some(_) => Ok(server),
            None => Err(ServeError::Ended),
        }
    }
}
