//! Generates the Rust side of the .proto files, without `protoc`.

use std::path::PathBuf;
use std::{env, error::Error, fs};

use prost::Message;

/// Every file of the package, relative to `proto/`.
const FILES: [&str; 13] = [
    "everett/v1/chain_service.proto",
    "everett/v1/common.proto",
    "everett/v1/errors.proto",
    "everett/v1/event_service.proto",
    "everett/v1/lab_service.proto",
    "everett/v1/ledger_service.proto",
    "everett/v1/log.proto",
    "everett/v1/mempool_service.proto",
    "everett/v1/peer_service.proto",
    "everett/v1/snapshot_service.proto",
    "everett/v1/wallet.proto",
    "everett/v1/wallet_service.proto",
    "everett/v1/world_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=everett");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("everett_descriptor.bin"),
        descriptors.encode_to_vec(),
    )?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
