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

#[test]
fn a_row_of_any_number_of_coins_is_read_as_it_was_written() {
    for (created, spent, transactions) in [
        (0, 0, 1),
        (12, 0, 1),
        (20_000, 0, 1),
        (300, 200, 10),
        (0, 500, 1),
    ] {
        let outpoint = |vout| OutPoint::new(txid(1), vout);
        let touched = Touched {
            hash: BlockHash::from_byte_array([9; 32]),
            height: 7,
            created: (0..created).map(|vout| (outpoint(vout), coin())).collect(),
            spent: (0..spent).map(|vout| (outpoint(vout), txid(2))).collect(),
            transactions: (0..transactions).map(|index| (index, txid(3))).collect(),
        };
        let read = Touched::decode(&touched.key(), &touched.encode()).unwrap();
        assert_eq!(read, touched);
        // One that says it has more than there is.
        let mut row = touched.encode();
        row[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Touched::decode(&touched.key(), &row).is_err());
    }
}
