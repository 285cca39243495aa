//! Owns the settings of wallets, as the options say them.
//! Promises Core's words for what cannot be.

use std::str::FromStr;

use bitcoin::Amount;
use everett_mempool::FeeRate;
use everett_wallet::{OutputType, WalletConfig};

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;
use super::super::layout::Layout;
use super::mempool::rate;

/// The directory of wallets, beside the ledger.
const DIRECTORY: &str = "wallets";

/// Which wallets are kept, and how.
pub(crate) struct WalletSettings {
    /// How they are opened.
    pub(crate) config: WalletConfig,
    /// Those that are opened at the start.
    pub(crate) open: Vec<String>,
    /// Whether one without a name is made where there is none.
    pub(crate) make: bool,
}

/// What the options say; `None` where no wallets are kept.
pub(super) fn config(
    arguments: &Arguments,
    chain: Chain,
    layout: &Layout,
    remarks: &mut Vec<String>,
) -> Result<Option<WalletSettings>, InitError> {
    if arguments.flag("disablewallet", false) {
        return Ok(None);
    }
    let directory = match arguments.text("walletdir") {
        None => layout.store().join(DIRECTORY),
        Some(text) => {
            let path = std::path::PathBuf::from(&text);
            let wrong = |why: &str| {
                Err(InitError::new(format!(
                    "Specified -walletdir \"{text}\" {why}"
                )))
            };
            match () {
                () if !path.exists() => return wrong("does not exist"),
                () if !path.is_dir() => return wrong("is not a directory"),
                () if !path.is_absolute() => return wrong("is a relative path"),
                () => path,
            }
        }
    };
    let mut config = WalletConfig::new(directory, chain.network().to_bitcoin());
    if let Some(keypool) = arguments.int("keypool") {
        config.keypool = u32::try_from(keypool.max(1)).unwrap_or(u32::MAX);
    }
    fees(arguments, &mut config)?;
    let kind = |name: &str, what: &str| -> Result<Option<OutputType>, InitError> {
        let Some(text) = arguments.text(name) else {
            return Ok(None);
        };
        let kind = OutputType::from_str(&text).map(Some);
        kind.map_err(|_| InitError::new(format!("Unknown {what} type '{text}'")))
    };
    config.address_type = kind("addresstype", "address")?.unwrap_or(config.address_type);
    config.change_type = kind("changetype", "change")?;
    config.spend_pending_change = arguments.flag("spendzeroconfchange", true);
    config.replaceable = arguments.flag("walletrbf", true);
    // Who takes part in no relay of transactions sends none of its own unless told to.
    let relays = !arguments.flag("blocksonly", false);
    config.broadcast = arguments.flag("walletbroadcast", relays);
    config.compat = arguments.flag("walletcompat", config.compat);
    if let Some(blocks) = arguments.int("walletwarnblocks") {
        config.warn_blocks = u32::try_from(blocks.max(0)).unwrap_or(u32::MAX);
    }
    // What is not there is left out, as Core does it.
    let (open, missing): (Vec<String>, Vec<String>) = arguments
        .list("wallet")
        .into_iter()
        .partition(|name| config.has(name));
    for name in missing {
        remarks.push(format!(
            "Warning: Skipping -wallet path that doesn't exist. Failed to load wallet '{name}'."
        ));
    }
    // Who names wallets, or says that there are none to load, wants no other.
    let make = config.compat && !arguments.is_set("wallet");
    Ok(Some(WalletSettings { config, open, make }))
}

fn fees(arguments: &Arguments, config: &mut WalletConfig) -> Result<(), InitError> {
    let fees = &mut config.fees;
    if let Some(rate) = rate(arguments, "fallbackfee")? {
        fees.fallback = rate;
    }
    if let Some(rate) = rate(arguments, "mintxfee")? {
        fees.least = rate;
    }
    if let Some(rate) = rate(arguments, "discardfee")? {
        fees.discard = rate;
    }
    if let Some(rate) = rate(arguments, "consolidatefeerate")? {
        fees.later = rate;
    }
    fees.group = arguments.flag("avoidpartialspends", false);
    // As in Core, what is not wished for at any price is -1.
    fees.most_to_group = match arguments.text("maxapsfee").as_deref() {
        Some("-1") => None,
        _ => match rate(arguments, "maxapsfee")? {
            Some(most) => Some(Amount::from_sat(most.sat_per_kvb().unsigned_abs())),
            None => fees.most_to_group,
        },
    };
    let limit = |name: &str, default: u64| {
        let said = arguments.int(name);
        said.map_or(default, |said| said.max(0).unsigned_abs())
    };
    fees.most_ancestors = limit("limitancestorcount", fees.most_ancestors);
    fees.most_together = limit("limitdescendantcount", fees.most_together);
    fees.long_chains = !arguments.flag("walletrejectlongchains", true);
    if let Some(most) = rate(arguments, "maxtxfee")? {
        let most: FeeRate = most;
        fees.most = Amount::from_sat(most.sat_per_kvb().unsigned_abs());
    }
    Ok(())
}
