//! Owns the mempool's way to disk and back.

use std::path::Path;

use everett_mempool::{LoadOptions, PersistError};

use crate::blockchain::is_catching_up;
use crate::call::Call;
use crate::error::{CLIENT_IN_INITIAL_DOWNLOAD, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static SAVEMEMPOOL: Method = Method {
    name: "savemempool",
    category: Category::Blockchain,
    about: "Writes the transactions that wait to disk, from where the next run takes them.",
    arguments: &[],
    result: "{\"filename\"}    (json object) The file",
    at: false,
    run: Run::Read(save),
};

fn save(call: &Call) -> Answer {
    let mempool = call.handle().mempool();
    if !mempool.is_loaded() {
        return Err(RpcError::misc("The mempool was not loaded yet"));
    }
    let path = call.handle().mempool_file();
    let saved = path.filter(|path| match mempool.save(path) {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "the mempool is not saved");
            false
        }
    });
    let path = saved.ok_or_else(|| RpcError::misc("Unable to dump mempool to disk"))?;
    Ok(object! { "filename" => path.to_string_lossy().into_owned() })
}

pub(super) static IMPORTMEMPOOL: Method = Method {
    name: "importmempool",
    category: Category::Blockchain,
    about: "Gives in the transactions of a mempool.dat, as far as the rules allow. Take what a file says beside its \
            transactions only from one that you trust.",
    arguments: &[
        Argument::required("filepath", Kind::Text, "The file"),
        Argument::optional("options", Kind::Object, "More")
            .shown("options")
            .options(&[
                Argument::default(
                    "use_current_time",
                    Kind::Bool,
                    "true",
                    "They come now rather than when the file says",
                ),
                Argument::default(
                    "apply_fee_delta_priority",
                    Kind::Bool,
                    "false",
                    "Add what the file says that they count as paying more",
                ),
                Argument::default(
                    "apply_unbroadcast_set",
                    Kind::Bool,
                    "false",
                    "Take which of them no peer has asked for",
                ),
            ]),
    ],
    result: "{}    (json object)",
    at: false,
    run: Run::Read(import),
};

fn import(call: &Call) -> Answer {
    if is_catching_up(call) {
        return Err(RpcError::new(
            CLIENT_IN_INITIAL_DOWNLOAD,
            "Can only import the mempool after the block download and sync is done.",
        ));
    }
    let path = Path::new(call.text(0)?);
    let option = |name: &str, default: bool| match call.arg(1).get(name) {
        Json::Null => Ok(default),
        value => value.bool(),
    };
    let options = LoadOptions {
        use_current_time: option("use_current_time", true)?,
        deltas: option("apply_fee_delta_priority", false)?,
        unbroadcast: option("apply_unbroadcast_set", false)?,
    };
    let loaded = call
        .handle()
        .mempool()
        .load_while(path, options, || call.goes_on());
    match loaded {
        Ok(_) => Ok(Json::Object(Vec::new())),
        Err(PersistError::Mempool(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "a mempool is not imported");
            Err(RpcError::misc(
                "Unable to import mempool file, see debug log for details.",
            ))
        }
    }
}
