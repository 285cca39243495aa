//! Owns the settings of wallets and their defaults, which are Bitcoin Core's where it has them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::Network;

use crate::error::WalletError;
use crate::keys::{Kdf, OutputType};
use crate::safe::DEFAULT_WARN_BLOCKS;
use crate::spend::FeeSettings;
use crate::wallets::OPENED_FILE;

/// How many addresses ahead of the last used one are watched.
pub const DEFAULT_KEYPOOL: u32 = 1000;

/// Longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Longest time for which a node unlocks a wallet: Bitcoin Core's limit.
pub const MAX_UNLOCKED: Duration = Duration::from_secs(100_000_000);
/// Under this name lies the wallet without a name.
pub(crate) const UNNAMED: &str = "@unnamed";

/// Whether there is a wallet in a directory.
pub(crate) fn has_wallet(directory: &Path) -> bool {
    directory.join("data.mdb").is_file()
}

/// Whether no file can have a name on Windows, where a data directory may be copied to.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_lowercase();
    let numbered = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"))
        .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()));
    numbered || ["con", "prn", "aux", "nul"].contains(&stem.as_str())
}

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
    /// The kind of addresses that are given out where nobody says: `-addresstype`.
    pub address_type: OutputType,
    /// The kind of addresses for change; `None` for one that fits the payment: `-changetype`.
    pub change_type: Option<OutputType>,
    /// Whether payments are given to the mempool, or only remembered: `-walletbroadcast`.
    pub broadcast: bool,
    /// Whether change of our own pending payments is spent, and counted as what can be: `-spendzeroconfchange`. Without it nothing
    /// that waits is added to a payment.
    pub spend_pending_change: bool,
    /// Whether payments say that they may be replaced where nobody says: `-walletrbf`.
    pub replaceable: bool,
    /// How many blocks a rival branch may be behind the best one and still be warned of in events and in the log.
    pub warn_blocks: u32,
    /// Whether JSON-RPC has the methods that Bitcoin Core had for accounts and single keys: `-walletcompat`.
    pub compat: bool,
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
            address_type: OutputType::Bech32,
            change_type: None,
            broadcast: true,
            spend_pending_change: true,
            replaceable: true,
            warn_blocks: DEFAULT_WARN_BLOCKS,
            compat: network == Network::Regtest,
        }
    }

    /// Where a wallet of this name lies.
    ///
    /// # Errors
    ///
    /// [`WalletError::BadName`].
    pub fn path(&self, name: &str) -> Result<PathBuf, WalletError> {
        let bad = |why| WalletError::BadName {
            name: name.to_owned(),
            why,
        };
        if name.is_empty() {
            return Ok(self.directory.join(UNNAMED));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(bad("it is longer than 128 bytes"));
        }
        let forbidden = |c: char| {
            c.is_control()
                || matches!(
                    c,
                    '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '@'
                )
        };
        if name.contains(forbidden) {
            return Err(bad(
                "it holds one of / \\ : * ? \" < > | @ or a control character",
            ));
        }
        if name.ends_with([' ', '.']) {
            return Err(bad("it ends with a dot or a blank"));
        }
        // The list of wallets to open lies beside them, and so does what it is written to first.
        if name.starts_with(OPENED_FILE) {
            return Err(bad(
                "it begins with opened-at-start, as files of our own do",
            ));
        }
        Ok(self.directory.join(name))
    }

    /// The same for a wallet that is to be made: names that some systems keep for devices are refused, too. One that has such a
    /// name already keeps it.
    ///
    /// # Errors
    ///
    /// [`WalletError::BadName`].
    pub(crate) fn new_path(&self, name: &str) -> Result<PathBuf, WalletError> {
        match is_device(name) {
            true => Err(WalletError::BadName {
                name: name.to_owned(),
                why: "some systems keep it for a device, whatever follows the dot",
            }),
            false => self.path(name),
        }
    }

    /// Whether there is a wallet of this name.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| has_wallet(&path))
    }
}
