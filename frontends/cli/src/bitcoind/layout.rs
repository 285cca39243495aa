//! Owns where everything lies: Core's places for what scripts look at, a subdirectory of our own for the blocks and the ledger.
//!
//! ```text
//! DATADIR/bitcoin.conf, mainnet's files
//! DATADIR/regtest/.lock .cookie bitcoind.pid debug.log mempool.dat settings.json     as Core has them
//! DATADIR/regtest/everett/                                                            blocks, ledger, peers
//! ```
//!
//! Promises that nothing of Core's chain is ever written over, and Core's directory to create the rest with.
//! Refuses a default data directory in which Core keeps a chain, unless it is told to go there.

use std::fs;
use std::path::{Path, PathBuf};

use super::arguments::Arguments;
use super::chain::Chain;
use super::failure::InitError;

/// The subdirectory for what is ours.
const STORE: &str = "everett";
/// Where Core keeps the coins; a directory that has it is Core's.
const CORES_COINS: &str = "chainstate";

/// The directories of one chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// The data directory.
    pub(crate) base: PathBuf,
    /// The chain's own directory in it; the same on mainnet.
    pub(crate) network: PathBuf,
}

/// Core's data directory where none is named.
pub(crate) fn default_base() -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = PathBuf::from(home.unwrap_or_else(|| "/".into()));
    match cfg!(target_os = "macos") {
        true => home.join("Library/Application Support/Bitcoin"),
        false => home.join(".bitcoin"),
    }
}

/// The data directory that is named, made absolute, or else the default one.
///
/// # Errors
///
/// The one that is named does not exist; the text is what `-datadir` was given.
pub(crate) fn base(arguments: &Arguments) -> Result<PathBuf, String> {
    match arguments.path("datadir", "") {
        Some(path) if !path.as_os_str().is_empty() => {
            let path = std::path::absolute(&path).unwrap_or(path);
            match path.is_dir() {
                true => Ok(path),
                false => Err(arguments.text("datadir").unwrap_or_default()),
            }
        }
        _ => Ok(default_base()),
    }
}

impl Layout {
    /// The directories of a chain below `base`.
    pub(crate) fn new(base: PathBuf, chain: Chain) -> Layout {
        let network = match chain.directory() {
            "" => base.clone(),
            name => base.join(name),
        };
        Layout { base, network }
    }

    /// Makes what is not there yet.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn create(&self) -> Result<(), InitError> {
        fs::create_dir_all(self.store()).map_err(|error| {
            InitError::new(format!(
                "Cannot create directory '{}': {error}",
                self.store().display()
            ))
        })
    }

    /// Whether Core keeps a chain here.
    pub(crate) fn is_cores(&self) -> bool {
        self.network.join(CORES_COINS).is_dir()
    }

    /// Where blocks, ledger and peers are kept.
    pub(crate) fn store(&self) -> PathBuf {
        self.network.join(STORE)
    }

    /// A file in the chain's directory; an absolute path stays what it is.
    pub(crate) fn file(&self, path: &Path) -> PathBuf {
        self.network.join(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chain_has_its_directory_and_mainnet_the_whole() {
        let at = |chain| Layout::new(PathBuf::from("/d"), chain).network;
        assert_eq!(at(Chain::Main), Path::new("/d"));
        assert_eq!(at(Chain::Test), Path::new("/d/testnet3"));
        assert_eq!(at(Chain::Regtest), Path::new("/d/regtest"));
        let layout = Layout::new(PathBuf::from("/d"), Chain::Signet);
        assert_eq!(layout.store(), Path::new("/d/signet/everett"));
        assert_eq!(layout.file(Path::new("/x")), Path::new("/x"));
    }
}
