//! Owns `-addrinfo`: how many addresses the node knows, by network.

use serde_json::Value;

use super::indent::indented;
use super::reply::{Ended, Reply};
use super::session::{CliError, Session, request};

/// The code of an error by which a node says that it has no such method.
const NO_METHOD: i64 = -32601;

/// Counts them.
pub(super) fn run(session: &Session, words: &[String]) -> Result<Ended, CliError> {
    if !words.is_empty() {
        return Err(CliError::new("-addrinfo takes no arguments"));
    }
    let asked = request("getaddrmaninfo", "[]", "1");
    let reply = Reply::read(&session.ask(&asked, session.wallet().as_deref())?)?;
    if reply.code() == Some(NO_METHOD) {
        return Err(CliError::new(
            "-addrinfo requires a node that has the getaddrmaninfo method, such as bitcoind v26.0 or later.",
        ));
    }
    let Some(result) = reply.result.as_ref().filter(|_| reply.error.is_none()) else {
        return Ok(reply.ended());
    };
    let networks: serde_json::Map<String, Value> = serde_json::from_str(result.get())
        .map_err(|_| CliError::new("couldn't parse reply from server"))?;
    // Core's order, in which the sum is the last.
    const ORDER: [&str; 6] = ["ipv4", "ipv6", "onion", "i2p", "cjdns", "all_networks"];
    let fields = ORDER.iter().filter_map(|name| {
        let total = networks.get(*name)?["total"].as_i64()?;
        let name = name.replace("all_networks", "total");
        Some(format!(r#""{name}":{total}"#))
    });
    let fields: Vec<String> = fields.collect();
    Ok(Ended::well(indented(&format!(
        r#"{{"addresses_known":{{{}}}}}"#,
        fields.join(",")
    ))))
}
