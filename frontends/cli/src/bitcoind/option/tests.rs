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
fn the_book_lists_every_option_where_it_belongs() {
    let book = include_str!("../../../../../docs/src/bitcoind.md");
    let parts = book.split("\n## ").filter_map(|part| part.split_once('\n'));
    let parts: Vec<(&str, &str)> = parts.collect();
    for option in DAEMON.0 {
        let names = ['`', '='].map(|end| format!("`-{}{end}", option.name));
        let is_row = |line: &str| {
            let first = line.split(" | ").next().unwrap_or_default();
            line.starts_with('|') && names.iter().any(|name| first.contains(name))
        };
        let listed = (parts.iter()).filter(|(_, text)| text.lines().any(is_row));
        let listed: Vec<&str> = listed.map(|(heading, _)| *heading).collect();
        let part = match option.support {
            Support::Does => "What works as in Core",
            Support::Ignored => "What is taken without effect",
            Support::Unsupported => "What is not there",
            Support::Ours => "Our own",
        };
        assert_eq!(listed, [part], "docs/src/bitcoind.md: -{}", option.name);
    }
}
