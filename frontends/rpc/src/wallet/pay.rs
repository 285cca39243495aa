//! Owns the methods that pay.
//! Promises that nothing is sent and no coin is taken where one of them fails, though an address for change may have been used up
//! then, and that coins which some live world lacks are only taken where that is said.

pub(super) mod fee;
pub(super) mod options;

use bitcoin::{OutPoint, Transaction};
use everett_wallet::spend::{Payee, Request, SpendError, Unspendable};
use everett_wallet::{Wallet, WalletError};

use self::fee::{CONF_TARGET, ESTIMATE_MODE, FEE_RATE, Said, reason};
use self::options::{IN, OPTIONS, Options, names, parse_scope, parse_version, payees, paying};
use crate::call::Call;
use crate::error::{RpcError, WALLET_ERROR, WALLET_INSUFFICIENT_FUNDS};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::rawtransactions::create::parse_outputs;
use crate::transaction::encode_hex;

const COMMENT: Argument =
    Argument::optional("comment", Kind::Text, "What it is for; kept in the wallet");
const REPLACEABLE: Argument = Argument::optional(
    "replaceable",
    Kind::Bool,
    "Whether it says that it may be replaced (BIP125)",
);
const VERBOSE: Argument = Argument::default(
    "verbose",
    Kind::Bool,
    "false",
    "Whether it is told how the fee was found",
);
const OUTPUTS: Argument = Argument::required(
    "outputs",
    Kind::Any,
    "What is paid: an amount for each address, and bytes for \"data\"; as an array of objects, or as one",
)
.shown("[{\"address\":amount,...},{\"data\":\"hex\"},...]");
pub(super) const OPTIONS_ARGUMENT: Argument =
    Argument::optional("options", Kind::Object, "Further wishes").options(OPTIONS);

pub(super) static SENDTOADDRESS: Method = Method {
    name: "sendtoaddress",
    category: Category::Wallet,
    about: "Pays an address. The wallet has to be unlocked.",
    arguments: &[
        Argument::required("address", Kind::Text, "Who is paid"),
        Argument::required("amount", Kind::Any, "Bitcoins"),
        COMMENT,
        Argument::optional(
            "comment_to",
            Kind::Text,
            "Who is paid, in words; kept in the wallet",
        ),
        Argument::default(
            "subtractfeefromamount",
            Kind::Bool,
            "false",
            "Whether the fee is taken from the amount",
        ),
        REPLACEABLE,
        CONF_TARGET,
        ESTIMATE_MODE,
        Argument::optional(
            "avoid_reuse",
            Kind::Bool,
            "Whether coins of addresses that were paid from are left; true where the wallet avoids them",
        ),
        FEE_RATE,
        VERBOSE,
        IN,
    ],
    result: "\"hex\"    (string) The transaction's id, or (json object) with fee_reason",
    at: false,
    run: Run::Read(send_to_address),
};

pub(super) static SENDMANY: Method = Method {
    name: "sendmany",
    category: Category::Wallet,
    about: "Pays several addresses by one transaction. The wallet has to be unlocked.",
    arguments: &[
        Argument::default("dummy|fromaccount", Kind::Text, "\"\"", "Has to be \"\""),
        Argument::required("amounts", Kind::Object, "Bitcoins for each address")
            .shown("{\"address\":amount,...}"),
        Argument::optional("minconf", Kind::Number, "Has no effect"),
        COMMENT,
        Argument::default(
            "subtractfeefrom",
            Kind::Array,
            "[]",
            "The addresses from whose amounts the fee is taken, in equal parts",
        ),
        REPLACEABLE,
        CONF_TARGET,
        ESTIMATE_MODE,
        FEE_RATE,
        VERBOSE,
        IN,
    ],
    result: "\"hex\"    (string) The transaction's id, or (json object) with fee_reason",
    at: false,
    run: Run::Read(send_many),
};

pub(super) static SEND: Method = Method {
    name: "send",
    category: Category::Wallet,
    about: "Pays what is said, with all that can be wished for; or tells the transaction that would.",
    arguments: &[
        OUTPUTS,
        CONF_TARGET,
        ESTIMATE_MODE,
        FEE_RATE,
        OPTIONS_ARGUMENT,
        Argument::default(
            "version",
            Kind::Number,
            "2",
            "The version of the transaction",
        ),
    ],
    result: "{\"psbt\", \"txid\", \"hex\", \"complete\"}    (json object) The transaction, and whether it is fully signed",
    at: false,
    run: Run::Read(send),
};

pub(super) static SENDALL: Method = Method {
    name: "sendall",
    category: Category::Wallet,
    about: "Pays all that the wallet has, or all of some coins, without change.",
    arguments: &[
        Argument::required(
            "recipients",
            Kind::Array,
            "Who is paid: those without an amount share what is left",
        )
        .shown("[\"address\",{\"address\":amount},...]"),
        CONF_TARGET,
        ESTIMATE_MODE,
        FEE_RATE,
        OPTIONS_ARGUMENT,
    ],
    result: "{\"psbt\", \"txid\", \"hex\", \"complete\"}    (json object) The transaction, and whether it is fully signed",
    at: false,
    run: Run::Read(send_all),
};

/// The mempool's word for a cluster that would be larger than it may be.
const CLUSTER_FULL: &str = "too-large-cluster";

/// What a payment that cannot be made is refused with, where nothing says better than that.
pub(super) fn refused(code: i32) -> impl Fn(SpendError) -> RpcError {
    move |error| match error {
        SpendError::Wallet(error) => error.into(),
        SpendError::Mempool(error) => error.into(),
        SpendError::Coin { outpoint, why } => RpcError::new(code, unspendable(&outpoint, why)),
        SpendError::Dust { .. } => {
            RpcError::new(code, format!("Transaction amount too small: {error}"))
        }
        SpendError::NoChange(why) => RpcError::new(
            code,
            format!(
                "Transaction needs a change address, but we can't generate it. {}",
                RpcError::from(why).message
            ),
        ),
        SpendError::Refused(rejection) if rejection.reason == CLUSTER_FULL => RpcError::new(
            code,
            format!("too many unconfirmed transactions in cluster: {rejection}"),
        ),
        other => RpcError::new(code, other.to_string()),
    }
}

/// Why a coin that was asked for is not spent, in Core's words where it has such.
fn unspendable(outpoint: &OutPoint, why: Unspendable) -> String {
    let OutPoint { txid, vout } = outpoint;
    match why {
        Unspendable::Unknown => format!("Unable to find UTXO for external input {outpoint}"),
        Unspendable::Unsolvable => {
            let short: String = txid.to_string().chars().take(10).collect();
            format!("Not solvable pre-selected input COutPoint({short}, {vout}): {why}")
        }
        Unspendable::Locked => {
            format!("coin {outpoint} cannot be spent: {why} (lockunspent true)")
        }
        other => format!("coin {outpoint} cannot be spent: {other}"),
    }
}

/// Why a payment of everything is not made.
fn not_all(error: SpendError) -> RpcError {
    match error {
        SpendError::Coin { outpoint, why } => {
            let OutPoint { txid, vout } = outpoint;
            RpcError::parameter(match why {
                Unspendable::Unknown | Unspendable::Unsolvable => {
                    format!("Input not found. UTXO ({txid}:{vout}) is not part of wallet.")
                }
                Unspendable::Spent { .. } | Unspendable::Taken { .. } => {
                    format!("Input not available. UTXO ({txid}:{vout}) was already spent.")
                }
                Unspendable::Opaque => return not_all(SpendError::Opaque),
                other => unspendable(&outpoint, other),
            })
        }
        SpendError::Opaque => RpcError::new(
            WALLET_ERROR,
            "Unable to determine the size of the transaction, the wallet contains unsolvable descriptors",
        ),
        SpendError::FeeRateTooLow { .. } | SpendError::Version { .. } => {
            RpcError::parameter(error.to_string())
        }
        SpendError::InsufficientFunds { .. } => {
            RpcError::new(WALLET_INSUFFICIENT_FUNDS, error.to_string())
        }
        SpendError::TooLarge { weight, limit } => RpcError::new(
            WALLET_ERROR,
            format!("Transaction too large. {weight} weight units are more than {limit}"),
        ),
        other => refused(WALLET_ERROR)(other),
    }
}

/// Refuses where the wallet has no private keys, or they are locked.
fn check_keys(wallet: &Wallet) -> Result<(), RpcError> {
    let view = wallet.view()?;
    if view.keyring().flags().disable_private_keys {
        return Err(RpcError::new(
            WALLET_ERROR,
            "Error: Private keys are disabled for this wallet",
        ));
    }
    match view.keyring().is_locked() {
        true => Err(WalletError::from(everett_wallet::KeyError::Locked).into()),
        false => Ok(()),
    }
}

/// A request with the wallets' defaults. As in Core, coins of addresses that were paid from are left alone only where a method
/// says so.
pub(super) fn request(call: &Call, payees: Vec<Payee>) -> Result<Request, RpcError> {
    let mut request = Request::to(payees);
    request.replaceable = call.wallets()?.config().replaceable;
    request.use_reused = true;
    Ok(request)
}

/// Refuses where nobody is paid: all would come back, less a fee.
pub(super) fn check_paid(request: &Request) -> Result<(), RpcError> {
    match request.payees.is_empty() {
        true => Err(RpcError::parameter("TX must have at least one output")),
        false => Ok(()),
    }
}

/// Pays, and tells the transaction's id. As in Core, the order of those who are paid is left to chance.
fn pay(call: &Call, wallet: &Wallet, mut request: Request, verbose: bool) -> Answer {
    request.any_order = true;
    let paid = wallet
        .pay(&request)
        .map_err(refused(WALLET_INSUFFICIENT_FUNDS))?;
    announce(call, &paid.tx);
    Ok(match verbose {
        true => object! { "txid" => paid.txid, "fee_reason" => reason(paid.plan.reason) },
        false => paid.txid.into(),
    })
}

/// Has peers told of a payment.
pub(super) fn announce(call: &Call, tx: &Transaction) {
    if let Some(peers) = call.handle().peers() {
        peers.announce_transaction(&tx.compute_txid());
    }
}

fn note(request: &mut Request, name: &str, text: Option<&Json>) -> Result<(), RpcError> {
    let text = text.map_or(Ok(""), Json::text)?;
    if !text.is_empty() {
        request.notes.insert(name.to_owned(), text.to_owned());
    }
    Ok(())
}

fn send_to_address(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let said = Said {
        target: call.maybe(6),
        mode: call.maybe(7),
        rate: call.maybe(9),
    };
    let network = call.ledger().params().network.to_bitcoin();
    let subtracts = call.bool_or(4, false)?;
    let mut all = Json::Object(Vec::new());
    all.push(call.text(0)?, call.arg(1).clone());
    check_keys(&wallet)?;
    let outputs = parse_outputs(&all, network)?;
    let places: &[usize] = if subtracts { &[0] } else { &[] };
    let mut request = request(call, payees(outputs, places))?;
    note(&mut request, "comment", call.maybe(2))?;
    note(&mut request, "to", call.maybe(3))?;
    // Who names a rate may have to raise it later.
    request.replaceable = call.bool_or(5, request.replaceable || said.rate.is_some())?;
    request.fee = said.choice()?;
    let avoids_reuse = super::balance::avoids_reuse(&wallet.view()?, call.maybe(8))?;
    request.use_reused = !avoids_reuse;
    // Who pays from an address pays with all that it has: what is left would not be spent again.
    request.group = avoids_reuse;
    request.scope = parse_scope(call.maybe(11))?;
    pay(call, &wallet, request, call.bool_or(10, false)?)
}

fn send_many(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    if call.maybe(0).is_some_and(|dummy| dummy.text() != Ok("")) {
        return Err(RpcError::parameter("Dummy value must be set to \"\""));
    }
    let said = Said {
        target: call.maybe(6),
        mode: call.maybe(7),
        rate: call.maybe(8),
    };
    let network = call.ledger().params().network.to_bitcoin();
    check_keys(&wallet)?;
    let outputs = parse_outputs(call.arg(1), network)?;
    let places = paying(call.maybe(4), &names(call.arg(1)))?;
    let mut request = request(call, payees(outputs, &places))?;
    note(&mut request, "comment", call.maybe(3))?;
    // Who names a rate may have to raise it later.
    request.replaceable = call.bool_or(5, request.replaceable || said.rate.is_some())?;
    request.fee = said.choice()?;
    request.scope = parse_scope(call.maybe(10))?;
    pay(call, &wallet, request, call.bool_or(9, false)?)
}

/// Makes a payment as far as the wallet can sign it, and sends it where that is wished and possible. A plan that cannot be is
/// refused as `refused` says.
fn finish(
    call: &Call,
    wallet: &Wallet,
    request: &Request,
    options: Options<'_>,
    refused: impl Fn(SpendError) -> RpcError,
) -> Answer {
    let wants_psbt = options.bool_or("psbt", false)?;
    let adds = options.bool_or("add_to_wallet", true)?;
    let sends = adds && !wants_psbt;
    let prepared = wallet.prepare(request, sends, options.locks()?);
    let prepared = prepared.map_err(refused)?;
    let complete = prepared.tx.is_some();
    let mut json = Json::Object(Vec::new());
    if wants_psbt || !adds || !complete {
        json.push("psbt", Partial::of(prepared.psbt).text());
    }
    if let Some(tx) = prepared.tx {
        json.push("txid", tx.compute_txid());
        match sends {
            true => announce(call, &tx),
            false => json.push("hex", encode_hex(&tx)),
        }
    }
    json.push("complete", complete);
    Ok(json)
}

fn send(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let options = Options::read(call.maybe(4))?;
    let said = Said {
        target: call.maybe(1),
        mode: call.maybe(2),
        rate: call.maybe(3),
    };
    let network = call.ledger().params().network.to_bitcoin();
    options.check_names(said)?;
    options.check_weights()?;
    let outputs = parse_outputs(call.arg(0), network)?;
    let places = options.paying(&names(call.arg(0)))?;
    let mut request = request(call, payees(outputs, &places))?;
    // Coins that are named are enough, unless somebody says otherwise.
    request.add_inputs = options
        .get("inputs")
        .is_none_or(|inputs| inputs.array().is_ok_and(<[Json]>::is_empty));
    if let Some(version) = call.maybe(5) {
        request.version = parse_version(version)?;
    }
    options.apply(call, said, &mut request)?;
    check_paid(&request)?;
    request.use_taken = true;
    request.max_weight = options.most_weight()?;
    finish(call, &wallet, &request, options, refused(WALLET_ERROR))
}

fn send_all(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let options = Options::read(call.maybe(4))?;
    let said = Said {
        target: call.maybe(1),
        mode: call.maybe(2),
        rate: call.maybe(3),
    };
    let network = call.ledger().params().network.to_bitcoin();
    options.check_names(said)?;
    let mut outputs = Json::Object(Vec::new());
    let mut sharing: Vec<bool> = Vec::new();
    for recipient in call.arg(0).array()? {
        match recipient {
            Json::Text(address) => {
                outputs.push(address, 0);
                sharing.push(true);
            }
            other => {
                for (address, amount) in other.object()? {
                    outputs.push(address, amount.clone());
                    sharing.push(false);
                }
            }
        }
    }
    if !sharing.contains(&true) {
        return Err(RpcError::parameter(
            "Must provide at least one address without a specified amount",
        ));
    }
    let given = |name: &str| options.get(name).is_some();
    if let Some(depth) = options.get("minconf") {
        let depth: i32 = depth.int()?;
        if depth < 0 {
            return Err(RpcError::parameter(format!(
                "Invalid minconf (minconf cannot be negative): {depth}"
            )));
        }
    }
    let inputs = given("inputs");
    if inputs && options.bool_or("send_max", false)? {
        return Err(RpcError::parameter(
            "Cannot combine send_max with specific inputs.",
        ));
    }
    if inputs && (given("minconf") || given("maxconf")) {
        return Err(RpcError::parameter(
            "Cannot combine minconf or maxconf with specific inputs.",
        ));
    }
    let names: Vec<String> = names(&outputs).into_iter().map(str::to_owned).collect();
    let outputs = parse_outputs(&outputs, network)?;
    let mut request = request(call, payees(outputs, &[]))?;
    // An output is made of each recipient, in their order.
    for (payee, shares) in request.payees.iter_mut().zip(sharing) {
        payee.shares = shares;
    }
    request.everything = true;
    request.economical = options.bool_or("send_max", false)?;
    options.apply(call, said, &mut request)?;
    request.add_inputs = !inputs;
    request.max_weight = options.most_weight()?;
    finish(call, &wallet, &request, options, |error| match &error {
        SpendError::Dust { index, .. } => {
            let address = names.get(*index).map_or("", String::as_str);
            RpcError::parameter(format!(
                "Specified output amount to {address} is below dust threshold."
            ))
        }
        _ => not_all(error),
    })
}

#[cfg(test)]
mod tests {
    use everett_wallet::KeyError;

    use super::*;

    #[test]
    fn that_there_is_no_address_for_change_is_told_in_the_words_of_core() {
        let refused = refused(WALLET_ERROR);
        let locked = refused(SpendError::NoChange(KeyError::KeypoolRanOut));
        assert_eq!(locked.code, WALLET_ERROR);
        assert_eq!(
            locked.message,
            "Transaction needs a change address, but we can't generate it. Error: Keypool ran out, please call keypoolrefill first"
        );
    }
}
