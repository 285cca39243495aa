//! Owns the order in which a cluster is mined: its linearisation, and the chunks it falls into.
//! Promises an order in which parents come first, never worse than the one it is given, optimal where the work suffices
//! (always, for clusters of a dozen), and then the very order that Bitcoin Core chooses among equals.

use super::dep_graph::{DepGraph, Set, members};
use super::forest::{ChunkSet, Forest};
use crate::fee_rate::FeeSize;

/// A part of a linearisation that is mined together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chunk {
    /// The place in the order behind its last transaction.
    pub(crate) end: u8,
    /// What it pays, per weight.
    pub(crate) rate: FeeSize,
}

/// An order with its chunks.
#[derive(Clone, Debug)]
pub(crate) struct Linearization {
    /// The numbers of the transactions.
    pub(crate) order: Vec<u8>,
    /// From the highest feerate to the lowest.
    pub(crate) chunks: Vec<Chunk>,
    /// Whether no order is better.
    pub(crate) optimal: bool,
}

/// Orders a graph whose numbering is an order already. `rank` has for each transaction its place by txid, which decides
/// between equals; `seed` is for the search.
pub(crate) fn linearize(graph: &DepGraph, rank: &[u8], seed: u64) -> Linearization {
    let given: Vec<u8> = (0..graph.count() as u8).collect();
    if graph.count() <= 1 {
        let chunks = chunk_up(graph, &given);
        return Linearization {
            order: given,
            chunks,
            optimal: true,
        };
    }
    let mut forest = Forest::from_order(graph, &given, seed);
    let optimal = forest.optimise();
    let sets = match optimal {
        true => forest.smallest_chunks(),
        false => forest.chunks(),
    };
    let mut order = put_in_order(graph, sets, rank);
    improve(graph, &mut order, Direction::Backward);
    improve(graph, &mut order, Direction::Forward);
    let chunks = chunk_up(graph, &order);
    Linearization {
        order,
        chunks,
        optimal,
    }
}

/// The chunks of an order: each the best paying start of what is left.
pub(crate) fn chunk_up(graph: &DepGraph, order: &[u8]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::with_capacity(order.len());
    for (place, one) in order.iter().enumerate() {
        let mut last = Chunk {
            end: place as u8 + 1,
            rate: graph.rates[usize::from(*one)],
        };
        while let Some(before) = chunks.pop_if(|before| last.rate.beats(before.rate)) {
            last.rate += before.rate;
        }
        chunks.push(last);
    }
    chunks
}

/// Chunks by need, feerate, size and greatest txid; within each, transactions by need, feerate, size and txid.
fn put_in_order(graph: &DepGraph, sets: Vec<ChunkSet>, rank: &[u8]) -> Vec<u8> {
    let last = |set: Set| members(set).map(|one| rank[one]).max();
    let mut waiting: Vec<(ChunkSet, Option<u8>)> = sets
        .into_iter()
        .map(|chunk| (chunk, last(chunk.set)))
        .collect();
    // The best one first; which of them are ready changes.
    waiting.sort_unstable_by(|(a, a_last), (b, b_last)| {
        let by_rate = b.rate.cmp_rate(a.rate);
        by_rate
            .then(a.rate.size.cmp(&b.rate.size))
            .then(a_last.cmp(b_last))
    });
    let mut order = Vec::with_capacity(graph.count());
    let mut done: Set = 0;
    while !waiting.is_empty() {
        let ready = |(chunk, _): &(ChunkSet, Option<u8>)| graph.parents_of(chunk.set) & !done == 0;
        // There is always one: chunks do not need each other in a circle.
        let next = waiting.iter().position(ready).unwrap_or(0);
        let (chunk, _) = waiting.remove(next);
        let mut rest = chunk.set;
        while rest != 0 {
            let free = members(rest).filter(|one| graph.parents[*one] & rest == 0);
            let best = free.min_by(|a, b| {
                let (a_rate, b_rate) = (graph.rates[*a], graph.rates[*b]);
                let by_rate = b_rate.cmp_rate(a_rate);
                by_rate
                    .then(a_rate.size.cmp(&b_rate.size))
                    .then(rank[*a].cmp(&rank[*b]))
            });
            let Some(best) = best else { break };
            order.push(best as u8);
            rest &= !(1 << best);
        }
        done |= chunk.set;
    }
    order
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// A run of transactions that is moved as one.
struct Group {
    members: Vec<u8>,
    set: Set,
    /// What it needs, or going backward what needs it.
    ties: Set,
    rate: FeeSize,
}

/// One pass over an order that moves better paying groups before worse paying ones, and binds those that cannot pass:
/// the result is at least as good, and its chunks are connected.
fn improve(graph: &DepGraph, order: &mut Vec<u8>, direction: Direction) {
    let backward = direction == Direction::Backward;
    if backward {
        order.reverse();
    }
    let mut groups: Vec<Group> = Vec::with_capacity(order.len());
    for one in order.iter() {
        let number = usize::from(*one);
        let rate = graph.rates[number];
        let mut group = Group {
            members: vec![*one],
            set: 1 << number,
            ties: match backward {
                true => graph.descendants[number],
                false => graph.ancestors[number],
            },
            rate: match backward {
                true => FeeSize::new(-rate.fee, rate.size),
                false => rate,
            },
        };
        let mut place = groups.len();
        while place > 0 && group.rate.beats(groups[place - 1].rate) {
            place -= 1;
            if group.ties & groups[place].set != 0 {
                let mut before = groups.remove(place);
                before.members.append(&mut group.members);
                group = Group {
                    members: before.members,
                    set: before.set | group.set,
                    ties: before.ties | group.ties,
                    rate: before.rate + group.rate,
                };
            }
        }
        groups.insert(place, group);
    }
    order.clear();
    order.extend(groups.into_iter().flat_map(|group| group.members));
    if backward {
        order.reverse();
    }
}

#[cfg(test)]
mod tests;
