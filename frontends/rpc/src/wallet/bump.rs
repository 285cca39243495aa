//! Owns the methods that make a payment that waits pay more.

use bitcoin::Txid;
use everett_wallet::Wallet;
use everett_wallet::spend::{BumpWish, Irreplaceable, Payee, Plan, SpendError};

use super::pay::fee::{CONF_TARGET, ESTIMATE_MODE, FEE_RATE, Said};
use super::pay::options::{IN, Options, known, parse_scope, payees};
use super::pay::{announce, refused};
use crate::call::Call;
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError, WALLET_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::rawtransactions::create::parse_outputs;

const TXID: Argument = Argument::required("txid", Kind::Text, "The transaction that waits");
const OPTIONS: &[Argument] = &[
    CONF_TARGET,
    FEE_RATE,
    Argument::default(
        "replaceable",
        Kind::Bool,
        "true",
        "Whether the new one may be replaced in turn",
    ),
    ESTIMATE_MODE,
    Argument::default(
        "outputs",
        Kind::Any,
        "[]",
        "What is paid in place of what was",
    ),
    Argument::optional(
        "original_change_index",
        Kind::Number,
        "Which output is the change that pays for it",
    ),
    IN,
];
const OPTIONS_ARGUMENT: Argument =
    Argument::optional("options", Kind::Object, "What it is to pay").options(OPTIONS);

pub(super) static BUMPFEE: Method = Method {
    name: "bumpfee",
    category: Category::Wallet,
    about: "Replaces a transaction of the wallet that waits by one that pays more, with the same payees. The wallet has to be unlocked.",
    arguments: &[TXID, OPTIONS_ARGUMENT],
    result: "{\"txid\", \"origfee\", \"fee\", \"errors\"}    (json object) The new one, and what both pay",
    at: false,
    run: Run::Read(bump_fee),
};

pub(super) static PSBTBUMPFEE: Method = Method {
    name: "psbtbumpfee",
    category: Category::Wallet,
    about: "As bumpfee, but tells the new transaction as a PSBT that is not signed, and sends nothing.",
    arguments: &[TXID, OPTIONS_ARGUMENT],
    result: "{\"psbt\", \"origfee\", \"fee\", \"errors\"}    (json object) The new one, and what both pay",
    at: false,
    run: Run::Read(psbt_bump_fee),
};

/// Of old `conf_target` was this.
const OLD_TARGET: (&str, Option<&str>) = ("confTarget", Some("number"));

/// Which transaction is to be replaced, and what is wished for; `foreign`: whether coins of others may be among its inputs.
fn asked(call: &Call, wallet: &Wallet, foreign: bool) -> Result<(Txid, BumpWish), RpcError> {
    let txid = call.txid(0, "txid")?;
    let known: Vec<_> = [OLD_TARGET].into_iter().chain(known(OPTIONS)).collect();
    let options = Options::read_of(call.maybe(1), &known)?;
    let mut said = options.fee(Said::default())?;
    if let Some(target) = options.get(OLD_TARGET.0) {
        if said.target.is_some() {
            return Err(RpcError::parameter(
                "confTarget and conf_target options should not both be set. Use conf_target (confTarget is deprecated).",
            ));
        }
        said.target = Some(target);
    }
    let explicit = said.target.is_some() || said.rate.is_some() || said.mode.is_some();
    let choice = match explicit {
        true => Some(said.choice()?),
        false => None,
    };
    let network = call.ledger().params().network.to_bitcoin();
    if options
        .get("outputs")
        .is_some_and(|outputs| outputs.array().is_ok_and(<[Json]>::is_empty))
    {
        return Err(RpcError::parameter(
            "Invalid parameter, output argument cannot be an empty array",
        ));
    }
    let outputs = options
        .get("outputs")
        .map(|outputs| parse_outputs(outputs, network))
        .transpose()?;
    let outputs = outputs.filter(|outputs| !outputs.is_empty());
    let change_place: Option<u32> = options
        .get("original_change_index")
        .map(Json::int)
        .transpose()?;
    if outputs.is_some() && change_place.is_some() {
        return Err(RpcError::parameter(
            "The options 'outputs' and 'original_change_index' are incompatible. You can only either specify a new set of outputs, or \
             designate a change output to be recycled.",
        ));
    }
    // As in Core also where nothing is signed.
    super::unlocked(wallet)?;
    let view = wallet.view()?;
    let unknown = || {
        RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            "Invalid or non-wallet transaction id",
        )
    };
    let record = view.record(&txid).ok_or_else(unknown)?;
    let mut change = None;
    let payees: Option<Vec<Payee>> = match change_place {
        None => outputs.map(|outputs| payees(outputs, &[])),
        Some(place) => {
            let place = usize::try_from(place)
                .ok()
                .filter(|place| *place < record.tx.output.len());
            let place =
                place.ok_or_else(|| RpcError::parameter("Change position is out of range"))?;
            let mut outputs = record.tx.output.clone();
            change = Some(outputs.remove(place).script_pubkey);
            Some(payees(outputs, &[]))
        }
    };
    let wish = BumpWish {
        fee: choice,
        payees,
        change,
        foreign,
        scope: parse_scope(options.get("in"))?,
        replaceable: Some(options.bool_or("replaceable", true)?),
        use_reused: true,
    };
    Ok((txid, wish))
}

/// Why a transaction is not replaced by what was asked for. As in Core, descendants and a fee that is too low count as a wrong
/// parameter.
fn not_bumped(error: SpendError) -> RpcError {
    match error {
        SpendError::NotReplaceable {
            why: why @ (Irreplaceable::SpentByWallet | Irreplaceable::SpentInMempool),
            ..
        } => RpcError::parameter(why.to_string()),
        SpendError::NotReplaceable {
            txid,
            why: Irreplaceable::Replaced { by },
        } => RpcError::new(
            WALLET_ERROR,
            format!("Cannot bump transaction {txid} which was already bumped by transaction {by}"),
        ),
        SpendError::NotReplaceable {
            why: why @ Irreplaceable::Spent { .. },
            ..
        } => RpcError::misc(why.to_string()),
        SpendError::NotReplaceable { why, .. } => RpcError::new(WALLET_ERROR, why.to_string()),
        SpendError::BumpBelowMempool { .. } => RpcError::new(WALLET_ERROR, format!("{error} -- ")),
        SpendError::BumpTooLow { .. } | SpendError::BumpBelowRequired { .. } => {
            RpcError::parameter(error.to_string())
        }
        SpendError::BumpTooHigh { .. }
        | SpendError::Wallet(_)
        | SpendError::Mempool(_)
        | SpendError::Refused(_) => refused(WALLET_ERROR)(error),
        other => RpcError::new(
            WALLET_ERROR,
            format!(
                "Unable to create transaction. {}",
                refused(WALLET_ERROR)(other).message
            ),
        ),
    }
}

fn told(first: (&str, Json), old: bitcoin::Amount, plan: &Plan) -> Json {
    object! {
        first.0 => first.1,
        "origfee" => old,
        "fee" => plan.fee,
        "errors" => Vec::<Json>::new(),
    }
}

fn bump_fee(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    if wallet.view()?.keyring().flags().disable_private_keys {
        return Err(RpcError::new(
            WALLET_ERROR,
            "bumpfee is not available with wallets that have private keys disabled. Use psbtbumpfee instead.",
        ));
    }
    let (txid, wish) = asked(call, &wallet, false)?;
    let bumped = wallet.bump(&txid, wish).map_err(not_bumped)?;
    let paid = bumped.new;
    announce(call, &paid.tx);
    let first = ("txid", paid.txid.into());
    Ok(told(first, bumped.old_fee, &paid.plan))
}

fn psbt_bump_fee(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let (txid, wish) = asked(call, &wallet, true)?;
    let bumped = wallet.plan_bump(&txid, wish).map_err(not_bumped)?;
    let psbt = wallet.psbt(&bumped.new)?;
    let first = ("psbt", Partial::of(psbt).text().into());
    Ok(told(first, bumped.old_fee, &bumped.new))
}
