//! Owns addresses that are given out, and how many are watched ahead.

use std::str::FromStr;

use everett_wallet::{Chain, Keyring, OutputType, Purpose, Wallet};

use super::label::parse_label;
use crate::call::Call;
use crate::error::{RpcError, WALLET_ERROR};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

const KINDS: &str = "legacy, p2sh-segwit, bech32 or bech32m";

/// A kind of addresses, as a caller names it.
pub(crate) fn parse_kind(value: &Json) -> Result<OutputType, RpcError> {
    OutputType::from_str(value.text()?).map_err(|error| RpcError::not_found(error.to_string()))
}

fn has_keys(keyring: &Keyring, chain: Chain) -> Result<(), RpcError> {
    let any = keyring
        .descriptors()
        .any(|one| one.active && one.chain == chain && one.output_type().is_some());
    match any {
        true => Ok(()),
        false => Err(RpcError::new(
            WALLET_ERROR,
            "Error: This wallet has no available keys",
        )),
    }
}

/// Gives a new address out.
pub(crate) fn new_address(
    wallet: &Wallet,
    kind: OutputType,
    label: &str,
) -> Result<bitcoin::Address, RpcError> {
    wallet.change_keys(|keyring| {
        has_keys(keyring, Chain::External)?;
        let (_, address) = keyring.new_address(kind, Chain::External)?;
        let text = address.to_string();
        keyring
            .labels_mut()
            .set_address(&text, label, Purpose::Receive)?;
        Ok(address)
    })
}

pub(super) static GETNEWADDRESS: Method = Method {
    name: "getnewaddress",
    category: Category::Wallet,
    about: "A new address to be paid to.",
    arguments: &[
        Argument::default("label|account", Kind::Text, "\"\"", "Its label"),
        Argument::optional("address_type", Kind::Text, KINDS),
    ],
    result: "\"str\"    (string) The address",
    at: false,
    run: Run::Read(get_new_address),
};

fn get_new_address(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    has_keys(wallet.view()?.keyring(), Chain::External)?;
    let label = parse_label(call.arg(0))?;
    let kind = call.maybe(1).map(parse_kind).transpose()?;
    let kind = kind.unwrap_or(call.wallets()?.config().address_type);
    Ok(new_address(&wallet, kind, &label)?.to_string().into())
}

pub(super) static GETRAWCHANGEADDRESS: Method = Method {
    name: "getrawchangeaddress",
    category: Category::Wallet,
    about: "A new address for the change of a transaction that is made by hand.",
    arguments: &[Argument::optional("address_type", Kind::Text, KINDS)],
    result: "\"str\"    (string) The address",
    at: false,
    run: Run::Read(get_raw_change_address),
};

fn get_raw_change_address(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    has_keys(wallet.view()?.keyring(), Chain::Internal)?;
    let config = call.wallets()?.config();
    let kind = call.maybe(0).map(parse_kind).transpose()?;
    let kind = kind.or(config.change_type).unwrap_or(config.address_type);
    let address = wallet.change_keys(|keyring| {
        let (_, address) = keyring.new_address(kind, Chain::Internal)?;
        Ok::<_, RpcError>(address)
    })?;
    Ok(address.to_string().into())
}

pub(super) static KEYPOOLREFILL: Method = Method {
    name: "keypoolrefill",
    category: Category::Wallet,
    about: "Watches more addresses ahead.",
    arguments: &[Argument::optional(
        "newsize",
        Kind::Number,
        "How many for each descriptor [default: 1000, or what -keypool says]",
    )],
    result: "null    (json null)",
    at: false,
    run: Run::Read(keypool_refill),
};

/// Most addresses ahead that can be asked for: those of a descriptor take half a minute.
const MAX_KEYPOOL: u32 = 1_000_000;

fn keypool_refill(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let size = match call.maybe(0) {
        None => None,
        Some(given) => {
            let size: i32 = given.int()?;
            let size = u32::try_from(size).ok().filter(|size| *size <= MAX_KEYPOOL);
            let size =
                size.ok_or_else(|| RpcError::parameter("Invalid parameter, expected valid size."))?;
            Some(size).filter(|size| *size > 0)
        }
    };
    super::unlocked(&wallet)?;
    wallet.change_keys(|keyring| match keyring.top_up(size) {
        true => Ok(()),
        false => Err(RpcError::new(WALLET_ERROR, "Error refreshing keypool.")),
    })?;
    Ok(Json::Null)
}
