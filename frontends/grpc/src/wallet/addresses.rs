//! Owns the addresses of a wallet: given out, and listed with what they hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use bitcoin::{Address, Amount, ScriptBuf};
use everett_ledger::World;
use everett_proto::v1;
use everett_wallet::{Chain, LabelKind, OutputType, Purpose, Slot, View, Wallet};

use super::asking::Asking;
use crate::convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::parse;

/// An address in the position of a token, padded with zeros: no valid one is longer than 90 characters.
const POSITION_BYTES: usize = 100;

/// The kind that is asked for; `None` for the node's choice.
pub(crate) fn kind(kind: v1::AddressKind) -> Option<OutputType> {
    match kind {
        v1::AddressKind::Unspecified => None,
        v1::AddressKind::Legacy => Some(OutputType::Legacy),
        v1::AddressKind::P2shSegwit => Some(OutputType::P2shSegwit),
        v1::AddressKind::Bech32 => Some(OutputType::Bech32),
        v1::AddressKind::Bech32m => Some(OutputType::Bech32m),
    }
}

fn told_kind(kind: OutputType) -> v1::AddressKind {
    match kind {
        OutputType::Legacy => v1::AddressKind::Legacy,
        OutputType::P2shSegwit => v1::AddressKind::P2shSegwit,
        OutputType::Bech32 => v1::AddressKind::Bech32,
        OutputType::Bech32m => v1::AddressKind::Bech32m,
    }
}

pub(crate) fn new(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::NewAddressRequest,
) -> Result<v1::NewAddressResponse, Fault> {
    let config = asking.wallets.config();
    let asked = parse::choice("kind", request.kind)?.and_then(kind);
    let (kind, chain) = match request.change {
        false => (asked.unwrap_or(config.address_type), Chain::External),
        true => {
            if !request.label.is_empty() {
                return Err(Fault::field("label", "an address for change has no label"));
            }
            let usual = config.change_type.unwrap_or(config.address_type);
            (asked.unwrap_or(usual), Chain::Internal)
        }
    };
    let (slot, address) = wallet.change_keys(|keyring| {
        let (slot, address) = keyring.new_address(kind, chain)?;
        if !request.change {
            let labels = keyring.labels_mut();
            labels.set_address(&address.to_string(), &request.label, Purpose::Receive)?;
        }
        Ok::<_, Fault>((slot, address))
    })?;
    let view = wallet.view()?;
    let told = Teller::new(&view).own(slot, &address.script_pubkey(), address.to_string());
    Ok(v1::NewAddressResponse {
        address: Some(told),
    })
}

/// Tells of addresses.
struct Teller<'a, 'v> {
    view: &'a View<'v>,
    balances: HashMap<ScriptBuf, Amount>,
    used: HashSet<ScriptBuf>,
}

impl<'a, 'v> Teller<'a, 'v> {
    fn new(view: &'a View<'v>) -> Teller<'a, 'v> {
        Teller {
            view,
            balances: HashMap::new(),
            used: HashSet::new(),
        }
    }

    /// The same with what addresses hold in a world.
    fn at(view: &'a View<'v>, world: &World) -> Teller<'a, 'v> {
        let mut teller = Teller::new(view);
        let keyring = view.keyring();
        for (outpoint, coin) in view.state(world).coins() {
            let script = match keyring.scripts(coin.slot) {
                [only] => Some(only.clone()),
                _ => view.script_of(outpoint),
            };
            if let Some(script) = script {
                *teller.balances.entry(script).or_default() += coin.amount;
            }
        }
        let outputs = view.records().flat_map(|record| record.tx.output.iter());
        let ours = outputs.map(|output| &output.script_pubkey);
        let ours = ours.filter(|script| keyring.slot_of(script).is_some());
        teller.used = ours.cloned().collect();
        teller
    }

    /// One of ours.
    fn own(&self, slot: Slot, script: &ScriptBuf, address: String) -> v1::WalletAddress {
        let keyring = self.view.keyring();
        let label = keyring.labels().address(&address);
        let descriptor = keyring.descriptor(slot.descriptor);
        let kind = descriptor.and_then(|descriptor| descriptor.output_type());
        v1::WalletAddress {
            label: label.map_or_else(String::new, |label| label.text.clone()),
            purpose: v1::AddressPurpose::Receive.into(),
            mine: true,
            // One that was given a label is no change, whatever it was made for.
            change: self.view.is_change(script),
            kind: kind.map_or(v1::AddressKind::Unspecified, told_kind).into(),
            descriptor: descriptor.map_or_else(String::new, |one| one.text.to_string()),
            index: slot.index,
            balance_sat: (self.balances.get(script)).map_or(0, |amount| convert::sat(*amount)),
            used: self.used.contains(script),
            address,
        }
    }
}

pub(crate) fn list(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ListAddressesRequest,
) -> Result<v1::ListAddressesResponse, Fault> {
    let page_size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::Addresses, &request.page_token)?;
    let reference = paging::pinned(token.as_ref(), 0, request.world);
    let world = asking.reading.world("world", reference)?;
    let mut filter = wallet.name().as_bytes().to_vec();
    filter.extend([0, u8::from(request.include_change)]);
    if let Some(label) = &request.label {
        filter.push(1);
        filter.extend_from_slice(label.as_bytes());
    }
    let mut after = String::new();
    if let Some(token) = &token {
        token.check(&[world.hash()], &filter)?;
        let position = token.position::<POSITION_BYTES>()?;
        let text = position.split(|byte| *byte == 0).next().unwrap_or_default();
        after = String::from_utf8_lossy(text).into_owned();
    }
    let network = asking.reading.ledger.params().network;
    let view = wallet.view()?;
    let keyring = view.keyring();
    let mut found: BTreeMap<String, Option<(Slot, ScriptBuf)>> = BTreeMap::new();
    for descriptor in keyring.descriptors() {
        if descriptor.chain == Chain::Internal && !request.include_change {
            continue;
        }
        for (index, script) in descriptor.all_scripts() {
            let given_out = !descriptor.is_range() || index < descriptor.next;
            if !given_out {
                continue;
            }
            if let Ok(address) = Address::from_script(script, network.to_bitcoin()) {
                let slot = Slot {
                    descriptor: descriptor.number,
                    index,
                };
                found.insert(address.to_string(), Some((slot, script.clone())));
            }
        }
    }
    for (kind, address, _) in keyring.labels().iter() {
        if kind == LabelKind::Addr && !found.contains_key(address) {
            let read = parse::address("", address, network).ok();
            let script = read.map(|address| address.script_pubkey());
            let own = script.and_then(|script| Some((keyring.slot_of(&script)?, script)));
            found.insert(address.to_owned(), own);
        }
    }
    asking.reading.patience.check()?;
    let teller = Teller::at(&view, &world);
    let labelled = |address: &str| {
        let label = keyring.labels().address(address);
        let label = label.map_or("", |label| label.text.as_str());
        (request.label.as_deref()).is_none_or(|wanted| wanted == label)
    };
    let mut rest = (found.range(after.clone()..))
        .filter(|(address, _)| **address != after && labelled(address));
    let mut addresses = Vec::new();
    for (address, own) in rest.by_ref().take(page_size) {
        addresses.push(match own {
            Some((slot, script)) => teller.own(*slot, script, address.clone()),
            None => others(&view, address),
        });
    }
    let more = rest.next().is_some();
    let next = addresses.last().filter(|_| more).map(|last| {
        let mut position = last.address.as_bytes().to_vec();
        position.resize(POSITION_BYTES, 0);
        Token::new(List::Addresses, &[world.hash()], &filter, position).to_text()
    });
    drop(view);
    Ok(v1::ListAddressesResponse {
        world: Some(asking.reading.tell(&world)?),
        addresses,
        next_page_token: next.unwrap_or_default(),
    })
}

/// One that is not ours, and has a label.
fn others(view: &View<'_>, address: &str) -> v1::WalletAddress {
    let label = view.keyring().labels().address(address);
    let purpose = match label.and_then(|label| label.purpose) {
        None => v1::AddressPurpose::Unspecified,
        Some(Purpose::Receive) => v1::AddressPurpose::Receive,
        Some(Purpose::Send) => v1::AddressPurpose::Send,
    };
    v1::WalletAddress {
        address: address.to_owned(),
        label: label.map_or_else(String::new, |label| label.text.clone()),
        purpose: purpose.into(),
        ..Default::default()
    }
}
