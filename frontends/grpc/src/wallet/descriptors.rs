//! Owns the descriptors and keys of a wallet: taken up, with a scan for what they were paid, and listed.
//! Promises that of several descriptors all are taken up or none.

use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_wallet::keys::Import;
use everett_wallet::{Chain, KeyError, Wallet, first_block_since};
use tonic::Code;
use zeroize::Zeroizing;

use super::asking::Asking;
use super::fault::locked;
use super::rescan;
use crate::convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};

/// Most descriptors that are taken up at once.
const MAX_IMPORTS: usize = 1_000;

/// Seconds since 1970; for a time that is not given the first one that counts as one.
pub(super) fn birth(field: &str, time: Option<prost_types::Timestamp>) -> Result<u64, Fault> {
    let Some(time) = time else {
        return Ok(1);
    };
    let seconds = u64::try_from(time.seconds);
    let seconds = seconds.map_err(|_| Fault::field(field, "it lies before 1970"))?;
    Ok(seconds.max(1))
}

pub(crate) fn import(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ImportDescriptorsRequest,
) -> Result<v1::ImportDescriptorsResponse, Fault> {
    let count = request.imports.len();
    if count == 0 || count > MAX_IMPORTS {
        let wrong = format!("{count} descriptors; 1 to {MAX_IMPORTS} are taken up at once");
        return Err(Fault::field("imports", wrong));
    }
    let mut since = u64::MAX;
    let mut imports = Vec::with_capacity(count);
    for (index, asked) in request.imports.into_iter().enumerate() {
        let import = parse(&format!("imports[{index}]"), asked)?;
        since = since.min(import.birth);
        imports.push(import);
    }
    let turn = wallet.scan_turn()?;
    check_unlocked(wallet)?;
    let from = scan_from(asking, since, request.skip_rescan);
    let (warnings, from) = turn.take_up(from, |keyring| {
        let mut warnings = Vec::new();
        for (index, import) in imports.iter().enumerate() {
            let imported = keyring.import(import).map_err(|error| match error {
                KeyError::Descriptor(_) | KeyError::Import(_) | KeyError::RangeShrinks { .. } => {
                    Fault::field(format!("imports[{index}].descriptor"), error.to_string())
                }
                other => other.into(),
            })?;
            warnings.extend(
                imported
                    .warnings
                    .into_iter()
                    .map(|warning| warning.into_owned()),
            );
        }
        Ok::<_, Fault>(warnings)
    })?;
    rescan::pay_since(asking, &turn, from)?;
    Ok(v1::ImportDescriptorsResponse {
        warnings,
        rescanned_from_height: from,
    })
}

fn parse(field: &str, asked: v1::DescriptorImport) -> Result<Import, Fault> {
    let range = match (asked.range_start, asked.range_end) {
        (None, None) => None,
        (start, Some(end)) => Some((start.unwrap_or(0), end)),
        (Some(_), None) => {
            let wrong = "a range has an end";
            return Err(Fault::field(format!("{field}.range_end"), wrong));
        }
    };
    Ok(Import {
        text: Zeroizing::new(asked.descriptor),
        active: asked.active,
        internal: asked.internal,
        keeps_use: !asked.active && asked.internal.is_none(),
        range,
        next_index: asked.next_index,
        birth: birth(&format!("{field}.birth_time"), asked.birth_time)?,
        label: asked.label,
    })
}

fn check_unlocked(wallet: &Wallet) -> Result<(), Fault> {
    match wallet.view()?.keyring().is_locked() {
        true => Err(locked()),
        false => Ok(()),
    }
}

/// The height from which on it is looked for what keys of this age were paid, if at all.
pub(super) fn scan_from(asking: &Asking<'_>, since: u64, skip: bool) -> Option<u32> {
    (!skip).then(|| first_block_since(asking.reading.ledger, since))
}

pub(crate) fn list(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ListDescriptorsRequest,
) -> Result<v1::ListDescriptorsResponse, Fault> {
    let page_size = paging::page_size(request.page_size)?;
    let private = request.include_private_keys;
    let mut filter = wallet.name().as_bytes().to_vec();
    filter.extend([0, u8::from(private)]);
    let first = match Token::parse(List::Descriptors, &request.page_token)? {
        None => 0,
        Some(token) => {
            token.check(&[], &filter)?;
            u32::from_be_bytes(token.position()?)
        }
    };
    let view = wallet.view()?;
    let keyring = view.keyring();
    if private && keyring.flags().disable_private_keys {
        return Err(Fault::new(
            Code::FailedPrecondition,
            ErrorReason::KeysMissing,
            "the wallet only watches: it has no private keys",
        ));
    }
    if private && keyring.is_locked() {
        return Err(locked());
    }
    let mut rest = keyring.descriptors().filter(|one| one.number.0 >= first);
    let page: Vec<_> = rest.by_ref().take(page_size).collect();
    let next = rest.next().map(|one| {
        let position = one.number.0.to_be_bytes().to_vec();
        Token::new(List::Descriptors, &[], &filter, position).to_text()
    });
    let descriptors = page.iter().map(|one| {
        let text = match private && one.has_private_keys {
            false => one.text.to_string(),
            true => {
                let text = keyring.private_text(one.number).ok_or_else(locked)?;
                text.to_string()
            }
        };
        Ok(v1::WalletDescriptor {
            descriptor: text,
            active: one.active,
            internal: one.chain == Chain::Internal,
            ranged: one.is_range(),
            range_start: one.start,
            range_end: one.end.saturating_sub(1),
            next_index: one.next,
            birth_time: Some(convert::time(one.birth)),
            has_private_keys: one.has_private_keys,
        })
    });
    Ok(v1::ListDescriptorsResponse {
        descriptors: descriptors.collect::<Result<_, Fault>>()?,
        next_page_token: next.unwrap_or_default(),
    })
}

pub(crate) fn import_key(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ImportKeyRequest,
) -> Result<v1::ImportKeyResponse, Fault> {
    let wif = Zeroizing::new(request.wif);
    let birth = birth("birth_time", request.birth_time)?;
    let turn = wallet.scan_turn()?;
    check_unlocked(wallet)?;
    let from = scan_from(asking, birth, request.skip_rescan);
    let (_, from) = turn.take_up(from, |keyring| {
        keyring.import_wif(wif.trim(), Some(&request.label), birth)?;
        Ok::<(), Fault>(())
    })?;
    rescan::pay_since(asking, &turn, from)?;
    Ok(v1::ImportKeyResponse {
        rescanned_from_height: from,
    })
}
