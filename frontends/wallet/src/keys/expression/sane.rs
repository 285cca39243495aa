//! Owns which scripts of miniscript are refused although they can be read: what they lock could be lost, or taken.
//! Promises Core's reasons, and that `multi` and its like are not asked: they are no miniscript for Core.

use miniscript::descriptor::{DescriptorPublicKey, ShInner, WshInner};
use miniscript::miniscript::analyzable::AnalysisError;
use miniscript::miniscript::decode::Terminal;
use miniscript::{Descriptor, ForEachKey, Miniscript, MiniscriptKey, ScriptContext};

use super::{DescriptorError, body, uncompressed_keys, wrong};

/// Refuses keys in segwit that are not compressed: miniscript lets those of a `pkh` pass.
pub(super) fn check_keys(
    text: &str,
    descriptor: &Descriptor<DescriptorPublicKey>,
) -> Result<(), DescriptorError> {
    let segwit = descriptor.desc_type().segwit_version().is_some();
    match segwit && descriptor.for_any_key(MiniscriptKey::is_uncompressed) {
        true => Err(uncompressed_keys(body(text))),
        false => Ok(()),
    }
}

/// Whether a script is one of Core's own functions rather than miniscript: `pk`, `pkh`, `multi`, `multi_a`.
fn is_plain<C: ScriptContext>(script: &Miniscript<DescriptorPublicKey, C>) -> bool {
    match script.as_inner() {
        Terminal::Multi(_) | Terminal::MultiA(_) => true,
        Terminal::Check(key) => matches!(key.as_inner(), Terminal::PkK(_) | Terminal::PkH(_)),
        _ => false,
    }
}

/// Refuses miniscript where there is no witness.
fn check_plain<C: ScriptContext>(
    script: &Miniscript<DescriptorPublicKey, C>,
) -> Result<(), DescriptorError> {
    match is_plain(script) {
        true => Ok(()),
        false => Err(wrong(
            "Miniscript expressions can only be used in wsh or tr.",
        )),
    }
}

/// What a script of a descriptor is refused for.
fn check<C: ScriptContext>(
    script: &Miniscript<DescriptorPublicKey, C>,
) -> Result<(), DescriptorError> {
    if is_plain(script) {
        return Ok(());
    }
    let reason = match script.sanity_check() {
        Ok(()) if script.ext.sat_data.is_none() => "is not satisfiable",
        Ok(()) => return Ok(()),
        Err(_) if script.ext.sat_data.is_none() && script.requires_sig() => "is not satisfiable",
        Err(AnalysisError::Malleable) => "is not sane: malleable witnesses exist",
        Err(AnalysisError::SiglessBranch) if !script.is_non_malleable() => {
            "is not sane: malleable witnesses exist"
        }
        Err(AnalysisError::SiglessBranch) => "is not sane: witnesses without signature exist",
        Err(AnalysisError::HeightTimelockCombination) => {
            "is not sane: contains mixes of timelocks expressed in blocks and seconds"
        }
        Err(AnalysisError::RepeatedPubkeys) => "is not sane: contains duplicate public keys",
        Err(AnalysisError::BranchExceedResouceLimits) => {
            "is not sane: needs witnesses that may exceed resource limits"
        }
        Err(AnalysisError::ContainsRawPkh) => "is not sane",
    };
    let text = script.to_string().replace('\'', "h");
    Err(wrong(format!("{text} {reason}")))
}

/// Refuses a descriptor one of whose scripts is not sane.
pub(super) fn check_sane(
    descriptor: &Descriptor<DescriptorPublicKey>,
) -> Result<(), DescriptorError> {
    let wsh = |inner: &WshInner<DescriptorPublicKey>| match inner {
        WshInner::Ms(script) => check(script),
        WshInner::SortedMulti(_) => Ok(()),
    };
    match descriptor {
        Descriptor::Wsh(script) => wsh(script.as_inner()),
        Descriptor::Sh(script) => match script.as_inner() {
            ShInner::Wsh(script) => wsh(script.as_inner()),
            ShInner::Ms(script) => check_plain(script),
            ShInner::Wpkh(_) | ShInner::SortedMulti(_) => Ok(()),
        },
        Descriptor::Bare(script) => check_plain(script.as_inner()),
        Descriptor::Tr(tree) => tree.leaves().try_for_each(|leaf| check(leaf.miniscript())),
        Descriptor::Pkh(_) | Descriptor::Wpkh(_) => Ok(()),
    }
}
