//! Owns `-generate`: blocks to a new address of the node's wallet.

use super::convert::{by_position, quoted};
use super::indent::indented;
use super::reply::{Ended, Reply};
use super::session::{CliError, Session, request};

/// Blocks where no number is given.
const DEFAULT_BLOCKS: &str = "1";

/// Makes them.
pub(super) fn run(session: &Session, words: Vec<String>) -> Result<Ended, CliError> {
    let wallet = session.wallet();
    let asked = request("getnewaddress", "[]", &quoted("1"));
    let reply = Reply::read(&session.ask(&asked, wallet.as_deref())?)?;
    let address = match (&reply.error, &reply.result) {
        (None, Some(result)) => serde_json::from_str::<String>(result.get())
            .map_err(|_| CliError::new("getnewaddress gave no address"))?,
        _ => return Ok(reply.ended()),
    };
    let mut words = words;
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
    words.insert(1, address.clone());
    let params = by_position("generatetoaddress", &words).map_err(CliError::new)?;
    let asked = request("generatetoaddress", &params, "1");
    let reply = Reply::read(&session.ask(&asked, wallet.as_deref())?)?;
    match (&reply.error, &reply.result) {
        (None, Some(blocks)) => Ok(Ended::well(indented(&format!(
            r#"{{"address":{},"blocks":{}}}"#,
            quoted(&address),
            blocks.get()
        )))),
        _ => Ok(reply.ended()),
    }
}
