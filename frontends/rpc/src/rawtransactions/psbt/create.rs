//! Owns the making of PSBTs.

use bitcoin::{ScriptBuf, Witness};

use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::rawtransactions::create::{INPUTS, LOCKTIME, OUTPUTS, REPLACEABLE, VERSION, construct};
use crate::transaction::decode_hex;

const PSBT_VERSION: Argument = Argument::default(
    "psbt_version",
    Kind::Number,
    "2",
    "The version of the PSBT, 0 or 2",
);

pub(in crate::rawtransactions) static CREATEPSBT: Method = Method {
    name: "createpsbt",
    category: Category::Rawtransactions,
    about: "A PSBT that spends and pays what is said.",
    arguments: &[
        INPUTS,
        OUTPUTS,
        LOCKTIME,
        REPLACEABLE,
        VERSION,
        PSBT_VERSION,
    ],
    result: "\"str\"    (string) The PSBT in base 64",
    at: false,
    run: Run::Read(create),
};

fn psbt_version(call: &Call, place: usize) -> Result<u32, RpcError> {
    match call.int_or(place, 2)? {
        version @ (0 | 2) => Ok(version),
        _ => Err(RpcError::parameter("The PSBT version can only be 2 or 0")),
    }
}

fn create(call: &Call) -> Answer {
    let transaction = construct(call)?;
    let version = psbt_version(call, 5)?;
    Ok(Partial::new(transaction, version)?.text().into())
}

pub(in crate::rawtransactions) static CONVERTTOPSBT: Method = Method {
    name: "converttopsbt",
    category: Category::Rawtransactions,
    about: "A PSBT of a transaction.",
    arguments: &[
        Argument::required("hexstring", Kind::Text, "The transaction"),
        Argument::default(
            "permitsigdata",
            Kind::Bool,
            "false",
            "Whether signatures are thrown away rather than refused",
        ),
        Argument::optional(
            "iswitness",
            Kind::Bool,
            "Whether it is written with witnesses",
        ),
        PSBT_VERSION,
    ],
    result: "\"str\"    (string) The PSBT in base 64",
    at: false,
    run: Run::Read(convert),
};

fn convert(call: &Call) -> Answer {
    let permitted = call.bool_or(1, false)?;
    let witness = call.maybe(2).map(Json::bool).transpose()?;
    let undecodable = |message: &str| RpcError::new(DESERIALIZATION_ERROR, message);
    let mut transaction = decode_hex(call.text(0)?, witness != Some(true), witness != Some(false))
        .ok_or_else(|| undecodable("TX decode failed"))?;
    for input in &mut transaction.input {
        let bare = input.script_sig.is_empty() && input.witness.is_empty();
        if !bare && !permitted {
            return Err(undecodable(
                "Inputs must not have scriptSigs and scriptWitnesses",
            ));
        }
        input.script_sig = ScriptBuf::new();
        input.witness = Witness::new();
    }
    let version = psbt_version(call, 3)?;
    Ok(Partial::new(transaction, version)?.text().into())
}
