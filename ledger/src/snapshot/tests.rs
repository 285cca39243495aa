use std::io::Cursor;

use bitcoin::Amount;

use super::*;
use crate::{Ledger, LedgerConfig, Network, Params};

fn varint(number: u64) -> String {
    let mut bytes = Vec::new();
    write_varint(number, &mut bytes);
    hex(&bytes)
}

fn script(bytes: &[u8]) -> String {
    let mut written = Vec::new();
    write_script(bytes, &mut written);
    hex(&written)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn numbers_have_bitcoin_cores_form() {
    // The table in Bitcoin Core's serialize.h.
    for (number, form) in [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8000"),
        (255, "807f"),
        (256, "8100"),
        (16_383, "fe7f"),
        (16_384, "ff00"),
        (16_511, "ff7f"),
        (65_535, "82fe7f"),
        (1 << 32, "8efefeff00"),
    ] {
        assert_eq!(varint(number), form, "{number}");
    }
}

#[test]
fn amounts_are_compressed_as_in_bitcoin_cores_test() {
    for (sat, compressed) in [
        (0, 0),
        (1, 1),
        (1_000_000, 7),
        (100_000_000, 9),
        (50 * 100_000_000, 50),
        (Amount::MAX_MONEY.to_sat(), 21_000_000),
    ] {
        assert_eq!(compress_amount(sat), compressed, "{sat}");
    }
}

#[test]
fn scripts_are_compressed_where_they_can_be_found_again() {
    let hash = "11".repeat(20);
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    };
    let x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    let odd = "b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777";
    for (text, form) in [
        (format!("76a914{hash}88ac"), format!("00{hash}")),
        (format!("a914{hash}87"), format!("01{hash}")),
        (format!("2102{x}ac"), format!("02{x}")),
        (format!("2103{x}ac"), format!("03{x}")),
        // Whether half a key is a point is not looked at; of a whole one it is.
        (
            format!("2102{}ac", "ff".repeat(32)),
            format!("02{}", "ff".repeat(32)),
        ),
        (format!("4104{x}{y}ac"), format!("04{x}")),
        (format!("4104{x}{odd}ac"), format!("05{x}")),
        (format!("4104{x}{x}ac"), format!("494104{x}{x}ac")),
        // Hybrid keys are not compressed.
        (format!("4106{x}{y}ac"), format!("494106{x}{y}ac")),
        (format!("2104{x}ac"), format!("292104{x}ac")),
        (format!("0014{hash}"), format!("1c0014{hash}")),
        (String::new(), "06".into()),
    ] {
        assert_eq!(script(&bytes(&text)), form, "{text}");
    }
}

#[test]
fn an_empty_chain_has_a_header_alone() {
    let params = Params::new(Network::Regtest);
    let ledger = Ledger::open(LedgerConfig::in_memory(params.clone())).unwrap();
    let mut file = Cursor::new(Vec::new());
    let snapshot = ledger.best().write_snapshot(&mut file, || true).unwrap();
    assert_eq!((snapshot.base_height, snapshot.info.txouts), (0, 0));
    let hash = hex(params.genesis_hash().as_byte_array());
    assert_eq!(
        hex(file.get_ref()),
        format!("7574786fff0200fabfb5da{hash}{}", "00".repeat(8))
    );
}
