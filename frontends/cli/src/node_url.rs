//! Owns the file in a data directory that says where the node on it serves gRPC.
//! Promises that commands on this machine find a node by its directory, whatever port it got.
//! Refuses to be more than a hint: a node that was killed leaves its file behind, and nobody answers there then.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tracing::warn;

/// The file's name in a data directory.
pub(crate) const FILE: &str = "grpc.url";

/// Longest content that is looked at, in bytes.
const MAX_BYTES: usize = 200;

/// The file, for as long as the node runs.
pub(crate) struct Announced(PathBuf);

impl Announced {
    /// Writes where the node of this directory is. Without the file a node is as good, but has to be named.
    pub(crate) fn write(
        directory: &Path,
        scheme: &str,
        mut address: SocketAddr,
    ) -> Option<Announced> {
        // Who listens everywhere is found here, too.
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let path = directory.join(FILE);
        match std::fs::write(&path, format!("{scheme}://{address}\n")) {
            Ok(()) => Some(Announced(path)),
            Err(error) => {
                warn!(%error, file = %path.display(), "commands will not find this node by its directory");
                None
            }
        }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Whoever deletes the directory under a node has deleted this as well.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Where the node of a directory is, if one left word.
pub(crate) fn find(directory: &Path) -> Option<String> {
    let text = std::fs::read_to_string(directory.join(FILE)).ok()?;
    let url = text.trim();
    let plain =
        url.len() <= MAX_BYTES && url.starts_with("http") && !url.contains(char::is_control);
    plain.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_found_by_its_directory_while_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(find(directory.path()), None);
        for (listens, found) in [
            ("127.0.0.1:8390", "http://127.0.0.1:8390"),
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("192.0.2.1:1", "http://192.0.2.1:1"),
        ] {
            let address = listens.parse().unwrap();
            let announced = Announced::write(directory.path(), "http", address).unwrap();
            assert_eq!(find(directory.path()).as_deref(), Some(found));
            drop(announced);
            assert_eq!(find(directory.path()), None);
        }
        std::fs::write(directory.path().join(FILE), "something else").unwrap();
        assert_eq!(find(directory.path()), None);
    }
}
