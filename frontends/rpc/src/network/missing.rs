//! Owns methods of Core about what this node does not do: there, so that whoever calls one hears why.

use crate::error::{METHOD_NOT_FOUND, RpcError};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// What is said of private broadcast. Core has the same code where it is switched off.
fn no_private_broadcast() -> Answer {
    Err(RpcError::new(
        METHOD_NOT_FOUND,
        "Private broadcast is not enabled. Transactions are announced to all peers here; -privatebroadcast is not supported.",
    ))
}

pub(super) static GETPRIVATEBROADCASTINFO: Method = Method {
    name: "getprivatebroadcastinfo",
    category: Category::Rawtransactions,
    about: "Would tell of transactions that are handed to single peers over Tor. That is not done here: it is always \
            refused.",
    arguments: &[],
    result: "{\"transactions\": [...]}    (json object) In Core",
    at: false,
    run: Run::Read(|_| no_private_broadcast()),
};

pub(super) static ABORTPRIVATEBROADCAST: Method = Method {
    name: "abortprivatebroadcast",
    category: Category::Rawtransactions,
    about: "Would take a transaction back that is handed to single peers over Tor. That is not done here: it is always \
            refused.",
    arguments: &[Argument::required(
        "id",
        Kind::Text,
        "The transaction, by its txid or wtxid",
    )],
    result: "{\"removed_transactions\": [...]}    (json object) In Core",
    at: false,
    run: Run::Read(|_| no_private_broadcast()),
};

pub(super) static EXPORTASMAP: Method = Method {
    name: "exportasmap",
    category: Category::Network,
    about: "Would write the built-in map of autonomous systems. There is none here: it is always refused.",
    arguments: &[Argument::required("path", Kind::Text, "The file")],
    result: "{\"path\", \"bytes_written\", \"file_hash\"}    (json object) In Core",
    at: false,
    run: Run::Read(|call| {
        call.arg(0).text().and(Err::<Json, _>(RpcError::misc(
            "No embedded ASMap data available",
        )))
    }),
};
