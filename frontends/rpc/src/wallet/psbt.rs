//! Owns the methods about transactions and PSBTs that need a wallet: to fund them, to sign them, to tell what they would do.

use std::collections::{BTreeMap, HashMap};

use bitcoin::key::Secp256k1;
use bitcoin::psbt::PsbtSighashType;
use bitcoin::{Amount, OutPoint, Transaction, TxOut};
use everett_wallet::Wallet;
use everett_wallet::keys::Process;
use everett_wallet::spend::{FeeChoice, In, Plan, Request};

use super::pay::fee::Said;
use super::pay::options::{Options, names, parse_wanted, payees};
use super::pay::{OPTIONS_ARGUMENT, check_paid, refused, request};
use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError, WALLET_ERROR};
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::rawtransactions::create::{INPUTS, LOCKTIME, OUTPUTS, VERSION, parse_outputs};
use crate::rawtransactions::outputs_at;
use crate::rawtransactions::sign::{Scripts, add_previous, parse_hash_type, sign_all};
use crate::signing::Keys;
use crate::transaction::{decode_hex, encode_hex};

pub(super) use crate::rawtransactions::extracted;

const SIGHASH: Argument = Argument::default(
    "sighashtype",
    Kind::Text,
    "\"DEFAULT\" for taproot, else \"ALL\"",
    "What the signatures cover: DEFAULT, ALL, NONE, SINGLE, …",
);
const BIP32DERIVS: Argument = Argument::default(
    "bip32derivs",
    Kind::Bool,
    "true",
    "Whether the ways to the wallet's keys are told",
);

pub(super) static FUNDRAWTRANSACTION: Method = Method {
    name: "fundrawtransaction",
    category: Category::Wallet,
    about: "Adds coins of the wallet to a transaction until they pay for its outputs and the fee, and an output for the change. Nothing is \
            signed.",
    arguments: &[
        Argument::required("hexstring", Kind::Text, "The transaction"),
        Argument::optional("options", Kind::Any, "Further wishes")
            .options(super::pay::options::OPTIONS),
        Argument::optional(
            "iswitness",
            Kind::Bool,
            "Whether it is written with witnesses",
        ),
    ],
    result: "{\"hex\", \"fee\", \"changepos\"}    (json object) The transaction, what it pays, and the place of the change, -1 for none",
    at: false,
    run: Run::Read(fund),
};

pub(super) static WALLETCREATEFUNDEDPSBT: Method = Method {
    name: "walletcreatefundedpsbt",
    category: Category::Wallet,
    about: "A PSBT that pays what is said, from coins that are named or chosen. Nothing is signed.",
    arguments: &[
        Argument {
            need: crate::method::Need::Optional,
            ..INPUTS
        },
        OUTPUTS,
        LOCKTIME,
        OPTIONS_ARGUMENT,
        BIP32DERIVS,
        VERSION,
        Argument::default(
            "psbt_version",
            Kind::Number,
            "0",
            "The version of the PSBT, 0 or 2",
        ),
    ],
    result: "{\"psbt\", \"fee\", \"changepos\"}    (json object) The PSBT, what it pays, and the place of the change, -1 for none",
    at: false,
    run: Run::Read(create_funded),
};

pub(super) static WALLETPROCESSPSBT: Method = Method {
    name: "walletprocesspsbt",
    category: Category::Wallet,
    about: "Adds to a PSBT what the wallet knows, and signs what it can.",
    arguments: &[
        Argument::required("psbt", Kind::Text, "The PSBT in base 64"),
        Argument::default(
            "sign",
            Kind::Bool,
            "true",
            "Whether it is signed; the wallet has to be unlocked",
        ),
        SIGHASH,
        BIP32DERIVS,
        Argument::default(
            "finalize",
            Kind::Bool,
            "true",
            "Whether inputs that have all signatures are finished",
        ),
    ],
    result: "{\"psbt\", \"complete\", \"hex\"}    (json object) The PSBT, whether it is fully signed, and the transaction if it is",
    at: false,
    run: Run::Read(process),
};

pub(super) static SIGNRAWTRANSACTIONWITHWALLET: Method = Method {
    name: "signrawtransactionwithwallet",
    category: Category::Wallet,
    about: "Signs a transaction as far as the wallet can. What it spends is looked up in the wallet, among transactions that wait and in the \
            world that is asked, unless it is said. The wallet has to be unlocked.",
    arguments: &[
        Argument::required("hexstring", Kind::Text, "The transaction"),
        Argument::optional("prevtxs", Kind::Array, "Outputs that it spends: txid, vout, scriptPubKey, amount and scripts")
            .shown(
                "[{\"txid\":\"hex\",\"vout\":n,\"scriptPubKey\":\"hex\",\"redeemScript\":\"hex\",\"witnessScript\":\"hex\",\"amount\":amount},...]",
            ),
        SIGHASH,
    ],
    result: "{\"hex\", \"complete\", \"errors\": [...]}    (json object) The transaction, and what is missing",
    at: true,
    run: Run::Read(sign),
};

pub(super) static SIMULATERAWTRANSACTION: Method = Method {
    name: "simulaterawtransaction",
    category: Category::Wallet,
    about: "What transactions would change of the wallet's balance, one after the other, in the world that is asked.",
    arguments: &[
        Argument::default("rawtxs", Kind::Array, "[]", "The transactions")
            .shown("[\"hexstring\",...]"),
        Argument::optional("options", Kind::Object, "Further wishes")
            .options(&[super::history::WATCH_ONLY]),
    ],
    result: "{\"balance_change\"}    (json object) Bitcoins",
    at: true,
    run: Run::Read(simulate),
};

pub(super) static WALLETDISPLAYADDRESS: Method = Method {
    name: "walletdisplayaddress",
    category: Category::Wallet,
    about: "Would show an address on a signing device; there are none here.",
    arguments: &[Argument::required("address", Kind::Text, "The address")],
    result: "{\"address\"}    (json object) Never: it is always refused",
    at: false,
    run: Run::Read(display),
};

fn display(call: &Call) -> Answer {
    call.wallet()?;
    Err(RpcError::new(
        WALLET_ERROR,
        "There is no ScriptPubKeyManager for this address",
    ))
}

/// Where the change is; -1 for nowhere.
fn change_place(plan: &Plan) -> i64 {
    plan.change.map_or(-1, |place| place as i64)
}

/// Brings what is wished into a request, and plans it.
fn planned(
    call: &Call,
    wallet: &Wallet,
    options: Options<'_>,
    request: &mut Request,
) -> Result<Plan, RpcError> {
    options.apply(call, Said::default(), request)?;
    check_paid(request)?;
    request.use_taken = true;
    // As in Core, a rate that is named for a transaction which is only made ready may be as low as one likes.
    if let FeeChoice::Rate(rate) = request.fee {
        request.fee = FeeChoice::AnyRate(rate);
    }
    request.max_weight = options.most_weight()?;
    let planned = match options.locks()? {
        true => wallet.plan_and_lock(request),
        false => wallet.plan(request),
    };
    planned.map_err(refused(WALLET_ERROR))
}

fn fund(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let options = Options::read(call.maybe(1))?;
    let witness = call.maybe(2).map(Json::bool).transpose()?;
    let tx = decode_hex(call.text(0)?, witness != Some(true), witness != Some(false))
        .ok_or_else(|| RpcError::new(DESERIALIZATION_ERROR, "TX decode failed"))?;
    let places: Vec<String> = (0..tx.output.len())
        .map(|place| place.to_string())
        .collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let paying = options.paying(&places)?;
    let mut request = request(call, payees(tx.output.clone(), &paying))?;
    request.version = tx.version.0;
    request.lock_time = Some(tx.lock_time.to_consensus_u32());
    request.inputs = (tx.input.iter())
        .map(|input| In {
            outpoint: input.previous_output,
            sequence: Some(input.sequence.0),
            weight: None,
        })
        .collect();
    let plan = planned(call, &wallet, options, &mut request)?;
    let mut funded = plan.tx.clone();
    // What was signed before is kept where it is.
    for (input, old) in funded.input.iter_mut().zip(&tx.input) {
        input.script_sig = old.script_sig.clone();
        input.witness = old.witness.clone();
    }
    Ok(object! {
        "hex" => encode_hex(&funded),
        "fee" => plan.fee,
        "changepos" => change_place(&plan),
    })
}

fn create_funded(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let options = Options::read(call.maybe(3))?;
    let network = call.ledger().params().network.to_bitcoin();
    options.check_weights()?;
    let outputs = parse_outputs(call.arg(1), network)?;
    let paying = options.paying(&names(call.arg(1)))?;
    let mut request = request(call, payees(outputs, &paying))?;
    for value in call.maybe(0).map_or(Ok(&[][..]), Json::array)? {
        request.inputs.push(parse_wanted(value)?);
    }
    request.add_inputs = request.inputs.is_empty();
    let lock_time = u32::try_from(call.int_or::<i64>(2, 0)?)
        .map_err(|_| RpcError::parameter("Invalid parameter, locktime out of range"))?;
    request.lock_time = Some(lock_time);
    if let Some(version) = call.maybe(5) {
        request.version = super::pay::options::parse_version(version)?;
    }
    let version: u32 = call.int_or(6, 0)?;
    if ![0, 2].contains(&version) {
        return Err(RpcError::parameter("The PSBT version can only be 2 or 0"));
    }
    let derivations = call.bool_or(4, true)?;
    let plan = planned(call, &wallet, options, &mut request)?;
    let mut partial = Partial::new(plan.tx.clone(), version)?;
    partial.psbt = wallet.psbt_of(&plan, derivations)?;
    Ok(object! {
        "psbt" => partial.text(),
        "fee" => plan.fee,
        "changepos" => change_place(&plan),
    })
}

/// What signatures are to cover; `None` for what is usual.
fn sighash(call: &Call, place: usize) -> Result<Option<PsbtSighashType>, RpcError> {
    let kind = parse_hash_type(call.maybe(place))?;
    // DEFAULT is what is usual for every kind of output.
    let kind = kind.filter(|kind| *kind != 0);
    Ok(kind.map(|kind| PsbtSighashType::from_u32(u32::from(kind))))
}

fn process(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let mut partial = Partial::parse(call.text(0)?)?;
    let process = Process {
        sighash: sighash(call, 2)?,
        sign: call.bool_or(1, true)?,
        derivations: call.bool_or(3, true)?,
        finalize: call.bool_or(4, true)?,
    };
    let view = wallet.view()?;
    let spent = |outpoint: &OutPoint| view.spent_coin(outpoint);
    // As in Core, what is signed but not finished is not complete.
    let complete = (view.keyring()).process_psbt(&mut partial.psbt, spent, process)?;
    let mut json = object! { "psbt" => partial.text(), "complete" => complete };
    if complete {
        json.push("hex", encode_hex(&extracted(&partial.psbt)));
    }
    Ok(json)
}

fn sign(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let mut tx = decode_hex(call.text(0)?, true, true).ok_or_else(|| {
        RpcError::new(
            DESERIALIZATION_ERROR,
            "TX decode failed. Make sure the tx has at least one input.",
        )
    })?;
    let hash_type = parse_hash_type(call.maybe(2))?;
    let outpoints: Vec<OutPoint> = tx.input.iter().map(|input| input.previous_output).collect();
    let found = outputs_at(call, outpoints.iter().copied())?;
    let view = wallet.view()?;
    let keyring = view.keyring();
    if keyring.is_locked() {
        return Err(everett_wallet::KeyError::Locked.into());
    }
    let mut outputs: BTreeMap<OutPoint, TxOut> = BTreeMap::new();
    for (outpoint, found) in outpoints.iter().zip(found) {
        let ours = || view.spent_coin(outpoint).map(|coin| coin.output);
        if let Some(output) = found.or_else(ours) {
            outputs.insert(*outpoint, output);
        }
    }
    let mut keys = Keys::default();
    for value in call.maybe(1).map_or(Ok(&[][..]), Json::array)? {
        add_previous(value, &mut outputs, &mut keys, Scripts::MayBeKnown)?;
    }
    let spent = |outpoint: &OutPoint| outputs.get(outpoint).cloned();
    let signed = keyring.sign_transaction(&tx, spent, sighash(call, 2)?)?;
    tx = signed.transaction;
    // What is left may lack other people's keys: ours sign their part.
    let secp = Secp256k1::new();
    for output in signed
        .unsigned
        .iter()
        .filter_map(|index| outputs.get(outpoints.get(*index)?))
    {
        for (_, key) in keyring.private_keys(&output.script_pubkey).iter() {
            keys.add(*key, &secp);
        }
        if let Some(solution) = keyring.solution(&output.script_pubkey) {
            if let Ok(script) = solution.explicit_script() {
                keys.add_script(script.to_p2wsh());
                keys.add_script(script);
            }
            for push in solution.unsigned_script_sig().instructions().flatten() {
                if let Some(bytes) = push.push_bytes() {
                    keys.add_script(bitcoin::ScriptBuf::from_bytes(bytes.as_bytes().to_vec()));
                }
            }
        }
    }
    sign_all(&mut tx, &outputs, &mut keys, hash_type.unwrap_or(0))
}

fn simulate(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let mut made: HashMap<OutPoint, TxOut> = HashMap::new();
    let mut spent: std::collections::HashSet<OutPoint> = Default::default();
    let mut change: i64 = 0;
    let missing = || {
        RpcError::parameter("One or more transaction inputs are missing or have been spent already")
    };
    let too_much =
        || RpcError::parameter("Transaction outputs add up to more than 21 million bitcoin");
    let worth = |output: &TxOut| match output.value <= Amount::MAX_MONEY {
        true => i64::try_from(output.value.to_sat()).map_err(|_| too_much()),
        false => Err(too_much()),
    };
    let mut transactions: Vec<Transaction> = Vec::new();
    for value in call.maybe(0).map_or(Ok(&[][..]), Json::array)? {
        let tx = decode_hex(value.text()?, true, true);
        transactions.push(tx.ok_or_else(|| {
            RpcError::new(
                DESERIALIZATION_ERROR,
                "Transaction hex string decoding failure.",
            )
        })?);
    }
    for tx in &transactions {
        let outpoints: Vec<OutPoint> = tx.input.iter().map(|input| input.previous_output).collect();
        let known = outputs_at(call, outpoints.iter().copied())?;
        let view = wallet.view()?;
        let is_ours = |output: &TxOut| view.keyring().slot_of(&output.script_pubkey).is_some();
        for (outpoint, known) in outpoints.iter().zip(known) {
            let output = made.get(outpoint).cloned().or(known).ok_or_else(missing)?;
            if !spent.insert(*outpoint) {
                return Err(RpcError::parameter(
                    "Transaction(s) are spending the same output more than once",
                ));
            }
            if is_ours(&output) {
                change = change.checked_sub(worth(&output)?).ok_or_else(too_much)?;
            }
        }
        let txid = tx.compute_txid();
        for (vout, output) in tx.output.iter().enumerate() {
            if is_ours(output) {
                change = change.checked_add(worth(output)?).ok_or_else(too_much)?;
            }
            // A transaction has fewer outputs than a u32 counts.
            made.insert(OutPoint::new(txid, vout as u32), output.clone());
        }
    }
    Ok(object! { "balance_change" => amount(change) })
}
