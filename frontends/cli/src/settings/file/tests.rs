use std::io::Write;

use super::*;

fn read(text: &str) -> Result<SettingsFile, Failure> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    SettingsFile::read(file.path())
}

#[test]
fn every_option_can_stand_in_the_file() {
    let file = read(
        "network = \"regtest\"\ndatadir = \"/d\"\nhorizon = 25\nlab = true\nprune = 550\n\
         testactivationheight = [\"segwit@100\"]\ngrpc = \"127.0.0.1:1\"\n\
         rest = true\nzmqpubrawtx = [\"tcp://127.0.0.1:1\"]\nzmqpubrawtxhwm = 7\n",
    )
    .unwrap();
    assert_eq!(file.network.as_deref(), Some("regtest"));
    assert_eq!(file.testactivationheight, ["segwit@100"]);
    assert_eq!((file.horizon, file.lab), (Some(25), Some(true)));
    assert_eq!(file.prune, Some(550));
    assert_eq!((file.rest, file.zmqpubrawtxhwm), (Some(true), Some(7)));
    assert_eq!(file.zmqpubrawtx, ["tcp://127.0.0.1:1"]);
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let error = read("network = \"regtest\"\n\nnetwrk = 1\n").err().unwrap();
    let message = error.to_string();
    assert!(
        message.contains("line 3: unknown field `netwrk`"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = SettingsFile::read(Path::new("/no/such.toml"))
        .err()
        .unwrap();
    assert!(error.to_string().starts_with("--config /no/such.toml:"));
}
