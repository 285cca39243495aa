use super::*;

fn read(script: &[u8]) -> Vec<Result<(u8, Vec<u8>), TruncatedPush>> {
    let instructions = Instructions::new(script);
    instructions
        .map(|read| read.map(|one| (one.opcode.0, one.data.to_vec())))
        .collect()
}

#[test]
fn every_form_of_push_carries_its_data() {
    assert_eq!(
        read(&[0x02, 7, 8, 0x76]),
        [Ok((2, vec![7, 8])), Ok((0x76, vec![]))]
    );
    assert_eq!(read(&[0x4c, 1, 9]), [Ok((0x4c, vec![9]))]);
    assert_eq!(read(&[0x4d, 1, 0, 9]), [Ok((0x4d, vec![9]))]);
    assert_eq!(read(&[0x4e, 1, 0, 0, 0, 9]), [Ok((0x4e, vec![9]))]);
    assert_eq!(read(&[0x00, 0x51]), [Ok((0, vec![])), Ok((0x51, vec![]))]);
}

#[test]
fn a_push_past_the_end_is_an_error_and_the_end() {
    for script in [
        &[0x51, 0x02, 7][..],
        &[0x51, 0x4c],
        &[0x51, 0x4d, 1],
        &[0x51, 0x4e, 0xff, 0xff, 0xff, 0xff, 1],
    ] {
        assert_eq!(read(script), [Ok((0x51, vec![])), Err(TruncatedPush)]);
        assert!(!is_push_only(script));
        assert_eq!(last_push(script), None);
    }
}

#[test]
fn op_reserved_is_a_push_and_op_nop_is_none() {
    assert!(is_push_only(&[0x50, 0x60, 0x01, 0xff]));
    assert!(!is_push_only(&[0x61]));
    assert!(is_push_only(&[]));
}

#[test]
fn a_small_number_after_data_leaves_no_last_push() {
    assert_eq!(last_push(&[0x01, 0xac]), Some(&[0xac][..]));
    assert_eq!(last_push(&[0x01, 0xac, 0x51]), Some(&[][..]));
}
