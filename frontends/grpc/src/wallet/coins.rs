//! Owns the coins of a wallet in any world, and the locks on them.

use bitcoin::OutPoint;
use bitcoin::hashes::Hash;
use everett_proto::v1;
use everett_wallet::{Spendable, View, Wallet};

use super::asking::Asking;
use crate::convert::wallet as convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::parse;

/// An outpoint in the position of a token.
const POSITION_BYTES: usize = 36;

fn position(outpoint: &OutPoint) -> Vec<u8> {
    let mut bytes = outpoint.txid.to_byte_array().to_vec();
    bytes.extend_from_slice(&outpoint.vout.to_be_bytes());
    bytes
}

fn read_position(bytes: [u8; POSITION_BYTES]) -> OutPoint {
    let (txid, vout) = bytes.split_at(32);
    let mut id = [0; 32];
    id.copy_from_slice(txid);
    let vout = vout.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    OutPoint::new(bitcoin::Txid::from_byte_array(id), vout)
}

pub(crate) fn list(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ListCoinsRequest,
) -> Result<v1::ListCoinsResponse, Fault> {
    let page_size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::Coins, &request.page_token)?;
    let reference = paging::pinned(token.as_ref(), 0, request.world);
    let world = asking.reading.world("world", reference)?;
    let mut filter = wallet.name().as_bytes().to_vec();
    filter.extend([0, u8::from(request.include_immature)]);
    let mut after = None;
    if let Some(token) = &token {
        token.check(&[world.hash()], &filter)?;
        after = Some(read_position(token.position()?));
    }
    let view = wallet.view()?;
    let mut found: Vec<(Spendable, bool)> = (view.spendable(&world)?.into_iter())
        .map(|coin| (coin, false))
        .collect();
    if request.include_immature {
        found.extend(view.immature(&world)?.into_iter().map(|coin| (coin, true)));
        found.sort_by_key(|(coin, _)| coin.outpoint);
    }
    asking.reading.patience.check()?;
    let is_safe = view.is_safe()?;
    let mut rest =
        (found.into_iter()).filter(|(coin, _)| after.is_none_or(|after| coin.outpoint > after));
    let page: Vec<(Spendable, bool)> = rest.by_ref().take(page_size).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|(last, _)| {
        let position = position(&last.outpoint);
        Token::new(List::Coins, &[world.hash()], &filter, position).to_text()
    });
    let coins = (page.iter())
        .map(|(coin, immature)| tell(&view, &is_safe, coin, *immature))
        .collect();
    drop(view);
    Ok(v1::ListCoinsResponse {
        world: Some(asking.reading.tell(&world)?),
        coins,
        next_page_token: next.unwrap_or_default(),
    })
}

fn tell(
    view: &View<'_>,
    is_safe: &impl Fn(&OutPoint) -> bool,
    coin: &Spendable,
    immature: bool,
) -> v1::WalletCoin {
    let script = view.script_of(&coin.outpoint).unwrap_or_default();
    v1::WalletCoin {
        height: coin.coin.map_or(0, |coin| coin.height),
        confirmations: coin.confirmations,
        coinbase: coin.coin.is_some_and(|coin| coin.coinbase),
        immature,
        trusted: coin.trusted,
        locked: coin.locked,
        safe: is_safe(&coin.outpoint),
        reused: coin.reused,
        ..convert::coin(view, &coin.outpoint, coin.output.amount, &script)
    }
}

pub(crate) fn lock(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::LockCoinRequest,
) -> Result<v1::LockCoinResponse, Fault> {
    let outpoint = parse::outpoint("outpoint", request.outpoint)?;
    if wallet.view()?.output(&outpoint).is_none() {
        return Err(not_ours(&outpoint));
    }
    wallet.lock_coin(outpoint, true, !request.until_restart)?;
    Ok(v1::LockCoinResponse {})
}

pub(crate) fn unlock(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::UnlockCoinRequest,
) -> Result<v1::UnlockCoinResponse, Fault> {
    let outpoint = parse::outpoint("outpoint", request.outpoint)?;
    if wallet.view()?.lock_of(&outpoint).is_none() {
        return Err(Fault::field(
            "outpoint",
            format!("{outpoint} is not locked"),
        ));
    }
    wallet.lock_coin(outpoint, false, false)?;
    Ok(v1::UnlockCoinResponse {})
}

fn not_ours(outpoint: &OutPoint) -> Fault {
    Fault::field("outpoint", format!("{outpoint} is no coin of this wallet"))
}
