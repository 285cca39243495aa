use super::*;

#[test]
fn no_option_stands_in_the_table_twice() {
    let mut names: Vec<&str> = DAEMON.0.iter().map(|option| option.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    // None begins with `no`, which would read as its opposite.
    assert!(names.iter().all(|name| !name.starts_with("no")));
}

#[test]
fn every_option_is_in_the_help_and_says_what_becomes_of_it() {
    let help = DAEMON.help();
    for option in DAEMON.0 {
        assert!(help.contains(&format!("  -{}{}\n", option.name, option.value)));
        assert!(!option.about.is_empty(), "{}", option.name);
    }
}

#[test]
fn the_book_lists_every_option() {
    let book = include_str!("../../../../../docs/src/bitcoind.md");
    for option in DAEMON.0 {
        assert!(
            book.contains(&format!("`-{}", option.name)),
            "docs/src/bitcoind.md says nothing of -{}",
            option.name
        );
    }
}
