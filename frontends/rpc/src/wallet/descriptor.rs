//! Owns the descriptors of a wallet: taken up, with a scan for what they were paid, and listed.
//! Promises an answer for each one that is to be taken up, whatever becomes of the others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use everett_ledger::Ledger;
use everett_wallet::keys::Import;
use everett_wallet::{KeyError, ScanTurn, WalletError, first_block_since};
use zeroize::Zeroizing;

use super::label::parse_label;
use crate::call::Call;
use crate::descriptor::parse_range;
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError, TYPE_ERROR, WALLET_ERROR};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static IMPORTDESCRIPTORS: Method = Method {
    name: "importdescriptors",
    category: Category::Wallet,
    about: "Takes up descriptors, and looks in the blocks of every live world for what they were paid.",
    arguments: &[Argument::required(
        "requests",
        Kind::Array,
        "Objects with desc, timestamp (seconds since 1970, or \"now\"), and as needed active, range, next_index, internal, label",
    )],
    result: "[{\"success\", \"warnings\", \"error\"}, ...]    (json array) What came of each",
    at: false,
    run: Run::Read(import_descriptors),
};

/// Since when a descriptor may have been paid.
fn timestamp(request: &Json, now: u64) -> Result<u64, RpcError> {
    match request.find("timestamp") {
        None => Err(RpcError::new(
            TYPE_ERROR,
            "Missing required timestamp field for key",
        )),
        Some(Json::Text(text)) if text == "now" => Ok(now.max(1)),
        Some(number @ Json::Number(_)) => {
            let time: i64 = number.int()?;
            Ok(time.max(1).unsigned_abs())
        }
        Some(other) => Err(RpcError::new(
            TYPE_ERROR,
            format!(
                "Expected number or \"now\" timestamp value for key. got type {}",
                other.type_name()
            ),
        )),
    }
}

fn import_descriptors(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let turn = wallet.scan_turn()?;
    super::unlocked(&wallet)?;
    let tip = call.ledger().best();
    let now = u64::from(tip.median_time_past());
    let mut first_blocks = FirstBlocks::new(call.ledger(), u64::from(tip.header().time));
    let mut answers = Vec::new();
    // What this call took up; it does not wait for what others have.
    let mut since: Option<u32> = None;
    for request in call.arg(0).array()? {
        let birth = timestamp(request, now)?;
        let mut warnings = Vec::new();
        let mut answer = Json::Object(Vec::new());
        let from = first_blocks.since(birth);
        match import_one(&turn, request, birth, from, &mut warnings) {
            Ok(from) => {
                answer.push("success", true);
                since = [since, from].into_iter().flatten().min();
            }
            Err(error) => {
                answer.push("success", false);
                answer.push("error", error.json());
            }
        }
        if !warnings.is_empty() {
            let warnings = warnings.iter().map(|warning| &**warning);
            answer.push("warnings", warnings.collect::<Json>());
        }
        answers.push(answer);
    }
    if let Some(since) = since {
        turn.pay_since(since, &mut |_, _| call.goes_on())
            .map_err(|error| match error {
                WalletError::ScanAborted { .. } => RpcError::misc("Rescan aborted by user."),
                other => other.into(),
            })?;
    }
    Ok(Json::Array(answers))
}

/// The heights from which descriptors may have been paid, by their times: many of one import have the same one.
struct FirstBlocks<'a> {
    ledger: &'a Ledger,
    /// The best block's time: younger ones are looked for from there on, too, as Core does.
    latest: u64,
    known: BTreeMap<u64, u32>,
}

impl FirstBlocks<'_> {
    fn new(ledger: &Ledger, latest: u64) -> FirstBlocks<'_> {
        FirstBlocks {
            ledger,
            latest,
            known: BTreeMap::new(),
        }
    }

    /// The first block for a time; no import has more of those than it has descriptors.
    fn since(&mut self, time: u64) -> u32 {
        let time = time.min(self.latest);
        let ledger = self.ledger;
        *(self.known.entry(time)).or_insert_with(|| first_block_since(ledger, time))
    }
}

/// Why one was not taken up.
enum Refused {
    Keys(KeyError),
    Wallet(WalletError),
}

impl From<WalletError> for Refused {
    fn from(error: WalletError) -> Refused {
        Refused::Wallet(error)
    }
}

fn next_index(value: &Json) -> Result<u32, RpcError> {
    let index: i64 = value.int()?;
    u32::try_from(index).map_err(|_| RpcError::parameter("next_index is out of range"))
}

/// Takes one up; the height from which on blocks have to be looked into for it.
fn import_one(
    turn: &ScanTurn,
    request: &Json,
    birth: u64,
    from: u32,
    warnings: &mut Vec<Cow<'static, str>>,
) -> Result<Option<u32>, RpcError> {
    let text = match request.find("desc") {
        None => return Err(RpcError::parameter("Descriptor not found.")),
        Some(text) => text.text()?,
    };
    let active = request.find("active").map_or(Ok(false), Json::bool)?;
    let label = request.find("label");
    let label = match label {
        None => None,
        given => Some(parse_label(given.unwrap_or(&Json::Null))?),
    };
    let import = Import {
        text: Zeroizing::new(text.to_owned()),
        active,
        internal: request.find("internal").map(Json::bool).transpose()?,
        keeps_use: false,
        range: request.find("range").map(parse_range).transpose()?,
        next_index: request.find("next_index").map(next_index).transpose()?,
        birth,
        label,
    };
    let imported = turn.take_up(Some(from), |keyring| {
        (keyring.import_warning(&import, warnings)).map_err(Refused::Keys)
    });
    let (_, since) = imported.map_err(|refused| match refused {
        Refused::Keys(error @ KeyError::RangeShrinks { .. }) => RpcError::new(
            WALLET_ERROR,
            format!("Could not add descriptor '{text}': {error}"),
        ),
        Refused::Keys(KeyError::Import(why)) if why.starts_with("Cannot have multipath") => {
            RpcError::new(INVALID_ADDRESS_OR_KEY, why)
        }
        Refused::Keys(other) => other.into(),
        Refused::Wallet(error @ WalletError::BlocksMissing { .. }) => RpcError::misc(format!(
            "Rescan failed for descriptor with timestamp {birth}. It was not imported: {error}"
        )),
        Refused::Wallet(other) => other.into(),
    })?;
    Ok(since)
}

pub(super) static LISTDESCRIPTORS: Method = Method {
    name: "listdescriptors",
    category: Category::Wallet,
    about: "The descriptors of a wallet.",
    arguments: &[Argument::default(
        "private",
        Kind::Bool,
        "false",
        "Whether with their private keys",
    )],
    result: "{\"wallet_name\", \"descriptors\": [{\"desc\", \"timestamp\", \"active\", \"internal\", \"range\", \"next\", \
             \"next_index\"}, ...]}    (json object) The descriptors, by their text",
    at: false,
    run: Run::Read(list_descriptors),
};

fn list_descriptors(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let private = call.bool_or(0, false)?;
    if private && wallet.view()?.keyring().flags().disable_private_keys {
        return Err(RpcError::new(
            WALLET_ERROR,
            "Can't get private descriptor string for watch-only wallets",
        ));
    }
    if private {
        super::unlocked(&wallet)?;
    }
    let view = wallet.view()?;
    let keyring = view.keyring();
    let mut all = Vec::new();
    for descriptor in keyring.descriptors() {
        let text = match private {
            false => descriptor.text.to_string(),
            true => {
                let text = keyring.private_text(descriptor.number);
                let text = text
                    .ok_or_else(|| RpcError::new(WALLET_ERROR, "Can't get descriptor string."))?;
                text.to_string()
            }
        };
        all.push((text, descriptor));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let list = all.into_iter().map(|(text, descriptor)| {
        let mut json = object! {
            "desc" => text,
            "timestamp" => descriptor.birth,
            "active" => descriptor.active,
        };
        let internal = descriptor
            .role()
            .map(|(_, chain)| chain == everett_wallet::Chain::Internal);
        json.push_some("internal", internal);
        if descriptor.is_range() {
            json.push(
                "range",
                vec![descriptor.start, descriptor.end.saturating_sub(1)],
            );
            json.push("next", descriptor.next);
            json.push("next_index", descriptor.next);
        }
        json
    });
    Ok(object! {
        "wallet_name" => wallet.name(),
        "descriptors" => list.collect::<Json>(),
    })
}
