//! PyPI's `python-bitcoinlib`.

use std::path::Path;
use std::process::Command;

use everett_tests::python;

use crate::scene::Scene;

#[test]
fn python_bitcoinlib_mines_sends_and_reads() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let packages = ["python-bitcoinlib==0.12.2"];
    let python = python::with_packages(
        directory,
        "python-bitcoinlib",
        &packages,
        "import bitcoin.rpc",
    );
    let python = match python {
        Ok(python) => python,
        Err(error) => return eprintln!("python_bitcoinlib: skipped: {error}"),
    };
    let scene = Scene::new();
    let payment = scene.payment(1, 1_000);
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python_bitcoinlib.py");
    let url = format!(
        "http://{}@127.0.0.1:{}",
        scene.node.cookie(),
        scene.node.port
    );
    let hex = bitcoin::consensus::encode::serialize_hex(&payment);
    let output = python::run(Command::new(python).arg(client).args([&url, &hex]));
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // It mined a block, which has the payment.
    let best = scene.rpc.text("getbestblockhash", serde_json::json!([]));
    assert_eq!(
        text.trim(),
        format!("{} {best} 103", payment.compute_txid())
    );
}
