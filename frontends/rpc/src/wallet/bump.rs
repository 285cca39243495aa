//! Owns the methods that make a payment that waits pay more.

use everett_wallet::Wallet;
use everett_wallet::spend::{ChangeTo, Irreplaceable, Payee, Plan, Request, SpendError};

use super::pay::fee::{CONF_TARGET, ESTIMATE_MODE, FEE_RATE, Said};
use super::pay::options::{Options, payees};
use super::pay::{announce, refused};
use crate::call::Call;
use crate::error::{INVALID_PARAMETER, RpcError, WALLET_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::rawtransactions::create::parse_outputs;

const TXID: Argument = Argument::required("txid", Kind::Text, "The transaction that waits");
const OPTIONS: Argument =
    Argument::optional("options", Kind::Object, "What it is to pay").options(&[
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
    ]);

pub(super) static BUMPFEE: Method = Method {
    name: "bumpfee",
    category: Category::Wallet,
    about: "Replaces a transaction of the wallet that waits by one that pays more, with the same payees. The wallet has to be unlocked.",
    arguments: &[TXID, OPTIONS],
    result: "{\"txid\", \"origfee\", \"fee\", \"errors\"}    (json object) The new one, and what both pay",
    at: false,
    run: Run::Read(bump_fee),
};

pub(super) static PSBTBUMPFEE: Method = Method {
    name: "psbtbumpfee",
    category: Category::Wallet,
    about: "As bumpfee, but tells the new transaction as a PSBT that is not signed, and sends nothing.",
    arguments: &[TXID, OPTIONS],
    result: "{\"psbt\", \"origfee\", \"fee\", \"errors\"}    (json object) The new one, and what both pay",
    at: false,
    run: Run::Read(psbt_bump_fee),
};

/// What was asked for, and what the old one pays.
fn asked(call: &Call, wallet: &Wallet) -> Result<(Request, bitcoin::Amount), RpcError> {
    let txid = call.txid(0, "txid")?;
    let options = Options::read(call.maybe(1))?;
    let said = options.fee(Said::default())?;
    let explicit = said.target.is_some() || said.rate.is_some() || said.mode.is_some();
    let choice = match explicit {
        true => Some(said.choice()?),
        false => None,
    };
    let network = call.ledger().params().network.to_bitcoin();
    let outputs = options
        .get("outputs")
        .map(|outputs| parse_outputs(outputs, network))
        .transpose()?;
    let outputs = outputs.filter(|outputs| !outputs.is_empty());
    let change_place: Option<i64> = options
        .get("original_change_index")
        .map(Json::int)
        .transpose()?;
    if outputs.is_some() && change_place.is_some() {
        return Err(RpcError::parameter(
            "The options 'outputs' and 'original_change_index' are incompatible. You can only either specify a new set of outputs, or \
             designate a change output to be recycled.",
        ));
    }
    let view = wallet.view()?;
    let record = super::history::known(view.record(&txid))?;
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
    let bump = view
        .bump(&txid, choice, payees, wallet.fees())
        .map_err(unfit)?;
    let mut request = bump.request;
    if let Some(change) = change {
        request.change = ChangeTo::Script(change);
    }
    request.replaceable = options.bool_or("replaceable", true)?;
    Ok((request, bump.old_fee))
}

/// Why a transaction is not replaced by what was asked for. As in Core, descendants and a fee that is too low count as a wrong
/// parameter.
fn unfit(error: SpendError) -> RpcError {
    match error {
        SpendError::NotReplaceable {
            why: why @ (Irreplaceable::SpentByWallet | Irreplaceable::SpentInMempool),
            ..
        } => RpcError::new(INVALID_PARAMETER, why.to_string()),
        SpendError::BumpTooLow { .. } | SpendError::FeeRateTooLow { .. } => {
            RpcError::new(INVALID_PARAMETER, error.to_string())
        }
        other => refused(WALLET_ERROR)(other),
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
    let (request, old) = asked(call, &wallet)?;
    let paid = wallet.pay(&request).map_err(refused(WALLET_ERROR))?;
    announce(call, &paid.tx);
    Ok(told(("txid", paid.txid.into()), old, &paid.plan))
}

fn psbt_bump_fee(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let (request, old) = asked(call, &wallet)?;
    let plan = wallet.plan(&request).map_err(refused(WALLET_ERROR))?;
    let psbt = wallet.psbt(&plan)?;
    Ok(told(("psbt", Partial::of(psbt).text().into()), old, &plan))
}
