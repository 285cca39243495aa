//! Owns the signatures of one input of a PSBT: ECDSA for old scripts and segwit v0, Schnorr for taproot's two ways.
//! Promises a signature for each key that the script names and that is at hand.
//! Refuses uncompressed keys in segwit, and leaves that nobody told of.

use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::psbt::Psbt;
use bitcoin::secp256k1::{Keypair, Message};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::TapLeafHash;
use bitcoin::{PublicKey, Script, ScriptBuf, Transaction, TxOut, XOnlyPublicKey};

use super::hash160;
use crate::keys::expression::SECP;
use crate::keys::secret::PrivateKeys;

/// Adds all signatures to an input that the keys can make; says why where it can be none.
pub(super) fn sign_input(
    psbt: &mut Psbt,
    index: usize,
    output: &TxOut,
    keys: &PrivateKeys,
    cache: &mut SighashCache<&Transaction>,
) -> Result<(), String> {
    match output.script_pubkey.is_p2tr() {
        true => sign_taproot(psbt, index, output, keys, cache),
        false => sign_ecdsa(psbt, index, output, keys, cache),
    }
}

/// The script whose keys sign, and whether it is of segwit; `None` where it is not known, or is not the one that was paid to.
fn signed_script(psbt: &Psbt, index: usize, output: &TxOut) -> Option<(ScriptBuf, bool)> {
    let input = &psbt.inputs[index];
    let mut script = &output.script_pubkey;
    if script.is_p2sh() {
        let redeem = input.redeem_script.as_ref()?;
        if redeem.to_p2sh() != *script {
            return None;
        }
        script = redeem;
    }
    if script.is_p2wsh() {
        let witness = input.witness_script.as_ref()?;
        if witness.to_p2wsh() != *script {
            return None;
        }
        return Some((witness.clone(), true));
    }
    Some((script.clone(), script.is_p2wpkh()))
}

/// Whether a script has a key, or its hash, in it.
fn names(script: &Script, key: &PublicKey) -> bool {
    let bytes = key.to_bytes();
    let hash = hash160(&bytes);
    let has = |part: &[u8]| {
        script
            .as_bytes()
            .windows(part.len())
            .any(|window| window == part)
    };
    has(&bytes) || has(&hash)
}

fn sign_ecdsa(
    psbt: &mut Psbt,
    index: usize,
    output: &TxOut,
    keys: &PrivateKeys,
    cache: &mut SighashCache<&Transaction>,
) -> Result<(), String> {
    let Some((script, is_segwit)) = signed_script(psbt, index, output) else {
        return Ok(());
    };
    let wanted = keys.iter().filter(|(public, _)| {
        let known = psbt.inputs[index].partial_sigs.contains_key(public);
        !known && names(&script, public) && (public.compressed || !is_segwit)
    });
    let wanted: Vec<_> = wanted.collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let (message, sighash_type) = psbt
        .sighash_ecdsa(index, cache)
        .map_err(|error| error.to_string())?;
    for (public, private) in wanted {
        let signature = SECP.sign_ecdsa_low_r(&message, &private.inner);
        let signature = bitcoin::ecdsa::Signature {
            signature,
            sighash_type,
        };
        psbt.inputs[index].partial_sigs.insert(*public, signature);
    }
    Ok(())
}

fn sign_taproot(
    psbt: &mut Psbt,
    index: usize,
    output: &TxOut,
    keys: &PrivateKeys,
    cache: &mut SighashCache<&Transaction>,
) -> Result<(), String> {
    let kind = psbt.inputs[index]
        .taproot_hash_ty()
        .map_err(|error| error.to_string())?;
    let anyone_can_pay = kind as u8 & 0x80 != 0;
    let spent: Option<Vec<TxOut>> = (0..psbt.inputs.len())
        .map(|index| psbt.spend_utxo(index).ok().cloned())
        .collect();
    let prevouts = match (&spent, anyone_can_pay) {
        (_, true) => Prevouts::One(index, output.clone()),
        (Some(spent), false) => Prevouts::All(spent),
        // What the other inputs spend is signed too: without it there is no signature.
        (None, false) => return Ok(()),
    };
    sign_key_path(psbt, index, output, keys, cache, (&prevouts, kind))?;
    sign_leaves(psbt, index, keys, cache, (&prevouts, kind))
}

/// The pair of keys that makes the output's key: a tweaked one that is known, or one that is the output's key itself.
fn output_pair(psbt: &Psbt, index: usize, output: &TxOut, keys: &PrivateKeys) -> Option<Keypair> {
    let input = &psbt.inputs[index];
    let program = output.script_pubkey.as_bytes().get(2..)?;
    let output_key = XOnlyPublicKey::from_slice(program).ok()?;
    if let Some(private) = keys.get_x_only(&output_key) {
        return Some(Keypair::from_secret_key(&SECP, &private.inner));
    }
    let private = keys.get_x_only(&input.tap_internal_key?)?;
    let pair = Keypair::from_secret_key(&SECP, &private.inner);
    let tweaked = pair.tap_tweak(&SECP, input.tap_merkle_root).to_keypair();
    (tweaked.x_only_public_key().0 == output_key).then_some(tweaked)
}

fn sign_key_path(
    psbt: &mut Psbt,
    index: usize,
    output: &TxOut,
    keys: &PrivateKeys,
    cache: &mut SighashCache<&Transaction>,
    (prevouts, kind): (&Prevouts<'_, TxOut>, TapSighashType),
) -> Result<(), String> {
    if psbt.inputs[index].tap_key_sig.is_some() {
        return Ok(());
    }
    let Some(mut pair) = output_pair(psbt, index, output, keys) else {
        return Ok(());
    };
    let hash = cache
        .taproot_key_spend_signature_hash(index, prevouts, kind)
        .map_err(|error| error.to_string())?;
    let message = Message::from_digest(hash.to_byte_array());
    let signature = SECP.sign_schnorr_no_aux_rand(&message, &pair);
    pair.non_secure_erase();
    psbt.inputs[index].tap_key_sig = Some(bitcoin::taproot::Signature {
        signature,
        sighash_type: kind,
    });
    Ok(())
}

fn sign_leaves(
    psbt: &mut Psbt,
    index: usize,
    keys: &PrivateKeys,
    cache: &mut SighashCache<&Transaction>,
    (prevouts, kind): (&Prevouts<'_, TxOut>, TapSighashType),
) -> Result<(), String> {
    let input = &psbt.inputs[index];
    let told: Vec<TapLeafHash> = input
        .tap_scripts
        .values()
        .map(|(script, version)| TapLeafHash::from_script(script, *version))
        .collect();
    let wanted: Vec<(XOnlyPublicKey, TapLeafHash)> = input
        .tap_key_origins
        .iter()
        .flat_map(|(key, (leaves, _))| leaves.iter().map(|leaf| (*key, *leaf)))
        .filter(|place| told.contains(&place.1) && !input.tap_script_sigs.contains_key(place))
        .collect();
    for (key, leaf) in wanted {
        let Some(private) = keys.get_x_only(&key) else {
            continue;
        };
        let hash = cache
            .taproot_script_spend_signature_hash(index, prevouts, leaf, kind)
            .map_err(|error| error.to_string())?;
        let message = Message::from_digest(hash.to_byte_array());
        let mut pair = Keypair::from_secret_key(&SECP, &private.inner);
        let signature = SECP.sign_schnorr_no_aux_rand(&message, &pair);
        pair.non_secure_erase();
        let signature = bitcoin::taproot::Signature {
            signature,
            sighash_type: kind,
        };
        psbt.inputs[index]
            .tap_script_sigs
            .insert((key, leaf), signature);
    }
    Ok(())
}
