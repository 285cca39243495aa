//! Owns `-getinfo`: how a node is, for people.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use serde_json::Value;
use serde_json::value::RawValue;

use super::reply::{Ended, Reply};
use super::session::{CliError, Session, request};

/// What is asked for, in this order.
const METHODS: [&str; 4] = [
    "getnetworkinfo",
    "getblockchaininfo",
    "getwalletinfo",
    "getbalances",
];
/// A bar is drawn of a node that has come less far.
const UP_TO_DATE: f64 = 0.99;
/// Parts of that bar.
const BAR: usize = 20;
/// The least width of a balance.
const BALANCE_WIDTH: usize = 10;

/// The fields of an object, each as the node wrote it.
#[derive(serde::Deserialize, Default)]
#[serde(transparent)]
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn of(json: Option<&RawValue>) -> Option<Fields> {
        serde_json::from_str(json?.get()).ok()
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(|value| &**value)
    }

    /// A number or a text as it is; nothing of anything else.
    fn text(&self, name: &str) -> String {
        let Some(value) = self.get(name) else {
            return String::new();
        };
        match serde_json::from_str(value.get()) {
            Ok(Value::String(text)) => text,
            Ok(Value::Number(_)) => value.get().to_owned(),
            _ => String::new(),
        }
    }

    fn read<T: serde::de::DeserializeOwned + Default>(&self, name: &str) -> T {
        let value = self.get(name);
        value
            .and_then(|value| serde_json::from_str(value.get()).ok())
            .unwrap_or_default()
    }
}

/// The codes by which a terminal shows colours; empty for none.
struct Colours {
    reset: &'static str,
    green: &'static str,
    blue: &'static str,
    yellow: &'static str,
    magenta: &'static str,
    cyan: &'static str,
}

impl Colours {
    fn new(session: &Session) -> Result<Colours, CliError> {
        let wanted = session.arguments.text("color").unwrap_or("auto".to_owned());
        let on = match wanted.as_str() {
            "always" => true,
            "never" => false,
            "auto" => std::io::stdout().is_terminal(),
            _ => {
                return Err(CliError::new(
                    "Invalid value for -color option. Valid values: always, auto, never.",
                ));
            }
        };
        let code = |code: &'static str| if on { code } else { "" };
        Ok(Colours {
            reset: code("\x1b[0m"),
            green: code("\x1b[32m"),
            blue: code("\x1b[34m"),
            yellow: code("\x1b[33m"),
            magenta: code("\x1b[35m"),
            cyan: code("\x1b[36m"),
        })
    }
}

/// Tells it.
pub(super) fn run(session: &Session, words: &[String]) -> Result<Ended, CliError> {
    if !words.is_empty() {
        return Err(CliError::new("-getinfo takes no arguments"));
    }
    let requests = METHODS.iter().enumerate();
    let requests = requests.map(|(id, method)| request(method, "[]", &id.to_string()));
    let batch = format!("[{}]", requests.collect::<Vec<_>>().join(","));
    let wallet = session.wallet();
    let body = session.ask(&batch, wallet.as_deref())?;
    let replies = Reply::read_batch(&body, METHODS.len())?;
    // A node without a wallet is no failure.
    if let Some(failed) = replies.iter().take(2).find(|reply| reply.error.is_some()) {
        return Ok(failed.ended());
    }
    let balances = match wallet {
        Some(_) => None,
        None => balances(session)?,
    };
    let colours = Colours::new(session)?;
    let result = |index: usize| Fields::of(replies.get(index)?.result.as_deref());
    let (Some(network), Some(chain)) = (result(0), result(1)) else {
        return Err(CliError::new("couldn't parse reply from server"));
    };
    let mut text = about_chain(&chain, &colours);
    text.push_str(&about_network(&network, &colours));
    if let Some(info) = result(2) {
        text.push_str(&about_wallet(&info, &colours));
    }
    if let Some(mine) = result(3).and_then(|fields| Fields::of(fields.get("mine"))) {
        let Colours { cyan, reset, .. } = colours;
        text.push_str(&format!(
            "{cyan}Balance:{reset} {}\n\n",
            mine.text("trusted")
        ));
    }
    if let Some(balances) = balances {
        text.push_str(&about_balances(&balances, &colours));
    }
    let warnings = network.text("warnings");
    let warnings = if warnings.is_empty() {
        "(none)"
    } else {
        &warnings
    };
    let Colours { yellow, reset, .. } = colours;
    text.push_str(&format!("{yellow}Warnings:{reset} {warnings}"));
    Ok(Ended::well(text))
}

fn about_chain(chain: &Fields, colours: &Colours) -> String {
    let Colours { blue, reset, .. } = colours;
    let progress: f64 = chain.read("verificationprogress");
    let bar = match progress {
        0.0..UP_TO_DATE => bar(progress) + " ",
        _ => String::new(),
    };
    format!(
        "{blue}Chain: {}{reset}\nBlocks: {}\nHeaders: {}\nVerification progress: {bar}{:.4}%\nDifficulty: {}\n\n",
        chain.text("chain"),
        chain.text("blocks"),
        chain.text("headers"),
        progress * 100.0,
        chain.text("difficulty")
    )
}

fn bar(progress: f64) -> String {
    let parts = |share: f64| (share * BAR as f64).ceil() as usize;
    let (done, left) = (parts(progress), parts(1.0 - progress));
    format!("{}{}", "\u{2592}".repeat(done), "\u{2591}".repeat(left))
}

fn about_network(network: &Fields, colours: &Colours) -> String {
    let Colours { green, reset, .. } = colours;
    let mut proxies: Vec<(String, Vec<String>)> = Vec::new();
    for known in network.read::<Vec<Value>>("networks") {
        let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
        let (proxy, name) = (text("proxy"), text("name"));
        if proxy.is_empty() {
            continue;
        }
        match proxies.iter_mut().find(|(known, _)| *known == proxy) {
            Some((_, names)) => names.push(name),
            None => proxies.push((proxy, vec![name])),
        }
    }
    let proxies: Vec<String> = proxies
        .iter()
        .map(|(proxy, names)| format!("{proxy} ({})", names.join(", ")))
        .collect();
    let proxies = match proxies.is_empty() {
        true => "n/a".to_owned(),
        false => proxies.join(", "),
    };
    format!(
        "{green}Network: in {}, out {}, total {}{reset}\nVersion: {}\nTime offset (s): {}\nProxies: {proxies}\n\
         Min tx relay fee rate (BTC/kvB): {}\n\n",
        network.text("connections_in"),
        network.text("connections_out"),
        network.text("connections"),
        network.text("version"),
        network.text("timeoffset"),
        network.text("relayfee")
    )
}

fn about_wallet(wallet: &Fields, colours: &Colours) -> String {
    let Colours { magenta, reset, .. } = colours;
    let mut text = format!(
        "{magenta}Wallet: {}{reset}\nKeypool size: {}\n",
        named(&wallet.text("walletname")),
        wallet.text("keypoolsize")
    );
    if wallet.get("unlocked_until").is_some() {
        text += &format!("Unlocked until: {}\n", wallet.text("unlocked_until"));
    }
    text
}

fn named(wallet: &str) -> &str {
    if wallet.is_empty() { "\"\"" } else { wallet }
}

/// The balances of all wallets, where there are several.
fn balances(session: &Session) -> Result<Option<Vec<(String, String)>>, CliError> {
    let reply = Reply::read(&session.ask(&request("listwallets", "[]", "1"), None)?)?;
    let wallets = reply.result.filter(|_| reply.error.is_none());
    let wallets: Vec<String> = wallets
        .and_then(|json| serde_json::from_str(json.get()).ok())
        .unwrap_or_default();
    if wallets.len() <= 1 {
        return Ok(None);
    }
    let mut balances = Vec::new();
    for wallet in wallets {
        let asked = request("getbalances", "[]", "1");
        let reply = Reply::read(&session.ask(&asked, Some(&wallet))?)?;
        let mine = Fields::of(reply.result.as_deref())
            .and_then(|fields| Fields::of(fields.get("mine")))
            .unwrap_or_default();
        balances.push((wallet, mine.text("trusted")));
    }
    Ok(Some(balances))
}

fn about_balances(balances: &[(String, String)], colours: &Colours) -> String {
    let Colours { cyan, reset, .. } = colours;
    let widths = balances.iter().map(|(_, balance)| balance.len());
    let width = widths.max().unwrap_or(0).max(BALANCE_WIDTH);
    let lines = balances
        .iter()
        .map(|(wallet, balance)| format!("{balance:>width$} {}\n", named(wallet)));
    format!("{cyan}Balances{reset}\n{}\n", lines.collect::<String>())
}
