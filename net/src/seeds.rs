//! Owns where a node that knows nobody begins: names that resolve to nodes, and addresses that were good for long.
//! Promises the names that Bitcoin Core has (`chainparams`), and no more addresses of one of them than its share.
//! Refuses to choose when: a pool whose every call goes through a proxy looks no name up, and begins with the fixed ones.

use std::collections::HashSet;
use std::time::Duration;

use bitcoin::Network;
use bitcoin::p2p::ServiceFlags;

use crate::endpoint::{Endpoint, default_port};

/// Most addresses taken of one seed: Bitcoin Core's limit.
pub const MAX_FROM_SEED: usize = 32;
/// How long one name may take to resolve.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(30);

/// The names of a network's DNS seeds; regtest has none.
pub fn dns_seeds(network: Network) -> &'static [&'static str] {
    match network {
        Network::Bitcoin => &[
            "dnsseed.bluematt.me",
            "seed.bitcoin.jonasschnelli.ch",
            "seed.btc.petertodd.net",
            "seed.bitcoin.sprovoost.nl",
            "dnsseed.emzy.de",
            "seed.bitcoin.wiz.biz",
            "seed.mainnet.achownodes.xyz",
        ],
        Network::Testnet => &[
            "testnet-seed.bitcoin.jonasschnelli.ch",
            "seed.tbtc.petertodd.net",
            "seed.testnet.bitcoin.sprovoost.nl",
            "testnet-seed.bluematt.me",
            "seed.testnet.achownodes.xyz",
        ],
        Network::Testnet4 => &[
            "seed.testnet4.bitcoin.sprovoost.nl",
            "seed.testnet4.wiz.biz",
        ],
        Network::Signet => &[
            "seed.signet.bitcoin.sprovoost.nl",
            "seed.signet.achownodes.xyz",
        ],
        _ => &[],
    }
}

/// Nodes to call when no seed answers; none for regtest.
pub fn fixed(network: Network) -> Vec<Endpoint> {
    let text = match network {
        Network::Bitcoin => include_str!("seeds/mainnet.txt"),
        Network::Testnet => include_str!("seeds/testnet3.txt"),
        Network::Testnet4 => include_str!("seeds/testnet4.txt"),
        Network::Signet => include_str!("seeds/signet.txt"),
        _ => "",
    };
    // A test reads each line, so that none is left out here.
    lines(text).filter_map(|line| line.parse().ok()).collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Why a seed gave no addresses.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It did not resolve.
    #[error(
        "the seed {name} does not resolve: {source}; check the name server, or name peers with --connect"
    )]
    Resolve {
        /// Its name.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It took too long.
    #[error(
        "the seed {0} did not resolve within 30 seconds; check the name server, or name peers with --connect"
    )]
    Slow(String),
}

/// The name below a seed that has only nodes with these services, such as `x9.seed.example`.
pub fn service_name(seed: &str, services: ServiceFlags) -> String {
    format!("x{:x}.{seed}", services.to_u64())
}

/// Asks a seed for nodes that offer `services`: at most 32 that can be called, on the network's port.
///
/// The boolean tells whether the seed chose by services; one that knows no services is asked for any nodes, which then
/// have to be asked what they offer. Without services that is what it is asked for. Names are looked up as they are, not
/// below this machine's own domain.
///
/// # Errors
///
/// [`SeedError`] if neither name resolves.
pub async fn resolve(
    seed: &str,
    network: Network,
    services: ServiceFlags,
) -> Result<(Vec<Endpoint>, bool), SeedError> {
    // A dot at the end keeps the resolver from trying its search domains.
    let seed = format!("{}.", seed.trim_end_matches('.'));
    if services != ServiceFlags::NONE
        && let Ok(found) = look_up(&service_name(&seed, services), network).await
        && !found.is_empty()
    {
        return Ok((found, true));
    }
    Ok((look_up(&seed, network).await?, false))
}

/// Resolves a name to at most 32 endpoints on the network's port, each once.
///
/// # Errors
///
/// [`SeedError`].
pub async fn look_up(name: &str, network: Network) -> Result<Vec<Endpoint>, SeedError> {
    let port = default_port(network);
    let answer = tokio::time::timeout(RESOLVE_LIMIT, tokio::net::lookup_host((name, port)))
        .await
        .map_err(|_| SeedError::Slow(name.to_owned()))?;
    let addresses = answer.map_err(|source| SeedError::Resolve {
        name: name.to_owned(),
        source,
    })?;
    let mut seen = HashSet::new();
    let endpoints = addresses.map(Endpoint::from);
    Ok(endpoints
        .filter(|endpoint| seen.insert(endpoint.clone()))
        .take(MAX_FROM_SEED)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORKS: [Network; 5] = [
        Network::Bitcoin,
        Network::Testnet,
        Network::Testnet4,
        Network::Signet,
        Network::Regtest,
    ];

    #[test]
    fn every_fixed_peer_reads_and_can_be_called() {
        for network in NETWORKS {
            let peers = fixed(network);
            assert_eq!(peers.is_empty(), network == Network::Regtest);
            assert_eq!(dns_seeds(network).is_empty(), network == Network::Regtest);
            let distinct: HashSet<&Endpoint> = peers.iter().collect();
            assert_eq!(distinct.len(), peers.len());
            assert!(peers.iter().all(Endpoint::is_routable));
        }
        for text in [
            include_str!("seeds/mainnet.txt"),
            include_str!("seeds/testnet3.txt"),
            include_str!("seeds/testnet4.txt"),
            include_str!("seeds/signet.txt"),
        ] {
            for line in lines(text) {
                assert_eq!(line.parse::<Endpoint>().unwrap().to_string(), line);
            }
        }
    }

    #[test]
    fn services_stand_before_the_name_in_hex() {
        let services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
        assert_eq!(service_name("seed.example", services), "x9.seed.example");
        let services = services | ServiceFlags::from(1 << 11);
        assert_eq!(service_name("seed.example", services), "x809.seed.example");
    }

    #[tokio::test]
    async fn a_name_resolves_to_the_networks_port() {
        let found = look_up("localhost", Network::Regtest).await.unwrap();
        assert!(!found.is_empty() && found.len() <= MAX_FROM_SEED);
        assert!(found.iter().all(|it| it.is_local() && it.port == 18_444));
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_told() {
        let error = resolve("nothing.invalid", Network::Bitcoin, ServiceFlags::NETWORK).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("nothing.invalid"), "{error}");
    }
}
