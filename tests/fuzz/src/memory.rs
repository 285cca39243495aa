//! Owns the bound on memory: while a law runs, no more may be allocated than it says. Beyond it allocation fails,
//! and the process aborts, which a fuzzer takes for a crash.
//! Promises that the bound is gone before anybody writes down why: backtraces take memory, too.
//! Refuses to bound what a law is compared with: only the law is run within.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use cap::Cap;

#[cfg(test)]
mod tests;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded {
    cap: Cap::new(System, usize::MAX),
    exceeded: AtomicBool::new(false),
};

/// Memory that a law may take for itself, and for each byte of its input, in bytes.
pub(crate) const FIXED: usize = 4 << 20;
/// A transaction of the fewest bytes becomes about ten times as much when it is read; laws hold several copies.
pub(crate) const PER_BYTE: usize = 200;

/// Runs `law` within [`FIXED`] and [`PER_BYTE`] times the length of the input. One at a time: the bound is the process's.
pub(crate) fn bounded<T>(length: usize, law: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(lift_before_panics);
    let bound = FIXED + PER_BYTE * length;
    let limit = ALLOCATOR.cap.allocated().saturating_add(bound);
    ALLOCATOR
        .cap
        .set_limit(limit)
        .expect("the limit is above what is allocated");
    let result = law();
    ALLOCATOR.lift();
    assert!(
        !ALLOCATOR.exceeded.swap(false, Ordering::Relaxed),
        "more than {bound} bytes were asked for"
    );
    result
}

/// What a panic prints, with `RUST_BACKTRACE` above all, may need more than the bound leaves; where that allocation
/// fails, the process hangs in its own failure instead of ending.
fn lift_before_panics() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        ALLOCATOR.lift();
        previous(info);
    }));
}

/// The system's allocator with a bound, which falls with the first allocation that it refuses.
struct Bounded {
    cap: Cap<System>,
    /// Whether an allocation was refused in the law that runs.
    exceeded: AtomicBool,
}

impl Bounded {
    fn lift(&self) {
        // Raising a limit cannot fail.
        let _ = self.cap.set_limit(usize::MAX);
    }

    /// Passes on what the allocator answered.
    fn seen(&self, answer: *mut u8) -> *mut u8 {
        if answer.is_null() {
            self.exceeded.store(true, Ordering::Relaxed);
            self.lift();
        }
        answer
    }
}

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes to `Cap` as it came, and every answer back as it was.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.seen(unsafe { self.cap.alloc(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { self.cap.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.seen(unsafe { self.cap.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.seen(unsafe { self.cap.realloc(memory, layout, size) })
    }
}
