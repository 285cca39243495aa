//! Owns how warnings of rival branches are shown.

use everett_proto::v1;
use serde::Serialize;

use super::super::world::WorldView;
use super::payment::StateView;
use crate::amount::btc;
use crate::output::View;

/// A payment that something stands against.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct EndangeredView {
    pub(crate) txid: String,
    #[serde(flatten)]
    pub(crate) state: StateView,
}

/// A coin that a branch lacks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct LostView {
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) amount_sat: i64,
}

/// What a rival branch would change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WarningView {
    pub(crate) world: Option<WorldView>,
    pub(crate) blocks_behind: i64,
    pub(crate) fork_hash: String,
    pub(crate) fork_height: u32,
    pub(crate) double_spend: bool,
    pub(crate) lost_sat: i64,
    pub(crate) lost_coins: Vec<LostView>,
    pub(crate) payments: Vec<EndangeredView>,
}

impl From<v1::WalletWarning> for WarningView {
    fn from(warning: v1::WalletWarning) -> WarningView {
        let lost = warning.lost_coins.into_iter().map(|coin| {
            let outpoint = coin.outpoint.unwrap_or_default();
            LostView {
                txid: outpoint.txid,
                vout: outpoint.vout,
                amount_sat: coin.amount_sat,
            }
        });
        let payments = warning.payments.into_iter().map(|payment| {
            let state = payment.state.unwrap_or_default();
            EndangeredView {
                txid: payment.txid,
                state: StateView {
                    world: None,
                    ..state.into()
                },
            }
        });
        WarningView {
            world: warning.world.map(WorldView::from),
            blocks_behind: warning.blocks_behind,
            fork_hash: warning.fork_hash,
            fork_height: warning.fork_height,
            double_spend: warning.double_spend,
            lost_sat: warning.lost_sat,
            lost_coins: lost.collect(),
            payments: payments.collect(),
        }
    }
}

impl WarningView {
    /// What it says, in some lines.
    pub(crate) fn lines(&self) -> String {
        let (tip, height) = match &self.world {
            Some(world) => (world.tip_hash.as_str(), world.height),
            None => ("?", 0),
        };
        let behind = match self.blocks_behind {
            0 => "as high as the best one".to_owned(),
            behind if behind < 0 => format!("{} blocks ahead, with less work", -behind),
            1 => "1 block behind".to_owned(),
            behind => format!("{behind} blocks behind"),
        };
        let what = match self.double_spend {
            true => "double spend",
            false => "rival branch",
        };
        let mut text = format!(
            "{what}: {tip} (height {height}, {behind}, forks at {}) would take {} BTC away\n",
            self.fork_height,
            btc(self.lost_sat)
        );
        for payment in &self.payments {
            text += &format!("  {}  {} there\n", payment.txid, payment.state.words());
        }
        text
    }
}

/// All warnings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WarningsView {
    pub(crate) world: WorldView,
    pub(crate) warnings: Vec<WarningView>,
}

impl View for WarningsView {
    fn text(&self) -> String {
        if self.warnings.is_empty() {
            return "no warnings: no rival branch would take anything away\n".to_owned();
        }
        self.warnings.iter().map(WarningView::lines).collect()
    }
}
