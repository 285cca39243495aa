use super::*;

fn txid(byte: u8) -> Txid {
    Txid::from_byte_array([byte; 32])
}

fn coin() -> OwnCoin {
    OwnCoin {
        amount: Amount::from_sat(1),
        slot: Slot {
            descriptor: DescriptorNumber(0),
            index: 0,
        },
        height: 7,
        coinbase: false,
    }
}

#[test]
fn what_a_forgotten_transaction_spent_stays_spent() {
    let (first, second, third) = (txid(1), txid(2), txid(3));
    let touched = Touched {
        hash: BlockHash::from_byte_array([9; 32]),
        height: 7,
        created: vec![
            (OutPoint::new(second, 0), coin()),
            (OutPoint::new(third, 0), coin()),
        ],
        spent: vec![
            (OutPoint::new(first, 0), second),
            (OutPoint::new(second, 0), third),
        ],
        transactions: vec![(1, second), (2, third)],
    };
    let without = touched.without(&second);
    assert_eq!(without.created, [(OutPoint::new(third, 0), coin())]);
    assert_eq!(without.spent, [(OutPoint::new(first, 0), second)]);
    assert_eq!(without.transactions, [(2, third)]);
    // Also where nothing else is left of the block, and read from its row again.
    let without = without.without(&third);
    assert!(!without.is_empty());
    let read = Touched::decode(&without.key(), &without.encode()).unwrap();
    assert_eq!(read, without);
    assert!(without.without(&first).is_empty());
}
