//! Owns `-generate`: blocks to a new address of the node's wallet, or, at a node without wallets, to whom `generate` pays.

use serde_json::Value;

use super::convert::{by_position, quoted};
use super::indent::indented;
use super::reply::{Ended, Reply};
use super::session::{CliError, Session, request};

/// Blocks where no number is given.
const DEFAULT_BLOCKS: &str = "1";
/// The code with which a node says that it has no such method: it has no wallets.
const METHOD_NOT_FOUND: i64 = -32601;

/// Makes them.
pub(super) fn run(session: &Session, words: Vec<String>) -> Result<Ended, CliError> {
    let wallet = session.wallet();
    let reply = ask(session, "getnewaddress", "[]")?;
    let address = match (&reply.error, &reply.result) {
        (None, Some(result)) => Some(
            serde_json::from_str::<String>(result.get())
                .map_err(|_| CliError::new("getnewaddress gave no address"))?,
        ),
        (Some(error), _) if code(error.get()) == Some(METHOD_NOT_FOUND) && wallet.is_none() => None,
        _ => return Ok(reply.ended()),
    };
    let words = checked(words)?;
    let Some(address) = address else {
        return without_wallet(session, &words);
    };
    let mut words = words;
    words.insert(1, address.clone());
    let params = by_position("generatetoaddress", &words).map_err(CliError::new)?;
    let reply = ask(session, "generatetoaddress", &params)?;
    Ok(told(&reply, &quoted(&address)))
}

/// How many blocks, and perhaps how many tries.
fn checked(mut words: Vec<String>) -> Result<Vec<String>, CliError> {
    if words.len() > 2 {
        return Err(CliError::new(
            "too many arguments (maximum 2 for nblocks and maxtries)",
        ));
    }
    match words.first().map(String::as_str) {
        None => words.push(DEFAULT_BLOCKS.to_owned()),
        Some("0") => {
            return Err(CliError::new(
                "the first argument (number of blocks to generate, default: 1) must be an integer value greater than zero",
            ));
        }
        Some(_) => {}
    }
    Ok(words)
}

/// Makes them for whom the node says; the blocks tell who that is.
fn without_wallet(session: &Session, words: &[String]) -> Result<Ended, CliError> {
    let params = by_position("generate", words).map_err(CliError::new)?;
    let made = ask(session, "generate", &params)?;
    let hashes: Vec<String> = match &made.result {
        Some(result) => serde_json::from_str(result.get()).unwrap_or_default(),
        None => Vec::new(),
    };
    let Some(first) = hashes.first() else {
        return Ok(told(&made, "null"));
    };
    let block = ask(session, "getblock", &format!("[{},2]", quoted(first)))?;
    let block: Option<Value> =
        (block.result.as_ref()).and_then(|result| serde_json::from_str(result.get()).ok());
    let address = block.and_then(|block| {
        let address = block.pointer("/tx/0/vout/0/scriptPubKey/address")?;
        Some(address.to_string())
    });
    Ok(told(&made, address.as_deref().unwrap_or("null")))
}

fn ask(session: &Session, method: &str, params: &str) -> Result<Reply, CliError> {
    let wallet = session.wallet();
    let asked = request(method, params, &quoted("1"));
    Reply::read(&session.ask(&asked, wallet.as_deref())?)
}

/// The blocks, and whom they pay.
fn told(reply: &Reply, address: &str) -> Ended {
    match (&reply.error, &reply.result) {
        (None, Some(blocks)) => Ended::well(indented(&format!(
            r#"{{"address":{address},"blocks":{}}}"#,
            blocks.get()
        ))),
        _ => reply.ended(),
    }
}

fn code(error: &str) -> Option<i64> {
    let error: Value = serde_json::from_str(error).ok()?;
    error.get("code")?.as_i64()
}
