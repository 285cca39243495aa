use super::*;
use crate::fixtures::{Branch, in_memory};

#[test]
fn the_threshold_follows_the_best_world_at_a_distance() {
    let ledger = in_memory();
    let none = ledger.minimum_chain_work();
    assert_eq!(ledger.anti_dos_work_threshold(), none);
    let trunk = Branch::genesis().grown(150, 1);
    trunk.announce(&ledger);
    assert_eq!(ledger.anti_dos_work_threshold(), none);
    trunk.cut(143).deliver(&ledger, 0);
    // 144 blocks with genesis: as many as are taken off.
    assert_eq!(ledger.anti_dos_work_threshold(), none);
    trunk.deliver(&ledger, 143);
    let sixth = ledger.header(&trunk.hash_at(6)).unwrap();
    assert_eq!(ledger.anti_dos_work_threshold(), sixth.chainwork);
}

#[test]
fn the_networks_minimum_holds_where_the_best_chain_has_less() {
    use crate::{LedgerConfig, Network, Params};
    let params = Params::new(Network::Mainnet);
    let minimum = params.minimum_chain_work;
    let ledger = Ledger::open(LedgerConfig::in_memory(params)).unwrap();
    assert_eq!(ledger.minimum_chain_work(), minimum);
    assert_eq!(ledger.anti_dos_work_threshold(), minimum);
}
