//! Owns an example of an outside frontend: it credits deposits once they have enough confirmations.
//! Promises that its books are what the best chain says, through every reorganisation and crash: each step of the chain
//! is booked exactly once.
//! Refuses to reach into the node: it uses what any crate outside the repository could use.
//!
//! ```text
//!   EventStream -> Delivery { event: BestChanged { undone, applied }, cursor }
//!        -> one SQLite transaction: deposits of undone blocks go, those of applied blocks come,
//!           what has enough confirmations now is credited, what has not any more is not, and the cursor moves
//!        -> acknowledge: the ledger need not keep the event any more
//! ```

mod books;
mod frontend;

pub use books::{BookError, Books, Deposit, Entry, Watched};
pub use frontend::DepositWatcher;
