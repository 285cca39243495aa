use proptest::prelude::*;

use super::*;

/// Core's test elements: 32 bytes of which the first is the number.
fn element(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes
}

fn shown(hash: [u8; 32]) -> String {
    hash.iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn a_known_set_has_the_known_hash() {
    let mut set = MuHash3072::new();
    set.insert(&element(0));
    set.insert(&element(1));
    set.remove(&element(2));
    let known = "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863";
    assert_eq!(shown(set.finalize()), known);
}

#[test]
fn the_empty_set_is_the_hash_of_one() {
    let known = "dd5ad2a105c2d29495f577245c357409002329b9f4d6182c0af3dc2f462555c8";
    assert_eq!(shown(MuHash3072::new().finalize()), known);
}

#[test]
fn numbers_at_the_prime_are_reduced() {
    let mut prime = [0xff; Number::SIZE];
    prime[..8].copy_from_slice(&(u64::MAX - 1_103_716).to_le_bytes());
    assert_eq!(
        Number::from_le_bytes(&prime).to_le_bytes(),
        [0; Number::SIZE]
    );
    let mut below = prime;
    below[0] -= 1;
    assert_eq!(Number::from_le_bytes(&below).to_le_bytes(), below);
    // The prime less one is -1: its square is 1, and it is its own inverse.
    let mut square = Number::from_le_bytes(&below);
    square.multiply(&Number::from_le_bytes(&below));
    assert_eq!(square.to_le_bytes(), Number::ONE.to_le_bytes());
    assert_eq!(Number::from_le_bytes(&below).inverse().to_le_bytes(), below);
}

#[test]
fn the_largest_products_lose_no_carry() {
    // 2^3072 - 1 is SHORTFALL - 1 modulo the prime.
    let mut square = Number::from_le_bytes(&[0xff; Number::SIZE]);
    let factor = square;
    square.multiply(&factor);
    let mut known = [0; Number::SIZE];
    known[..8].copy_from_slice(&(1_103_716u64 * 1_103_716).to_le_bytes());
    assert_eq!(square.to_le_bytes(), known);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn order_and_detours_do_not_matter(
        elements in proptest::collection::vec(any::<[u8; 12]>(), 1..12),
        passing in proptest::collection::vec(any::<[u8; 9]>(), 0..6),
    ) {
        let mut straight = MuHash3072::new();
        elements.iter().for_each(|element| straight.insert(element));

        let mut detour = MuHash3072::new();
        passing.iter().for_each(|element| detour.remove(element));
        elements.iter().rev().for_each(|element| detour.insert(element));
        passing.iter().for_each(|element| detour.insert(element));
        prop_assert_eq!(straight.finalize(), detour.finalize());

        let (first, second) = elements.split_at(elements.len() / 2);
        let mut parts = [MuHash3072::new(), MuHash3072::new()];
        first.iter().for_each(|element| parts[0].insert(element));
        second.iter().for_each(|element| parts[1].insert(element));
        let [mut whole, rest] = parts;
        whole.combine(&rest);
        prop_assert_eq!(straight.finalize(), whole.finalize());
    }

    #[test]
    fn an_inverse_undoes_its_number(bytes in proptest::collection::vec(any::<u8>(), Number::SIZE)) {
        let number = Number::from_le_bytes(bytes.as_slice().try_into().unwrap());
        let mut product = number.inverse();
        product.multiply(&number);
        prop_assert_eq!(product.to_le_bytes(), Number::ONE.to_le_bytes());
    }
}
