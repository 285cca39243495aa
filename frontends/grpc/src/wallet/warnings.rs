//! Owns the answer to ListWarnings.

use everett_proto::v1;
use everett_wallet::Wallet;

use super::asking::Asking;
use crate::convert::wallet as convert;
use crate::fault::Fault;

pub(crate) fn list(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ListWarningsRequest,
) -> Result<v1::ListWarningsResponse, Fault> {
    let blocks = request.max_blocks_behind;
    let blocks = blocks.unwrap_or(asking.wallets.config().warn_blocks);
    let view = wallet.view()?;
    let warnings = view.warnings(blocks)?;
    let best = view.best().clone();
    drop(view);
    let ledger = asking.reading.ledger;
    Ok(v1::ListWarningsResponse {
        world: Some(asking.reading.tell(&best)?),
        warnings: (warnings.iter())
            .map(|warning| convert::warning(ledger, warning))
            .collect(),
    })
}
