//! Owns the methods that need no chain: addresses, descriptors, signed messages, and what is said of indexes.

mod address;
pub(crate) use address::describe;
mod descriptors;
mod index;
mod message;
mod multisig;

use bitcoin::{Network, NetworkKind, PrivateKey};

use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::method::Method;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &address::VALIDATEADDRESS,
    &descriptors::DERIVEADDRESSES,
    &descriptors::GETDESCRIPTORINFO,
    &index::GETINDEXINFO,
    &message::SIGNMESSAGEWITHPRIVKEY,
    &message::VERIFYMESSAGE,
    &multisig::CREATEMULTISIG,
];

/// A private key of this network.
pub(crate) fn private_key(text: &str, network: Network) -> Result<PrivateKey, RpcError> {
    let key = PrivateKey::from_wif(text).ok();
    key.filter(|key| key.network == NetworkKind::from(network))
        .ok_or_else(|| RpcError::new(INVALID_ADDRESS_OR_KEY, "Invalid private key"))
}
