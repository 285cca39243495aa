use bitcoin::hashes::Hash;

use super::*;

fn txid(number: u8) -> Txid {
    Txid::from_byte_array([number; 32])
}

/// A cluster: fee, size, and the numbers of those that each spends.
fn cluster(waits: &[(i64, i64, &[u8])]) -> Packages {
    let numbered = (0u8..).zip(waits);
    let waits = numbered.map(|(number, (fee, vsize, parents))| {
        let waits = Waits {
            fee: *fee,
            vsize: *vsize,
            parents: parents.iter().map(|parent| txid(*parent)).collect(),
        };
        (txid(number), waits)
    });
    Packages(waits.collect())
}

fn gap(waits: &[(i64, i64, &[u8])], of: u8, sat_per_vb: i64) -> i64 {
    let rate = FeeRate::per_kvb(sat_per_vb * 1_000);
    cluster(waits).gap(&txid(of), rate).fee
}

#[test]
fn a_transaction_alone_lacks_what_its_size_costs_more_than_it_pays() {
    assert_eq!(gap(&[(100, 100, &[])], 0, 5), 400);
    assert_eq!(gap(&[(500, 100, &[])], 0, 5), 0);
    assert_eq!(gap(&[(900, 100, &[])], 0, 5), 0);
}

#[test]
fn parents_that_pay_enough_by_themselves_need_nothing_and_do_not_help() {
    // The parent pays 20 for each byte, the child 1: the parent is taken without it.
    assert_eq!(gap(&[(2_000, 100, &[]), (100, 100, &[0])], 1, 5), 400);
    // A parent that pays little has to be paid for.
    assert_eq!(gap(&[(100, 100, &[]), (100, 100, &[0])], 1, 5), 800);
}

#[test]
fn a_sibling_that_pays_for_the_parent_leaves_the_child_alone() {
    // The sibling lifts the parent above the rate: only the child itself is left to be paid for.
    let waits: &[(i64, i64, &[u8])] = &[(100, 100, &[]), (100, 100, &[0]), (2_000, 100, &[0])];
    assert_eq!(gap(waits, 1, 5), 400);
    // Not where the sibling pays too little for both.
    let waits: &[(i64, i64, &[u8])] = &[(100, 100, &[]), (100, 100, &[0]), (600, 100, &[0])];
    assert_eq!(gap(waits, 1, 5), 800);
}

#[test]
fn a_parent_that_two_ways_lead_to_is_counted_once() {
    let diamond: &[(i64, i64, &[u8])] = &[
        (100, 100, &[]),
        (100, 100, &[0]),
        (100, 100, &[0]),
        (100, 100, &[1, 2]),
    ];
    assert_eq!(gap(diamond, 3, 5), 2_000 - 400);
    assert_eq!(cluster(diamond).rate_of(&txid(3)), FeeRate::per_kvb(1_000));
}

#[test]
fn one_whose_ancestors_pay_for_it_still_has_to_reach_the_rate_itself() {
    // The example that stands in Core's comment: the child pays 9 for each byte, all together pay 10.27.
    let waits: &[(i64, i64, &[u8])] = &[
        (1_700, 1_700, &[]),
        (17_000, 200, &[0]),
        (3_000, 200, &[0]),
        (900, 100, &[1, 2]),
    ];
    assert_eq!(gap(waits, 3, 10), 100);
    // 1,900 bytes with the parent cost 19,000, and 18,700 are paid.
    assert_eq!(gap(waits, 1, 10), 300);
    assert_eq!(gap(waits, 2, 10), 19_000 - 4_700);
}
