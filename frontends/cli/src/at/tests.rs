use super::*;

#[test]
fn a_block_is_named_by_hash_height_or_as_the_best() {
    let hash = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
    assert_eq!("best".parse(), Ok(At::Best));
    assert_eq!("0".parse(), Ok(At::Height(0)));
    assert_eq!(hash.parse::<At>().unwrap().to_string(), hash);
    for wrong in ["", "tip", "-1", "4294967296", &hash[1..], &"x".repeat(64)] {
        assert!(wrong.parse::<At>().is_err(), "{wrong}");
    }
}
