//! Owns the settings of blocks that are made here, as the options say them.

use std::fmt;

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;
use super::mempool::rate;
use everett_rpc::RpcConfig;

/// Heaviest block, in weight units.
const MAX_BLOCK_WEIGHT: u64 = 4_000_000;
/// Least weight that is left for header and coinbase.
const LEAST_RESERVED: u64 = 2_000;

/// Puts what the options say into the settings of the server that makes the blocks.
pub(super) fn set(
    config: &mut RpcConfig,
    arguments: &Arguments,
    chain: Chain,
) -> Result<(), InitError> {
    let mining = &mut config.mining;
    if let Some(fee) = rate(arguments, "blockmintxfee")? {
        mining.min_fee = fee;
    }
    let weight = |name: &str| {
        let weight = arguments.int(name);
        weight.map(|weight| u64::try_from(weight).unwrap_or(0))
    };
    mining.reserved_weight = weight("blockreservedweight").unwrap_or(mining.reserved_weight);
    mining.max_weight = weight("blockmaxweight").unwrap_or(mining.max_weight);
    if chain == Chain::Regtest {
        let version = arguments.int("blockversion");
        mining.version = version.and_then(|version| i32::try_from(version).ok());
    }
    let (reserved, max) = (mining.reserved_weight, mining.max_weight);
    let wrong = |text: fmt::Arguments<'_>| Err(InitError::new(text));
    if reserved < LEAST_RESERVED {
        return wrong(format_args!(
            "-blockreservedweight ({reserved}) is lower than minimum safety value of ({LEAST_RESERVED})"
        ));
    }
    for (name, weight) in [("blockreservedweight", reserved), ("blockmaxweight", max)] {
        if weight > MAX_BLOCK_WEIGHT {
            return wrong(format_args!(
                "-{name} ({weight}) exceeds consensus maximum block weight ({MAX_BLOCK_WEIGHT})"
            ));
        }
    }
    match reserved > max {
        true => wrong(format_args!(
            "-blockreservedweight ({reserved}) exceeds -blockmaxweight ({max})"
        )),
        false => Ok(()),
    }
}
