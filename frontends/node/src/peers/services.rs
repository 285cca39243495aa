//! Owns the names of what peers offer.

use bitcoin::p2p::ServiceFlags;

/// What these bits mean, the lowest one first, in Bitcoin Core's words: `NETWORK`, `BLOOM`, `WITNESS`,
/// `COMPACT_FILTERS`, `NETWORK_LIMITED`, `P2P_V2`; bits without a name as `UNKNOWN[2^n]`.
pub fn service_names(services: ServiceFlags) -> Vec<String> {
    const NAMES: [(ServiceFlags, &str); 6] = [
        (ServiceFlags::NETWORK, "NETWORK"),
        (ServiceFlags::BLOOM, "BLOOM"),
        (ServiceFlags::WITNESS, "WITNESS"),
        (ServiceFlags::COMPACT_FILTERS, "COMPACT_FILTERS"),
        (ServiceFlags::NETWORK_LIMITED, "NETWORK_LIMITED"),
        (ServiceFlags::P2P_V2, "P2P_V2"),
    ];
    let bits = services.to_u64();
    let set = (0..u64::BITS).filter(|bit| bits >> bit & 1 == 1);
    let name = |bit| {
        let named = NAMES.iter().find(|(flag, _)| flag.to_u64() == 1_u64 << bit);
        named.map_or_else(
            || format!("UNKNOWN[2^{bit}]"),
            |(_, name)| (*name).to_owned(),
        )
    };
    set.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_in_the_order_of_their_bits() {
        let services = ServiceFlags::P2P_V2 | ServiceFlags::WITNESS | ServiceFlags::NETWORK;
        assert_eq!(service_names(services), ["NETWORK", "WITNESS", "P2P_V2"]);
        assert_eq!(
            service_names(ServiceFlags::from(1 << 63)),
            ["UNKNOWN[2^63]"]
        );
        assert!(service_names(ServiceFlags::NONE).is_empty());
    }
}
