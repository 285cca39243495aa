//! The gRPC server over a real connection, with a real ledger behind it.

mod chain;
mod events;
mod lab;
mod ledger;
mod mempool;
mod peers;
mod refusals;
mod sixty_forks;
mod support;
mod transport;
mod wallet;
mod worlds;
