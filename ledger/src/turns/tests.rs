use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;

/// Waits for a turn on a thread of its own, in which it writes down its name; returns once it stands in the queue.
fn stand_in(
    turns: &Arc<Turns<Vec<&'static str>>>,
    urgency: Urgency,
    name: &'static str,
) -> JoinHandle<()> {
    let before = turns.queue.lock().waiting.len();
    let waiting = turns.clone();
    let thread = thread::spawn(move || waiting.wait(|| urgency).push(name));
    while turns.queue.lock().waiting.len() == before {
        thread::sleep(Duration::from_millis(1));
    }
    thread
}

#[test]
fn the_best_chain_goes_first_and_equals_go_in_their_order() {
    let turns = Arc::new(Turns::new(Vec::new()));
    let turn = turns.wait(|| Urgency::Side);
    let threads = [
        stand_in(&turns, Urgency::Side, "side 1"),
        stand_in(&turns, Urgency::Side, "side 2"),
        stand_in(&turns, Urgency::Best, "best 1"),
        stand_in(&turns, Urgency::Best, "best 2"),
    ];
    drop(turn);
    for thread in threads {
        thread.join().unwrap();
    }
    let order = turns.wait(|| Urgency::Best).clone();
    assert_eq!(order, ["best 1", "best 2", "side 1", "side 2"]);
}

#[test]
fn where_nobody_has_the_turn_nobody_asks_how_urgent_it_is() {
    let turns = Turns::new(());
    drop(turns.wait(|| panic!("asked")));
}

#[test]
fn one_that_was_overtaken_often_enough_goes_next() {
    let mut queue = Queue::default();
    queue.waiting.insert((Urgency::Side, 0));
    for ticket in 1..=MAX_OVERTAKEN + 1 {
        queue.waiting.insert((Urgency::Best, ticket));
        queue.tickets = ticket + 1;
        assert_eq!(queue.next(), Some((Urgency::Best, ticket)));
        queue.waiting.remove(&(Urgency::Best, ticket));
    }
    queue.waiting.insert((Urgency::Best, MAX_OVERTAKEN + 2));
    queue.tickets = MAX_OVERTAKEN + 3;
    assert_eq!(queue.next(), Some((Urgency::Side, 0)));
}

#[test]
fn a_turn_that_ends_in_a_panic_is_over() {
    let turns = Arc::new(Turns::new(0));
    let other = turns.clone();
    let panicked = thread::spawn(move || {
        let _turn = other.wait(|| Urgency::Best);
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    *turns.wait(|| Urgency::Side) += 1;
}
