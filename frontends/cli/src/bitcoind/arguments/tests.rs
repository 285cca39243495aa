use super::*;
use crate::bitcoind::option::DAEMON;

fn parse(line: &[&str]) -> Result<Arguments, ArgumentError> {
    let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    Arguments::parse(DAEMON, &line)
}

/// With lines of a file, each its section, name and value; a negation is `None`.
fn with_file(line: &[&str], file: &[(&str, &str, Option<&str>)]) -> Arguments {
    let mut arguments = parse(line).unwrap();
    for (section, name, value) in file {
        let value = match value {
            Some(text) => Value::Text((*text).to_owned()),
            None => Value::Switch(false),
        };
        let values = arguments.file.entry((*section).to_owned()).or_default();
        values.entry((*name).to_owned()).or_default().push(value);
    }
    let chain = arguments.chain().unwrap();
    arguments.select(chain);
    arguments
}

#[test]
fn options_are_written_with_one_dash_or_two_and_negated() {
    let arguments = parse(&[
        "-txindex",
        "--par=3",
        "-nolisten",
        "-nodnsseed=0",
        "-rest=0",
    ])
    .unwrap();
    assert!(arguments.flag("txindex", false));
    assert_eq!(arguments.int("par"), Some(3));
    assert!(!arguments.flag("listen", true) && arguments.is_negated("listen"));
    assert!(arguments.flag("dnsseed", false));
    assert!(!arguments.flag("rest", true) && !arguments.is_negated("rest"));
    assert!(!arguments.is_set("server"));
}

#[test]
fn what_the_table_does_not_have_is_refused() {
    for line in [&["-foo"][..], &["-nofoo=1"], &["-test.port=1"], &["--"]] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.to_string(), format!("Invalid parameter {}", line[0]));
    }
    assert_eq!(
        parse(&["-nodatadir"]).unwrap_err().to_string(),
        "Negating of -datadir is meaningless and therefore forbidden"
    );
    assert_eq!(
        parse(&["-loglevel"]).unwrap_err().to_string(),
        "Can not set -loglevel with no value. Please specify value with -loglevel=value."
    );
    assert!(parse(&["-includeconf=x"]).is_err());
    assert!(parse(&["-includeconf=x", "-noincludeconf"]).is_ok());
}

#[test]
fn words_end_the_options() {
    let arguments = parse(&["-server", "getblock", "-par=1"]).unwrap();
    assert_eq!(arguments.words, ["getblock", "-par=1"]);
    assert!(!arguments.is_set("par"));
    assert!(parse(&["-", "x"]).unwrap().words.is_empty());
}

#[test]
fn the_last_one_counts_on_the_command_line_and_the_first_one_in_a_file() {
    let file = [
        ("", "par", Some("3")),
        ("", "par", Some("4")),
        ("", "rpcthreads", Some("5")),
    ];
    let arguments = with_file(&["-par=1", "-par=2"], &file);
    assert_eq!(arguments.int("par"), Some(2));
    assert_eq!(arguments.int("rpcthreads"), Some(5));
    assert_eq!(with_file(&[], &file).int("par"), Some(3));
}

#[test]
fn a_section_goes_before_what_has_none() {
    let file = [
        ("", "rpcthreads", Some("1")),
        ("regtest", "rpcthreads", Some("2")),
        ("test", "rpcthreads", Some("3")),
    ];
    assert_eq!(with_file(&["-regtest"], &file).int("rpcthreads"), Some(2));
    assert_eq!(with_file(&["-testnet"], &file).int("rpcthreads"), Some(3));
    assert_eq!(with_file(&[], &file).int("rpcthreads"), Some(1));
}

#[test]
fn what_is_for_one_chain_counts_for_mainnet_where_it_has_no_section() {
    let file = [("", "rpcport", Some("1")), ("", "connect", None)];
    assert_eq!(with_file(&[], &file).int("rpcport"), Some(1));
    let regtest = with_file(&["-regtest"], &file);
    assert_eq!(regtest.int("rpcport"), None);
    assert_eq!(regtest.without_section(), ["rpcport"]);
    // A negation counts all the same.
    assert!(regtest.is_negated("connect"));
    let twice = with_file(&["-regtest", "-rpcport=2"], &file);
    assert!(twice.without_section().is_empty());
}

#[test]
fn lists_go_from_the_command_line_to_the_file() {
    let file = [
        ("", "addnode", Some("d")),
        ("main", "addnode", Some("c")),
        ("main", "uacomment", None),
    ];
    let arguments = with_file(&["-addnode=a", "-addnode=b"], &file);
    assert_eq!(arguments.list("addnode"), ["a", "b", "c", "d"]);
    let forgotten = with_file(&["-addnode=a", "-noaddnode"], &file);
    assert!(forgotten.list("addnode").is_empty());
    // A value after the negation brings those of the file back.
    let revived = with_file(&["-addnode=a", "-noaddnode", "-addnode=b"], &file);
    assert_eq!(revived.list("addnode"), ["b", "c", "d"]);
}

#[test]
fn settings_lie_between_the_command_line_and_the_file() {
    let mut arguments = with_file(&[], &[("", "par", Some("1")), ("", "prune", Some("1"))]);
    let stored = vec![Value::Text("2".to_owned())];
    arguments.stored.insert("par".to_owned(), stored);
    assert_eq!(arguments.int("par"), Some(2));
    assert_eq!(arguments.int("prune"), Some(1));
    assert!(!arguments.imply("par", Value::Switch(false)));
    assert!(arguments.imply("txindex", Value::Switch(true)));
    assert!(arguments.flag("txindex", false));
}

#[test]
fn one_chain_can_be_chosen() {
    let chain = |line: &[&str]| parse(line).unwrap().chain();
    assert_eq!(chain(&[]), Ok(Chain::Main));
    assert_eq!(chain(&["-regtest"]), Ok(Chain::Regtest));
    assert_eq!(chain(&["-regtest=0"]), Ok(Chain::Main));
    assert_eq!(chain(&["-chain=test"]), Ok(Chain::Test));
    assert_eq!(chain(&["-chain=signet"]), Ok(Chain::Signet));
    assert_eq!(
        chain(&["-chain=regtest", "-regtest"]),
        Err(ArgumentError::SeveralChains)
    );
    assert_eq!(
        chain(&["-chain=x"]),
        Err(ArgumentError::UnknownChain("x".to_owned()))
    );
    // A negation on the command line does not take back what the file says: so it is in Core.
    let mut arguments = parse(&["-noregtest"]).unwrap();
    let values = arguments.file.entry(String::new()).or_default();
    values.insert("regtest".to_owned(), vec![Value::Text("1".to_owned())]);
    assert_eq!(arguments.chain(), Ok(Chain::Regtest));
}

#[test]
fn paths_are_brought_into_order() {
    let path = |text: &str| {
        let option = format!("-pid={text}");
        parse(&[&option]).unwrap().path("pid", "usual")
    };
    assert_eq!(path("a/./b/../c//"), Some(PathBuf::from("a/c")));
    assert_eq!(path("../x"), Some(PathBuf::from("../x")));
    assert_eq!(path(""), Some(PathBuf::from("usual")));
    assert_eq!(parse(&["-nopid"]).unwrap().path("pid", "usual"), None);
}
