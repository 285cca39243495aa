use super::*;

#[test]
fn genesis_blocks_are_those_of_the_networks() {
    let known = [
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
        "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
        "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
        "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
        "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    ];
    for (network, hash) in Network::ALL.into_iter().zip(known) {
        let params = Params::new(network);
        assert_eq!(params.genesis_hash().to_string(), hash, "{network}");
        assert!(params.genesis.check_merkle_root(), "{network}");
        assert_eq!(
            params.genesis.header.bits.to_consensus(),
            params.pow_limit_bits,
            "{network}"
        );
    }
}

#[test]
fn magics_are_those_of_the_networks() {
    let known: [[u8; 4]; 5] = [
        [0xf9, 0xbe, 0xb4, 0xd9],
        [0x0b, 0x11, 0x09, 0x07],
        [0x1c, 0x16, 0x3f, 0x28],
        // The public signet's is derived from its challenge.
        [0x0a, 0x03, 0xcf, 0x40],
        [0xfa, 0xbf, 0xb5, 0xda],
    ];
    for (network, magic) in Network::ALL.into_iter().zip(known) {
        assert_eq!(Params::new(network).magic, magic, "{network}");
    }
}

#[test]
fn a_signet_of_ones_own_has_its_own_magic_and_no_known_work() {
    let params = Params::signet_with_challenge(vec![0x51]);
    assert_eq!(params.magic, [0x54, 0xd2, 0x6f, 0xbd]);
    assert_eq!(params.minimum_chain_work, Work::from_be_bytes([0; 32]));
    assert_eq!(params.default_assume_valid, None);
    assert_eq!(
        params.genesis_hash(),
        Params::new(Network::Signet).genesis_hash()
    );
}

#[test]
fn networks_are_read_by_our_names_and_cores() {
    for network in Network::ALL {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    assert_eq!("main".parse(), Ok(Network::Mainnet));
    assert_eq!("test".parse(), Ok(Network::Testnet3));
    assert_eq!(
        "Main".parse::<Network>(),
        Err(UnknownNetwork("Main".into()))
    );
}

#[test]
fn pow_limits_and_their_compact_forms_agree() {
    for network in Network::ALL {
        let params = Params::new(network);
        assert_eq!(
            params.pow_limit.to_compact_lossy().to_consensus(),
            params.pow_limit_bits,
            "{network}"
        );
    }
}

#[test]
fn the_subsidy_halves_until_nothing_is_left() {
    let params = Params::new(Network::Mainnet);
    assert_eq!(params.subsidy(0).to_sat(), 50_0000_0000);
    assert_eq!(params.subsidy(209_999).to_sat(), 50_0000_0000);
    assert_eq!(params.subsidy(210_000).to_sat(), 25_0000_0000);
    assert_eq!(params.subsidy(210_000 * 32).to_sat(), 1);
    assert_eq!(params.subsidy(210_000 * 33).to_sat(), 0);
    assert_eq!(params.subsidy(210_000 * 64).to_sat(), 0);
    assert_eq!(params.subsidy(u32::MAX).to_sat(), 0);
    assert_eq!(
        Params::new(Network::Regtest).subsidy(150).to_sat(),
        25_0000_0000
    );
    let total: u64 = (0..33u32)
        .map(|era| params.subsidy(era * 210_000).to_sat() * 210_000)
        .sum();
    assert_eq!(total, 2_099_999_997_690_000);
}

#[test]
fn activation_heights_move_on_regtest_only() {
    let mut params = Params::new(Network::Regtest);
    for name in ["bip34", "dersig", "cltv", "csv", "segwit"] {
        params.set_activation_height(name, 200).unwrap();
    }
    let moved = [
        params.bip34_height,
        params.bip66_height,
        params.bip65_height,
        params.csv_height,
        params.segwit_height,
    ];
    assert_eq!(moved, [200; 5]);
    assert_eq!(
        params.set_activation_height("taproot", 1),
        Err(ActivationError::UnknownName("taproot".into()))
    );
    assert_eq!(
        params.set_activation_height("csv", i32::MAX as u32),
        Err(ActivationError::TooHigh(2_147_483_647))
    );
    params
        .set_activation_height("csv", i32::MAX as u32 - 1)
        .unwrap();
    assert_eq!(
        Params::new(Network::Signet).set_activation_height("csv", 1),
        Err(ActivationError::NotRegtest(Network::Signet))
    );
}

#[test]
fn script_flags_follow_heights_and_the_exceptions() {
    let params = Params::new(Network::Mainnet);
    let other = params.genesis_hash();
    let base = Flags::P2SH | Flags::WITNESS | Flags::TAPROOT;
    assert_eq!(params.script_flags(0, &other), base);
    assert_eq!(params.script_flags(363_724, &other), base);
    assert_eq!(params.script_flags(363_725, &other), base | Flags::DERSIG);
    assert_eq!(
        params.script_flags(388_381, &other),
        base | Flags::DERSIG | Flags::CHECKLOCKTIMEVERIFY
    );
    assert_eq!(
        params.script_flags(419_328, &other),
        base | Flags::DERSIG | Flags::CHECKLOCKTIMEVERIFY | Flags::CHECKSEQUENCEVERIFY
    );
    assert_eq!(params.script_flags(481_824, &other), Flags::CONSENSUS);
    let p2sh_exception = params.script_flag_exceptions[0].0;
    assert_eq!(params.script_flags(170_060, &p2sh_exception), Flags::NONE);
    let taproot_exception = params.script_flag_exceptions[1].0;
    assert_eq!(
        params.script_flags(692_261, &taproot_exception),
        Flags::CONSENSUS - Flags::TAPROOT
    );
}
