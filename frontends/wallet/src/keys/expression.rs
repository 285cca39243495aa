//! Owns output descriptors as Core has them: those that miniscript knows, and `addr`, `raw`, `rawtr` and `combo`.
//! Promises the scripts that they stand for, and each script's own descriptor with the keys' origins.
//! Refuses keys of another network, and descriptors longer than a limit.

mod form;
mod infer;
mod leaves;
mod origin;
mod sane;
mod text;

use std::str::FromStr;
use std::sync::LazyLock;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{Address, Network, ScriptBuf};
use miniscript::Descriptor;
use miniscript::descriptor::{DefiniteDescriptorKey, DescriptorPublicKey, DescriptorSecretKey};
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use form::{Form, argument, combined};
/// A derived descriptor with the origins of its keys, and a checksum.
pub(crate) fn with_origins(descriptor: &Descriptor<DefiniteDescriptorKey>) -> Option<String> {
    origin::with_origins(descriptor, &SECP).ok()
}

pub use infer::{address_of, infer, with_checksum};
use leaves::{sorted_leaves, unsorted};
pub use origin::origin;
use sane::{check_keys, check_sane};
pub use text::checksum;
use text::{Checked, check, who_has_uncompressed};
pub(crate) use text::{body, extended_keys, parse_wif, single_paths, with_secrets_of};

/// Longest descriptor that is looked at, in characters.
pub const MAX_DESCRIPTOR_CHARS: usize = 200_000;

/// One context for all: making it takes longer than what it is made for.
pub(crate) static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// Why a text is no descriptor, or makes no script: Core's words where it has some.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct DescriptorError(pub String);

pub(crate) fn wrong(message: impl Into<String>) -> DescriptorError {
    DescriptorError(message.into())
}

/// A descriptor that was understood; one with several paths (`<0;1>`) is several forms.
pub struct Expression {
    /// Without private keys, and without a checksum.
    pub public: Vec<String>,
    /// The checksum of the text that was given.
    pub checksum: String,
    /// Whether there is a private key in it.
    pub has_private_keys: bool,
    /// The private keys in it.
    pub secrets: Vec<DescriptorSecretKey>,
    pub(crate) forms: Vec<Form>,
    network: Network,
}

/// A script, and its own descriptor.
pub struct Derived {
    /// The script.
    pub script: ScriptBuf,
    /// Its descriptor, with the origins of its keys and a checksum.
    pub descriptor: String,
    /// What solves it, where something is known.
    pub definite: Option<Descriptor<DefiniteDescriptorKey>>,
}

/// Why miniscript refuses a descriptor. Where it speaks of taproot whatever the descriptor is, in Core's words.
fn refusal(body: &str, error: &miniscript::Error) -> DescriptorError {
    let told = error.to_string();
    // What kind of such an error it is, miniscript tells by its words alone.
    let of_keys = ["uncompressed keys cannot", "Only Compressed pubkeys"]
        .iter()
        .any(|words| told.starts_with(words));
    match (error, of_keys) {
        (miniscript::Error::ContextError(_), true) => uncompressed_keys(body),
        _ => {
            let function = body.split('(').next().unwrap_or_default();
            wrong(format!("{function}(): {told}"))
        }
    }
}

/// What a descriptor is refused with whose scripts are nobody's to spend: segwit's rules of relay know compressed keys alone.
/// Begins with the function that has the key, as Core does; within miniscript Core names none.
fn uncompressed_keys(body: &str) -> DescriptorError {
    const WHY: &str = "Uncompressed keys are not allowed";
    wrong(match who_has_uncompressed(body) {
        Some(who) => format!("{who} {WHY}"),
        None => WHY.to_owned(),
    })
}

/// A function's text. It may be private: it is one allocation, and wiped.
fn called(function: &str, inner: &str) -> Zeroizing<String> {
    let mut text = String::with_capacity(function.len() + inner.len() + 2);
    for part in [function, "(", inner, ")"] {
        text.push_str(part);
    }
    Zeroizing::new(text)
}

impl Expression {
    /// Reads one. With `needs_checksum`, one without a checksum is refused.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] with Core's words: the checksum, the function, a key, a key of another network, a script that nobody
    /// should be paid by.
    pub fn parse(
        text: &str,
        network: Network,
        needs_checksum: bool,
    ) -> Result<Expression, DescriptorError> {
        let expression = Expression::parse_kept(text, network, needs_checksum)?;
        if let Some(Form::Known(descriptor) | Form::Sorted { descriptor, .. }) =
            expression.forms.first()
        {
            check_keys(text, descriptor)?;
            check_sane(descriptor)?;
        }
        Ok(expression)
    }

    /// The same of one that was taken up before: what it locks is there, whether that is sane or not.
    pub(crate) fn parse_kept(
        text: &str,
        network: Network,
        needs_checksum: bool,
    ) -> Result<Expression, DescriptorError> {
        if text.len() > MAX_DESCRIPTOR_CHARS {
            return Err(wrong("Descriptor is too long"));
        }
        let Checked { body, checksum } = check(text, needs_checksum).map_err(wrong)?;
        let function = body.split('(').next().unwrap_or_default();
        let (public, has_private_keys) = text::without_secrets(body, network).map_err(wrong)?;
        let mut expression = Expression {
            public: Vec::new(),
            checksum,
            has_private_keys,
            forms: Vec::new(),
            secrets: Vec::new(),
            network,
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
            "tr" => match sorted_leaves(body) {
                Some(sorted) => {
                    let form = |descriptor| Form::Sorted {
                        descriptor,
                        sorted: sorted.clone(),
                    };
                    expression.read(&unsorted(body), function, None, form, &public)?;
                }
                None => expression.read(body, function, None, Form::Known, &public)?,
            },
            "pk" | "pkh" | "wpkh" | "sh" | "wsh" | "multi" | "sortedmulti" => {
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
        form: impl Fn(Descriptor<DescriptorPublicKey>) -> Form,
        public: &str,
    ) -> Result<(), DescriptorError> {
        let stands_in = match stands_in {
            Some(other) => {
                let inner = argument(body, function)
                    .ok_or_else(|| wrong(format!("'{body}' is not a valid descriptor function")))?;
                Some(called(other, inner))
            }
            None => None,
        };
        let text = stands_in.as_ref().map_or(body, |text| text);
        let (descriptor, secrets) =
            Descriptor::parse_descriptor(&SECP, text).map_err(|error| refusal(body, &error))?;
        self.secrets = secrets.into_iter().map(|(_, secret)| secret).collect();
        let several = descriptor.is_multipath();
        let singles = descriptor
            .into_single_descriptors()
            .map_err(|error| refusal(body, &error))?;
        let texts = match several {
            true => single_paths(public, singles.len()),
            false => vec![public.to_owned()],
        };
        self.public = texts;
        self.forms = singles.into_iter().map(form).collect();
        Ok(())
    }

    /// Whether it stands for many scripts.
    pub fn is_range(&self) -> bool {
        self.forms.iter().any(Form::is_range)
    }

    /// Whether it tells how to spend what it stands for.
    pub fn is_solvable(&self) -> bool {
        !self
            .forms
            .iter()
            .any(|form| matches!(form, Form::Script(_)))
    }

    /// The public form with its checksum, one for each path.
    pub fn canonical(&self) -> Vec<String> {
        self.public.iter().map(|text| with_checksum(text)).collect()
    }

    /// What its owner should know of its relative locks: those that are longer than a sequence number can say let the coin go
    /// earlier. In Core's words.
    pub(crate) fn unsafe_locks(&self) -> Vec<String> {
        const OLDER: &str = "older(";
        /// BIP68: the lock counts in steps of 512 seconds.
        const BY_TIME: u32 = 1 << 22;
        let text = self.public.first().map_or("", String::as_str);
        let after = text
            .match_indices(OLDER)
            .map(|(at, _)| &text[at + OLDER.len()..]);
        let locks = after.filter_map(|rest| rest.split(')').next()?.parse::<u32>().ok());
        let long = locks.filter(|lock| lock & !BY_TIME > u32::from(u16::MAX));
        long.map(|lock| match lock & BY_TIME {
            0 => format!("height-based relative locktime: older({lock}) > 65535 blocks is unsafe"),
            _ => format!(
                "time-based relative locktime: older({lock}) > (65535 * 512) seconds is unsafe"
            ),
        })
        .collect()
    }

    /// How many different keys there are in it.
    pub(crate) fn key_count(&self) -> usize {
        self.forms.first().map_or(0, Form::key_count)
    }

    /// How many forms there are: one for each path.
    pub fn paths(&self) -> usize {
        self.forms.len()
    }

    /// The scripts at an index, of one path.
    ///
    /// # Errors
    ///
    /// Hardened steps that need a private key.
    pub fn derive(&self, path: usize, index: u32) -> Result<Vec<Derived>, DescriptorError> {
        match self.forms.get(path) {
            Some(form) => form.derive(index, self.network),
            None => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests;
