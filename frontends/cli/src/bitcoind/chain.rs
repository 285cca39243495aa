//! Owns the names that Core has for chains: on the command line, in files, as directories.

use everett_ledger::Network;

/// A chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chain {
    /// Mainnet.
    Main,
    /// Testnet, version 3.
    Test,
    /// Testnet, version 4.
    Testnet4,
    /// A signet.
    Signet,
    /// Regtest.
    Regtest,
}

impl Chain {
    const ALL: [Chain; 5] = [
        Chain::Main,
        Chain::Test,
        Chain::Testnet4,
        Chain::Signet,
        Chain::Regtest,
    ];

    /// The chain of that name.
    pub(crate) fn named(name: &str) -> Option<Chain> {
        Chain::ALL.into_iter().find(|chain| chain.section() == name)
    }

    /// Its name, and that of its section in a file.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Chain::Main => "main",
            Chain::Test => "test",
            Chain::Testnet4 => "testnet4",
            Chain::Signet => "signet",
            Chain::Regtest => "regtest",
        }
    }

    /// Its directory in the data directory; mainnet has none of its own.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Chain::Main => "",
            Chain::Test => "testnet3",
            other => other.section(),
        }
    }

    /// What the ledger calls it.
    pub(crate) fn network(self) -> Network {
        match self {
            Chain::Main => Network::Mainnet,
            Chain::Test => Network::Testnet3,
            Chain::Testnet4 => Network::Testnet4,
            Chain::Signet => Network::Signet,
            Chain::Regtest => Network::Regtest,
        }
    }
}
