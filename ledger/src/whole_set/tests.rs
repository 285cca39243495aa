use std::collections::BTreeMap;

use bitcoin::{Amount, Txid};
use proptest::prelude::*;

use super::*;
use crate::coin::ScriptPubKey;

fn coin(height: u32) -> Coin {
    Coin {
        amount: Amount::ONE_SAT,
        script_pubkey: ScriptPubKey::new(&[]),
        height,
        coinbase: false,
    }
}

proptest! {
    /// Few txids, most of which begin alike and differ at one of two places behind that.
    #[test]
    fn the_last_change_of_each_coin_comes_in_the_order_of_outpoints(
        touched in prop::collection::vec((0..2u8, 0..2u8, 0..2u8, 0..3u32, any::<bool>()), 0..200),
    ) {
        let mut changes = Vec::new();
        let mut known = BTreeMap::new();
        for (place, (first, ninth, last, vout, there)) in (0..).zip(touched) {
            let mut txid = [7; 32];
            (txid[0], txid[8], txid[31]) = (first, ninth, last);
            let outpoint = OutPoint::new(Txid::from_byte_array(txid), vout);
            let change = there.then(|| coin(place));
            known.insert(outpoint, change.clone());
            changes.push((outpoint, change));
        }
        let found: Vec<_> = last_of_each(changes).collect();
        prop_assert_eq!(found, known.into_iter().collect::<Vec<_>>());
    }
}
