//! Owns how snapshots are shown.

use std::path::PathBuf;

use everett_node::snapshots::{LeftOut, Listed, Restored, SnapshotManifest};
use everett_proto::v1;
use indicatif::HumanBytes;
use serde::Serialize;

use super::words::visible;
use super::world::seconds;
use crate::output::View;
use crate::table::{Align, Table};

/// A snapshot.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SnapshotView {
    name: String,
    /// Why it cannot be used; then only the name stands beside it.
    damage: Option<String>,
    network: String,
    /// Unix seconds.
    created: u64,
    best_hash: String,
    best_height: u32,
    worlds: u64,
    mempool_transactions: u64,
    wallets: Vec<String>,
    /// Wallets of the node whose files could not be read.
    left_out: Vec<LeftOut>,
    bytes: u64,
}

impl From<SnapshotManifest> for SnapshotView {
    fn from(manifest: SnapshotManifest) -> SnapshotView {
        let wallets = manifest.wallets.into_iter();
        SnapshotView {
            name: manifest.name,
            damage: None,
            network: manifest.network,
            created: manifest.created,
            best_hash: manifest.best_hash,
            best_height: manifest.best_height,
            worlds: manifest.world_count as u64,
            mempool_transactions: manifest.mempool_transactions.unwrap_or(0) as u64,
            wallets: wallets.map(|wallet| wallet.name).collect(),
            left_out: manifest.left_out,
            bytes: manifest.bytes,
        }
    }
}

impl From<Listed> for SnapshotView {
    fn from(listed: Listed) -> SnapshotView {
        match listed.manifest {
            Ok(manifest) => SnapshotView {
                name: listed.name,
                ..manifest.into()
            },
            Err(error) => SnapshotView {
                name: listed.name,
                damage: Some(error.to_string()),
                ..SnapshotView::default()
            },
        }
    }
}

impl From<v1::Snapshot> for SnapshotView {
    fn from(snapshot: v1::Snapshot) -> SnapshotView {
        let left_out = snapshot.left_out.into_iter().map(|wallet| LeftOut {
            name: wallet.name,
            why: wallet.why,
        });
        SnapshotView {
            left_out: left_out.collect(),
            damage: Some(snapshot.damage).filter(|damage| !damage.is_empty()),
            created: seconds(snapshot.created),
            name: snapshot.name,
            network: snapshot.network,
            best_hash: snapshot.best_hash,
            best_height: snapshot.best_height,
            worlds: u64::from(snapshot.worlds),
            mempool_transactions: snapshot.mempool_transactions,
            wallets: snapshot.wallets,
            bytes: snapshot.bytes,
        }
    }
}

impl SnapshotView {
    /// A line for each wallet that is not in it.
    fn warnings(&self) -> String {
        let line = |wallet: &LeftOut| {
            format!(
                "warning: {} is without the wallet {:?}: {}\n",
                visible(&self.name),
                wallet.name,
                visible(&wallet.why)
            )
        };
        self.left_out.iter().map(line).collect()
    }

    fn contents(&self) -> String {
        let counted = |count: u64, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {many}"),
        };
        format!(
            "{}, height {}, {}, {} waiting, {}, {}",
            self.network,
            self.best_height,
            counted(self.worlds, "world", "worlds"),
            self.mempool_transactions,
            counted(self.wallets.len() as u64, "wallet", "wallets"),
            HumanBytes(self.bytes)
        )
    }
}

/// A snapshot that was saved.
#[derive(Debug, Serialize)]
pub(crate) struct SavedView {
    pub(crate) saved: SnapshotView,
    pub(crate) seconds: f64,
}

impl View for SavedView {
    fn text(&self) -> String {
        format!(
            "saved {}: {} in {:.2} s\n{}",
            self.saved.name,
            self.saved.contents(),
            self.seconds,
            self.saved.warnings()
        )
    }
}

/// All snapshots.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotsView {
    pub(crate) directory: String,
    pub(crate) snapshots: Vec<SnapshotView>,
}

impl View for SnapshotsView {
    fn text(&self) -> String {
        if self.snapshots.is_empty() {
            return format!("no snapshots in {}\n", visible(&self.directory));
        }
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("SAVED", Align::Right),
            ("HEIGHT", Align::Right),
            ("WORLDS", Align::Right),
            ("WAITING", Align::Right),
            ("WALLETS", Align::Right),
            ("SIZE", Align::Right),
        ]);
        let mut remarks = String::new();
        for snapshot in &self.snapshots {
            let name = visible(&snapshot.name);
            if let Some(damage) = &snapshot.damage {
                remarks.push_str(&format!("{}\n", visible(damage)));
                continue;
            }
            remarks.push_str(&snapshot.warnings());
            table.row([
                name,
                everett_log::time::format(i64::try_from(snapshot.created).unwrap_or(i64::MAX), 0),
                snapshot.best_height.to_string(),
                snapshot.worlds.to_string(),
                snapshot.mempool_transactions.to_string(),
                snapshot.wallets.len().to_string(),
                HumanBytes(snapshot.bytes).to_string(),
            ]);
        }
        format!("{table}{remarks}")
    }
}

/// A data directory that was restored.
#[derive(Debug, Serialize)]
pub(crate) struct RestoredView {
    restored: SnapshotView,
    datadir: PathBuf,
    /// Where the data went that was there.
    replaced: Option<PathBuf>,
    seconds: f64,
}

impl RestoredView {
    pub(crate) fn new(restored: Restored, datadir: PathBuf, seconds: f64) -> RestoredView {
        RestoredView {
            restored: restored.manifest.into(),
            datadir,
            replaced: restored.aside,
            seconds,
        }
    }
}

impl View for RestoredView {
    fn text(&self) -> String {
        let replaced = self.replaced.as_ref().map(|path| {
            let path = path.display();
            format!("what was there is in {path}\n")
        });
        format!(
            "restored {} in {}: {} in {:.2} s\n{}{}",
            self.restored.name,
            self.datadir.display(),
            self.restored.contents(),
            self.seconds,
            replaced.unwrap_or_default(),
            self.restored.warnings()
        )
    }
}

/// A snapshot that was deleted.
#[derive(Debug, Serialize)]
pub(crate) struct DeletedView {
    pub(crate) deleted: String,
}

impl View for DeletedView {
    fn text(&self) -> String {
        format!("deleted {}\n", self.deleted)
    }
}
