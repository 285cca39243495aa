use super::*;

#[test]
fn a_printed_set_reads_back() {
    for (name, flag) in Flags::NAMED {
        assert_eq!(flag.to_string(), *name);
        assert_eq!(name.parse(), Ok(*flag));
    }
    for flags in [Flags::NONE, Flags::ALL, Flags::CONSENSUS, Flags::STANDARD] {
        assert_eq!(flags.to_string().parse(), Ok(flags));
    }
}

#[test]
fn the_empty_set_has_two_spellings() {
    assert_eq!("".parse(), Ok(Flags::NONE));
    assert_eq!("NONE".parse(), Ok(Flags::NONE));
    assert_eq!(Flags::NONE.to_string(), "NONE");
}

#[test]
fn blanks_around_names_are_no_part_of_them() {
    assert_eq!(" P2SH, WITNESS\t".parse(), Ok(Flags::P2SH | Flags::WITNESS));
    assert_eq!(" ".parse(), Ok(Flags::NONE));
    assert!("P2 SH".parse::<Flags>().is_err());
}

#[test]
fn an_unknown_word_is_named_in_the_error() {
    let error = "P2SH,SEGWIT".parse::<Flags>().unwrap_err();
    assert_eq!(error.name, "SEGWIT");
    assert!(error.to_string().contains("WITNESS"));
}

#[test]
fn filling_and_trimming_reach_consistency() {
    for bits in 0..=Flags::ALL.bits() {
        let flags = Flags::from_bits(bits).unwrap();
        assert!(flags.filled().is_consistent() && flags.trimmed().is_consistent());
        assert!(flags.filled().contains(flags) && flags.contains(flags.trimmed()));
        assert_eq!(flags.is_consistent(), flags == flags.filled());
    }
}
