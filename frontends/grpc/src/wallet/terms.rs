//! Owns the reading of what a payment is to be.
//! Promises the wallet's defaults where nothing is said, and a field's path where something cannot be.

use std::collections::BTreeMap;

use bitcoin::Amount;
use everett_ledger::Network;
use everett_mempool::FeeRate;
use everett_proto::v1;
use everett_proto::v1::fee_choice::Fee;
use everett_wallet::WalletConfig;
use everett_wallet::spend::{ChangeTo, FeeChoice, In, Payee, Request, Scope};

use super::addresses;
use crate::fault::Fault;
use crate::parse;

/// Most recipients of one payment, and most coins that it names.
const MAX_ITEMS: usize = 10_000;
/// Longest comment that is kept, in bytes.
const MAX_COMMENT_BYTES: usize = 4_096;
/// Estimates are made for so many blocks.
const TARGETS: std::ops::RangeInclusive<u32> = 1..=1_008;

/// What a payment is to be; `field` is where it stands in the request.
pub(crate) fn request(
    field: &str,
    terms: Option<v1::PaymentTerms>,
    network: Network,
    config: &WalletConfig,
) -> Result<Request, Fault> {
    let terms = terms.ok_or_else(|| Fault::field(field, "they are missing"))?;
    let path = |name: &str| format!("{field}.{name}");
    let mut payees = Vec::new();
    for (index, recipient) in at_most(&path("recipients"), &terms.recipients)? {
        let field = path(&format!("recipients[{index}]"));
        payees.push(payee(&field, recipient, network)?);
    }
    let everything = payees.iter().any(|payee| payee.shares);
    let pays_fee = payees.iter().position(|payee| payee.pays_fee);
    if let Some(index) = pays_fee.filter(|_| everything) {
        let field = path(&format!("recipients[{index}].pays_fee"));
        return Err(Fault::field(field, "who takes the rest pays the fee"));
    }
    let mut inputs = Vec::new();
    for (index, coin) in at_most(&path("coins"), &terms.coins)? {
        inputs.push(In {
            outpoint: parse::outpoint(&path(&format!("coins[{index}]")), Some(coin.clone()))?,
            sequence: None,
            weight: None,
        });
    }
    let change = match &terms.change {
        None => match parse::choice(&path("change_kind"), terms.change_kind)?
            .and_then(addresses::kind)
        {
            None => ChangeTo::Automatic,
            Some(kind) => ChangeTo::Kind(kind),
        },
        script => ChangeTo::Script(parse::script_pubkey(
            &path("change"),
            script.as_ref(),
            network,
        )?),
    };
    let mut notes = BTreeMap::new();
    for (name, field, text) in [
        ("comment", "comment", &terms.comment),
        ("to", "comment_to", &terms.comment_to),
    ] {
        if text.len() > MAX_COMMENT_BYTES {
            let wrong = format!("{} bytes; {MAX_COMMENT_BYTES} are kept", text.len());
            return Err(Fault::field(path(field), wrong));
        }
        if !text.is_empty() {
            notes.insert(name.to_owned(), text.clone());
        }
    }
    let change_position = terms.change_position.map(|place| place as usize);
    if let Some(place) = change_position.filter(|place| *place > payees.len()) {
        let wrong = format!("{place}: change can be output 0 to {}", payees.len());
        return Err(Fault::field(path("change_position"), wrong));
    }
    let usual = Request::to(payees);
    Ok(Request {
        scope: parse::choice(&path("scope"), terms.scope)?.map_or(usual.scope, scope),
        fee: fee(&path("fee"), terms.fee)?.unwrap_or(usual.fee),
        change,
        change_position,
        add_inputs: inputs.is_empty() || terms.add_coins,
        inputs,
        everything,
        include_unsafe: terms.include_untrusted,
        min_confirmations: terms.min_confirmations,
        lock_time: terms.lock_time,
        replaceable: terms.replaceable.unwrap_or(config.replaceable),
        use_locked: terms.use_locked,
        use_reused: terms.use_reused,
        notes,
        ..usual
    })
}

fn at_most<'a, T>(
    field: &str,
    items: &'a [T],
) -> Result<impl Iterator<Item = (usize, &'a T)> + use<'a, T>, Fault> {
    match items.len() <= MAX_ITEMS {
        true => Ok(items.iter().enumerate()),
        false => {
            let wrong = format!("{} of them; at most {MAX_ITEMS}", items.len());
            Err(Fault::field(field, wrong))
        }
    }
}

fn payee(field: &str, recipient: &v1::Recipient, network: Network) -> Result<Payee, Fault> {
    let sat = recipient.amount_sat;
    let script = parse::script_pubkey(
        &format!("{field}.script"),
        recipient.script.as_ref(),
        network,
    )?;
    let wrong = |why: String| Err(Fault::field(format!("{field}.amount_sat"), why));
    if recipient.takes_rest && sat != 0 {
        return wrong("who takes the rest is given no amount".to_owned());
    }
    if recipient.takes_rest && recipient.pays_fee {
        let why = "who takes the rest pays the fee anyway";
        return Err(Fault::field(format!("{field}.pays_fee"), why));
    }
    // Data is carried for nothing.
    if sat == 0 && !recipient.takes_rest && !script.is_op_return() {
        return wrong("an amount is missing".to_owned());
    }
    let amount = u64::try_from(sat).map(Amount::from_sat);
    match amount.ok().filter(|amount| *amount <= Amount::MAX_MONEY) {
        None => wrong(format!("{sat} satoshis: there are 0 to 21 million bitcoin")),
        Some(amount) => Ok(Payee {
            script_pubkey: script,
            amount,
            pays_fee: recipient.pays_fee,
            shares: recipient.takes_rest,
        }),
    }
}

fn scope(scope: v1::CoinScope) -> Scope {
    match scope {
        v1::CoinScope::Unspecified | v1::CoinScope::AllWorlds => Scope::AllWorlds,
        v1::CoinScope::Best => Scope::Best,
    }
}

/// What is paid to miners, where it is said.
pub(crate) fn fee(field: &str, choice: Option<v1::FeeChoice>) -> Result<Option<FeeChoice>, Fault> {
    /// Bitcoins for a virtual byte would be more than this.
    const MAX_RATE: i64 = 1_000_000_000_000;
    match choice.and_then(|choice| choice.fee) {
        None => Ok(None),
        Some(Fee::RateSatPerKvb(sat)) => match (0..=MAX_RATE).contains(&sat) {
            true => Ok(Some(FeeChoice::Rate(FeeRate::per_kvb(sat)))),
            false => Err(Fault::field(
                format!("{field}.rate_sat_per_kvb"),
                format!("{sat} satoshis for 1,000 virtual bytes: not a rate that anybody pays"),
            )),
        },
        Some(Fee::TargetBlocks(blocks)) => match TARGETS.contains(&blocks) {
            true => Ok(Some(FeeChoice::Target {
                blocks,
                conservative: None,
            })),
            false => Err(Fault::field(
                format!("{field}.target_blocks"),
                format!("{blocks} blocks; estimates are made for 1 to 1,008"),
            )),
        },
    }
}
