//! Owns the bound on memory: while a law runs, no more may be allocated than it says. Beyond it allocation fails,
//! and the process aborts, which a fuzzer takes for a crash.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Memory that a law may take for itself, and for each byte of its input, in bytes.
pub(crate) const FIXED: usize = 4 << 20;
/// A transaction of the fewest bytes becomes about ten times as much when it is read; laws hold several copies.
pub(crate) const PER_BYTE: usize = 200;

/// Runs `law` within [`FIXED`] and [`PER_BYTE`] times the length of the input. One at a time: the bound is the process's.
pub(crate) fn bounded(length: usize, law: impl FnOnce()) {
    let bound = FIXED + PER_BYTE * length;
    let limit = ALLOCATOR.allocated().saturating_add(bound);
    ALLOCATOR
        .set_limit(limit)
        .expect("the limit is above what is allocated");
    law();
    ALLOCATOR
        .set_limit(usize::MAX)
        .expect("there is no higher limit");
}
