//! Tokens there and back.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_proto::v1;
use everett_proto::v1::world_ref::Ref;

use super::{List, Token, page_size};

fn block(fill: u8) -> BlockHash {
    BlockHash::from_byte_array([fill; 32])
}

#[test]
fn page_sizes_are_coerced_and_never_negative() {
    for (asked, given) in [
        (0, 100),
        (1, 1),
        (1_000, 1_000),
        (1_001, 1_000),
        (i32::MAX, 1_000),
    ] {
        assert_eq!(page_size(asked).unwrap(), given);
    }
    assert!(page_size(-1).is_err());
    assert!(page_size(i32::MIN).is_err());
}

#[test]
fn a_token_survives_its_text() {
    let blocks = [block(1), block(2)];
    let token = Token::new(List::Conflicts, &blocks, b"filter", vec![9; 8]);
    let read = Token::parse(List::Conflicts, &token.to_text()).unwrap();
    assert_eq!(read.as_ref(), Some(&token));
    assert!(token.check(&blocks, b"filter").is_ok());
    assert!(token.check(&blocks, b"other").is_err());
    assert!(token.check(&[block(1), block(3)], b"filter").is_err());
    assert_eq!(token.position::<8>().unwrap(), [9; 8]);
    assert!(token.position::<4>().is_err());
    assert_eq!(Token::parse(List::Conflicts, "").unwrap(), None);
}

#[test]
fn no_damaged_token_is_taken() {
    let text = Token::new(List::Headers, &[block(1)], &[], vec![0; 8]).to_text();
    assert!(Token::parse(List::Worlds, &text).is_err());
    for at in 0..text.len() {
        let mut damaged = text.clone().into_bytes();
        damaged[at] = if damaged[at] == b'0' { b'1' } else { b'0' };
        let damaged = String::from_utf8(damaged).unwrap();
        assert!(Token::parse(List::Headers, &damaged).is_err(), "{at}");
        assert!(
            Token::parse(List::Headers, &text[..at]).is_err() || at == 0,
            "{at}"
        );
    }
}

#[test]
fn a_reference_that_would_move_along_stays_with_its_first_page() {
    let token = Token::new(List::Headers, &[block(1)], &[], vec![]);
    let named = |reference| {
        Some(v1::WorldRef {
            r#ref: Some(reference),
        })
    };
    let first = named(Ref::BlockHash(block(1).to_string()));
    assert_eq!(token.pinned(0, None), first);
    assert_eq!(token.pinned(0, named(Ref::Best(true))), first);
    let other = named(Ref::BestHeight(3));
    assert_eq!(token.pinned(0, other.clone()), other);
}
