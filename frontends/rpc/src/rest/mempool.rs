//! Owns what is said of the mempool.

use super::answer::{Found, RestError};
use super::ask::{Ask, Format};
use crate::mempool::{GETMEMPOOLINFO, GETRAWMEMPOOL};

/// `getmempoolinfo`, or `getrawmempool` with its `verbose` and `mempool_sequence`.
pub(super) fn mempool(ask: &Ask) -> Result<Found, RestError> {
    let contents = match ask.argument.as_str() {
        "contents" => true,
        "info" => false,
        _ => {
            return Err(RestError::bad(
                "Invalid URI format. Expected /rest/mempool/<info|contents>.json",
            ));
        }
    };
    if ask.format != Format::Json {
        return Err(RestError::json_only());
    }
    if !contents {
        let info = ask.method(&GETMEMPOOLINFO, Vec::new())?;
        return Ok(Found::json(&info));
    }
    let verbose = ask.flag("verbose", true)?;
    let sequence = ask.flag("mempool_sequence", false)?;
    if verbose && sequence {
        return Err(RestError::bad(
            "Verbose results cannot contain mempool sequence values. (hint: set \"verbose=false\")",
        ));
    }
    let places = vec![verbose.into(), sequence.into()];
    Ok(Found::json(&ask.method(&GETRAWMEMPOOL, places)?))
}
