use bitcoin::hashes::Hash;

use super::*;

fn block(number: u8) -> BlockHash {
    BlockHash::from_byte_array([number; 32])
}

fn change(number: u64, world: u8, applied: &[u8]) -> Change {
    Change {
        number,
        world: block(world),
        undone: Vec::new(),
        applied: applied.iter().copied().map(block).collect(),
        happened: Vec::new(),
    }
}

#[test]
fn a_step_to_another_world_that_names_no_blocks_is_a_leap() {
    let mut pending = Pending {
        world: Some(block(1)),
        ..Pending::default()
    };
    let mut news = News::default();
    pending.take(&change(1, 1, &[]), &mut news);
    pending.take(&change(2, 2, &[2]), &mut news);
    assert_eq!(news.leap, None);
    pending.take(&change(3, 5, &[]), &mut news);
    pending.take(&change(4, 6, &[6]), &mut news);
    pending.take(&change(5, 9, &[]), &mut news);
    let leap = Leap {
        from: Some(block(2)),
        to: block(9),
        change: 5,
    };
    assert_eq!(news.leap, Some(leap));
}
