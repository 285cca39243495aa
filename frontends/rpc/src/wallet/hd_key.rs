//! Owns the extended keys of a wallet, and descriptors that are made from them.

use std::str::FromStr;

use bitcoin::bip32::Xpub;
use everett_wallet::keys::{HdKey, Import, Master, with_checksum};
use everett_wallet::{Chain, Keyring};
use zeroize::Zeroizing;

use super::address::parse_kind;
use crate::call::Call;
use crate::error::{RpcError, WALLET_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static GETHDKEYS: Method = Method {
    name: "gethdkeys",
    category: Category::Wallet,
    about: "The extended keys of a wallet's descriptors. While it is locked, a key is told as far as public texts tell it.",
    arguments: &[
        Argument::optional("options", Kind::Object, "What can be given by name").options(&[
            Argument::default(
                "active_only",
                Kind::Bool,
                "false",
                "Those of active descriptors alone",
            ),
            Argument::default(
                "private",
                Kind::Bool,
                "false",
                "Whether with their private keys",
            ),
        ]),
    ],
    result: "[{\"xpub\", \"has_private\", \"xprv\", \"descriptors\": [{\"desc\", \"active\"}, ...]}, ...]    (json array) \
             The keys",
    at: false,
    run: Run::Read(get_hd_keys),
};

fn option(call: &Call, place: usize, name: &str) -> Result<Option<bool>, RpcError> {
    let given = call.maybe(place).and_then(|options| options.find(name));
    given
        .filter(|value| !value.is_null())
        .map(Json::bool)
        .transpose()
}

fn get_hd_keys(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let active_only = option(call, 0, "active_only")?.unwrap_or(false);
    let private = option(call, 0, "private")?.unwrap_or(false);
    if private {
        super::unlocked(&wallet)?;
    }
    let view = wallet.view()?;
    let keyring = view.keyring();
    let show = |key: HdKey| {
        let descriptors = key
            .descriptors
            .iter()
            .filter_map(|number| keyring.descriptor(*number));
        let mut descriptors: Vec<_> = descriptors.collect();
        descriptors.sort_by(|a, b| a.text.cmp(&b.text));
        let mut json = object! {
            "xpub" => key.public.to_string(),
            "has_private" => key.has_private,
        };
        if private {
            json.push_some("xprv", key.private.map(|key| key.to_string()));
        }
        let list = descriptors
            .iter()
            .map(|one| object! { "desc" => &*one.text, "active" => one.active });
        json.push("descriptors", list.collect::<Json>());
        json
    };
    Ok(keyring.hd_keys(active_only).into_iter().map(show).collect())
}

pub(super) static CREATEWALLETDESCRIPTOR: Method = Method {
    name: "createwalletdescriptor",
    category: Category::Wallet,
    about: "Makes the descriptors of a kind of addresses that the wallet does not have yet.",
    arguments: &[
        Argument::required("type", Kind::Text, "legacy, p2sh-segwit, bech32 or bech32m"),
        Argument::optional("options", Kind::Object, "What can be given by name").options(&[
            Argument::optional(
                "internal",
                Kind::Bool,
                "The one for change alone, or the one for addresses alone [default: both]",
            ),
            Argument::optional(
                "hdkey",
                Kind::Text,
                "The extended key, as gethdkeys lists it [default: that of all active descriptors]",
            ),
        ]),
    ],
    result: "{\"descs\": [\"str\", ...]}    (json object) The descriptors",
    at: false,
    run: Run::Read(create_wallet_descriptor),
};

/// The key that is named, or the only one of active descriptors.
fn wanted_key(keyring: &Keyring, named: Option<&str>) -> Result<Xpub, RpcError> {
    if let Some(text) = named {
        return Xpub::from_str(text).map_err(|_| {
            RpcError::not_found("Unable to parse HD key. Please provide a valid xpub")
        });
    }
    match keyring.hd_keys(true).as_slice() {
        [key] => Ok(key.public),
        _ => Err(RpcError::not_found(
            "Unable to determine which HD key to use from active descriptors. Please specify with 'hdkey'",
        )),
    }
}

fn create_wallet_descriptor(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let kind = parse_kind(call.arg(0))?;
    let chains = match option(call, 1, "internal")? {
        None => vec![Chain::External, Chain::Internal],
        Some(true) => vec![Chain::Internal],
        Some(false) => vec![Chain::External],
    };
    let named = call.maybe(1).and_then(|options| options.find("hdkey"));
    let named = named.map(Json::text).transpose()?;
    super::unlocked(&wallet)?;
    let birth = call.ledger().clock().now();
    let made = wallet.change_keys(|keyring| {
        let public = wanted_key(keyring, named)?;
        let all = keyring.hd_keys(false);
        let private = all
            .iter()
            .find(|key| key.public == public)
            .and_then(|key| key.private);
        let private = private
            .ok_or_else(|| RpcError::not_found(format!("Private key for {public} is not known")))?;
        let master = Master::from_key(private);
        let mut made: Vec<String> = Vec::new();
        for chain in &chains {
            let text = Zeroizing::new(with_checksum(&master.descriptor(kind, *chain)));
            // It stays as it is, whatever range it has come to.
            if keyring.knows(&text)? {
                continue;
            }
            let import = Import {
                text,
                active: true,
                internal: Some(*chain == Chain::Internal),
                range: Some((0, keyring.keypool() - 1)),
                birth,
                ..Import::default()
            };
            let imported = keyring.import(&import)?;
            let texts = imported.numbers.iter();
            made.extend(
                texts.filter_map(|number| {
                    keyring.descriptor(*number).map(|one| one.text.to_string())
                }),
            );
        }
        match made.is_empty() {
            true => Err(RpcError::new(WALLET_ERROR, "Descriptor already exists")),
            false => {
                keyring.set_furnished();
                Ok(made)
            }
        }
    })?;
    Ok(object! { "descs" => made })
}
