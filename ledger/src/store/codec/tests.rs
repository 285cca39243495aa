use proptest::prelude::*;

use super::super::fixtures::{any_coin, any_coins, any_outpoint};
use super::*;

fn coin_bytes(coin: &Coin) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_coin(&mut bytes, coin);
    bytes
}

proptest! {
    #[test]
    fn any_coin_is_read_back_as_it_was_written(coin in any_coin()) {
        let bytes = coin_bytes(&coin);
        let mut source = Source::new(&bytes);
        prop_assert_eq!(read_coin(&mut source), Ok(coin));
        prop_assert_eq!(source.end(), Ok(()));
    }

    #[test]
    fn any_list_of_coins_is_read_back_in_its_order(coins in any_coins(20)) {
        let mut bytes = Vec::new();
        put_coins(&mut bytes, &coins);
        prop_assert_eq!(read_coins(&mut Source::new(&bytes)), Ok(coins));
    }

    #[test]
    fn a_row_that_is_cut_short_is_an_error(coins in any_coins(4), cut in any::<prop::sample::Index>()) {
        prop_assume!(!coins.is_empty());
        let mut bytes = Vec::new();
        put_coins(&mut bytes, &coins);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(read_coins(&mut Source::new(&bytes)).is_err());
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_coin(&mut Source::new(&bytes));
        let _ = read_coins(&mut Source::new(&bytes));
        let _ = unseal(b"key", &bytes);
    }

    #[test]
    fn any_number_is_read_back(value in any::<u128>(), shift in 0..128u32) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        prop_assert_eq!(Source::new(&bytes).varint(), Ok(value));
    }

    #[test]
    fn outpoints_sort_as_txid_bytes_then_number(a in any_outpoint(), b in any_outpoint(), same in any::<bool>()) {
        let b = if same { OutPoint { txid: a.txid, vout: b.vout } } else { b };
        let by_bytes = outpoint_bytes(&a).cmp(&outpoint_bytes(&b));
        let by_parts = (a.txid.to_byte_array(), a.vout).cmp(&(b.txid.to_byte_array(), b.vout));
        prop_assert_eq!(by_bytes, by_parts);
        prop_assert_eq!(read_outpoint(&mut Source::new(&outpoint_bytes(&a))), Ok(a));
    }

    #[test]
    fn a_changed_bit_breaks_the_seal(
        key in prop::collection::vec(any::<u8>(), 1..10),
        row in prop::collection::vec(any::<u8>(), 0..40),
        place in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut unsealed = unsealed();
        unsealed.extend_from_slice(&row);
        let mut sealed = seal(&key, unsealed);
        let rest = unseal(&key, &sealed).map(|mut source| source.rest().to_vec());
        prop_assert_eq!(rest, Ok(row));
        let place = place.index(sealed.len());
        sealed[place] ^= 1u8 << bit;
        prop_assert!(unseal(&key, &sealed).is_err());
    }
}

#[test]
fn common_coins_are_small() {
    let p2wpkh = [&[0x00, 0x14][..], &[9; 20]].concat();
    let coin = Coin {
        amount: Amount::from_sat(150_000_000),
        script_pubkey: ScriptPubKey::new(&p2wpkh),
        height: 800_000,
        coinbase: false,
    };
    // 3 for the height, 2 for 15 * 10^7, 1 for the template, 20.
    assert_eq!(coin_bytes(&coin).len(), 26);
}

#[test]
fn a_number_longer_than_128_bits_is_an_error() {
    let bytes = [0xff; 18]
        .iter()
        .chain(&[0x04])
        .copied()
        .collect::<Vec<u8>>();
    assert!(Source::new(&bytes).varint().is_err());
    assert!(Source::new(&[0x80; 40]).varint().is_err());
}
