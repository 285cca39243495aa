//! Rows of events.

use super::*;

fn hash(byte: u8) -> BlockHash {
    BlockHash::from_byte_array([byte; 32])
}

fn best_changed() -> Event {
    Event {
        undone: vec![hash(1)],
        applied: vec![hash(4), hash(2)],
        fork: hash(3),
        ..Event::step(EventKind::BestChanged, hash(1), hash(2), 1_700_000_000)
    }
}

fn conflict_found() -> Event {
    let conflict = |vout: u32, script: &[u8], kind| Conflict {
        outpoint: OutPoint {
            txid: Txid::from_byte_array([7; 32]),
            vout,
        },
        amount: Amount::from_sat(u64::from(vout) << 33),
        script_pubkey: ScriptPubKey::new(script),
        txid_a: Txid::from_byte_array([8; 32]),
        txid_b: Txid::from_byte_array([9; 32]),
        block_a: hash(1),
        block_b: hash(2),
        kind,
    };
    Event {
        conflicts: vec![
            conflict(0, &[], ConflictKind::FeeBump),
            conflict(70_000, &[1; 10_000], ConflictKind::DoubleSpend),
        ],
        unlisted: 5,
        ..Event::step(EventKind::ConflictFound, hash(1), hash(2), 1_700_000_000)
    }
}

#[test]
fn an_event_survives_its_row_and_a_cut_row_is_refused() {
    for event in [best_changed(), conflict_found()] {
        let mut row = Vec::new();
        event.encode(&mut row);
        assert_eq!(Event::decode(&row).unwrap(), event);
        for length in 0..row.len() {
            assert!(Event::decode(&row[..length]).is_err());
        }
        row.push(0);
        assert!(Event::decode(&row).is_err());
    }
}

#[test]
fn a_row_of_the_first_schema_is_read_and_one_of_a_later_version_is_not() {
    let mut row = Vec::new();
    best_changed().encode(&mut row);
    assert_eq!(Event::decode(&row[1..]).unwrap(), best_changed());
    row[0] += 1;
    assert!(Event::decode(&row).is_err());
}

#[test]
fn every_kind_stands_at_its_own_place() {
    for (place, kind) in EventKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place);
    }
}
