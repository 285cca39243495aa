//! Owns messages that are signed with the key of an address.

use bitcoin::Address;
use everett_ledger::Network;
use everett_proto::v1;
use everett_wallet::Wallet;
use everett_wallet::keys::verify_message;

use super::asking::Asking;
use crate::fault::Fault;
use crate::parse;

fn address(text: &str, network: Network) -> Result<Address, Fault> {
    parse::address("address", text, network)
}

pub(crate) fn sign(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::SignMessageRequest,
) -> Result<v1::SignMessageResponse, Fault> {
    let address = address(&request.address, asking.reading.ledger.params().network)?;
    let view = wallet.view()?;
    Ok(v1::SignMessageResponse {
        signature: view.keyring().sign_message(&address, &request.message)?,
    })
}

pub(crate) fn verify(
    asking: &Asking<'_>,
    request: v1::VerifyMessageRequest,
) -> Result<v1::VerifyMessageResponse, Fault> {
    let address = address(&request.address, asking.reading.ledger.params().network)?;
    Ok(v1::VerifyMessageResponse {
        valid: verify_message(&address, &request.signature, &request.message)?,
    })
}
