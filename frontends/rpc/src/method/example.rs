//! Owns the examples in the help: a call as bitcoin-cli makes it, and as JSON.
//! Promises values of the right kind for what a method has to be given. Refuses to promise that a node knows them.

use super::{Argument, Kind, Method, Need};

/// The genesis block of regtest.
const BLOCK: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
/// Values by method and argument, or by argument alone, as JSON.
const VALUES: [(&str, &str); 41] = [
    ("addnode command", "\"add\""),
    ("setban command", "\"add\""),
    (
        "gettxspendingprevout outputs",
        "[{\"txid\":\"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b\",\"vout\":0}]",
    ),
    (
        "verifymessage address",
        "\"mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r\"",
    ),
    ("addpeeraddress address", "\"203.0.113.7\""),
    ("addconnection address", "\"203.0.113.7:18444\""),
    ("createmultisig keys", "[\"KEY\",\"KEY\"]"),
    (
        "blockhash",
        "\"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206\"",
    ),
    (
        "blockhashes",
        "[\"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206\"]",
    ),
    (
        "txid",
        "\"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b\"",
    ),
    (
        "txids",
        "[\"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b\"]",
    ),
    (
        "address",
        "\"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\"",
    ),
    (
        "descriptor",
        "\"addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)#ahu0s7t7\"",
    ),
    (
        "descriptors",
        "[\"addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)\"]",
    ),
    (
        "scanobjects",
        "[\"addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)\"]",
    ),
    ("action", "\"start\""),
    ("hash_or_height", "0"),
    ("height", "0"),
    ("n", "0"),
    ("vout", "0"),
    ("peer_id", "0"),
    ("state", "false"),
    ("subnet", "\"203.0.113.0/24\""),
    ("node", "\"203.0.113.7:18444\""),
    ("port", "18444"),
    ("connection_type", "\"outbound-full-relay\""),
    ("msg_type", "\"addr\""),
    (
        "inputs",
        "[{\"txid\":\"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b\",\"vout\":0}]",
    ),
    (
        "outputs",
        "[{\"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\":0.01}]",
    ),
    ("output", "\"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\""),
    ("transactions", "[\"HEX\"]"),
    ("rawtxs", "[\"HEX\"]"),
    ("package", "[\"HEX\",\"HEX\"]"),
    ("txs", "[\"HEX\",\"HEX\"]"),
    ("privkeys", "[\"KEY\"]"),
    ("template_request", "{\"rules\":[\"segwit\"]}"),
    ("path", "\"utxo.dat\""),
    ("filepath", "\"/path/to/mempool.dat\""),
    ("fee_delta", "10000"),
    ("conf_target", "6"),
    ("timestamp", "1700000000"),
];

/// A value for an argument, as JSON.
fn value(method: &str, argument: &Argument) -> String {
    let name = argument.first_name();
    let of = |key: &str| VALUES.iter().find(|(known, _)| *known == key);
    let known = of(&format!("{method} {name}")).or_else(|| of(name));
    match (known, argument.kind) {
        (Some((_, value)), _) => (*value).to_owned(),
        (None, Kind::Text | Kind::AnyText) => format!("\"{}\"", name.to_uppercase()),
        (None, Kind::Number | Kind::Any) => "1".to_owned(),
        (None, Kind::Bool) => "true".to_owned(),
        (None, Kind::Array) => "[]".to_owned(),
        (None, Kind::Object) => "{}".to_owned(),
    }
}

/// A value as a word of a shell.
fn in_shell(value: &str) -> String {
    match value.starts_with(['[', '{']) {
        true => format!("'{value}'"),
        false => value.to_owned(),
    }
}

impl Method {
    /// Calls of it, one a line.
    pub(super) fn examples(&self) -> String {
        let last = self
            .arguments
            .iter()
            .rposition(|argument| argument.need == Need::Required);
        let needed = &self.arguments[..last.map_or(0, |last| last + 1)];
        let values: Vec<String> = needed
            .iter()
            .map(|argument| value(self.name, argument))
            .collect();
        let mut text = format!("> bitcoin-cli {}", self.name);
        for value in &values {
            text.push(' ');
            text.push_str(&in_shell(value));
        }
        text.push('\n');
        if self.at {
            let named = needed
                .iter()
                .zip(&values)
                .map(|(argument, value)| format!(" {}={}", argument.first_name(), in_shell(value)));
            let named: String = named.collect();
            text.push_str(&format!(
                "> bitcoin-cli -named {}{named} at={BLOCK}\n",
                self.name
            ));
        }
        text.push_str(&format!(
            "> curl --user NAME --data-binary '{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"{}\", \"params\": [{}]}}' \
             -H 'content-type: application/json' http://127.0.0.1:8332/\n",
            self.name,
            values.join(", ")
        ));
        text
    }
}
