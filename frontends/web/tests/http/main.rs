//! The web page over real sockets: what it shows, whom it lets in, and that it follows the ledger.

mod client;
mod gate;
mod live;
mod node;
mod pages;
mod peers;
mod sixty_forks;
mod slow;
mod wallets;
