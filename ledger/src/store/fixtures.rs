//! Owns what the store's tests share: a configuration, strategies and naive models.
//! Promises that the same numbers give the same data, in any process.
//! Refuses to be compiled outside tests.

use std::path::Path;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Access, Place, Store, StoreConfig};
use crate::coin::{Coin, ScriptPubKey};

pub(super) const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

pub(super) fn config(directory: &Path) -> StoreConfig {
    StoreConfig {
        place: Place::Directory(directory.to_path_buf()),
        network_magic: MAGIC,
        network_name: "regtest".to_owned(),
        genesis_hash: BlockHash::from_byte_array([7; 32]),
        map_size: 1 << 30,
        access: Access::Writer,
        block_file_size: 4096,
    }
}

pub(super) fn reader_config(directory: &Path) -> StoreConfig {
    StoreConfig {
        access: Access::Reader,
        ..config(directory)
    }
}

pub(super) fn open(directory: &Path) -> Store {
    Store::open(config(directory)).unwrap()
}

/// Scripts of every template, and some of none.
pub(super) fn any_script() -> impl Strategy<Value = Vec<u8>> {
    let hash20 = any::<[u8; 20]>();
    let hash32 = any::<[u8; 32]>();
    prop_oneof![
        hash20.prop_map(|hash| [&[0x76, 0xa9, 0x14][..], &hash, &[0x88, 0xac]].concat()),
        hash20.prop_map(|hash| [&[0xa9, 0x14][..], &hash, &[0x87]].concat()),
        hash20.prop_map(|hash| [&[0x00, 0x14][..], &hash].concat()),
        hash32.prop_map(|hash| [&[0x00, 0x20][..], &hash].concat()),
        hash32.prop_map(|hash| [&[0x51, 0x20][..], &hash].concat()),
        (2u8..5, hash32).prop_map(|(sign, x)| [&[0x21, sign][..], &x, &[0xac]].concat()),
        vec(any::<u8>(), 0..80),
        vec(any::<u8>(), 9_990..10_001),
    ]
}

pub(super) fn any_coin() -> impl Strategy<Value = Coin> {
    let amount = prop_oneof![
        any::<u64>(),
        0..2_100_000_000_000_000u64,
        (0..21_000_000u64).prop_map(|coins| coins * 100_000_000),
    ];
    (amount, any_script(), any::<u32>(), any::<bool>()).prop_map(
        |(sat, script, height, coinbase)| Coin {
            amount: Amount::from_sat(sat),
            script_pubkey: ScriptPubKey::new(&script),
            height,
            coinbase,
        },
    )
}

pub(super) fn any_outpoint() -> impl Strategy<Value = OutPoint> {
    let vout = prop_oneof![0..3u32, 240..260u32, 65_530..65_540u32, any::<u32>()];
    (any::<[u8; 32]>(), vout).prop_map(|(txid, vout)| OutPoint {
        txid: Txid::from_byte_array(txid),
        vout,
    })
}

pub(super) fn any_coins(most: usize) -> impl Strategy<Value = Vec<(OutPoint, Coin)>> {
    vec((any_outpoint(), any_coin()), 0..most)
}

/// The `number`th outpoint: two outputs a transaction, txids in no order.
pub(super) fn outpoint(number: u64) -> OutPoint {
    let txid = bitcoin::hashes::sha256::Hash::hash(&(number / 2).to_le_bytes());
    OutPoint {
        txid: Txid::from_byte_array(txid.to_byte_array()),
        vout: (number % 2) as u32,
    }
}

/// A P2WPKH coin of the `script`th party.
pub(super) fn coin(script: u64, sat: u64, height: u32) -> Coin {
    let hash = bitcoin::hashes::hash160::Hash::hash(&script.to_le_bytes());
    let script = [&[0x00, 0x14][..], hash.as_ref()].concat();
    Coin {
        amount: Amount::from_sat(sat),
        script_pubkey: ScriptPubKey::new(&script),
        height,
        coinbase: sat.is_multiple_of(3),
    }
}
