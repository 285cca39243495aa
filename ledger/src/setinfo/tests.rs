use bitcoin::{Amount, Txid};

use super::*;
use crate::coin::ScriptPubKey;

fn coin(script: &[u8], height: u32, coinbase: bool) -> Coin {
    let script_pubkey = ScriptPubKey::new(script);
    Coin {
        amount: Amount::from_sat(7),
        script_pubkey,
        height,
        coinbase,
    }
}

fn outpoint(number: u32) -> OutPoint {
    OutPoint::new(Txid::from_byte_array([9; 32]), number)
}

fn shown(hash: [u8; 32]) -> String {
    hash.iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn the_empty_set_is_what_core_says_at_genesis() {
    let info = SetInfoBuilder::new().finish();
    assert_eq!((info.txouts, info.total_sat, info.bogosize), (0, 0, 0));
    let muhash = "dd5ad2a105c2d29495f577245c357409002329b9f4d6182c0af3dc2f462555c8";
    let serialized = "56944c5d3f98413ef45cf54545538103cc9f298e0575820ad3591376e2e0f65d";
    assert_eq!(
        (shown(info.muhash), shown(info.hash_serialized_3)),
        (muhash.into(), serialized.into())
    );
}

#[test]
fn a_coins_bytes_are_as_described() {
    let mut bytes = Vec::new();
    write_coin(&outpoint(0x0102), &coin(&[0x51, 0x52], 3, true), &mut bytes);
    let mut known = vec![9; 32];
    known.extend_from_slice(&[
        2, 1, 0, 0, 7, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0x51, 0x52,
    ]);
    assert_eq!(bytes, known);
    for (length, prefix) in [
        (252, vec![252]),
        (253, vec![0xfd, 253, 0]),
        (10_000, vec![0xfd, 0x10, 0x27]),
    ] {
        bytes.clear();
        write_coin(
            &outpoint(0),
            &coin(&vec![0x51; length], 3, false),
            &mut bytes,
        );
        assert_eq!(bytes[48..48 + prefix.len()], prefix);
        assert_eq!(bytes.len(), 48 + prefix.len() + length);
    }
}

#[test]
fn batches_make_no_difference() {
    let mut builder = SetInfoBuilder::new();
    let mut muhash = MuHash3072::new();
    let mut serialized = Vec::new();
    let count = BATCH as u32 + PART as u32 / 2;
    for number in 0..count {
        let coin = coin(&number.to_le_bytes(), number, number % 2 == 0);
        builder.add(&outpoint(number), &coin);
        let start = serialized.len();
        write_coin(&outpoint(number), &coin, &mut serialized);
        muhash.insert(&serialized[start..]);
    }
    let info = builder.finish();
    assert_eq!(info.txouts, u64::from(count));
    assert_eq!(info.total_sat, 7 * u64::from(count));
    assert_eq!(info.bogosize, 54 * u64::from(count));
    assert_eq!(info.muhash, muhash.finalize());
    assert_eq!(
        info.hash_serialized_3,
        crate::sha256d::sha256d(&[&serialized])
    );
}

#[test]
fn one_hash_by_itself_is_that_of_both() {
    let mut all = SetInfoBuilder::new();
    let hashes = [SetHash::Nothing, SetHash::Serialized3, SetHash::MuHash];
    let mut alone = hashes.map(SetInfoBuilder::of);
    for number in 0..BATCH as u32 + 3 {
        let coin = coin(&number.to_le_bytes(), number, false);
        all.add(&outpoint(number), &coin);
        (alone.iter_mut()).for_each(|builder| builder.add(&outpoint(number), &coin));
    }
    let info = all.finish();
    let known = [None, Some(info.hash_serialized_3), Some(info.muhash)];
    for (builder, hash) in alone.into_iter().zip(known) {
        let summary = SetSummary {
            txouts: info.txouts,
            transactions: info.transactions,
            total_sat: info.total_sat,
            bogosize: info.bogosize,
            hash,
        };
        assert_eq!(builder.summary(), summary);
    }
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "in the order of their outpoints")]
fn coins_out_of_order_are_noticed() {
    let mut builder = SetInfoBuilder::new();
    builder.add(&outpoint(1), &coin(&[], 1, false));
    builder.add(&outpoint(1), &coin(&[], 1, false));
}
