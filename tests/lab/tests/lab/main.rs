//! The lab as a test of somebody else's would use it.

mod expecting;
mod forking;
mod making;
mod paying;
mod recording;
mod serving;
mod strategy;
