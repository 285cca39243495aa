//! Owns how descriptors and ranges of them stand in the arguments of methods; what they are is the wallet's to know.
//! Promises Core's words where one is refused.

use bitcoin::Network;
use everett_wallet::keys::DescriptorError;
pub(crate) use everett_wallet::keys::expression::{Expression, origin};

use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::json::Json;

/// Longest range of indexes, as in Core.
const MAX_RANGE: i64 = 1_000_000;
/// The last index unless a range is given.
const DEFAULT_END: i64 = 1000;

impl From<DescriptorError> for RpcError {
    fn from(error: DescriptorError) -> RpcError {
        RpcError::new(INVALID_ADDRESS_OR_KEY, error.0)
    }
}

/// A range of indexes, `END` or `[BEGIN, END]`.
pub(crate) fn parse_range(value: &Json) -> Result<(u32, u32), RpcError> {
    let (low, high): (i64, i64) = match value {
        Json::Number(_) => (0, value.int()?),
        Json::Array(ends) if ends.len() == 2 => {
            let (low, high) = (ends[0].int()?, ends[1].int()?);
            if low > high {
                return Err(RpcError::parameter(
                    "Range specified as [begin,end] must not have begin after end",
                ));
            }
            (low, high)
        }
        _ => {
            return Err(RpcError::parameter(
                "Range must be specified as end or as [begin,end]",
            ));
        }
    };
    if low < 0 {
        return Err(RpcError::parameter(
            "Range should be greater or equal than 0",
        ));
    }
    if high >> 31 != 0 {
        return Err(RpcError::parameter("End of range is too high"));
    }
    if high >= low + MAX_RANGE {
        return Err(RpcError::parameter("Range is too large"));
    }
    Ok((low as u32, high as u32))
}

/// A descriptor, given alone or in an object with the range that is meant.
pub(crate) fn parse_scan_object(
    value: &Json,
    network: Network,
) -> Result<(Expression, (u32, u32)), RpcError> {
    let mut range = (0, DEFAULT_END as u32);
    let text = match value {
        Json::Text(text) => text.as_str(),
        Json::Object(_) => {
            if value.get("desc").is_null() {
                return Err(RpcError::parameter(
                    "Descriptor needs to be provided in scan object",
                ));
            }
            if let Some(given) = value.find("range").filter(|range| !range.is_null()) {
                value.get("desc").text()?;
                range = parse_range(given)?;
            }
            value.get("desc").text()?
        }
        _ => {
            return Err(RpcError::parameter(
                "Scan object needs to be either a string or an object",
            ));
        }
    };
    let expression = Expression::parse(text, network, false)?;
    if !expression.is_range() {
        range = (0, 0);
    }
    Ok((expression, range))
}

#[cfg(test)]
mod tests;
