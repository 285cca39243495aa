use proptest::prelude::*;

use super::*;

#[test]
fn known_encodings_hold() {
    let cases: [(i64, &[u8]); 10] = [
        (0, &[]),
        (1, &[1]),
        (-1, &[0x81]),
        (127, &[0x7f]),
        (128, &[0x80, 0]),
        (-128, &[0x80, 0x80]),
        (-255, &[0xff, 0x80]),
        (256, &[0, 1]),
        (0x7fff_ffff, &[0xff, 0xff, 0xff, 0x7f]),
        (-0x8000_0000, &[0, 0, 0, 0x80, 0x80]),
    ];
    for (number, bytes) in cases {
        assert_eq!(encode(number).as_bytes(), bytes);
        assert_eq!(decode(bytes, true, 5), Ok(number));
    }
}

#[test]
fn longer_forms_fail_only_where_minimality_is_demanded() {
    for bytes in [&[0x00][..], &[0x80], &[1, 0], &[1, 0x80], &[0, 0]] {
        assert_eq!(
            decode(bytes, true, 4),
            Err(ScriptError::ScriptNumber),
            "{bytes:?}"
        );
        assert!(decode(bytes, false, 4).is_ok());
    }
    assert_eq!(decode(&[1, 0x80], false, 4), Ok(-1));
    assert_eq!(decode(&[0x80], false, 4), Ok(0));
}

#[test]
fn operands_longer_than_the_limit_fail() {
    assert_eq!(
        decode(&[1; 5], false, MAX_NUMBER_LENGTH),
        Err(ScriptError::ScriptNumber)
    );
    assert!(decode(&[1; 5], false, MAX_LOCK_TIME_LENGTH).is_ok());
    assert_eq!(
        decode(&[1; 6], false, MAX_LOCK_TIME_LENGTH),
        Err(ScriptError::ScriptNumber)
    );
}

proptest! {
    #[test]
    fn what_is_written_reads_back(number in -0x7f_ffff_ffff_i64..=0x7f_ffff_ffff) {
        prop_assert_eq!(decode(encode(number).as_bytes(), true, 5), Ok(number));
    }
}

#[test]
fn every_number_can_be_written() {
    assert_eq!(encode(i64::MAX).as_bytes().len(), 8);
    assert_eq!(
        encode(i64::MIN).as_bytes(),
        [0, 0, 0, 0, 0, 0, 0, 0x80, 0x80]
    );
}
