//! Owns what a label stands on: how that is written.
//! Promises one text for each thing, however it was written: two labels never stand on the same.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network, OutPoint, PublicKey, Txid, XOnlyPublicKey, base58};

use super::LabelKind;

/// Bytes of an extended key (BIP32), whatever its prefix says of its use (SLIP-0132).
const EXTENDED_KEY_LENGTH: usize = 78;

impl LabelKind {
    /// What such a label stands on, in the form that it is kept in: hex in lower case, addresses as they are given out. `None`
    /// where the text is none of its kind, or an address of another network.
    pub fn reference(self, text: &str, network: Network) -> Option<String> {
        match self {
            LabelKind::Tx => Some(text.parse::<Txid>().ok()?.to_string()),
            LabelKind::Addr => {
                let address: Address<NetworkUnchecked> = text.parse().ok()?;
                Some(address.require_network(network).ok()?.to_string())
            }
            LabelKind::Pubkey => {
                let full = text.parse::<PublicKey>().map(|key| key.to_string());
                let short = || text.parse::<XOnlyPublicKey>().map(|key| key.to_string());
                full.ok().or_else(|| short().ok())
            }
            LabelKind::Input | LabelKind::Output => {
                Some(text.parse::<OutPoint>().ok()?.to_string())
            }
            LabelKind::Xpub => {
                let key = base58::decode_check(text).ok()?;
                (key.len() == EXTENDED_KEY_LENGTH).then(|| text.to_owned())
            }
        }
    }

    /// What such a reference is, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            LabelKind::Tx => "a transaction id",
            LabelKind::Addr => "an address of this network",
            LabelKind::Pubkey => "a public key",
            LabelKind::Input | LabelKind::Output => "`txid:number`",
            LabelKind::Xpub => "an extended public key",
        }
    }
}
