//! Owns the writing of all coins to a file.
//! Promises Core's file, byte for byte, for any live world, and that a file of its name is there whole or not at all.
//! Refuses to write over one that is there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use everett_ledger::{Snapshot, SnapshotError, World};

use super::chain_stats::transactions_up_to;
use crate::call::Call;
use crate::error::{INTERNAL_ERROR, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static DUMPTXOUTSET: Method = Method {
    name: "dumptxoutset",
    category: Category::Blockchain,
    about: "Writes the coins of a world to a file, in the format of Bitcoin Core's snapshots. Nothing is rolled back for it: \
            an earlier block, or one of another branch, is a world like the best one.",
    arguments: &[
        Argument::required(
            "path",
            Kind::Text,
            "The file; a relative path is taken from the data directory of the network",
        ),
        Argument::default(
            "type",
            Kind::Text,
            "\"\"",
            "latest for the world that is asked; rollback, or nothing, together with the option of that name",
        ),
        Argument::optional("options", Kind::Object, "What can be given by name")
            .shown("{\"rollback\":n,\"in_memory\":bool,...}")
            .options(&[
                Argument::optional(
                    "rollback",
                    Kind::Any,
                    "The height or the hash of the block whose coins are wanted",
                ),
                Argument::default(
                    "in_memory",
                    Kind::Bool,
                    "false",
                    "Of no effect: no other database is made",
                ),
            ]),
    ],
    result: "{...}    (json object) coins_written, base_hash, base_height, path, txoutset_hash, nchaintx",
    at: true,
    run: Run::Read(dump_tx_out_set),
};

fn dump_tx_out_set(call: &Call) -> Answer {
    let kind = call.maybe(1).map_or(Ok(""), Json::text)?;
    let rollback = call.maybe(2).and_then(|options| options.find("rollback"));
    let world = match (rollback.filter(|value| !value.is_null()), kind) {
        (Some(_), kind) if !["", "rollback"].contains(&kind) => {
            return Err(RpcError::parameter(format!(
                "Invalid snapshot type \"{kind}\" specified with rollback option"
            )));
        }
        (Some(wanted), _) => {
            let info = super::find_block_or_height(call, wanted)?;
            call.ledger().world(&info.hash)?
        }
        (None, "latest") => call.world()?,
        (None, "rollback") => {
            return Err(RpcError::parameter(
                "No snapshots are built in to roll back to: name a block by rollback=HEIGHT or rollback=HASH",
            ));
        }
        (None, _) => {
            return Err(RpcError::parameter(format!(
                "Invalid snapshot type \"{kind}\" specified. Please specify \"rollback\" or \"latest\""
            )));
        }
    };
    let path = call.site.config.directory.join(call.text(0)?);
    let path = std::path::absolute(&path).unwrap_or(path);
    if path.exists() {
        return Err(RpcError::parameter(format!(
            "{} already exists. If you are sure this is what you want, move it out of the way first",
            path.display()
        )));
    }
    let snapshot = write(call, &world, &path)?;
    let mut json = object! {
        "coins_written" => snapshot.info.txouts,
        "base_hash" => snapshot.base_hash,
        "base_height" => snapshot.base_height,
        "path" => path.display().to_string(),
        "txoutset_hash" => snapshot.info.hash_serialized_3_hex(),
    };
    json.push_some("nchaintx", transactions_up_to(call, &snapshot.base_hash)?);
    Ok(json)
}

fn write(call: &Call, world: &World, path: &Path) -> Result<Snapshot, RpcError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".incomplete");
    let beside = PathBuf::from(beside);
    let file = File::create(&beside).map_err(|_| {
        RpcError::parameter(format!(
            "Couldn't open file {} for writing.",
            beside.display()
        ))
    })?;
    let mut file = BufWriter::new(file);
    let written = world
        .write_snapshot(&mut file, || call.goes_on())
        .and_then(|snapshot| {
            file.flush()?;
            file.get_ref().sync_all()?;
            std::fs::rename(&beside, path)?;
            Ok(snapshot)
        });
    written.map_err(|error| {
        // What is left of it is of no use; that it may stay is no second error.
        let _ = std::fs::remove_file(&beside);
        match error {
            SnapshotError::Read(error) => RpcError::from(error),
            SnapshotError::Write(error) => RpcError::new(
                INTERNAL_ERROR,
                format!("{} cannot be written: {error}", path.display()),
            ),
        }
    })
}
