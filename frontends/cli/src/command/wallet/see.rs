//! Owns the commands that look: balances, addresses, coins, history, warnings, events.

use std::process::ExitCode;

use bitcoin::Txid;
use everett_proto::v1;
use everett_proto::v1::WalletEventKind;
use serde_json::json;
use tonic::Streaming;

use super::Asked;
use crate::args::wallet::{CoinsArgs, HistoryArgs, Kind, WarningsArgs};
use crate::at::At;
use crate::failure::Failure;
use crate::output::{show, write};
use crate::source::server::wallet::{PAGE_SIZE, reference};
use crate::view::wallet::address::{AddressView, AddressesView};
use crate::view::wallet::event::EventView;
use crate::view::wallet::payment::{PaymentView, PaymentsView};
use crate::view::wallet::warning::{WarningView, WarningsView};
use crate::view::wallet::{Done, WalletBalancesView, WalletCoinView, WalletCoinsView};
use crate::view::world::WorldView;

/// The kind of addresses as a request has it.
pub(super) fn kind(kind: Option<Kind>) -> v1::AddressKind {
    match kind {
        None => v1::AddressKind::Unspecified,
        Some(Kind::Legacy) => v1::AddressKind::Legacy,
        Some(Kind::P2shSegwit) => v1::AddressKind::P2shSegwit,
        Some(Kind::Bech32) => v1::AddressKind::Bech32,
        Some(Kind::Bech32m) => v1::AddressKind::Bech32m,
    }
}

pub(super) fn balance(asked: &Asked, at: Option<At>) -> Result<ExitCode, Failure> {
    let request = v1::GetWalletRequest {
        wallet: asked.wallet.clone(),
        worlds: at.map(reference).into_iter().collect(),
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.get_wallet(request).await)?;
    asked.show(&WalletBalancesView::from(answer))
}

pub(super) fn new_address(
    asked: &Asked,
    label: String,
    wanted: Option<Kind>,
    change: bool,
) -> Result<ExitCode, Failure> {
    let request = v1::NewAddressRequest {
        wallet: asked.wallet.clone(),
        label,
        kind: kind(wanted).into(),
        change,
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.new_address(request).await)?;
    asked.show(&AddressView::from(answer.address.unwrap_or_default()))
}

/// The world of the first page, which the others are of as well.
fn same(first: &mut Option<v1::World>, page: Option<v1::World>) {
    if first.is_none() {
        *first = page;
    }
}

fn told(world: Option<v1::World>) -> WorldView {
    world.unwrap_or_default().into()
}

pub(super) fn addresses(
    asked: &Asked,
    at: At,
    label: Option<String>,
    change: bool,
) -> Result<ExitCode, Failure> {
    let mut request = v1::ListAddressesRequest {
        wallet: asked.wallet.clone(),
        world: Some(reference(at)),
        label,
        include_change: change,
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    let (mut world, mut addresses) = (None, Vec::new());
    loop {
        let page = request.clone();
        let page = asked
            .node
            .ask_wallet(async |mut client| client.list_addresses(page).await)?;
        same(&mut world, page.world);
        addresses.extend(page.addresses.into_iter().map(AddressView::from));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            let world = told(world);
            return asked.show(&AddressesView { world, addresses });
        }
    }
}

pub(super) fn coins(asked: &Asked, args: CoinsArgs) -> Result<ExitCode, Failure> {
    let outpoint = |coin: bitcoin::OutPoint| v1::OutPoint {
        txid: coin.txid.to_string(),
        vout: coin.vout,
    };
    let wallet = asked.wallet.clone();
    if let Some(coin) = args.lock {
        let request = v1::LockCoinRequest {
            wallet,
            outpoint: Some(outpoint(coin)),
            until_restart: false,
        };
        asked
            .node
            .ask_wallet(async |mut client| client.lock_coin(request).await)?;
        let json = json!({ "locked": coin.to_string() });
        return asked.show(&Done::new(format!("{coin} is locked"), json));
    }
    if let Some(coin) = args.unlock {
        let request = v1::UnlockCoinRequest {
            wallet,
            outpoint: Some(outpoint(coin)),
        };
        asked
            .node
            .ask_wallet(async |mut client| client.unlock_coin(request).await)?;
        let json = json!({ "unlocked": coin.to_string() });
        return asked.show(&Done::new(format!("{coin} is not locked any more"), json));
    }
    let mut request = v1::ListCoinsRequest {
        wallet,
        world: Some(reference(args.at)),
        page_size: PAGE_SIZE,
        page_token: String::new(),
        include_immature: args.immature,
    };
    let (mut world, mut coins) = (None, Vec::new());
    loop {
        let page = request.clone();
        let page = asked
            .node
            .ask_wallet(async |mut client| client.list_coins(page).await)?;
        same(&mut world, page.world);
        coins.extend(page.coins.into_iter().map(WalletCoinView::from));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            let world = told(world);
            return asked.show(&WalletCoinsView { world, coins });
        }
    }
}

pub(super) fn history(asked: &Asked, args: HistoryArgs) -> Result<ExitCode, Failure> {
    let mut request = v1::ListPaymentsRequest {
        wallet: asked.wallet.clone(),
        world: Some(reference(args.at)),
        page_size: i32::try_from(args.limit)
            .unwrap_or(PAGE_SIZE)
            .clamp(1, PAGE_SIZE),
        page_token: String::new(),
    };
    let (mut world, mut payments) = (None, Vec::new());
    loop {
        let page = request.clone();
        let page = asked
            .node
            .ask_wallet(async |mut client| client.list_payments(page).await)?;
        same(&mut world, page.world);
        payments.extend(page.payments.into_iter().map(PaymentView::from));
        request.page_token = page.next_page_token;
        let more = !request.page_token.is_empty() || payments.len() > args.limit;
        if request.page_token.is_empty() || payments.len() >= args.limit {
            payments.truncate(args.limit);
            return asked.show(&PaymentsView {
                world: told(world),
                payments,
                more,
            });
        }
    }
}

pub(super) fn payment(asked: &Asked, txid: &Txid) -> Result<ExitCode, Failure> {
    let request = v1::GetPaymentRequest {
        wallet: asked.wallet.clone(),
        txid: txid.to_string(),
        worlds: Vec::new(),
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.get_payment(request).await)?;
    asked.show(&PaymentView::from(answer.payment.unwrap_or_default()))
}

pub(super) fn warnings(asked: &Asked, args: &WarningsArgs) -> Result<ExitCode, Failure> {
    if !args.follow {
        return asked.show(&listed(asked, args)?);
    }
    // The stream first: what comes while the list is asked for is told rather in both than in none.
    let events = open(asked, &EventView::WARNINGS)?;
    let view = listed(asked, args)?;
    // One object a line, the first of them what stands now.
    match asked.json {
        true => write(&(line(&view)? + "\n"))?,
        false => show(&view, false)?,
    }
    tell(asked, events)
}

/// The warnings that stand.
fn listed(asked: &Asked, args: &WarningsArgs) -> Result<WarningsView, Failure> {
    let request = v1::ListWarningsRequest {
        wallet: asked.wallet.clone(),
        max_blocks_behind: args.behind,
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.list_warnings(request).await)?;
    Ok(WarningsView {
        world: told(answer.world),
        warnings: answer.warnings.into_iter().map(WarningView::from).collect(),
    })
}

/// In JSON, in one line.
fn line(view: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(view)
        .map_err(|error| Failure::new(everett_proto::v1::ErrorReason::Internal, error))
}

pub(super) fn events(asked: &Asked, kinds: &[WalletEventKind]) -> Result<ExitCode, Failure> {
    tell(asked, open(asked, kinds)?)
}

/// The stream of what happens from now on.
fn open(
    asked: &Asked,
    kinds: &[WalletEventKind],
) -> Result<Streaming<v1::StreamWalletEventsResponse>, Failure> {
    let request = v1::StreamWalletEventsRequest {
        wallet: asked.wallet.clone(),
        kinds: kinds.iter().map(|kind| i32::from(*kind)).collect(),
    };
    asked
        .node
        .ask_wallet(async |mut client| client.stream_wallet_events(request).await)
}

/// Writes what comes, until there is no more.
fn tell(
    asked: &Asked,
    events: Streaming<v1::StreamWalletEventsResponse>,
) -> Result<ExitCode, Failure> {
    let json = asked.json;
    asked.node.follow_parts(events, |event| {
        let event = EventView::from(event);
        match json {
            true => write(&(line(&event)? + "\n"))?,
            false => write(&event.line())?,
        }
        Ok(true)
    })?;
    Ok(ExitCode::SUCCESS)
}
