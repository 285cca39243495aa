//! Owns what a descriptor is once it is read, and the scripts that it makes at an index.
//! Promises one solution for each script, in Core's order where there are several.
//! Refuses hardened steps from a public key.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::key::{TweakedPublicKey, XOnlyPublicKey};
use bitcoin::{Network, PublicKey, Script, ScriptBuf};
use miniscript::descriptor::{DefiniteDescriptorKey, DescriptorPublicKey, DescriptorType};
use miniscript::{Descriptor, ForEachKey};

use super::origin::with_origins;
use super::text::body;
use super::{Derived, DescriptorError, SECP, infer, leaves, with_checksum, wrong};
use crate::keys::OutputType;

/// What a descriptor is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `addr()` or `raw()`.
    Script(ScriptBuf),
    /// `rawtr()`, as the `tr()` with the same key.
    RawTaproot(Descriptor<DescriptorPublicKey>),
    /// `combo()`, as the `pkh()` with the same key.
    Combo(Descriptor<DescriptorPublicKey>),
    /// What miniscript knows.
    Known(Descriptor<DescriptorPublicKey>),
    /// A `tr()` with `sortedmulti_a`, as that with `multi_a`.
    Sorted {
        descriptor: Descriptor<DescriptorPublicKey>,
        /// For each `multi_a`, from the left, whether its keys are put in order.
        sorted: Arc<[bool]>,
    },
}

/// What stands between the brackets of a function, if the text is that function.
pub(crate) fn argument<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    text.strip_prefix(function)?
        .strip_prefix('(')?
        .strip_suffix(')')
}

fn cannot() -> DescriptorError {
    wrong("Cannot derive script without private keys")
}

/// The first key of a descriptor.
pub(crate) fn first_key(descriptor: &Descriptor<DefiniteDescriptorKey>) -> Option<PublicKey> {
    let mut found = None;
    descriptor.for_each_key(|key| {
        found.get_or_insert(key.derive_public_key(&SECP));
        true
    });
    found
}

/// The descriptors that `combo()` stands for, from the `pkh()` with its key: without the two of segwit if that is not compressed.
pub(crate) fn combined(
    definite: &Descriptor<DefiniteDescriptorKey>,
) -> Vec<Descriptor<DefiniteDescriptorKey>> {
    let Descriptor::Pkh(pkh) = definite else {
        return Vec::new();
    };
    let key = pkh.as_inner().clone();
    let mut all = vec![Descriptor::new_pk(key.clone()), definite.clone()];
    all.extend(Descriptor::new_wpkh(key.clone()));
    all.extend(Descriptor::new_sh_wpkh(key));
    all
}

/// The output script of `rawtr()`: its key as it is.
pub(crate) fn raw_taproot(definite: &Descriptor<DefiniteDescriptorKey>) -> Option<ScriptBuf> {
    let key = XOnlyPublicKey::from(first_key(definite)?.inner);
    let output = TweakedPublicKey::dangerous_assume_tweaked(key);
    Some(ScriptBuf::new_p2tr_tweaked(output))
}

impl Form {
    /// What miniscript knows of it; `None` for `addr()` and `raw()`.
    pub(crate) fn descriptor(&self) -> Option<&Descriptor<DescriptorPublicKey>> {
        match self {
            Form::Script(_) => None,
            Form::RawTaproot(descriptor)
            | Form::Combo(descriptor)
            | Form::Known(descriptor)
            | Form::Sorted { descriptor, .. } => Some(descriptor),
        }
    }

    /// How many different keys there are in it.
    pub(crate) fn key_count(&self) -> usize {
        let mut keys = BTreeSet::new();
        if let Some(descriptor) = self.descriptor() {
            descriptor.for_each_key(|key| {
                keys.insert(key.clone());
                true
            });
        }
        keys.len()
    }

    /// Whether it stands for many scripts.
    pub(crate) fn is_range(&self) -> bool {
        self.descriptor()
            .is_some_and(|descriptor| descriptor.has_wildcard())
    }

    /// The kind of its addresses; `None` for scripts without one and for several kinds at once.
    pub(crate) fn output_type(&self) -> Option<OutputType> {
        match self {
            Form::Script(script) if script.is_p2tr() => Some(OutputType::Bech32m),
            Form::Script(script) if script.is_witness_program() => Some(OutputType::Bech32),
            Form::Script(script) if script.is_p2pkh() || script.is_p2sh() => {
                Some(OutputType::Legacy)
            }
            Form::Script(_) | Form::Combo(_) => None,
            Form::RawTaproot(_) | Form::Sorted { .. } => Some(OutputType::Bech32m),
            Form::Known(descriptor) => match descriptor.desc_type() {
                DescriptorType::Bare => None,
                DescriptorType::Sh | DescriptorType::Pkh | DescriptorType::ShSortedMulti => {
                    Some(OutputType::Legacy)
                }
                DescriptorType::ShWsh
                | DescriptorType::ShWpkh
                | DescriptorType::ShWshSortedMulti => Some(OutputType::P2shSegwit),
                DescriptorType::Wpkh | DescriptorType::Wsh | DescriptorType::WshSortedMulti => {
                    Some(OutputType::Bech32)
                }
                DescriptorType::Tr => Some(OutputType::Bech32m),
            },
        }
    }

    /// The public text with `h` for hardened steps, without a checksum; `given` for `addr()` and `raw()`. Hardened steps that
    /// a private key took are in the origin: what is left can be derived by anybody, as far as it can be.
    pub(crate) fn public_text(&self, given: &str) -> String {
        let plain = |descriptor: &Descriptor<DescriptorPublicKey>| {
            body(&descriptor.to_string()).replace('\'', "h")
        };
        match self {
            Form::Script(_) => given.to_owned(),
            Form::RawTaproot(descriptor) => format!("raw{}", plain(descriptor)),
            Form::Combo(descriptor) => {
                let text = plain(descriptor);
                let inner = argument(&text, "pkh").unwrap_or_default();
                format!("combo({inner})")
            }
            Form::Known(descriptor) => plain(descriptor),
            Form::Sorted { descriptor, sorted } => leaves::named(&plain(descriptor), sorted),
        }
    }

    /// The form whose keys `translate` changed.
    pub(crate) fn map(
        &self,
        translate: impl FnOnce(
            &Descriptor<DescriptorPublicKey>,
        ) -> Result<Descriptor<DescriptorPublicKey>, DescriptorError>,
    ) -> Result<Form, DescriptorError> {
        Ok(match self {
            Form::Script(script) => Form::Script(script.clone()),
            Form::RawTaproot(descriptor) => Form::RawTaproot(translate(descriptor)?),
            Form::Combo(descriptor) => Form::Combo(translate(descriptor)?),
            Form::Known(descriptor) => Form::Known(translate(descriptor)?),
            Form::Sorted { descriptor, sorted } => Form::Sorted {
                descriptor: translate(descriptor)?,
                sorted: sorted.clone(),
            },
        })
    }

    /// The descriptor at an index; `None` for `addr()` and `raw()`.
    pub(crate) fn definite(
        &self,
        index: u32,
    ) -> Result<Option<Descriptor<DefiniteDescriptorKey>>, DescriptorError> {
        let definite = self
            .descriptor()
            .map(|descriptor| descriptor.at_derivation_index(index).map_err(|_| cannot()))
            .transpose()?;
        match (self, definite) {
            (Form::Sorted { sorted, .. }, Some(definite)) => {
                leaves::put_in_order(&definite, sorted).map(Some)
            }
            (_, definite) => Ok(definite),
        }
    }

    /// The scripts at an index.
    pub(crate) fn scripts(&self, index: u32) -> Result<Vec<ScriptBuf>, DescriptorError> {
        let definite = self.definite(index)?;
        Ok(match (self, definite) {
            (Form::Script(script), _) => vec![script.clone()],
            // Not `definite.script_pubkey()`: that makes a context for each key.
            (Form::Known(_) | Form::Sorted { .. }, Some(definite)) => {
                vec![definite.derived_descriptor(&SECP).script_pubkey()]
            }
            (Form::RawTaproot(_), Some(definite)) => {
                vec![raw_taproot(&definite).ok_or_else(cannot)?]
            }
            (Form::Combo(_), Some(definite)) => combined(&definite)
                .iter()
                .map(|one| one.derived_descriptor(&SECP).script_pubkey())
                .collect(),
            (_, None) => Vec::new(),
        })
    }

    /// What solves one of the scripts at an index; `None` for `addr()`, `raw()` and `rawtr()`.
    pub(crate) fn solution(
        &self,
        index: u32,
        script: &Script,
    ) -> Option<Descriptor<DefiniteDescriptorKey>> {
        let definite = self.definite(index).ok().flatten()?;
        match self {
            Form::Script(_) | Form::RawTaproot(_) => None,
            Form::Known(_) | Form::Sorted { .. } => Some(definite),
            Form::Combo(_) => combined(&definite)
                .into_iter()
                .find(|one| one.script_pubkey().as_script() == script),
        }
    }

    /// The scripts at an index, each with its own descriptor.
    pub(super) fn derive(
        &self,
        index: u32,
        network: Network,
    ) -> Result<Vec<Derived>, DescriptorError> {
        let named = |descriptor: &Descriptor<DefiniteDescriptorKey>| {
            with_origins(descriptor, &SECP).map_err(wrong)
        };
        let definite = self.definite(index)?;
        Ok(match (self, definite) {
            (Form::Script(script), _) => vec![Derived {
                descriptor: infer(script, network),
                script: script.clone(),
                definite: None,
            }],
            (Form::Known(_) | Form::Sorted { .. }, Some(definite)) => vec![Derived {
                script: definite.script_pubkey(),
                descriptor: named(&definite)?,
                definite: Some(definite),
            }],
            (Form::RawTaproot(_), Some(definite)) => vec![Derived {
                script: raw_taproot(&definite).ok_or_else(cannot)?,
                descriptor: with_checksum(&format!("raw{}", body(&named(&definite)?))),
                definite: None,
            }],
            (Form::Combo(_), Some(definite)) => combined(&definite)
                .into_iter()
                .map(|one| {
                    Ok(Derived {
                        script: one.script_pubkey(),
                        descriptor: named(&one)?,
                        definite: None,
                    })
                })
                .collect::<Result<_, DescriptorError>>()?,
            (_, None) => Vec::new(),
        })
    }
}
