//! Counts what peers announce: `inv_count SECONDS IP:PORT…`, on regtest.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use everett_net::{Peer, Pool, PoolConfig, handlers::Inv};

static SEEN: AtomicUsize = AtomicUsize::new(0);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let seconds = words.next().unwrap_or_default().parse()?;
    let mut config = PoolConfig::new(bitcoin::Network::Regtest);
    for word in words {
        config.connect.push(word.parse()?);
    }
    let (pool, events) = Pool::start(config)?;
    pool.on(|peer: Peer, Inv(items)| async move {
        SEEN.fetch_add(items.len(), Relaxed);
        println!("{} announces {}", peer.endpoint(), items.len());
    });
    tokio::spawn(events.dispatch());
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    println!("{} from {} peers", SEEN.load(Relaxed), pool.peers().len());
    pool.shut_down().await;
    Ok(())
}
