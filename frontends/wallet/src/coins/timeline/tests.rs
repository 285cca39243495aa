use std::collections::{HashMap, HashSet};

use bitcoin::{BlockHash, OutPoint, ScriptBuf};
use everett_lab::{Chaos, Lab};
use everett_ledger::decode::decode_block;
use everett_ledger::{Ledger, ScriptHash, ScriptPubKey, World};

use super::Timeline;
use crate::coins::{Balance, OwnCoin, scan};
use crate::slot::{DescriptorNumber, Slot};

/// Enters every block of every world that was not looked at yet.
fn follow(
    timeline: &mut Timeline,
    ledger: &Ledger,
    slots: &HashMap<ScriptBuf, Slot>,
    seen: &mut HashSet<BlockHash>,
) {
    for tip in ledger.validated_tips() {
        let world = ledger.world(&tip.hash).unwrap();
        for height in 1..=world.height() {
            let hash = world.block_hash_at(height).unwrap();
            if !seen.insert(hash) {
                continue;
            }
            let (block, _) = decode_block(&ledger.block_bytes(&hash).unwrap()).unwrap();
            let parent = ledger.world(&block.header.prev_blockhash).unwrap();
            let slot_of = |script: &bitcoin::Script| slots.get(&script.to_owned()).copied();
            let touched =
                scan::of_block(&block, height, &timeline.at(&parent), &slot_of, &|_, _| {
                    false
                });
            if let Some(touched) = touched {
                timeline.enter(touched);
            }
        }
    }
}

/// What the ledger says that the scripts have in a world.
fn by_ledger(
    world: &World,
    slots: &HashMap<ScriptBuf, Slot>,
) -> (Balance, Vec<(OutPoint, OwnCoin)>) {
    let mut balance = Balance::default();
    let mut coins = Vec::new();
    for (script, slot) in slots {
        let hash = ScriptHash::of(&ScriptPubKey::new(script.as_bytes()));
        let of_script = world.balance(&hash).unwrap();
        balance.confirmed += of_script.confirmed - of_script.immature;
        balance.immature += of_script.immature;
        balance.coins += of_script.coins;
        for (outpoint, coin) in world.coins_of(&hash, None, usize::MAX).unwrap() {
            let own = OwnCoin {
                amount: coin.amount,
                slot: *slot,
                height: coin.height,
                coinbase: coin.coinbase,
            };
            coins.push((outpoint, own));
        }
    }
    coins.sort_by_key(|(outpoint, _)| *outpoint);
    (balance, coins)
}

#[test]
fn in_every_world_of_a_random_history_the_coins_are_those_that_the_ledger_has() {
    for seed in 0..4 {
        let mut chaos = Chaos::in_lab(Lab::new(seed));
        // Two of the four people are ours.
        let slots: HashMap<ScriptBuf, Slot> = (chaos.people().iter().take(2).enumerate())
            .map(|(index, party)| {
                let slot = Slot {
                    descriptor: DescriptorNumber(0),
                    index: index as u32,
                };
                (party.script_pubkey().clone(), slot)
            })
            .collect();
        let mut timeline = Timeline::default();
        let mut seen = HashSet::new();
        let mut most_worlds = 0;
        for _ in 0..60 {
            chaos.step().unwrap();
            let ledger = chaos.lab().ledger();
            follow(&mut timeline, ledger, &slots, &mut seen);
            most_worlds = most_worlds.max(ledger.validated_tips().len());
            for tip in ledger.validated_tips() {
                let world = ledger.world(&tip.hash).unwrap();
                let state = timeline.at(&world);
                assert!(state.coin_count() > 0);
                let coins: Vec<(OutPoint, OwnCoin)> = state
                    .coins()
                    .map(|(outpoint, coin)| (*outpoint, *coin))
                    .collect();
                let (balance, expected) = by_ledger(&world, &slots);
                assert_eq!(coins, expected, "seed {seed} at {world:?}");
                assert_eq!(
                    state.balance(world.height()),
                    balance,
                    "seed {seed} at {world:?}"
                );
            }
        }
        assert!(most_worlds > 3, "only {most_worlds} worlds");
        // One that learns of the blocks in another order, from nothing, comes to the same.
        let ledger = chaos.lab().ledger();
        let mut again = Timeline::default();
        follow(&mut again, ledger, &slots, &mut HashSet::new());
        for tip in ledger.validated_tips() {
            let world = ledger.world(&tip.hash).unwrap();
            assert_eq!(
                again.at(&world),
                timeline.at(&world),
                "seed {seed} at {world:?}"
            );
            assert!(state_is_that_of_its_blocks(&again, &world));
        }
    }
}

/// Folds all blocks without what is kept.
fn state_is_that_of_its_blocks(timeline: &Timeline, world: &World) -> bool {
    let mut blocks: Vec<_> = timeline.down_from(world, world.height()).collect();
    blocks.reverse();
    let folded = (blocks.into_iter()).fold(Default::default(), |state: crate::State, block| {
        state.after(block)
    });
    folded == timeline.at(world)
}
