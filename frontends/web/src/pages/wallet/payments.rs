//! Owns the list of a wallet's payments: what each moved, and what becomes of it in every world.
//! Promises one word for each world, and what stands in its way.

use std::collections::HashSet;

use bitcoin::{OutPoint, Script, TxOut, Txid};
use everett_ledger::{BlockInfo, World};
use everett_wallet::{PaymentState, Record, State, View};

use crate::fault::Fault;
use crate::pages::part::Part;
use crate::reads::Patience;
use crate::show::{self, Btc};

/// Payments on a page.
pub(super) const PAYMENTS: usize = 25;
/// Names of those who were paid, at most.
const MAX_NAMES: usize = 2;

pub(super) struct PaymentRow {
    pub(super) txid: String,
    pub(super) short: String,
    pub(super) moment: String,
    pub(super) what: &'static str,
    /// Labels or addresses: of ours that were paid, or of others.
    pub(super) names: Vec<String>,
    pub(super) more_names: usize,
    pub(super) sign: &'static str,
    pub(super) amount: Btc,
    pub(super) note: Option<String>,
    /// As many as there are columns.
    pub(super) states: Vec<StateCell>,
}

/// What becomes of a payment in one world.
pub(super) struct StateCell {
    pub(super) word: &'static str,
    pub(super) detail: String,
    /// Where more of it is told.
    pub(super) link: Option<String>,
}

/// The name of a script of ours for people: its label, its address, or its bytes.
pub(super) fn named(view: &View<'_>, script: &Script) -> String {
    let network = view.keyring().network();
    let Ok(address) = bitcoin::Address::from_script(script, network) else {
        return crate::parse::cut(&script.to_hex_string());
    };
    let address = address.to_string();
    match view.keyring().labels().address(&address) {
        Some(label) if !label.text.is_empty() => crate::parse::cut(&label.text),
        _ => address,
    }
}

/// What becomes of a payment, for people.
pub(super) fn cell(state: &PaymentState, waits_in_mempool: bool) -> StateCell {
    let (detail, link) = match state {
        PaymentState::Confirmed {
            place,
            confirmations,
        } => (
            format!(
                "at {}, {} deep",
                show::thousands(u64::from(place.height)),
                confirmations
            ),
            Some(format!("/admin/block/{}", place.block)),
        ),
        PaymentState::Pending { in_mempool: true } => ("in the mempool".to_owned(), None),
        PaymentState::Pending { in_mempool: false } => match waits_in_mempool {
            true => ("not in the mempool".to_owned(), None),
            false => ("it could be confirmed".to_owned(), None),
        },
        PaymentState::Conflicted { by, block, .. } => (
            by.map_or_else(
                || "what it spends is spent".to_owned(),
                |by| format!("by {}", show::short(&by)),
            ),
            by.map(|by| match block {
                Some(block) => format!("/admin/tx/{by}?block={block}"),
                None => format!("/admin/tx/{by}"),
            }),
        ),
        PaymentState::Gone { missing: Some(_) } => ("what it spends is not there".to_owned(), None),
        PaymentState::Gone { missing: None } => ("mined in another world".to_owned(), None),
    };
    StateCell {
        word: state.word(),
        detail,
        link,
    }
}

/// What is known of a column before its payments are looked at.
struct Column<'a> {
    world: &'a World,
    best: bool,
    state: State,
    pending: HashSet<Txid>,
}

/// The payments, the last one first.
pub(super) fn list(
    view: &View<'_>,
    worlds: &[(BlockInfo, World)],
    part: impl FnOnce(usize) -> Result<Part, Fault>,
    patience: &Patience,
) -> Result<(Vec<PaymentRow>, Part), Fault> {
    let part = part(view.records().count())?;
    let mut columns = Vec::with_capacity(worlds.len());
    for (_, world) in worlds {
        columns.push(Column {
            world,
            best: world.hash() == view.best().hash(),
            state: view.state(world),
            pending: view.pending_on(world)?,
        });
    }
    let records = view.records().rev();
    let records: Vec<&Record> = records
        .skip(part.range.start)
        .take(part.range.len())
        .collect();
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let mut states = Vec::with_capacity(columns.len());
        for column in &columns {
            patience.check()?;
            let state =
                view.payment_in(&record.txid, column.world, &column.state, &column.pending)?;
            states.push(cell(&state, column.best));
        }
        rows.push(row(view, record, states));
    }
    Ok((rows, part))
}

fn row(view: &View<'_>, record: &Record, states: Vec<StateCell>) -> PaymentRow {
    let sum = |outputs: &[(bool, &TxOut)], ours: bool| -> u64 {
        let outputs = outputs.iter().filter(|(own, _)| *own == ours);
        outputs.map(|(_, output)| output.value.to_sat()).sum()
    };
    let own = |vout: usize| {
        // A transaction has fewer outputs than a u32 counts.
        let outpoint = OutPoint::new(record.txid, vout as u32);
        view.output(&outpoint).is_some()
    };
    let outputs: Vec<(bool, &TxOut)> = (record.tx.output.iter().enumerate())
        .map(|(vout, output)| (own(vout), output))
        .collect();
    let spent = record.tx.input.iter();
    let spent = spent.filter_map(|input| view.output(&input.previous_output));
    let debit: u64 = spent.map(|output| output.amount.to_sat()).sum();
    let credit = sum(&outputs, true);
    let others = outputs
        .iter()
        .any(|(own, output)| !own && !output.script_pubkey.is_op_return());
    let (what, names_of_ours) = match () {
        () if record.tx.is_coinbase() => ("mined", true),
        () if debit == 0 => ("received", true),
        () if others => ("sent", false),
        () => ("to itself", true),
    };
    let named_outputs = outputs
        .iter()
        .filter(|(own, output)| *own == names_of_ours && !output.script_pubkey.is_op_return());
    let mut names: Vec<String> = named_outputs
        .map(|(_, output)| named(view, &output.script_pubkey))
        .collect();
    names.dedup();
    let more_names = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let (sign, amount) = match credit.checked_sub(debit) {
        Some(more) => ("+", more),
        None => ("−", debit - credit),
    };
    let note = match (record.abandoned, record.replaced_by) {
        (_, Some(by)) => Some(format!("replaced by {}", show::short(&by))),
        (true, None) => Some("given up".to_owned()),
        (false, None) => record
            .notes
            .get("comment")
            .map(|comment| crate::parse::cut(comment)),
    };
    PaymentRow {
        txid: record.txid.to_string(),
        short: show::short(&record.txid),
        moment: show::moment(record.time),
        what,
        names,
        more_names,
        sign,
        amount: Btc::of(amount),
        note,
        states,
    }
}
