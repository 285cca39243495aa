//! Owns output descriptors as Core has them: those that miniscript knows, and `addr`, `raw`, `rawtr` and `combo`.
//! Promises the scripts that they stand for, and each script's own descriptor with the keys' origins.
//! Refuses keys of another network, and descriptors longer than a limit.

mod keys;
mod text;

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::key::{Secp256k1, TweakedPublicKey, XOnlyPublicKey};
use bitcoin::secp256k1::All;
use bitcoin::{Address, Network, PublicKey, ScriptBuf};
use miniscript::descriptor::{DefiniteDescriptorKey, DescriptorPublicKey, DescriptorSecretKey};
use miniscript::{Descriptor, ForEachKey};

use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::json::Json;
use crate::show::{infer, with_checksum};
pub(crate) use keys::origin;
use keys::with_origins;
pub(crate) use text::checksum;
use text::{Checked, check};

/// Longest descriptor that is looked at, in characters.
const MAX_CHARS: usize = 200_000;
/// Longest range of indexes, as in Core.
const MAX_RANGE: i64 = 1_000_000;
/// The last index unless a range is given.
const DEFAULT_END: i64 = 1000;

/// A descriptor that was understood; one with several paths is several of the forms.
pub(crate) struct Expression {
    /// Without private keys, and without a checksum.
    pub(crate) public: Vec<String>,
    /// The checksum of the text that was given.
    pub(crate) checksum: String,
    pub(crate) has_private_keys: bool,
    forms: Vec<Form>,
    /// The private keys in it.
    pub(crate) secrets: Vec<DescriptorSecretKey>,
    network: Network,
    secp: Secp256k1<All>,
}

/// What a descriptor is.
enum Form {
    /// `addr()` or `raw()`.
    Script(ScriptBuf),
    /// `rawtr()`, as the `tr()` with the same key.
    RawTaproot(Descriptor<DescriptorPublicKey>),
    /// `combo()`, as the `pkh()` with the same key.
    Combo(Descriptor<DescriptorPublicKey>),
    /// What miniscript knows.
    Known(Descriptor<DescriptorPublicKey>),
}

/// A script, and its own descriptor.
pub(crate) struct Derived {
    pub(crate) script: ScriptBuf,
    pub(crate) descriptor: String,
    /// What solves it, where something is known.
    pub(crate) definite: Option<Descriptor<DefiniteDescriptorKey>>,
}

fn wrong(message: impl Into<String>) -> RpcError {
    RpcError::new(INVALID_ADDRESS_OR_KEY, message)
}

/// What stands between the brackets of a function, if the text is that function.
fn argument<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    text.strip_prefix(function)?
        .strip_prefix('(')?
        .strip_suffix(')')
}

impl Expression {
    /// Reads one. With `needs_checksum`, one without a checksum is refused.
    pub(crate) fn parse(
        text: &str,
        network: Network,
        needs_checksum: bool,
    ) -> Result<Expression, RpcError> {
        if text.len() > MAX_CHARS {
            return Err(wrong("Descriptor is too long"));
        }
        let Checked { body, checksum } = check(text, needs_checksum).map_err(wrong)?;
        let function = body.split('(').next().unwrap_or_default();
        let (public, has_private_keys) = text::without_secrets(body, network).map_err(wrong)?;
        let secp = Secp256k1::new();
        let mut expression = Expression {
            public: Vec::new(),
            checksum,
            has_private_keys,
            forms: Vec::new(),
            secrets: Vec::new(),
            network,
            secp,
        };
        match function {
            "addr" => {
                let script = argument(body, "addr")
                    .and_then(|text| Address::<NetworkUnchecked>::from_str(text).ok())
                    .and_then(|address| address.require_network(network).ok())
                    .map(|address| address.script_pubkey());
                let script = script.ok_or_else(|| wrong("Address is not valid"))?;
                expression.forms.push(Form::Script(script));
                expression.public.push(body.to_owned());
            }
            "raw" => {
                let bytes = argument(body, "raw").and_then(|hex| Vec::<u8>::from_hex(hex).ok());
                // No digits at all are none for Core.
                let bytes = bytes.filter(|bytes| !bytes.is_empty());
                let bytes = bytes.ok_or_else(|| wrong("Raw script is not hex"))?;
                expression
                    .forms
                    .push(Form::Script(ScriptBuf::from_bytes(bytes)));
                expression.public.push(body.to_owned());
            }
            "rawtr" => expression.read(body, "rawtr", Some("tr"), Form::RawTaproot, &public)?,
            "combo" => expression.read(body, "combo", Some("pkh"), Form::Combo, &public)?,
            "pk" | "pkh" | "wpkh" | "sh" | "wsh" | "tr" | "multi" | "sortedmulti" => {
                expression.read(body, function, None, Form::Known, &public)?;
            }
            _ => {
                return Err(wrong(format!(
                    "'{body}' is not a valid descriptor function"
                )));
            }
        }
        Ok(expression)
    }

    fn read(
        &mut self,
        body: &str,
        function: &str,
        stands_in: Option<&str>,
        form: fn(Descriptor<DescriptorPublicKey>) -> Form,
        public: &str,
    ) -> Result<(), RpcError> {
        let text = match stands_in {
            Some(other) => {
                let inner = argument(body, function)
                    .ok_or_else(|| wrong(format!("'{body}' is not a valid descriptor function")))?;
                format!("{other}({inner})")
            }
            None => body.to_owned(),
        };
        let (descriptor, secrets) = Descriptor::parse_descriptor(&self.secp, &text)
            .map_err(|error| wrong(format!("{function}(): {error}")))?;
        self.secrets = secrets.into_iter().map(|(_, secret)| secret).collect();
        let several = descriptor.is_multipath();
        let singles = descriptor
            .into_single_descriptors()
            .map_err(|error| wrong(format!("{function}(): {error}")))?;
        let texts = match several {
            true => text::single_paths(public, singles.len()),
            false => vec![public.to_owned()],
        };
        self.public = texts;
        self.forms = singles.into_iter().map(form).collect();
        Ok(())
    }

    /// Whether it stands for many scripts.
    pub(crate) fn is_range(&self) -> bool {
        self.forms.iter().any(|form| match form {
            Form::Script(_) => false,
            Form::RawTaproot(descriptor) | Form::Combo(descriptor) | Form::Known(descriptor) => {
                descriptor.has_wildcard()
            }
        })
    }

    /// Whether it tells how to spend what it stands for.
    pub(crate) fn is_solvable(&self) -> bool {
        !self
            .forms
            .iter()
            .any(|form| matches!(form, Form::Script(_)))
    }

    /// The public form with its checksum, one for each path.
    pub(crate) fn canonical(&self) -> Vec<String> {
        self.public.iter().cloned().map(with_checksum).collect()
    }

    /// How many forms there are: one for each path.
    pub(crate) fn paths(&self) -> usize {
        self.forms.len()
    }

    /// The scripts at an index, of one path.
    pub(crate) fn derive(&self, path: usize, index: u32) -> Result<Vec<Derived>, RpcError> {
        let Some(form) = self.forms.get(path) else {
            return Ok(Vec::new());
        };
        let cannot = || wrong("Cannot derive script without private keys");
        let definite = |descriptor: &Descriptor<DescriptorPublicKey>| {
            descriptor.at_derivation_index(index).map_err(|_| cannot())
        };
        match form {
            Form::Script(script) => Ok(vec![Derived {
                descriptor: infer(script, self.network),
                script: script.clone(),
                definite: None,
            }]),
            Form::Known(descriptor) => {
                let definite = definite(descriptor)?;
                let derived = definite.derived_descriptor(&self.secp);
                Ok(vec![Derived {
                    script: derived.script_pubkey(),
                    descriptor: with_origins(&definite, &self.secp).map_err(wrong)?,
                    definite: Some(definite),
                }])
            }
            Form::RawTaproot(descriptor) => {
                let definite = definite(descriptor)?;
                let key = self.first_key(&definite).ok_or_else(cannot)?;
                let output =
                    TweakedPublicKey::dangerous_assume_tweaked(XOnlyPublicKey::from(key.inner));
                let script = ScriptBuf::new_p2tr_tweaked(output);
                let text = with_origins(&definite, &self.secp).map_err(wrong)?;
                Ok(vec![Derived {
                    descriptor: with_checksum(format!("raw{}", text::body(&text))),
                    script,
                    definite: None,
                }])
            }
            Form::Combo(descriptor) => self.combo(&definite(descriptor)?, cannot),
        }
    }

    fn first_key(&self, descriptor: &Descriptor<DefiniteDescriptorKey>) -> Option<PublicKey> {
        let mut found = None;
        descriptor.for_each_key(|key| {
            found.get_or_insert(key.derive_public_key(&self.secp));
            true
        });
        found
    }

    /// All forms with one key.
    fn combo(
        &self,
        definite: &Descriptor<DefiniteDescriptorKey>,
        cannot: impl Fn() -> RpcError,
    ) -> Result<Vec<Derived>, RpcError> {
        let key = self.first_key(definite).ok_or_else(cannot)?;
        let text = with_origins(definite, &self.secp).map_err(wrong)?;
        let named = argument(text::body(&text), "pkh").unwrap_or_default();
        let mut all = vec![
            (ScriptBuf::new_p2pk(&key), format!("pk({named})")),
            (
                ScriptBuf::new_p2pkh(&key.pubkey_hash()),
                format!("pkh({named})"),
            ),
        ];
        if let Ok(hash) = key.wpubkey_hash() {
            let witness = ScriptBuf::new_p2wpkh(&hash);
            let nested = ScriptBuf::new_p2sh(&witness.script_hash());
            all.push((witness, format!("wpkh({named})")));
            all.push((nested, format!("sh(wpkh({named}))")));
        }
        let derived = |(script, text): (ScriptBuf, String)| Derived {
            script,
            descriptor: with_checksum(text),
            definite: None,
        };
        Ok(all.into_iter().map(derived).collect())
    }
}

/// A range of indexes, `END` or `[BEGIN, END]`.
pub(crate) fn parse_range(value: &Json) -> Result<(u32, u32), RpcError> {
    let (low, high): (i64, i64) = match value {
        Json::Number(_) => (0, value.int()?),
        Json::Array(ends) if ends.len() == 2 => {
            let (low, high) = (ends[0].int()?, ends[1].int()?);
            if low > high {
                return Err(RpcError::parameter(
                    "Range specified as [begin,end] must not have begin after end",
                ));
            }
            (low, high)
        }
        _ => {
            return Err(RpcError::parameter(
                "Range must be specified as end or as [begin,end]",
            ));
        }
    };
    if low < 0 {
        return Err(RpcError::parameter(
            "Range should be greater or equal than 0",
        ));
    }
    if high >> 31 != 0 {
        return Err(RpcError::parameter("End of range is too high"));
    }
    if high >= low + MAX_RANGE {
        return Err(RpcError::parameter("Range is too large"));
    }
    Ok((low as u32, high as u32))
}

/// A descriptor, given alone or in an object with the range that is meant.
pub(crate) fn parse_scan_object(
    value: &Json,
    network: Network,
) -> Result<(Expression, (u32, u32)), RpcError> {
    let mut range = (0, DEFAULT_END as u32);
    let text = match value {
        Json::Text(text) => text.as_str(),
        Json::Object(_) => {
            if value.get("desc").is_null() {
                return Err(RpcError::parameter(
                    "Descriptor needs to be provided in scan object",
                ));
            }
            if let Some(given) = value.find("range").filter(|range| !range.is_null()) {
                value.get("desc").text()?;
                range = parse_range(given)?;
            }
            value.get("desc").text()?
        }
        _ => {
            return Err(RpcError::parameter(
                "Scan object needs to be either a string or an object",
            ));
        }
    };
    let expression = Expression::parse(text, network, false)?;
    if !expression.is_range() {
        range = (0, 0);
    }
    Ok((expression, range))
}

#[cfg(test)]
mod tests;
