//! Owns the console as a frontend of the node: the socket, and the sessions of those who connect.
//! Promises that sessions end when the node stops, and that one of them never disturbs another.
//! Refuses clients of other users, and more sessions than configured.

use std::sync::Arc;

use everett_node::{Frontend, FrontendError, Handle, Starting, StopSignal, Task};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::config::ConsoleConfig;
use crate::connection::{Times, serve};
use crate::pen::Pen;
use crate::protocol::{Reply, write};
use crate::session::Ground;
use crate::socket::{Socket, SocketError};

/// What would let a script of an attached console write.
const NOT_WRITING: &str = "run the node with --console-allow-write to let it";

/// How long the server rests when the system gives it no connection, for want of descriptors.
const REST: std::time::Duration = std::time::Duration::from_millis(100);

/// Why the console did not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A limit of zero serves nobody.
    #[error("the console's limit `max_sessions` is 0; set it to 1 or more")]
    NoSessions,
    /// The socket cannot be waited on.
    #[error("the console's socket cannot be listened on: {0}")]
    Listen(#[from] std::io::Error),
}

/// The console as a frontend of the node.
pub struct Console {
    config: ConsoleConfig,
    listening: watch::Sender<bool>,
}

/// Tells whether the console listens, also after the node has taken it over.
#[derive(Clone, Debug)]
pub struct Listening(watch::Receiver<bool>);

impl Listening {
    /// Whether it does.
    pub fn get(&self) -> bool {
        *self.0.borrow()
    }
}

impl Console {
    /// A console that is not started yet.
    pub fn new(config: ConsoleConfig) -> Console {
        Console {
            config,
            listening: watch::Sender::new(false),
        }
    }

    /// Tells whether it listens: take it before the node takes the console.
    pub fn listening(&self) -> Listening {
        Listening(self.listening.subscribe())
    }

    async fn serve(&self, handle: Handle) -> Result<Task, ConsoleError> {
        let config = self.config.clone();
        if config.max_sessions == 0 {
            return Err(ConsoleError::NoSessions);
        }
        let path = config.socket.clone();
        // Another node may hold the directory's lock for a moment.
        let bound = tokio::task::spawn_blocking(move || Socket::bind(&path)).await;
        let socket = match bound.map_err(std::io::Error::other)? {
            Ok(socket) => socket,
            Err(error) if config.optional => {
                warn!(%error, "the node runs without a console");
                return Ok(tokio::spawn(async move {
                    handle.stop_signal().wait().await;
                    Ok(())
                }));
            }
            Err(error) => return Err(error.into()),
        };
        let listener = UnixListener::from_std(socket.listener.try_clone()?)?;
        info!(socket = %config.socket.display(), write = config.allow_write, "the console listens");
        self.listening.send_replace(true);
        Ok(tokio::spawn(async move {
            let _socket = socket;
            accept(&listener, &handle, &config).await;
            Ok::<(), FrontendError>(())
        }))
    }
}

impl Frontend for Console {
    fn name(&self) -> &str {
        "console"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.serve(handle).await?) })
    }
}

/// Serves whoever comes, until the frontend is to stop; then waits for the sessions to end.
async fn accept(listener: &UnixListener, handle: &Handle, config: &ConsoleConfig) {
    let stop = handle.stop_signal().clone();
    let places = Arc::new(Semaphore::new(config.max_sessions));
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = sessions.join_next() => continue,
            () = stop.wait() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a console could not be let in");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        if let Err(who) = same_user(&stream) {
            warn!(who, "a console of another user is refused");
            continue;
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            let most = config.max_sessions;
            let message = format!(
                "{most} consoles are attached already, the most that this node takes; end one of them"
            );
            debug!(most, "a console more than the limit is refused");
            sessions.spawn(refuse(stream, message));
            continue;
        };
        let times = Times {
            usual: config.time,
            most: config.max_time,
        };
        let (ground, stop) = (ground(handle, config.allow_write), stop.clone());
        sessions.spawn(async move {
            if let Err(error) = serve(stream, ground, times, stop).await {
                debug!(%error, "a console went away");
            }
            drop(place);
        });
    }
    while sessions.join_next().await.is_some() {}
}

fn ground(handle: &Handle, write: bool) -> Ground {
    Ground {
        ledger: handle.ledger().clone(),
        node: Some(handle.clone()),
        lab: handle.lab(),
        pen: match write {
            true => Pen::Node(handle.clone(), tokio::runtime::Handle::current()),
            false => Pen::Refused(NOT_WRITING),
        },
    }
}

async fn refuse(mut stream: UnixStream, message: String) {
    // Whoever does not read it does not get it.
    let _ = write(&mut stream, &Reply::Refused { message }).await;
}

/// The socket's mode keeps others out already; this holds also where a file system has no modes.
fn same_user(stream: &UnixStream) -> Result<(), u32> {
    const ROOT: u32 = 0;
    let ours = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == ours || peer.uid() == ROOT => Ok(()),
        Ok(peer) => Err(peer.uid()),
        Err(_) => Err(u32::MAX),
    }
}

/// The ground of a console on a ledger of this process's own, without a node.
pub(crate) fn own_ground(ledger: everett_ledger::Ledger, lab: bool, write: bool) -> Ground {
    Ground {
        ledger,
        node: None,
        lab,
        pen: match write {
            true => Pen::Own,
            false => Pen::Refused(
                "the data directory is open for reading; start the console with --allow-write",
            ),
        },
    }
}

/// A signal that nobody gives: a console of one's own ends with its client.
pub(crate) fn never() -> StopSignal {
    StopSignal::new()
}
