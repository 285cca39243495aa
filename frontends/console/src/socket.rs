//! Owns the console's Unix socket: where it is, whose it is, and that nobody else gets in.
//! Promises mode 0600 from the first moment, the place of a dead node's socket, and never that of a live one's.
//! Refuses paths that the system has no room for, and to take away what is no socket.
//!
//! # Correctness
//!
//! A socket gets its mode from the process's umask when it is bound, and a umask is the whole process's: to change it
//! for a moment would be a race with whoever makes a file. So the socket is bound in a directory of mode 0700 that
//! nobody else looks into, made 0600 there, and then renamed to its place: it is never seen otherwise. Who renames
//! holds a lock on the directory, so that two nodes cannot both take a dead one's place.

use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The socket's name in a data directory.
pub const SOCKET_NAME: &str = "console.sock";

/// Bytes of a socket's path that the system has room for, beside the zero at its end: `sun_path` of `sockaddr_un`.
pub const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What precedes a number in the name of the directory where the socket is bound, in place of the socket's name.
const BINDING: &str = ".c";

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system has no room for the path.
    #[error(
        "the console's socket {path} has a path of {length} bytes, and the system takes {MAX_SOCKET_PATH}; name a \
         shorter one with --monitor PATH, or run without with --no-monitor"
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its bytes.
        length: usize,
    },
    /// Somebody answers there.
    #[error(
        "the console's socket {path} belongs to a node that runs; stop it, or name another socket"
    )]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// Something else is there.
    #[error(
        "{path} is there and is no socket; move it away, or name another path for the console's socket"
    )]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("the console's socket {path} cannot be made: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A socket that is listened on. Dropping it takes it away.
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Device and number of its file, by which it is known to be ours.
    identity: (u64, u64),
}

/// Fails where the system has no room for a socket's path.
///
/// # Errors
///
/// [`SocketError::PathTooLong`].
pub fn check_path(path: &Path) -> Result<(), SocketError> {
    let length = path.as_os_str().len();
    match length > MAX_SOCKET_PATH {
        true => Err(SocketError::PathTooLong {
            path: path.to_owned(),
            length,
        }),
        false => Ok(()),
    }
}

impl Socket {
    /// Listens on a path.
    pub(crate) fn bind(path: &Path) -> Result<Socket, SocketError> {
        check_path(path)?;
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let lock = File::open(directory).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        make_room(path)?;
        let binding = Binding::new(directory).map_err(failed)?;
        let bound = binding.0.join("s");
        // A short path may still become too long by the directory.
        check_path(&bound).map_err(|_| SocketError::PathTooLong {
            path: path.to_owned(),
            length: bound.as_os_str().len(),
        })?;
        let listener = UnixListener::bind(&bound).map_err(failed)?;
        std::fs::set_permissions(&bound, PermissionsExt::from_mode(0o600)).map_err(failed)?;
        let identity = identity(&std::fs::symlink_metadata(&bound).map_err(failed)?);
        std::fs::rename(&bound, path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Socket {
            listener,
            path: path.to_owned(),
            identity,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Another node may have taken the path over, if this one was taken for dead.
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|file| identity(&file) == self.identity);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Sees to it that a socket may be renamed to a path: nothing is there, or the socket of a node that is gone.
fn make_room(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let file = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed)?,
    };
    if !file.file_type().is_socket() {
        return Err(SocketError::NoSocket {
            path: path.to_owned(),
        });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // Whatever else it says, somebody may be there.
        Ok(_) => Err(SocketError::InUse {
            path: path.to_owned(),
        }),
        Err(error) => Err(failed(error)),
    }
}

/// A directory that only we look into, gone with this value.
struct Binding(PathBuf);

impl Binding {
    fn new(directory: &Path) -> io::Result<Binding> {
        // The lock on the directory leaves at most one at a time, and those of nodes that were killed.
        const TRIES: u32 = 100;
        for number in 0..TRIES {
            let path = directory.join(format!("{BINDING}{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Binding(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Left behind by one that was killed between two steps; only an empty one goes.
                    let _ = std::fs::remove_file(path.join("s"));
                    let _ = std::fs::remove_dir(&path);
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0.join("s"));
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests;
