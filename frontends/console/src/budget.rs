//! Owns the count of bytes of blocks and transactions that a session holds.
//! Promises that what is dropped is given back; refuses to hold more than the session may.

use std::cell::Cell;
use std::rc::Rc;

use crate::fault::Fault;
use crate::limits::MAX_HELD_BYTES;

/// What a session may hold, and does.
#[derive(Clone, Default)]
pub(crate) struct Budget(Rc<Cell<u64>>);

/// A part of the budget, until it is dropped.
pub(crate) struct Held {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    /// Takes so many bytes of it.
    pub(crate) fn take(&self, bytes: u64) -> Result<Held, Fault> {
        let after = self.0.get().saturating_add(bytes);
        if after > MAX_HELD_BYTES {
            let message = format!(
                "this session would hold more than {} MiB of blocks and transactions; let go of variables, or keep \
                 ids instead of transactions",
                MAX_HELD_BYTES >> 20
            );
            return Err(Fault::named("TOO_MUCH_MEMORY", message));
        }
        self.0.set(after);
        Ok(Held {
            budget: self.clone(),
            bytes,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = &self.budget.0;
        held.set(held.get().saturating_sub(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        let budget = Budget::default();
        let held = budget.take(MAX_HELD_BYTES).unwrap();
        assert_eq!(budget.take(1).err().unwrap().reason, "TOO_MUCH_MEMORY");
        drop(held);
        assert!(budget.take(1).is_ok());
    }
}
