//! Owns the options of methods that make payments.
//! Promises that one which is not known, or of the wrong type, is refused before anything is looked at.

use std::collections::{HashMap, HashSet};

use bitcoin::hex::FromHex;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{OutPoint, PublicKey, ScriptBuf, TxIn, TxOut};
use everett_mempool::FeeRate;
use everett_wallet::OutputType;
use everett_wallet::spend::{ChangeTo, FeeChoice, In, MAX_WEIGHT, Payee, Request, Scope};
use miniscript::descriptor::DefiniteDescriptorKey;
use miniscript::{Descriptor, Legacy, Miniscript, Segwitv0};

use super::fee::{CONF_TARGET, ESTIMATE_MODE, FEE_RATE, Said};
use crate::address;
use crate::call::{Call, parse_txid};
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::json::Json;
use crate::method::{Argument, Kind};
use crate::rawtransactions::{outputs_at, parse_amount};
use crate::wallet::coins::check_options;

/// Sequence numbers at or below this say that a transaction may be replaced (BIP125).
const SIGNALS: u32 = 0xffff_fffd;
/// Weight units of the least that an input takes up.
const MIN_INPUT_WEIGHT: u64 = 165;

pub(in super::super) const IN: Argument = Argument::default(
    "in",
    Kind::Text,
    "\"all\"",
    "In which worlds the coins have to exist: \"all\", so that the payment is as good whichever branch wins, or \"best\"",
);

pub(in super::super) const OPTIONS: &[Argument] = &[
    Argument::optional(
        "add_inputs",
        Kind::Bool,
        "Whether coins are added to those that are named",
    ),
    Argument::default(
        "include_unsafe",
        Kind::Bool,
        "false",
        "Whether coins that others are about to pay may be added",
    ),
    Argument::default(
        "minconf",
        Kind::Number,
        "0",
        "Fewest confirmations of coins that are added",
    ),
    Argument::default(
        "maxconf",
        Kind::Number,
        "9999999",
        "Most confirmations of coins that are added",
    ),
    Argument::default(
        "add_to_wallet",
        Kind::Bool,
        "true",
        "Whether it is sent rather than only shown",
    ),
    Argument::optional(
        "change_address|changeAddress",
        Kind::Text,
        "Where change goes",
    ),
    Argument::optional(
        "change_position|changePosition",
        Kind::Number,
        "The place of the change among the outputs",
    ),
    Argument::optional("change_type", Kind::Text, "The kind of address for change"),
    FEE_RATE,
    Argument::optional("feeRate", Kind::Any, "Bitcoins for 1,000 virtual bytes"),
    Argument::default(
        "include_watching|includeWatching",
        Kind::Bool,
        "false",
        "(DEPRECATED) Has no effect",
    ),
    Argument::optional(
        "inputs",
        Kind::Array,
        "Coins to spend: txid, vout, and sequence and weight where they matter",
    ),
    Argument::optional(
        "input_weights",
        Kind::Array,
        "Weights of inputs: txid, vout, weight",
    ),
    Argument::optional("locktime", Kind::Number, "The lock time"),
    Argument::default(
        "lock_unspents|lockUnspents",
        Kind::Bool,
        "false",
        "Whether the coins are locked",
    ),
    Argument::default(
        "psbt",
        Kind::Bool,
        "false",
        "Whether a PSBT is told and nothing is sent",
    ),
    Argument::default(
        "send_max",
        Kind::Bool,
        "false",
        "Whether coins stay that cost more than they are worth",
    ),
    Argument::default(
        "subtract_fee_from_outputs|subtractFeeFromOutputs",
        Kind::Array,
        "[]",
        "Places of the outputs that pay the fee",
    ),
    CONF_TARGET,
    ESTIMATE_MODE,
    Argument::optional(
        "replaceable",
        Kind::Bool,
        "Whether it says that it may be replaced (BIP125)",
    ),
    Argument::optional(
        "solving_data",
        Kind::Object,
        "What solves coins that are not the wallet's: descriptors, pubkeys",
    ),
    Argument::default(
        "max_tx_weight",
        Kind::Number,
        "400000",
        "Most weight units of the transaction",
    ),
    Argument::optional("version", Kind::Number, "The version of the transaction"),
    IN,
];

/// The names of options, also the old ones, and their types where those are checked.
pub(in super::super) fn known(
    options: &[Argument],
) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    options.iter().flat_map(|option| {
        let names = option.names.split('|');
        names.map(|name| (name, option.kind.expected()))
    })
}

static EMPTY: Json = Json::Object(Vec::new());

/// The options of one call.
#[derive(Clone, Copy)]
pub(in super::super) struct Options<'a>(&'a Json);

/// In which worlds coins have to exist.
pub(in super::super) fn parse_scope(value: Option<&Json>) -> Result<Scope, RpcError> {
    match value.map(Json::text).transpose()? {
        None | Some("all") => Ok(Scope::AllWorlds),
        Some("best") => Ok(Scope::Best),
        Some(other) => Err(RpcError::parameter(format!(
            "in must be \"all\", for coins of every live world, or \"best\" (not '{other}')"
        ))),
    }
}

/// Who is paid by these outputs; `paying`: the places of those that pay the fee.
pub(in super::super) fn payees(outputs: Vec<TxOut>, paying: &[usize]) -> Vec<Payee> {
    let paying: HashSet<usize> = paying.iter().copied().collect();
    let payee = |(index, output): (usize, TxOut)| Payee {
        script_pubkey: output.script_pubkey,
        amount: output.value,
        pays_fee: paying.contains(&index),
        shares: false,
    };
    outputs.into_iter().enumerate().map(payee).collect()
}

/// The names of outputs that are described, in their order.
pub(in super::super) fn names(outputs: &Json) -> Vec<&str> {
    match outputs {
        Json::Object(fields) => fields.iter().map(|(name, _)| name.as_str()).collect(),
        Json::Array(items) => items
            .iter()
            .flat_map(|item| item.object().unwrap_or_default())
            .map(|(name, _)| name.as_str())
            .collect(),
        _ => Vec::new(),
    }
}

/// The places of the outputs that pay the fee, said by place or by address.
pub(in super::super) fn paying(
    said: Option<&Json>,
    names: &[&str],
) -> Result<Vec<usize>, RpcError> {
    let mut places: Vec<usize> = Vec::new();
    let mut known: HashSet<usize> = HashSet::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        by_name.entry(name).or_insert(place);
    }
    let fail = |why: String| {
        Err(RpcError::parameter(format!(
            "Invalid parameter 'subtract fee from output', {why}"
        )))
    };
    for value in said.map_or(Ok(&[][..]), Json::array)? {
        let place: i64 = match value {
            Json::Text(name) => match by_name.get(name.as_str()) {
                Some(place) => *place as i64,
                None => return fail(format!("destination {name} not found in tx outputs")),
            },
            Json::Number(_) => value.int()?,
            other => return fail(format!("invalid value type: {}", other.type_name())),
        };
        let Ok(index) = usize::try_from(place) else {
            return fail(format!("negative position: {place}"));
        };
        if !known.insert(index) {
            return fail(format!("duplicated position: {place}"));
        }
        if index >= names.len() {
            return fail(format!("position too large: {place}"));
        }
        places.push(index);
    }
    Ok(places)
}

/// A coin that is named: txid and vout.
pub(in super::super) fn parse_outpoint(value: &Json) -> Result<OutPoint, RpcError> {
    value.object()?;
    let txid = parse_txid(value.get("txid"), "txid")?;
    let vout = value.get("vout");
    if !matches!(vout, Json::Number(_)) {
        return Err(RpcError::parameter("Invalid parameter, missing vout key"));
    }
    let vout = u32::try_from(vout.int::<i64>()?)
        .map_err(|_| RpcError::parameter("Invalid parameter, vout cannot be negative"))?;
    Ok(OutPoint::new(txid, vout))
}

fn parse_weight(value: &Json) -> Result<u64, RpcError> {
    match value.int::<i64>()? {
        weight if weight < MIN_INPUT_WEIGHT as i64 => Err(RpcError::parameter(format!(
            "Invalid parameter, weight cannot be less than {MIN_INPUT_WEIGHT} (41 bytes (size of outpoint + sequence + empty scriptSig) * 4 \
             (witness scaling factor)) + 1 (empty witness)"
        ))),
        weight if weight > MAX_WEIGHT as i64 => Err(RpcError::parameter(format!(
            "Invalid parameter, weight cannot be greater than the maximum standard tx weight of {MAX_WEIGHT}"
        ))),
        weight => Ok(weight as u64),
    }
}

/// A coin to spend, as it is described.
pub(in super::super) fn parse_wanted(value: &Json) -> Result<In, RpcError> {
    let outpoint = parse_outpoint(value)?;
    let sequence = match value.get("sequence") {
        given @ Json::Number(_) => Some(u32::try_from(given.int::<i64>()?).map_err(|_| {
            RpcError::parameter("Invalid parameter, sequence number is out of range")
        })?),
        _ => None,
    };
    let weight = value.find("weight").map(parse_weight).transpose()?;
    Ok(In {
        outpoint,
        sequence,
        weight,
    })
}

impl<'a> Options<'a> {
    /// Those that were given, all of them known.
    pub(in super::super) fn read(given: Option<&'a Json>) -> Result<Options<'a>, RpcError> {
        let known: Vec<_> = known(OPTIONS).collect();
        Options::read_of(given, &known)
    }

    /// Those that were given, all of them among these.
    pub(in super::super) fn read_of(
        given: Option<&'a Json>,
        known: &[(&str, Option<&str>)],
    ) -> Result<Options<'a>, RpcError> {
        let given = given.unwrap_or(&EMPTY);
        // Of old a boolean stood here that has no effect any more.
        let given = match given {
            Json::Bool(_) => &EMPTY,
            given => given,
        };
        check_options(given, known)?;
        Ok(Options(given))
    }

    /// One that was given.
    pub(in super::super) fn get(self, name: &str) -> Option<&'a Json> {
        self.0.find(name).filter(|value| !value.is_null())
    }

    /// One that has two names.
    fn either(self, name: &str, old: &str) -> Option<&'a Json> {
        self.get(name).or_else(|| self.get(old))
    }

    pub(in super::super) fn bool_or(self, name: &str, default: bool) -> Result<bool, RpcError> {
        self.get(name).map_or(Ok(default), Json::bool)
    }

    /// Whether the coins that are taken are locked.
    pub(in super::super) fn locks(self) -> Result<bool, RpcError> {
        let said = self.either("lock_unspents", "lockUnspents");
        said.map_or(Ok(false), Json::bool)
    }

    /// What was said of the fee, here or as arguments of their own.
    pub(in super::super) fn fee(self, arguments: Said<'a>) -> Result<Said<'a>, RpcError> {
        let here = self.get("conf_target").is_some() || self.get("estimate_mode").is_some();
        if here && (arguments.target.is_some() || arguments.mode.is_some()) {
            return Err(RpcError::parameter(
                "Pass conf_target and estimate_mode either as arguments or in the options object, but not both",
            ));
        }
        if self.get("fee_rate").is_some() && arguments.rate.is_some() {
            return Err(RpcError::parameter(
                "Pass the fee_rate either as an argument, or in the options object, but not both",
            ));
        }
        Ok(Said {
            target: arguments.target.or_else(|| self.get("conf_target")),
            mode: arguments.mode.or_else(|| self.get("estimate_mode")),
            rate: arguments.rate.or_else(|| self.get("fee_rate")),
        })
    }

    /// Brings all that is said here of coins, change and fee into a request.
    pub(in super::super) fn apply(
        self,
        call: &Call,
        arguments: Said<'a>,
        request: &mut Request,
    ) -> Result<(), RpcError> {
        let said = self.fee(arguments)?;
        request.fee = match self.get("feeRate") {
            None => said.choice()?,
            Some(rate) => {
                let fail =
                    |why: &str| Err(RpcError::parameter(format!("Cannot specify both {why}")));
                if said.rate.is_some() {
                    return fail("fee_rate (sat/vB) and feeRate (BTC/kvB)");
                }
                if said.target.is_some() {
                    return fail(
                        "conf_target and feeRate. Please provide either a confirmation target in blocks for automatic fee estimation, or \
                         an explicit fee rate.",
                    );
                }
                if said.mode.is_some() {
                    return fail("estimate_mode and feeRate");
                }
                // Bitcoins for 1,000 virtual bytes: satoshis of them.
                let rate = parse_amount(rate)?.to_sat().cast_signed();
                FeeChoice::AnyRate(FeeRate::per_kvb(rate))
            }
        };
        // Who names a coin means it: a lock keeps it from being taken unasked.
        request.use_locked = true;
        request.scope = parse_scope(self.get("in"))?;
        self.change(call, request)?;
        if let Some(inputs) = self.get("inputs") {
            for value in inputs.array()? {
                request.inputs.push(parse_wanted(value)?);
            }
        }
        let mut places: HashMap<OutPoint, usize> = HashMap::new();
        for (place, wanted) in request.inputs.iter().enumerate() {
            places.entry(wanted.outpoint).or_insert(place);
        }
        for value in self.get("input_weights").map_or(Ok(&[][..]), Json::array)? {
            let outpoint = parse_outpoint(value)?;
            let weight = value
                .find("weight")
                .filter(|weight| matches!(weight, Json::Number(_)));
            let weight = weight
                .ok_or_else(|| RpcError::parameter("Invalid parameter, missing weight key"))
                .and_then(parse_weight)?;
            match places.get(&outpoint) {
                Some(place) => request.inputs[*place].weight = Some(weight),
                // As in Core, who says what an input weighs wants it.
                None => {
                    places.insert(outpoint, request.inputs.len());
                    request.inputs.push(In {
                        outpoint,
                        sequence: None,
                        weight: Some(weight),
                    });
                }
            }
        }
        if let Some(data) = self.get("solving_data") {
            solve(call, data, &mut request.inputs)?;
        }
        request.add_inputs = self.bool_or("add_inputs", request.add_inputs)?;
        request.include_unsafe = self.bool_or("include_unsafe", false)?;
        let depth = |name: &str, default: u32| match self.get(name) {
            None => Ok(default),
            Some(value) => u32::try_from(value.int::<i64>()?)
                .map_err(|_| RpcError::parameter(format!("Negative {name}"))),
        };
        request.min_confirmations = depth("minconf", request.min_confirmations)?;
        request.max_confirmations = depth("maxconf", request.max_confirmations)?;
        if request.max_confirmations < request.min_confirmations {
            return Err(RpcError::parameter(format!(
                "maxconf can't be lower than minconf: {} < {}",
                request.max_confirmations, request.min_confirmations
            )));
        }
        if let Some(lock_time) = self.get("locktime") {
            let lock_time = u32::try_from(lock_time.int::<i64>()?);
            let lock_time = lock_time
                .map_err(|_| RpcError::parameter("Invalid parameter, locktime out of range"))?;
            request.lock_time = Some(lock_time);
        }
        if let Some(version) = self.get("version") {
            request.version = parse_version(version)?;
        }
        // As in Core, but where all is sent, who names a rate may have to raise it later.
        request.replaceable |= said.rate.is_some() && !request.everything;
        if let Some(replaceable) = self.get("replaceable") {
            request.replaceable = replaceable.bool()?;
            let signals = |wanted: &In| wanted.sequence.is_none_or(|sequence| sequence <= SIGNALS);
            let all = request.inputs.iter().all(signals);
            if request.replaceable && !all {
                return Err(RpcError::parameter(
                    "Invalid parameter combination: Sequence number(s) contradict replaceable option",
                ));
            }
        }
        Ok(())
    }

    fn change(self, call: &Call, request: &mut Request) -> Result<(), RpcError> {
        let network = call.ledger().params().network.to_bitcoin();
        if let Some(text) = self.either("change_address", "changeAddress") {
            let parsed = address::parse(text.text()?, network).map_err(|_| {
                RpcError::new(
                    INVALID_ADDRESS_OR_KEY,
                    "Change address must be a valid bitcoin address",
                )
            })?;
            if self.get("change_type").is_some() {
                return Err(RpcError::parameter(
                    "Cannot specify both change address and address type options",
                ));
            }
            request.change = ChangeTo::Script(parsed.script_pubkey());
        }
        if let Some(kind) = self.0.find("change_type") {
            request.change = ChangeTo::Kind(parse_kind(kind.text()?)?);
        }
        if let Some(place) = self.either("change_position", "changePosition") {
            let place: i64 = place.int()?;
            let place = usize::try_from(place).ok();
            let place = place.filter(|place| *place <= request.payees.len());
            request.change_position =
                Some(place.ok_or_else(|| RpcError::parameter("changePosition out of bounds"))?);
        }
        Ok(())
    }

    /// Most weight units of the transaction.
    pub(in super::super) fn most_weight(self) -> Result<u64, RpcError> {
        let Some(value) = self.get("max_tx_weight") else {
            return Ok(MAX_WEIGHT);
        };
        // What cannot be one is refused when the payment is planned.
        let weight: i32 = value.int()?;
        Ok(weight.max(0).unsigned_abs().into())
    }

    /// Refuses the names that options had before, and a target without saying how to estimate.
    pub(in super::super) fn check_names(self, arguments: Said<'_>) -> Result<(), RpcError> {
        let said = self.fee(arguments)?;
        let mode = said.mode.map(Json::text).transpose()?;
        if said.target.is_some() && mode.is_none_or(|mode| mode == "unset") {
            return Err(RpcError::parameter("Specify estimate_mode"));
        }
        for (old, new) in [
            ("feeRate", "fee_rate (sat/vB)"),
            ("changeAddress", "change_address"),
            ("changePosition", "change_position"),
            ("lockUnspents", "lock_unspents"),
            ("subtractFeeFromOutputs", "subtract_fee_from_outputs"),
        ] {
            if self.get(old).is_some() {
                return Err(RpcError::parameter(format!("Use {new} instead of {old}")));
            }
        }
        Ok(())
    }

    /// Refuses weights of inputs here, where each input can have its own.
    pub(in super::super) fn check_weights(self) -> Result<(), RpcError> {
        match self.get("input_weights") {
            None => Ok(()),
            Some(_) => Err(RpcError::parameter(
                "Input weights should be specified in inputs rather than in options.",
            )),
        }
    }

    /// The places of the outputs that pay the fee.
    pub(in super::super) fn paying(self, names: &[&str]) -> Result<Vec<usize>, RpcError> {
        paying(
            self.either("subtract_fee_from_outputs", "subtractFeeFromOutputs"),
            names,
        )
    }
}

/// Finds how large inputs will be that are not the wallet's, by descriptors and keys that somebody knows of them.
fn solve(call: &Call, data: &Json, inputs: &mut [In]) -> Result<(), RpcError> {
    let mut texts: Vec<String> = Vec::new();
    for key in data.find("pubkeys").map_or(Ok(&[][..]), Json::array)? {
        let key = parse_key(key.text()?)?;
        let forms = [
            "pkh(K)",
            "wpkh(K)",
            "sh(wpkh(K))",
            "sh(pkh(K))",
            "wsh(pkh(K))",
            "sh(wsh(pkh(K)))",
        ];
        texts.extend(forms.map(|form| form.replace('K', &key.to_string())));
    }
    let mut weights: HashMap<ScriptBuf, u64> = HashMap::new();
    for script in data.find("scripts").map_or(Ok(&[][..]), Json::array)? {
        let text = script.text()?;
        let bytes = Vec::from_hex(text)
            .map_err(|_| RpcError::new(INVALID_ADDRESS_OR_KEY, format!("'{text}' is not hex")))?;
        let mut note = |descriptor: Result<Descriptor<PublicKey>, miniscript::Error>| {
            if let Ok(descriptor) = descriptor
                && let Ok(satisfied) = descriptor.max_weight_to_satisfy()
            {
                let weight = TxIn::default().segwit_weight() + satisfied;
                weights.insert(descriptor.script_pubkey(), weight.to_wu());
            }
        };
        // What it is within: by its hash, or by that of its witness program.
        let script = ScriptBuf::from_bytes(bytes);
        if let Ok(inner) = Miniscript::<PublicKey, Segwitv0>::decode(&script) {
            note(Descriptor::new_wsh(inner.clone()));
            note(Descriptor::new_sh_wsh(inner));
        }
        if let Ok(inner) = Miniscript::<PublicKey, Legacy>::decode(&script) {
            note(Descriptor::new_sh(inner));
        }
    }
    for text in data.find("descriptors").map_or(Ok(&[][..]), Json::array)? {
        texts.push(text.text()?.to_owned());
    }
    for text in texts {
        let descriptor = parse_solution(&text).map_err(|error| {
            RpcError::parameter(format!("Unable to parse descriptor '{text}': {error}"))
        })?;
        if let Ok(satisfied) = descriptor.max_weight_to_satisfy() {
            let weight = TxIn::default().segwit_weight() + satisfied;
            weights.insert(descriptor.script_pubkey(), weight.to_wu());
        }
    }
    let outpoints = inputs.iter().map(|wanted| wanted.outpoint);
    let outputs = outputs_at(call, outpoints)?;
    for (wanted, output) in inputs.iter_mut().zip(outputs) {
        let known = output.and_then(|output| weights.get(&output.script_pubkey).copied());
        wanted.weight = wanted.weight.or(known);
    }
    Ok(())
}

/// A descriptor of one script; private keys in it are only looked at for their public ones.
fn parse_solution(text: &str) -> Result<Descriptor<DefiniteDescriptorKey>, miniscript::Error> {
    let secp = Secp256k1::signing_only();
    let (descriptor, _) = Descriptor::parse_descriptor(&secp, text)?;
    let at = descriptor.at_derivation_index(0);
    at.map_err(|error| miniscript::Error::Unexpected(error.to_string()))
}

/// A public key that somebody knows of a coin.
fn parse_key(text: &str) -> Result<PublicKey, RpcError> {
    let fail = |why: &str| {
        RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            format!("Pubkey \"{text}\" must {why}"),
        )
    };
    let bytes = Vec::<u8>::from_hex(text).map_err(|_| fail("be a hex string"))?;
    if ![33, 65].contains(&bytes.len()) {
        return Err(fail("have a length of either 33 or 65 bytes"));
    }
    PublicKey::from_slice(&bytes).map_err(|_| fail("be cryptographically valid."))
}

/// A kind of addresses by its name.
fn parse_kind(text: &str) -> Result<OutputType, RpcError> {
    text.parse().map_err(|_| {
        RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            format!("Unknown change type '{text}'"),
        )
    })
}

/// A version that is relayed.
pub(in super::super) fn parse_version(value: &Json) -> Result<i32, RpcError> {
    match value.int::<i64>()? {
        version @ 1..=3 => Ok(version as i32),
        _ => Err(RpcError::parameter(
            "Invalid parameter, version out of range(1~3)",
        )),
    }
}
