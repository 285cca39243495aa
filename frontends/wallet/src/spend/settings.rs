//! Owns what the node's options say of payments: fees, and which coins go together.
//! Promises Bitcoin Core's defaults, but for a fallback where there is nothing to estimate from.

use bitcoin::{Amount, Network};
use everett_mempool::FeeRate;

/// What other nodes may count before a transaction that waits, and together with it: who builds on more may not be relayed.
const CHAIN_LIMIT: u64 = 25;

/// What the node's options say about fees, and about the coins that payments take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeSettings {
    /// What is paid where there is no estimate; zero for not at all: `-fallbackfee`.
    pub fallback: FeeRate,
    /// The least that is paid: `-mintxfee`.
    pub least: FeeRate,
    /// The most that one transaction pays: `-maxtxfee`.
    pub most: Amount,
    /// Change that costs more than this to spend is left to the miner: `-discardfee`.
    pub discard: FeeRate,
    /// What a coin is reckoned to cost that is spent later: `-consolidatefeerate`.
    pub later: FeeRate,
    /// Whether the coins of an address are always spent together: `-avoidpartialspends`.
    pub group: bool,
    /// How much more a payment may cost so that the coins of an address are spent together; `None` for never: `-maxapsfee`.
    pub most_to_group: Option<Amount>,
    /// Coins whose transactions have so many waiting before them, themselves included, are left where there are others:
    /// `-limitancestorcount`.
    pub most_ancestors: u64,
    /// The same of all that hang together with them: `-limitdescendantcount`.
    pub most_together: u64,
    /// Whether coins are taken whose transactions wait in a chain that other nodes may find too long:
    /// `-walletrejectlongchains=0`.
    pub long_chains: bool,
}

impl FeeSettings {
    /// Bitcoin Core's defaults; but on regtest, where there is nothing to estimate from, there is a fallback.
    pub fn for_network(network: Network) -> FeeSettings {
        let fallback = match network {
            Network::Regtest => 20_000,
            _ => 0,
        };
        FeeSettings {
            fallback: FeeRate::per_kvb(fallback),
            least: FeeRate::per_kvb(1_000),
            most: Amount::from_sat(10_000_000),
            discard: FeeRate::per_kvb(10_000),
            later: FeeRate::per_kvb(10_000),
            group: false,
            most_to_group: Some(Amount::ZERO),
            most_ancestors: CHAIN_LIMIT,
            most_together: CHAIN_LIMIT,
            long_chains: false,
        }
    }
}
