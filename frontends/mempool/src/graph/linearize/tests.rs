use std::cmp::Ordering;

use proptest::prelude::*;

use super::super::dep_graph::is_topological;
use super::super::diagram::compare_chunks;
use super::*;

/// Up to `most` transactions with small fees and weights, so that many rates are equal, and any dependencies.
fn graphs(most: usize) -> impl Strategy<Value = DepGraph> {
    (1..=most)
        .prop_flat_map(|count| {
            let rates = prop::collection::vec((-2i64..20, 1i64..8), count);
            let parents = prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), count);
            (rates, parents)
        })
        .prop_map(|(rates, parents)| {
            let rates = rates
                .into_iter()
                .map(|(fee, size)| FeeSize::new(fee, size))
                .collect();
            let below = |child: usize| (1u64 << child) - 1;
            // Few parents each: a quarter or an eighth of those that come before.
            let parents = parents
                .into_iter()
                .enumerate()
                .map(|(child, (a, b, c))| a & b & c & below(child))
                .collect();
            DepGraph::new(rates, parents)
        })
}

fn diagram(graph: &DepGraph, order: &[u8]) -> Vec<FeeSize> {
    chunk_up(graph, order)
        .iter()
        .map(|chunk| chunk.rate)
        .collect()
}

fn own_ranks(graph: &DepGraph) -> Vec<u8> {
    (0..graph.count() as u8).collect()
}

/// Every topological order of a graph.
fn all_orders(graph: &DepGraph, done: &mut Vec<u8>, found: &mut Vec<Vec<u8>>) {
    if done.len() == graph.count() {
        found.push(done.clone());
        return;
    }
    let placed: Set = done.iter().fold(0, |set, one| set | 1 << one);
    for one in 0..graph.count() {
        if placed >> one & 1 == 0 && graph.parents[one] & !placed == 0 {
            done.push(one as u8);
            all_orders(graph, done, found);
            done.pop();
        }
    }
}

/// The same graph with other numbers, and the new number of each transaction.
fn renumbered(graph: &DepGraph, order: &[u8]) -> DepGraph {
    let new = |old: usize| {
        order
            .iter()
            .position(|one| usize::from(*one) == old)
            .unwrap()
    };
    let rates = order
        .iter()
        .map(|old| graph.rates[usize::from(*old)])
        .collect();
    let parents = order.iter().map(|old| {
        members(graph.parents[usize::from(*old)]).fold(0, |set, parent| set | 1 << new(parent))
    });
    DepGraph::new(rates, parents.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_order_of_a_small_cluster_is_better(graph in graphs(7), seed: u64) {
        let found = linearize(&graph, &own_ranks(&graph), seed);
        prop_assert!(found.optimal);
        prop_assert!(is_topological(&graph, &found.order));
        let mut orders = Vec::new();
        all_orders(&graph, &mut Vec::new(), &mut orders);
        let best: Vec<FeeSize> = found.chunks.iter().map(|chunk| chunk.rate).collect();
        for order in orders {
            let other = diagram(&graph, &order);
            prop_assert!(matches!(
                compare_chunks(&best, &other),
                Some(Ordering::Greater | Ordering::Equal)
            ));
        }
    }

    #[test]
    fn an_order_is_topological_and_never_worse_than_the_one_given(graph in graphs(64), seed: u64) {
        let found = linearize(&graph, &own_ranks(&graph), seed);
        prop_assert!(is_topological(&graph, &found.order));
        let given: Vec<u8> = (0..graph.count() as u8).collect();
        let better: Vec<FeeSize> = found.chunks.iter().map(|chunk| chunk.rate).collect();
        prop_assert!(matches!(
            compare_chunks(&better, &diagram(&graph, &given)),
            Some(Ordering::Greater | Ordering::Equal)
        ));
        // Chunks pay less and less, and are all there is.
        for pair in found.chunks.windows(2) {
            prop_assert!(!pair[1].rate.beats(pair[0].rate));
        }
        prop_assert_eq!(found.chunks.last().map(|chunk| usize::from(chunk.end)), Some(graph.count()));
    }

    #[test]
    fn where_the_order_is_the_best_it_does_not_matter_how_it_was_found(
        graph in graphs(24), seeds: (u64, u64), pick: u64
    ) {
        let found = linearize(&graph, &own_ranks(&graph), seeds.0);
        // Another start: the transactions by some other topological order.
        let mut start: Vec<u8> = Vec::new();
        let mut placed: Set = 0;
        while start.len() < graph.count() {
            let free: Vec<usize> = (0..graph.count())
                .filter(|one| placed >> one & 1 == 0 && graph.parents[*one] & !placed == 0)
                .collect();
            let one = free[(pick as usize).wrapping_mul(start.len() + 7) % free.len()];
            placed |= 1 << one;
            start.push(one as u8);
        }
        let other = linearize(&renumbered(&graph, &start), &start, seeds.1);
        let back: Vec<u8> = other.order.iter().map(|one| start[usize::from(*one)]).collect();
        if found.optimal && other.optimal {
            prop_assert_eq!(found.order, back);
        }
    }
}

#[test]
fn work_is_bounded_on_the_largest_clusters() {
    // Every second transaction spends many of the others: a bipartite tangle with rates that nearly tie.
    let rates = (0..64i64)
        .map(|one| FeeSize::new(1_000 + one * one % 97, 100 + one % 13))
        .collect();
    let parents = (0..64u32).map(|one| match one < 32 {
        true => 0,
        false => 0x5a5a_c3a5u64.rotate_left(one) & 0xffff_ffff,
    });
    let graph = DepGraph::new(rates, parents.collect());
    let found = linearize(&graph, &own_ranks(&graph), 7);
    assert!(is_topological(&graph, &found.order));
}

#[test]
fn a_child_pays_for_its_parent_and_stands_apart_from_what_pays_as_much() {
    // 0 <- 1: together 10 per weight. 2 and 3: 10 per weight each, by themselves.
    let rates = [(0, 1), (20, 1), (10, 1), (10, 1)];
    let rates = rates.map(|(fee, size)| FeeSize::new(fee, size)).to_vec();
    let graph = DepGraph::new(rates, vec![0, 1, 0, 0]);
    let found = linearize(&graph, &[0, 1, 2, 3], 1);
    assert_eq!(found.order, [2, 3, 0, 1], "small chunks first");
    let ends: Vec<u8> = found.chunks.iter().map(|chunk| chunk.end).collect();
    assert_eq!(ends, [1, 2, 4]);
}
