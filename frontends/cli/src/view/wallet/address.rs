//! Owns how addresses, labels and descriptors of a wallet are shown.

use everett_proto::v1;
use serde::Serialize;

use super::super::world::{WorldView, seconds};
use super::{plain, some};
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// An address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct AddressView {
    pub(crate) address: String,
    pub(crate) label: String,
    pub(crate) purpose: Option<&'static str>,
    pub(crate) mine: bool,
    pub(crate) change: bool,
    pub(crate) kind: Option<&'static str>,
    pub(crate) descriptor: Option<String>,
    pub(crate) index: Option<u32>,
    pub(crate) balance_sat: i64,
    pub(crate) used: bool,
}

fn kind(kind: v1::AddressKind) -> Option<&'static str> {
    match kind {
        v1::AddressKind::Unspecified => None,
        v1::AddressKind::Legacy => Some("legacy"),
        v1::AddressKind::P2shSegwit => Some("p2sh-segwit"),
        v1::AddressKind::Bech32 => Some("bech32"),
        v1::AddressKind::Bech32m => Some("bech32m"),
    }
}

impl From<v1::WalletAddress> for AddressView {
    fn from(address: v1::WalletAddress) -> AddressView {
        AddressView {
            purpose: match address.purpose() {
                v1::AddressPurpose::Unspecified => None,
                v1::AddressPurpose::Receive => Some("receive"),
                v1::AddressPurpose::Send => Some("send"),
            },
            kind: kind(address.kind()),
            index: Some(address.index).filter(|_| address.mine),
            address: address.address,
            label: address.label,
            mine: address.mine,
            change: address.change,
            descriptor: some(address.descriptor),
            balance_sat: address.balance_sat,
            used: address.used,
        }
    }
}

impl View for AddressView {
    /// Alone, so that it can be passed on.
    fn text(&self) -> String {
        format!("{}\n", self.address)
    }
}

/// Addresses, and what they hold in a world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct AddressesView {
    pub(crate) world: WorldView,
    pub(crate) addresses: Vec<AddressView>,
}

impl View for AddressesView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("ADDRESS", Align::Left),
            ("BTC", Align::Right),
            ("", Align::Left),
            ("LABEL", Align::Left),
        ]);
        for address in &self.addresses {
            let words = match (address.mine, address.change, address.used) {
                (false, _, _) => "another's",
                (true, true, _) => "change",
                (true, false, true) => "used",
                (true, false, false) => "",
            };
            table.row([
                address.address.clone(),
                btc(address.balance_sat),
                words.to_owned(),
                plain(&address.label),
            ]);
        }
        format!("{}{table}", self.world.line())
    }
}

/// A label.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct LabelView {
    pub(crate) kind: &'static str,
    pub(crate) reference: String,
    pub(crate) label: String,
}

impl From<v1::WalletLabel> for LabelView {
    fn from(label: v1::WalletLabel) -> LabelView {
        LabelView {
            kind: match label.kind() {
                v1::LabelKind::Unspecified => "unknown",
                v1::LabelKind::Tx => "tx",
                v1::LabelKind::Addr => "addr",
                v1::LabelKind::Pubkey => "pubkey",
                v1::LabelKind::Input => "input",
                v1::LabelKind::Output => "output",
                v1::LabelKind::Xpub => "xpub",
            },
            reference: label.reference,
            label: label.label,
        }
    }
}

/// Labels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct LabelsView {
    pub(crate) labels: Vec<LabelView>,
}

impl View for LabelsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("ON", Align::Left),
            ("WHAT", Align::Left),
            ("LABEL", Align::Left),
        ]);
        for label in &self.labels {
            table.row([
                label.kind.to_owned(),
                plain(&label.reference),
                plain(&label.label),
            ]);
        }
        table.to_string()
    }
}

/// A descriptor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct DescriptorView {
    pub(crate) descriptor: String,
    pub(crate) active: bool,
    pub(crate) internal: bool,
    pub(crate) range: Option<[u32; 2]>,
    pub(crate) next_index: Option<u32>,
    /// Unix seconds.
    pub(crate) birth_time: u64,
    pub(crate) has_private_keys: bool,
}

impl From<v1::WalletDescriptor> for DescriptorView {
    fn from(one: v1::WalletDescriptor) -> DescriptorView {
        DescriptorView {
            range: one.ranged.then_some([one.range_start, one.range_end]),
            next_index: one.ranged.then_some(one.next_index),
            birth_time: seconds(one.birth_time),
            descriptor: one.descriptor,
            active: one.active,
            internal: one.internal,
            has_private_keys: one.has_private_keys,
        }
    }
}

/// Descriptors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct DescriptorsView {
    pub(crate) descriptors: Vec<DescriptorView>,
}

impl View for DescriptorsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("FOR", Align::Left),
            ("NEXT", Align::Right),
            ("KEYS", Align::Left),
            ("DESCRIPTOR", Align::Left),
        ]);
        for one in &self.descriptors {
            let purpose = match (one.active, one.internal) {
                (true, false) => "addresses",
                (true, true) => "change",
                (false, _) => "watching",
            };
            let keys = if one.has_private_keys {
                "private"
            } else {
                "public"
            };
            table.row([
                purpose.to_owned(),
                one.next_index
                    .map_or_else(String::new, |next| next.to_string()),
                keys.to_owned(),
                one.descriptor.clone(),
            ]);
        }
        table.to_string()
    }
}
