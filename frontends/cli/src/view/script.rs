//! Owns how a script is shown.

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Script};
use everett_ledger::{Network, ScriptHash};
use everett_script::policy::Template;
use everett_script::{assembly, legacy_sigops};
use serde::Serialize;

use crate::output::View;

/// What a script says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ScriptView {
    pub(crate) hex: String,
    pub(crate) size_bytes: usize,
    /// As Bitcoin Core's RPC shows it.
    pub(crate) asm: String,
    /// Core's name for the kind of script pubkey.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Whether Core relays a transaction that pays to it.
    pub(crate) standard: bool,
    pub(crate) network: String,
    /// Its address on that network, if it has one.
    pub(crate) address: Option<String>,
    /// Signature operations as a script pubkey: each OP_CHECKMULTISIG counts for 20.
    pub(crate) sigops: usize,
    /// The same as a redeem or witness script: each counts for its keys, where their number is plain.
    pub(crate) sigops_accurate: usize,
    /// As Electrum has it.
    pub(crate) script_hash: String,
    /// What a multisig asks for.
    pub(crate) multisig: Option<MultisigView>,
    /// Version and program of a witness program.
    pub(crate) witness_program: Option<WitnessProgramView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct MultisigView {
    pub(crate) required: usize,
    /// Hexadecimal.
    pub(crate) keys: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WitnessProgramView {
    pub(crate) version: u8,
    /// Hexadecimal.
    pub(crate) program: String,
}

impl ScriptView {
    pub(crate) fn new(script: &Script, network: Network) -> ScriptView {
        let template = Template::of(script.as_bytes());
        let multisig = match &template {
            Template::Multisig { required, keys } => Some(MultisigView {
                required: *required,
                keys: keys.iter().map(|key| key.to_lower_hex_string()).collect(),
            }),
            _ => None,
        };
        let witness_program = script.witness_version().map(|version| WitnessProgramView {
            version: version.to_num(),
            program: script.as_bytes()[2..].to_lower_hex_string(),
        });
        ScriptView {
            hex: script.as_bytes().to_lower_hex_string(),
            size_bytes: script.len(),
            asm: assembly::to_asm(script),
            kind: template.name(),
            standard: template.is_standard(),
            network: network.to_string(),
            address: Address::from_script(script, network.to_bitcoin())
                .ok()
                .map(|address| address.to_string()),
            sigops: legacy_sigops(script, false),
            sigops_accurate: legacy_sigops(script, true),
            script_hash: ScriptHash::of(script).to_string(),
            multisig,
            witness_program,
        }
    }
}

impl View for ScriptView {
    fn text(&self) -> String {
        let standard = if self.standard { "" } else { " (not relayed)" };
        let mut lines = vec![
            ("asm", self.asm.clone()),
            ("type", format!("{}{standard}", self.kind)),
        ];
        let none = || format!("none on {}", self.network);
        lines.push(("address", self.address.clone().unwrap_or_else(none)));
        if let Some(multisig) = &self.multisig {
            let (required, keys) = (multisig.required, multisig.keys.len());
            lines.push(("multisig", format!("{required} of {keys}")));
        }
        if let Some(program) = &self.witness_program {
            let text = format!("version {}, {}", program.version, program.program);
            lines.push(("program", text));
        }
        let sigops = match self.sigops == self.sigops_accurate {
            true => self.sigops.to_string(),
            false => format!(
                "{} ({} in a redeem or witness script)",
                self.sigops, self.sigops_accurate
            ),
        };
        lines.extend([
            ("sigops", sigops),
            ("size", format!("{} bytes", self.size_bytes)),
            ("script hash", self.script_hash.clone()),
        ]);
        let lines = lines.iter();
        lines
            .map(|(name, value)| format!("{name:<13}{value}\n"))
            .collect()
    }
}
