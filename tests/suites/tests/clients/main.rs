//! Wallets' and exchanges' libraries that none of us wrote, on a node that mines, pays and reorganises beneath them.

mod bdk;
mod lightning;
mod npm;
mod python_bitcoinlib;
mod scene;
