//! Owns the methods that make blocks of what is pending.

use bitcoin::{BlockHash, Script, ScriptBuf};
use everett_ledger::Network;
use everett_mining::DEFAULT_MAX_TRIES;

use super::{named_world, network, payout};
use crate::address::parse;
use crate::call::Call;
use crate::config::DEFAULT_GENERATE_TO;
use crate::error::{INVALID_ADDRESS_OR_KEY, METHOD_NOT_FOUND, RpcError};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::wallet::new_address;

const RESULT: &str = "[\"hex\", ...]    (json array) The hashes of the blocks";

const MAX_TRIES: Argument = Argument::default(
    "maxtries",
    Kind::Number,
    "1000000",
    "How many nonces are tried, over all blocks",
);

pub(super) static GENERATETOADDRESS: Method = Method {
    name: "generatetoaddress",
    category: Category::Hidden,
    about: "Makes blocks that pay an address.",
    arguments: &[
        Argument::required("nblocks", Kind::Number, "How many blocks"),
        Argument::required("address", Kind::Text, "Whom they pay"),
        MAX_TRIES,
    ],
    result: RESULT,
    at: true,
    run: Run::Submit(generate_to_address),
};

fn generate_to_address(call: &Call) -> Answer {
    let count: i32 = call.int(0)?;
    // As in Core, less than none is more than anyone can try.
    let tries: i32 = call.int_or(2, DEFAULT_MAX_TRIES as i32)?;
    let network = network(call);
    let address = parse(call.text(1)?, network)
        .map_err(|_| RpcError::new(INVALID_ADDRESS_OR_KEY, "Error: Invalid address"))?;
    generate(
        call,
        &address.script_pubkey(),
        count,
        i64::from(tries) as u64,
    )
}

pub(super) static GENERATETODESCRIPTOR: Method = Method {
    name: "generatetodescriptor",
    category: Category::Hidden,
    about: "Makes blocks that pay a descriptor's script.",
    arguments: &[
        Argument::required("num_blocks", Kind::Number, "How many blocks"),
        Argument::required("descriptor", Kind::Text, "Whom they pay"),
        MAX_TRIES,
    ],
    result: RESULT,
    at: true,
    run: Run::Submit(generate_to_descriptor),
};

fn generate_to_descriptor(call: &Call) -> Answer {
    let count: i32 = call.int(0)?;
    let tries: u64 = call.int_or(2, DEFAULT_MAX_TRIES)?;
    let script = payout(call.text(1)?, network(call))??;
    generate(call, &script, count, tries)
}

pub(super) static GENERATE: Method = Method {
    name: "generate",
    category: Category::Hidden,
    about: "Makes blocks that pay a new address of the wallet, or the descriptor which the node was started with, or one whose key everybody knows \
            (regtest only).",
    arguments: &[
        Argument::required("nblocks", Kind::Any, "How many blocks"),
        Argument::default(
            "maxtries",
            Kind::Any,
            "1000000",
            "How many nonces are tried, over all blocks",
        ),
    ],
    result: RESULT,
    at: true,
    run: Run::Submit(generate_as_of_old),
};

fn generate_as_of_old(call: &Call) -> Answer {
    if call.ledger().params().network != Network::Regtest {
        return Err(RpcError::new(
            METHOD_NOT_FOUND,
            "generate\n\nhas been replaced by the -generate cli option. Refer to -help for more information.\n",
        ));
    }
    // `bitcoin-cli` does not know that its arguments are numbers.
    let count: i32 = number(call.arg(0))?;
    let tries = call.maybe(1).map_or(Ok(DEFAULT_MAX_TRIES), number)?;
    let script = match default_wallet(call)? {
        Some(script) => script,
        None => payout(&call.site.config.generate_to, network(call))??,
    };
    generate(call, &script, count, tries)
}

/// A new address of the wallet that is asked, where there is one and no other payee was set.
fn default_wallet(call: &Call) -> Result<Option<ScriptBuf>, RpcError> {
    let ours = call.site.config.generate_to == DEFAULT_GENERATE_TO;
    let compat = call.wallets().is_ok_and(|wallets| wallets.config().compat);
    let Some(wallet) = call.wallet().ok().filter(|_| ours && compat) else {
        return Ok(None);
    };
    let kind = call.wallets()?.config().address_type;
    // One that cannot give an address out is no hindrance.
    let address = new_address(&wallet, kind, "").ok();
    Ok(address.map(|address| address.script_pubkey()))
}

fn number<T: std::str::FromStr>(value: &Json) -> Result<T, RpcError> {
    match value {
        Json::Text(text) => Json::Number(text.clone()).int(),
        other => other.int(),
    }
}

fn generate(call: &Call, payout: &Script, count: i32, mut tries: u64) -> Answer {
    let count = u32::try_from(count).unwrap_or(0);
    let at: Option<BlockHash> = named_world(call)?.map(|world| world.hash());
    let miner = &call.site.miner;
    let hashes = miner.generate(at, payout, count, &mut tries, &|| call.goes_on())?;
    Ok(hashes.into())
}
