use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::Hash;
use proptest::prelude::*;
use smallvec::smallvec;

use super::*;

const LIMITS: ClusterLimits = ClusterLimits {
    count: 8,
    weight: 60,
};

fn txid(number: u32) -> Txid {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    Txid::from_byte_array(bytes)
}

/// What is done to a graph.
#[derive(Clone, Debug)]
enum Step {
    Add {
        parents: Vec<usize>,
        fee: i64,
        weight: i64,
    },
    Remove(usize),
    SetFee(usize, i64),
    Replace {
        conflicts: Vec<usize>,
        parents: Vec<usize>,
        fee: i64,
        weight: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fee = || -3i64..30;
    let picks = || prop::collection::vec(any::<usize>(), 0..3);
    let step = prop_oneof![
        6 => (picks(), fee(), 1i64..12).prop_map(|(parents, fee, weight)| Step::Add { parents, fee, weight }),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), fee()).prop_map(|(one, fee)| Step::SetFee(one, fee)),
        2 => (prop::collection::vec(any::<usize>(), 1..3), picks(), fee(), 1i64..12)
            .prop_map(|(conflicts, parents, fee, weight)| Step::Replace { conflicts, parents, fee, weight }),
    ];
    prop::collection::vec(step, 1..80)
}

/// The plain truth: fee, weight and parents of each.
type Model = BTreeMap<Slot, (i64, i64, BTreeSet<Slot>)>;

fn component(model: &Model, start: Slot) -> BTreeSet<Slot> {
    let mut found = BTreeSet::from([start]);
    loop {
        let before = found.len();
        for (slot, (_, _, parents)) in model {
            if found.contains(slot) {
                found.extend(parents);
            } else if parents.iter().any(|parent| found.contains(parent)) {
                found.insert(*slot);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn below(model: &Model, start: Slot) -> BTreeSet<Slot> {
    let mut found = BTreeSet::from([start]);
    loop {
        let more: Vec<Slot> = model
            .iter()
            .filter(|(slot, (_, _, parents))| !found.contains(slot) && !parents.is_disjoint(&found))
            .map(|(slot, _)| *slot)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn forget(model: &mut Model, gone: &BTreeSet<Slot>) {
    model.retain(|slot, _| !gone.contains(slot));
    for (_, _, parents) in model.values_mut() {
        parents.retain(|parent| !gone.contains(parent));
    }
}

fn check(graph: &Graph, model: &Model) {
    let mut seen = BTreeSet::new();
    let mut last: Option<FeeSize> = None;
    for (slots, rate) in graph.chunks() {
        let sum = slots.iter().fold(FeeSize::default(), |sum, slot| {
            let (fee, weight, _) = model[slot];
            sum + FeeSize::new(fee, weight)
        });
        assert_eq!(sum, rate, "a chunk pays what its transactions pay");
        assert!(
            last.is_none_or(|last| !rate.beats(last)),
            "the best paying come first"
        );
        last = Some(rate);
        for slot in slots {
            let (_, _, parents) = &model[slot];
            assert!(parents.is_subset(&seen), "parents come first");
            assert!(seen.insert(*slot), "each comes once");
            assert_eq!(graph.chunk_rate(*slot), rate);
        }
    }
    assert_eq!(seen.len(), model.len());
    let mut places: Vec<Slot> = model.keys().copied().collect();
    places.sort_by_key(|slot| graph.mining_place(*slot));
    let walked: Vec<Slot> = graph
        .chunks()
        .flat_map(|(slots, _)| slots)
        .copied()
        .collect();
    assert_eq!(places, walked);
    for slot in model.keys() {
        let members = component(model, *slot);
        let ordered: BTreeSet<Slot> = graph
            .cluster_chunks(*slot)
            .iter()
            .flat_map(|(slots, _)| *slots)
            .copied()
            .collect();
        assert_eq!(ordered, members, "a cluster is what is connected");
        assert!(members.len() <= LIMITS.count);
        assert!(members.iter().map(|slot| model[slot].1).sum::<i64>() <= LIMITS.weight);
        let descendants: BTreeSet<Slot> = graph.descendants(*slot).into_iter().collect();
        assert_eq!(descendants, below(model, *slot));
        for other in graph.ancestors(*slot) {
            assert!(below(model, other).contains(slot));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_graph_is_what_a_plain_model_says(steps in steps()) {
        let mut graph = Graph::new(LIMITS);
        let mut model = Model::new();
        for (number, step) in (0u32..).zip(steps) {
            let slots: Vec<Slot> = model.keys().copied().collect();
            let pick = |one: usize| slots.get(one % slots.len().max(1)).copied();
            let many = |picks: &[usize]| -> BTreeSet<Slot> {
                picks.iter().filter_map(|one| pick(*one)).collect()
            };
            match step {
                Step::Add { parents, fee, weight } => {
                    let parents = many(&parents);
                    let addition = Addition {
                        rate: FeeSize::new(fee, weight),
                        txid: txid(number),
                        parents: parents.iter().copied().map(NodeRef::Old).collect(),
                    };
                    let mut members: BTreeSet<Slot> = BTreeSet::new();
                    for parent in &parents {
                        members.extend(component(&model, *parent));
                    }
                    let heavy = weight + members.iter().map(|slot| model[slot].1).sum::<i64>();
                    let fits = members.len() < LIMITS.count && heavy <= LIMITS.weight;
                    match graph.plan(smallvec![addition], &[]) {
                        Err(_) => prop_assert!(!fits),
                        Ok(plan) => {
                            prop_assert!(fits);
                            let slot = graph.commit(plan)[0];
                            model.insert(slot, (fee, weight, parents));
                        }
                    }
                }
                Step::Remove(one) => {
                    if let Some(slot) = pick(one) {
                        let gone = BTreeSet::from([slot]);
                        graph.remove(&[slot]);
                        forget(&mut model, &gone);
                    }
                }
                Step::SetFee(one, fee) => {
                    if let Some(slot) = pick(one) {
                        graph.set_fee(slot, fee);
                        model.get_mut(&slot).unwrap().0 = fee;
                    }
                }
                Step::Replace { conflicts, parents, fee, weight } => {
                    let gone: BTreeSet<Slot> =
                        many(&conflicts).into_iter().flat_map(|slot| below(&model, slot)).collect();
                    let parents: BTreeSet<Slot> = many(&parents).difference(&gone).copied().collect();
                    let addition = Addition {
                        rate: FeeSize::new(fee, weight),
                        txid: txid(number),
                        parents: parents.iter().copied().map(NodeRef::Old).collect(),
                    };
                    let leaving: Vec<Slot> = gone.iter().copied().collect();
                    let total: i64 = model.values().map(|(fee, _, _)| fee).sum();
                    if let Ok(plan) = graph.plan(smallvec![addition], &leaving) {
                        let sum = |rates: Vec<FeeSize>| rates.iter().map(|rate| rate.fee).sum::<i64>();
                        let lost: i64 = gone.iter().map(|slot| model[slot].0).sum();
                        prop_assert_eq!(sum(plan.after()) - sum(graph.before(&plan)), fee - lost);
                        let slot = graph.commit(plan)[0];
                        forget(&mut model, &gone);
                        model.insert(slot, (fee, weight, parents));
                        prop_assert_eq!(model.values().map(|(fee, _, _)| fee).sum::<i64>(), total + fee - lost);
                    }
                }
            }
            check(&graph, &model);
        }
    }

    #[test]
    fn linking_keeps_to_the_limits_and_takes_children_with_their_parents(
        fees in prop::collection::vec((0i64..30, 1i64..12), 2..30),
        ties in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..40),
    ) {
        let mut graph = Graph::new(LIMITS);
        let mut model = Model::new();
        let mut slots = Vec::new();
        for (number, (fee, weight)) in (0u32..).zip(fees) {
            let addition = Addition {
                rate: FeeSize::new(fee, weight),
                txid: txid(number),
                parents: smallvec![],
            };
            let slot = graph.commit(graph.plan(smallvec![addition], &[]).unwrap())[0];
            model.insert(slot, (fee, weight, BTreeSet::new()));
            slots.push(slot);
        }
        let mut pairs = Vec::new();
        for (a, b) in ties {
            let (a, b) = (a.index(slots.len()), b.index(slots.len()));
            if a != b {
                let (parent, child) = (slots[a.min(b)], slots[a.max(b)]);
                pairs.push((parent, child));
                model.get_mut(&child).unwrap().2.insert(parent);
            }
        }
        prop_assume!(!pairs.is_empty());
        let gone: BTreeSet<Slot> = graph.link(&pairs).into_iter().collect();
        for slot in &gone {
            prop_assert!(below(&model, *slot).is_subset(&gone));
        }
        forget(&mut model, &gone);
        check(&graph, &model);
    }
}
