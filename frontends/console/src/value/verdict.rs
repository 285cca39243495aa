//! Owns how the script of an input went, as scripts of the console have it.

use bitcoin::{OutPoint, TxOut, Txid};
use everett_script::policy::Template;
use everett_script::{Flags, ScriptError};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::output::sat;
use crate::book::Book;
use crate::fault::Fault;
use crate::show::{Align, Shown, Table, btc, facts};

/// How the script of one input went.
#[derive(Clone)]
pub(crate) struct Verdict {
    pub(crate) txid: Txid,
    pub(crate) input: usize,
    pub(crate) outpoint: OutPoint,
    pub(crate) output: TxOut,
    pub(crate) flags: Flags,
    pub(crate) result: Result<(), ScriptError>,
}

/// How the scripts of all inputs went.
#[derive(Clone)]
pub(crate) struct Verdicts {
    pub(crate) txid: Txid,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self.result {
            Ok(()) => "ok",
            Err(error) => error.name(),
        }
    }

    fn kind(&self) -> &'static str {
        Template::of(self.output.script_pubkey.as_bytes()).name()
    }
}

impl Shown for Verdict {
    const KIND: &'static str = "Verdict";

    fn line(&self) -> String {
        match self.result {
            Ok(()) => format!("ok: input {} of {}", self.input, self.txid),
            Err(error) => format!(
                "{}: input {} of {}: {error}",
                error.name(),
                self.input,
                self.txid
            ),
        }
    }

    fn text(&self) -> Result<String, Fault> {
        let mut lines = vec![("verdict", self.word().to_owned())];
        if let Err(error) = self.result {
            lines.push(("because", error.to_string()));
        }
        lines.extend([
            ("input", format!("{} of {}", self.input, self.txid)),
            ("spends", self.outpoint.to_string()),
            ("amount", format!("{} BTC", btc(sat(self.output.value)))),
            ("type", self.kind().to_owned()),
            ("flags", self.flags.to_string()),
        ]);
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        let error = self.result.err();
        Ok(json!({
            "ok": error.is_none(),
            "error": error.map(|error| error.name()),
            "message": error.map(|error| error.to_string()),
            "txid": self.txid.to_string(),
            "input": self.input,
            "spends": self.outpoint.to_string(),
            "amount_sat": sat(self.output.value),
            "type": self.kind(),
            "flags": self.flags.to_string(),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("INPUT", Align::Right),
            ("VERDICT", Align::Left),
            ("BTC", Align::Right),
            ("TYPE", Align::Left),
            ("SPENDS", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.input.to_string(),
            self.word().to_owned(),
            btc(sat(self.output.value)),
            self.kind().to_owned(),
            self.outpoint.to_string(),
        ])
    }
}

impl Verdicts {
    fn ok(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.result.is_ok())
    }
}

impl Shown for Verdicts {
    const KIND: &'static str = "Verdicts";

    fn line(&self) -> String {
        let failed = self
            .verdicts
            .iter()
            .filter(|verdict| verdict.result.is_err())
            .count();
        match failed {
            0 => format!("ok: {} inputs of {}", self.verdicts.len(), self.txid),
            failed => format!(
                "{failed} of {} inputs of {} fail",
                self.verdicts.len(),
                self.txid
            ),
        }
    }

    fn text(&self) -> Result<String, Fault> {
        if self.verdicts.is_empty() {
            return Ok("ok: it spends nothing, so there is no script to verify".to_owned());
        }
        let mut table = Table::new(Verdict::columns());
        for verdict in &self.verdicts {
            table.row(verdict.cells()?);
        }
        Ok(format!("{}\n{table}", self.line()))
    }

    fn json(&self) -> Result<Value, Fault> {
        let inputs = self.verdicts.iter().map(Shown::json);
        Ok(json!({
            "ok": self.ok(),
            "txid": self.txid.to_string(),
            "inputs": inputs.collect::<Result<Vec<_>, _>>()?,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("OK", Align::Left),
            ("INPUTS", Align::Right),
            ("TRANSACTION", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.ok().to_string(),
            self.verdicts.len().to_string(),
            self.txid.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<Verdict>(engine, "how the script of an input went")
        .get("ok", "whether it allows the spend", |verdict| {
            Ok(verdict.result.is_ok())
        })
        .get(
            "error",
            "Bitcoin Core's name for the failure, or ()",
            |verdict| {
                Ok(verdict
                    .result
                    .err()
                    .map_or(Dynamic::UNIT, |error| error.name().into()))
            },
        )
        .get("message", "the failure in words, or ()", |verdict| {
            Ok(verdict
                .result
                .err()
                .map_or(Dynamic::UNIT, |error| error.to_string().into()))
        })
        .get("input", "which input", |verdict| Ok(verdict.input as i64))
        .get("outpoint", "what it spends, as txid:vout", |verdict| {
            Ok(verdict.outpoint.to_string())
        })
        .get(
            "amount_sat",
            "the amount that it spends, in satoshis",
            |verdict| Ok(sat(verdict.output.value)),
        )
        .get("type", "what kind of script is spent", |verdict| {
            Ok(verdict.kind())
        })
        .get("flags", "the rules, by Bitcoin Core's names", |verdict| {
            Ok(verdict.flags.to_string())
        });
    book.kind::<Verdicts>(engine, "how the scripts of a transaction's inputs went")
        .get("ok", "whether all of them allow it", |verdicts| {
            Ok(verdicts.ok())
        })
        .get("inputs", "the verdict on each input", |verdicts| {
            Ok(verdicts
                .verdicts
                .iter()
                .cloned()
                .map(Dynamic::from)
                .collect::<Array>())
        });
}
