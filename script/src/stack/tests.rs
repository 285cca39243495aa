use super::*;

fn stack(bytes: &'static [u8]) -> Stack<'static> {
    bytes.chunks(1).map(Element::pushed).collect()
}

fn bytes(stack: &Stack<'_>) -> Vec<u8> {
    stack
        .elements()
        .iter()
        .flat_map(|element| element.as_bytes().to_vec())
        .collect()
}

#[test]
fn negative_zero_is_false_and_a_set_lower_byte_is_true() {
    for element in [&[][..], &[0], &[0x80], &[0, 0], &[0, 0x80]] {
        assert!(!is_true(element), "{element:?}");
    }
    for element in [&[1][..], &[0x81], &[0x80, 0], &[1, 0x80], &[0x80, 0x80]] {
        assert!(is_true(element), "{element:?}");
    }
}

#[test]
fn elements_move_as_told() {
    let mut moved = stack(&[1, 2, 3, 4]);
    moved.copy_to_top(3, 2).unwrap();
    assert_eq!(bytes(&moved), [1, 2, 3, 4, 1, 2]);
    moved.rotate(6, 2).unwrap();
    assert_eq!(bytes(&moved), [3, 4, 1, 2, 1, 2]);
    moved.insert_below(2, Element::TRUE).unwrap();
    assert_eq!(bytes(&moved), [3, 4, 1, 2, 1, 1, 2]);
    moved.swap(0, 6).unwrap();
    assert_eq!(bytes(&moved), [2, 4, 1, 2, 1, 1, 3]);
    assert_eq!(moved.remove(5).unwrap().as_bytes(), [4]);
    moved.drop_top(4).unwrap();
    assert_eq!(bytes(&moved), [2, 1]);
}

#[test]
fn a_shallow_stack_refuses_and_stays() {
    let mut shallow = stack(&[1]);
    assert!(shallow.copy_to_top(1, 1).is_err());
    assert!(shallow.rotate(2, 1).is_err());
    assert!(shallow.insert_below(2, Element::TRUE).is_err());
    assert!(shallow.swap(0, 1).is_err());
    assert!(shallow.remove(1).is_err());
    assert!(shallow.drop_top(2).is_err());
    assert_eq!(bytes(&shallow), [1]);
    assert!(Stack::default().pop().is_err());
}
