//! Owns inputs and outputs as scripts have them.
//! Promises that an input tells what it spends, where that can be known.

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Script, TxIn, TxOut};
use everett_ledger::{Network, ScriptHash};
use everett_script::assembly::to_asm;
use everett_script::policy::Template;
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::Tx;
use crate::book::Book;
use crate::fault::Fault;
use crate::show::{Align, Shown, btc, facts};

/// An input of a transaction.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) tx: Tx,
    pub(crate) index: usize,
}

/// An output, of a transaction or spent by one.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) output: TxOut,
    /// Its number; `None` where it is seen from the input that spends it.
    pub(crate) vout: Option<usize>,
    pub(crate) network: Network,
}

/// The address of a script, if it has one.
pub(crate) fn address(script: &Script, network: Network) -> Option<String> {
    let address = Address::from_script(script, network.to_bitcoin()).ok()?;
    Some(address.to_string())
}

/// An address, or the script's kind and bytes.
pub(crate) fn recipient(script: &Script, network: Network) -> String {
    match address(script, network) {
        Some(address) => address,
        None => format!(
            "{} {}",
            Template::of(script.as_bytes()).name(),
            script.to_hex_string()
        ),
    }
}

/// Satoshis as scripts have them.
pub(crate) fn sat(amount: bitcoin::Amount) -> i64 {
    i64::try_from(amount.to_sat()).unwrap_or(i64::MAX)
}

impl Input {
    fn input(&self) -> &TxIn {
        &self.tx.tx().input[self.index]
    }

    /// What it spends; `None` for a coinbase.
    fn spends(&self) -> Result<Option<Output>, Fault> {
        let mut outputs = self.tx.outputs_spent()?;
        if self.index >= outputs.len() {
            return Ok(None);
        }
        Ok(Some(Output {
            output: outputs.swap_remove(self.index),
            vout: None,
            network: self.tx.context.ledger.params().network,
        }))
    }

    fn witness(&self) -> Vec<String> {
        self.input()
            .witness
            .iter()
            .map(|item| item.to_lower_hex_string())
            .collect()
    }

    /// Its lines in the dump of a transaction.
    pub(super) fn paragraph(&self) -> String {
        let input = self.input();
        let mut text = format!("input {}\n", self.index);
        let mut lines = Vec::new();
        if self.tx.tx().is_coinbase() {
            lines.push(("  spends", "nothing: new coins".to_owned()));
        } else {
            lines.push(("  spends", input.previous_output.to_string()));
        }
        if let Ok(Some(spent)) = self.spends() {
            lines.push(("  of", spent.line()));
        }
        lines.push((
            "  sequence",
            format!("{:#010x}", input.sequence.to_consensus_u32()),
        ));
        if !input.script_sig.is_empty() {
            lines.push(("  script sig", to_asm(&input.script_sig)));
        }
        for item in self.witness() {
            lines.push(("  witness", item));
        }
        text.push_str(&facts(lines));
        text
    }
}

impl Shown for Input {
    const KIND: &'static str = "Input";

    fn line(&self) -> String {
        format!(
            "input {} spends {}",
            self.index,
            self.input().previous_output
        )
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(self.paragraph())
    }

    fn json(&self) -> Result<Value, Fault> {
        let input = self.input();
        let spent = self.spends().ok().flatten();
        Ok(json!({
            "txid": input.previous_output.txid.to_string(),
            "vout": input.previous_output.vout,
            "sequence": input.sequence.to_consensus_u32(),
            "script_sig": input.script_sig.to_hex_string(),
            "witness": self.witness(),
            "spends": spent.map(|output| output.json()).transpose()?,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("INPUT", Align::Right),
            ("BTC", Align::Right),
            ("OF", Align::Left),
            ("SPENDS", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let (amount, of) = match self.spends() {
            Ok(Some(spent)) => (btc(sat(spent.output.value)), spent.recipient()),
            _ => (String::new(), String::new()),
        };
        Ok(vec![
            self.index.to_string(),
            amount,
            of,
            self.input().previous_output.to_string(),
        ])
    }
}

impl Output {
    fn recipient(&self) -> String {
        recipient(&self.output.script_pubkey, self.network)
    }

    /// Its lines in the dump of a transaction.
    pub(super) fn paragraph(&self) -> String {
        let script = &self.output.script_pubkey;
        let mut text = match self.vout {
            Some(vout) => format!("output {vout}\n"),
            None => String::new(),
        };
        let mut lines = vec![("  amount", format!("{} BTC", btc(sat(self.output.value))))];
        if let Some(address) = address(script, self.network) {
            lines.push(("  address", address));
        }
        lines.push(("  type", Template::of(script.as_bytes()).name().to_owned()));
        lines.push(("  script", to_asm(script)));
        text.push_str(&facts(lines));
        text
    }
}

impl Shown for Output {
    const KIND: &'static str = "Output";

    fn line(&self) -> String {
        format!(
            "{} BTC to {}",
            btc(sat(self.output.value)),
            self.recipient()
        )
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(self.paragraph())
    }

    fn json(&self) -> Result<Value, Fault> {
        let script = &self.output.script_pubkey;
        Ok(json!({
            "vout": self.vout,
            "amount_sat": sat(self.output.value),
            "script_pubkey": script.to_hex_string(),
            "type": Template::of(script.as_bytes()).name(),
            "address": address(script, self.network),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("OUTPUT", Align::Right),
            ("BTC", Align::Right),
            ("TYPE", Align::Left),
            ("TO", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let script = &self.output.script_pubkey;
        Ok(vec![
            self.vout.map_or(String::new(), |vout| vout.to_string()),
            btc(sat(self.output.value)),
            Template::of(script.as_bytes()).name().to_owned(),
            address(script, self.network).unwrap_or_else(|| script.to_hex_string()),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<Input>(engine, "an input of a transaction")
        .get("index", "its place, from 0", |input| Ok(input.index as i64))
        .get("outpoint", "what it spends, as txid:vout", |input| {
            Ok(input.input().previous_output.to_string())
        })
        .get("txid", "the transaction that it spends of", |input| {
            Ok(input.input().previous_output.txid.to_string())
        })
        .get("vout", "which output of it", |input| {
            Ok(i64::from(input.input().previous_output.vout))
        })
        .get(
            "spends",
            "the output that it spends; () for a coinbase",
            |input| Ok(input.spends()?.map_or(Dynamic::UNIT, Dynamic::from)),
        )
        .get("sequence", "its sequence number", |input| {
            Ok(i64::from(input.input().sequence.to_consensus_u32()))
        })
        .get("script_sig", "its script in hexadecimal", |input| {
            Ok(input.input().script_sig.to_hex_string())
        })
        .get("asm", "its script in words", |input| {
            Ok(to_asm(&input.input().script_sig))
        })
        .get(
            "witness",
            "its witness, a list of hexadecimal texts",
            |input| {
                Ok(input
                    .witness()
                    .into_iter()
                    .map(Dynamic::from)
                    .collect::<Array>())
            },
        );
    book.kind::<Output>(engine, "an output of a transaction")
        .get(
            "vout",
            "its number, or () where it is seen from its spender",
            |output| {
                Ok(output
                    .vout
                    .map_or(Dynamic::UNIT, |vout| (vout as i64).into()))
            },
        )
        .get("amount_sat", "its value in satoshis", |output| {
            Ok(sat(output.output.value))
        })
        .get("btc", "its value in bitcoin, as text", |output| {
            Ok(btc(sat(output.output.value)))
        })
        .get("script_pubkey", "its script in hexadecimal", |output| {
            Ok(output.output.script_pubkey.to_hex_string())
        })
        .get(
            "script_hash",
            "its script's hash, as Electrum has it",
            |output| Ok(ScriptHash::of(&output.output.script_pubkey).to_string()),
        )
        .get("asm", "its script in words", |output| {
            Ok(to_asm(&output.output.script_pubkey))
        })
        .get(
            "type",
            "what kind of script it is, by Bitcoin Core's names",
            |output| Ok(Template::of(output.output.script_pubkey.as_bytes()).name()),
        )
        .get("address", "its address, or ()", |output| {
            let address = address(&output.output.script_pubkey, output.network);
            Ok(address.map_or(Dynamic::UNIT, Dynamic::from))
        });
}
