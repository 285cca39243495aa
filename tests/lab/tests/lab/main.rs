//! The lab as a test of somebody else's would use it.

mod expecting;
mod forking;
mod making;
mod paying;
