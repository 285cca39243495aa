//! npm's `bitcoin-core`, the client of programs in JavaScript: JSON-RPC, batches, named parameters, REST.

use std::path::Path;
use std::process::Command;

use everett_tests::python::run;

use crate::scene::Scene;

const PACKAGE: &str = "bitcoin-core@5.0.0";

#[test]
fn the_npm_client_calls_batches_and_reads_over_rest() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm-bitcoin-core");
    if let Err(error) = install(&directory) {
        return eprintln!("npm: skipped: {PACKAGE} is not to be had: {error}");
    }
    let scene = Scene::new();
    let txid = scene.send(&scene.payment(1, 1_000));
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/npm_bitcoin_core.js");
    let output = run(Command::new("node")
        .arg(client)
        .args([
            &scene.node.port.to_string(),
            &scene.node.cookie(),
            &txid.to_string(),
        ])
        .env("NODE_PATH", directory.join("node_modules")));
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "all well");
}

fn install(directory: &Path) -> Result<(), String> {
    run(Command::new("node").arg("--version"))?;
    if directory
        .join("node_modules/bitcoin-core/src/index.js")
        .is_file()
    {
        return Ok(());
    }
    std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    let options = [
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        PACKAGE,
    ];
    run(Command::new("npm")
        .args(options)
        .arg("--prefix")
        .arg(directory))
    .map(drop)
}
