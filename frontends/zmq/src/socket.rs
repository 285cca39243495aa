//! Owns a socket of the kind PUB: one address, and its subscribers.
//! Promises that publishing never waits for any of them.
//! Refuses more subscribers than its limit.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everett_node::StopSignal;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{debug, warn};

use crate::address::Address;
use crate::connection::talk;
use crate::queue::Queue;

/// Most subscribers of one address; more wait to be let in.
pub(crate) const MAX_SUBSCRIBERS: usize = 512;
/// How long to wait when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Where subscribers come in.
enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener, PathBuf),
}

/// A stream of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Listener {
    async fn bind(address: &Address) -> io::Result<Listener> {
        match address {
            Address::Tcp(address) => Ok(Listener::Tcp(TcpListener::bind(address).await?)),
            Address::Ipc(path) => {
                // What a run that was killed has left is no reason not to start; what somebody listens on is.
                let left = std::fs::symlink_metadata(path)
                    .is_ok_and(|metadata| metadata.file_type().is_socket());
                if left && UnixStream::connect(path).await.is_err() {
                    std::fs::remove_file(path)?;
                }
                Ok(Listener::Ipc(UnixListener::bind(path)?, path.clone()))
            }
        }
    }

    fn address(&self) -> io::Result<Address> {
        match self {
            Listener::Tcp(listener) => Ok(Address::Tcp(listener.local_addr()?)),
            Listener::Ipc(_, path) => Ok(Address::Ipc(path.clone())),
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Listener::Ipc(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Ipc(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Those who have said who they are.
type Subscribers = Mutex<Vec<Arc<Queue>>>;

/// One address, and its subscribers. Dropping it ends them.
pub(crate) struct Socket {
    address: Address,
    subscribers: Arc<Subscribers>,
    serving: AbortHandle,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Socket {
    /// Listens, and lets subscribers in until `stop` is given.
    pub(crate) async fn bind(
        address: &Address,
        high_water_mark: u32,
        stop: StopSignal,
    ) -> io::Result<Socket> {
        let listener = Listener::bind(address).await?;
        let address = listener.address()?;
        let subscribers: Arc<Subscribers> = Arc::default();
        let server = Server {
            listener,
            address: address.clone(),
            high_water_mark,
            subscribers: subscribers.clone(),
        };
        let serving = tokio::spawn(async move {
            tokio::select! {
                () = server.serve() => {}
                () = stop.wait() => {}
            }
        });
        Ok(Socket {
            address,
            subscribers,
            serving: serving.abort_handle(),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Gives a message to all who want its topic.
    pub(crate) fn publish(&self, topic: &str, message: &Bytes) {
        for subscriber in self.subscribers.lock().iter() {
            subscriber.push(topic, message);
        }
    }
}

/// What lets subscribers in.
struct Server {
    listener: Listener,
    address: Address,
    high_water_mark: u32,
    subscribers: Arc<Subscribers>,
}

impl Server {
    async fn serve(&self) {
        let mut talks: JoinSet<()> = JoinSet::new();
        loop {
            while talks.try_join_next().is_some() {}
            if talks.len() >= MAX_SUBSCRIBERS {
                talks.join_next().await;
                continue;
            }
            match self.listener.accept().await {
                Ok(stream) => {
                    talks.spawn(one(
                        stream,
                        self.subscribers.clone(),
                        self.address.clone(),
                        self.high_water_mark,
                    ));
                }
                Err(error) => {
                    warn!(%error, address = %self.address, "a subscriber cannot be let in");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Takes a subscriber out when its talk ends, however it does.
struct Joined {
    queue: Arc<Queue>,
    subscribers: Arc<Subscribers>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut subscribers = self.subscribers.lock();
        subscribers.retain(|kept| !Arc::ptr_eq(kept, &self.queue));
    }
}

async fn one(
    stream: Box<dyn Stream>,
    subscribers: Arc<Subscribers>,
    address: Address,
    high_water_mark: u32,
) {
    let queue = Arc::new(Queue::new(high_water_mark));
    let joined = Joined {
        queue: queue.clone(),
        subscribers,
    };
    let join = || joined.subscribers.lock().push(queue.clone());
    if let Err(error) = talk(stream, &queue, join).await {
        debug!(%error, %address, "a subscriber is gone");
    }
    let dropped = queue.dropped();
    if dropped > 0 {
        debug!(dropped, %address, "a subscriber was too slow for all messages");
    }
}

#[cfg(test)]
mod tests;
