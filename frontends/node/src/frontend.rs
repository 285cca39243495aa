//! Owns the one trait that every face of the node implements.
//! Promises a frontend a [`Handle`] when it starts, and time to finish when it stops.
//! Refuses to tell frontends of each other: what two of them need is in the ledger or in a crate below both.

use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinHandle;

use crate::handle::Handle;

/// What went wrong in a frontend.
pub type FrontendError = Box<dyn std::error::Error + Send + Sync>;

/// A frontend's own task: it ends when the frontend has stopped, or can go on no more.
pub type Task = JoinHandle<Result<(), FrontendError>>;

/// The future of [`Frontend::start`].
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<Task, FrontendError>> + Send + 'a>>;

/// The future of [`Frontend::stop`].
pub type Stopping<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Something that shows the ledger to the world: a server, an indexer, a wallet.
pub trait Frontend: Send + Sync + 'static {
    /// A short name for the log, such as `grpc`.
    fn name(&self) -> &str;

    /// Starts it: binds what it needs, spawns its task, and returns once it serves.
    ///
    /// It is called again, with the same handle, after its task has ended in an error or a panic: with a name for its
    /// subscription it goes on where it was.
    ///
    /// # Errors
    ///
    /// Whatever kept it from serving: the first time the node then does not start, later it is tried again.
    fn start(&self, handle: Handle) -> Starting<'_>;

    /// Asks it to finish, after the handle's [`StopSignal`](crate::StopSignal) was given; its task should end soon after.
    ///
    /// A frontend that follows the signal need not implement this.
    fn stop(&self) -> Stopping<'_> {
        Box::pin(async {})
    }
}
