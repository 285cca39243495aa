//! Owns the answer to GetWallet: what a wallet has in each world, side by side.

use everett_proto::v1;
use everett_wallet::Wallet;

use super::asking::Asking;
use super::directory;
use crate::convert::wallet as convert;
use crate::fault::Fault;

pub(crate) fn get(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::GetWalletRequest,
) -> Result<v1::GetWalletResponse, Fault> {
    let told = directory::tell(asking, wallet)?;
    let view = wallet.view()?;
    let mut balances = Vec::new();
    for world in asking.worlds(&view, request.worlds)? {
        asking.reading.patience.check()?;
        let balance = view.balance(&world)?;
        balances.push(v1::WalletBalance {
            world: Some(asking.reading.tell(&world)?),
            ..convert::balance(&balance)
        });
    }
    let warnings = view.warnings(asking.wallets.config().warn_blocks)?;
    Ok(v1::GetWalletResponse {
        wallet: Some(told),
        balances,
        safe: Some(convert::safe(&view.safe()?)),
        warning_count: u32::try_from(warnings.len()).unwrap_or(u32::MAX),
    })
}
