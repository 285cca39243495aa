//! Owns the settings of wallets and their defaults, which are Bitcoin Core's where it has them.

use std::path::PathBuf;

use bitcoin::Network;

use crate::keys::Kdf;
use crate::spend::FeeSettings;

/// How many addresses ahead of the last used one are watched.
pub const DEFAULT_KEYPOOL: u32 = 1000;

/// How wallets are opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalletConfig {
    /// Where wallets lie, each in a directory of its name.
    pub directory: PathBuf,
    /// The network of the node.
    pub network: Network,
    /// How many addresses ahead of the last used one are watched: `-keypool`.
    pub keypool: u32,
    /// What a passphrase costs who tries one.
    pub kdf: Kdf,
    /// What payments pay to miners where nobody says.
    pub fees: FeeSettings,
}

impl WalletConfig {
    /// With the defaults.
    pub fn new(directory: impl Into<PathBuf>, network: Network) -> WalletConfig {
        WalletConfig {
            directory: directory.into(),
            network,
            keypool: DEFAULT_KEYPOOL,
            kdf: Kdf::default(),
            fees: FeeSettings::for_network(network),
        }
    }
}
