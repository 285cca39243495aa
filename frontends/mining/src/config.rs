//! Owns the settings of templates and their defaults, which are Bitcoin Core's.

use everett_ledger::rules::transaction::MAX_BLOCK_WEIGHT;
use everett_mempool::FeeRate;

use crate::deployment::SignalTimes;

/// Weight that is left for the header, the count of transactions and the coinbase.
pub const DEFAULT_RESERVED_WEIGHT: u64 = 8_000;
/// Less than this may not be left: a block could come out too large.
pub const MIN_RESERVED_WEIGHT: u64 = 2_000;
/// Cost of signature operations that is left for the coinbase.
pub const RESERVED_SIGOPS: u64 = 400;
/// Least fee rate of what is put into a block.
pub const DEFAULT_BLOCK_MIN_FEE: FeeRate = FeeRate::per_kvb(1);

/// How templates are made. The default is Bitcoin Core's.
#[derive(Clone, Copy, Debug)]
pub struct MiningConfig {
    /// Most weight of a block: `-blockmaxweight`.
    pub max_weight: u64,
    /// Weight left for what is no transaction of the mempool: `-blockreservedweight`.
    pub reserved_weight: u64,
    /// Least fee rate of what is put in: `-blockmintxfee`.
    pub min_fee: FeeRate,
    /// The version of headers, where it is not to follow the soft forks: `-blockversion`, on regtest only.
    pub version: Option<i32>,
    /// When the test deployment is signalled for: `-vbparams`, on regtest only.
    pub signal_times: SignalTimes,
}

impl Default for MiningConfig {
    fn default() -> MiningConfig {
        MiningConfig {
            max_weight: MAX_BLOCK_WEIGHT as u64,
            reserved_weight: DEFAULT_RESERVED_WEIGHT,
            min_fee: DEFAULT_BLOCK_MIN_FEE,
            version: None,
            signal_times: SignalTimes::default(),
        }
    }
}

/// Weights that do not go together, in Bitcoin Core's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidWeight {
    /// Too little is reserved.
    #[error(
        "-blockreservedweight ({0}) is lower than minimum safety value of ({MIN_RESERVED_WEIGHT})"
    )]
    ReservedTooLow(u64),
    /// More is reserved than a block may weigh.
    #[error(
        "-blockreservedweight ({0}) exceeds consensus maximum block weight ({MAX_BLOCK_WEIGHT})"
    )]
    ReservedTooHigh(u64),
    /// A block may not weigh so much.
    #[error("-blockmaxweight ({0}) exceeds consensus maximum block weight ({MAX_BLOCK_WEIGHT})")]
    MaxTooHigh(u64),
    /// More is reserved than there is.
    #[error("-blockreservedweight ({reserved}) exceeds -blockmaxweight ({max})")]
    ReservedAboveMax {
        /// What is reserved.
        reserved: u64,
        /// What there is.
        max: u64,
    },
}

impl MiningConfig {
    /// Whether the weights can be.
    ///
    /// # Errors
    ///
    /// [`InvalidWeight`].
    pub fn check(&self) -> Result<(), InvalidWeight> {
        let limit = MAX_BLOCK_WEIGHT as u64;
        let (reserved, max) = (self.reserved_weight, self.max_weight);
        if reserved < MIN_RESERVED_WEIGHT {
            return Err(InvalidWeight::ReservedTooLow(reserved));
        }
        if reserved > limit {
            return Err(InvalidWeight::ReservedTooHigh(reserved));
        }
        if max > limit {
            return Err(InvalidWeight::MaxTooHigh(max));
        }
        match reserved > max {
            true => Err(InvalidWeight::ReservedAboveMax { reserved, max }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_bitcoin_core_refuses_are_refused_in_its_words() {
        let check = |reserved_weight, max_weight| {
            let config = MiningConfig {
                reserved_weight,
                max_weight,
                ..MiningConfig::default()
            };
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(8_000, 4_000_000), Ok(()));
        assert_eq!(check(8_000, 8_000), Ok(()));
        for (reserved, max, text) in [
            (
                1_999,
                4_000_000,
                "-blockreservedweight (1999) is lower than minimum safety value of (2000)",
            ),
            (
                4_000_001,
                4_000_000,
                "-blockreservedweight (4000001) exceeds consensus maximum block weight (4000000)",
            ),
            (
                8_000,
                4_000_001,
                "-blockmaxweight (4000001) exceeds consensus maximum block weight (4000000)",
            ),
            (
                8_000,
                7_999,
                "-blockreservedweight (8000) exceeds -blockmaxweight (7999)",
            ),
        ] {
            assert_eq!(check(reserved, max), Err(text.to_owned()));
        }
    }
}
