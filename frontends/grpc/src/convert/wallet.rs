//! Owns the writing of what wallets have as messages: balances, coins, states, warnings.

use bitcoin::{Amount, OutPoint, Script};
use everett_ledger::Ledger;
use everett_proto::v1;
use everett_wallet::{PaymentState, Safe, ScanProgress, View, Warning, WorldBalance};

use super::sat;

/// Most coins, and most payments, of a warning that are told.
const MAX_TOLD: usize = 1_000;

/// What a wallet has in a world that is not named yet.
pub(crate) fn balance(balance: &WorldBalance) -> v1::WalletBalance {
    v1::WalletBalance {
        world: None,
        confirmed_sat: sat(balance.confirmed),
        pending_sat: sat(balance.pending),
        immature_sat: sat(balance.immature),
        spendable_sat: sat(balance.trusted),
        held_sat: sat(balance.held.trusted),
        coin_count: balance.coins,
        reused_sat: sat(balance.reused),
    }
}

/// What is the same in every live world.
pub(crate) fn safe(safe: &Safe) -> v1::SafeBalance {
    v1::SafeBalance {
        safe_sat: sat(safe.amount),
        coin_count: safe.coins,
        at_risk_sat: sat(safe.at_risk),
        world_count: u32::try_from(safe.worlds).unwrap_or(u32::MAX),
    }
}

/// How far a scan is.
pub(crate) fn scan(scan: ScanProgress) -> v1::WalletScan {
    v1::WalletScan {
        // One that has run for ages longer than a node does has no other form.
        elapsed: scan.elapsed.try_into().ok(),
        part: scan.part,
    }
}

/// A coin, without what depends on the world.
pub(crate) fn coin(
    view: &View<'_>,
    outpoint: &OutPoint,
    amount: Amount,
    script: &Script,
) -> v1::WalletCoin {
    let keyring = view.keyring();
    let address = bitcoin::Address::from_script(script, keyring.network());
    let address = address.map_or_else(|_| String::new(), |address| address.to_string());
    let label = keyring.labels().address(&address);
    v1::WalletCoin {
        outpoint: Some(super::outpoint(outpoint)),
        amount_sat: sat(amount),
        script_pubkey: script.to_bytes(),
        label: label.map_or_else(String::new, |label| label.text.clone()),
        solvable: keyring.can_sign(script),
        address,
        ..Default::default()
    }
}

/// How a payment stands in a world that is not named yet.
pub(crate) fn payment_state(state: &PaymentState) -> v1::PaymentState {
    let kind = match state {
        PaymentState::Confirmed { .. } => v1::PaymentStateKind::Confirmed,
        PaymentState::Pending { .. } => v1::PaymentStateKind::Pending,
        PaymentState::Conflicted { .. } => v1::PaymentStateKind::Conflicted,
        PaymentState::Gone { .. } => v1::PaymentStateKind::Gone,
    };
    let told = v1::PaymentState {
        kind: kind.into(),
        ..Default::default()
    };
    match state {
        PaymentState::Confirmed {
            place,
            confirmations,
        } => v1::PaymentState {
            block_hash: place.block.to_string(),
            height: place.height,
            confirmations: *confirmations,
            ..told
        },
        PaymentState::Pending { in_mempool } => v1::PaymentState {
            in_mempool: *in_mempool,
            ..told
        },
        PaymentState::Conflicted {
            outpoint,
            by,
            block,
        } => v1::PaymentState {
            outpoint: Some(super::outpoint(outpoint)),
            conflicting_txid: by.map_or_else(String::new, |by| by.to_string()),
            block_hash: block.map_or_else(String::new, |block| block.to_string()),
            ..told
        },
        PaymentState::Gone { missing } => v1::PaymentState {
            outpoint: missing.as_ref().map(super::outpoint),
            ..told
        },
    }
}

/// A warning, and its branch as it is now.
pub(crate) fn warning(ledger: &Ledger, warning: &Warning) -> v1::WalletWarning {
    let best = ledger.best().hash();
    let info = ledger.block_info(&warning.tip);
    let world = info.map(|info| super::world(&info, info.hash == best));
    let lost = warning.lost.iter().take(MAX_TOLD);
    let payments = warning.payments.iter().take(MAX_TOLD);
    v1::WalletWarning {
        blocks_behind: warning.behind,
        fork_hash: warning.fork.to_string(),
        fork_height: warning.fork_height,
        lost_sat: sat(warning.lost_amount),
        lost_coins: lost
            .map(|(outpoint, coin)| v1::LostCoin {
                outpoint: Some(super::outpoint(outpoint)),
                amount_sat: sat(coin.amount),
            })
            .collect(),
        payments: payments
            .map(|(txid, state)| v1::EndangeredPayment {
                txid: txid.to_string(),
                state: Some(v1::PaymentState {
                    world: world.clone(),
                    ..payment_state(state)
                }),
            })
            .collect(),
        double_spend: warning.has_double_spend(),
        world,
    }
}
