use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::bitcoind::option::DAEMON;

/// Reads files of a directory, `bitcoin.conf` first.
fn read_files(
    line: &[&str],
    files: &[(&str, &str)],
) -> (Result<Arguments, String>, Remarks, TempDir) {
    let directory = tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    let mut arguments = Arguments::parse(DAEMON, &line).unwrap();
    let mut remarks = Remarks::default();
    let path = directory.path().join(NAME);
    let result = read(
        &mut arguments,
        Some(&path),
        false,
        directory.path(),
        &mut remarks,
    );
    let result = result.map(|()| arguments).map_err(|error| {
        let place = directory.path().display().to_string();
        error.to_string().replace(&place, "DIR")
    });
    (result, remarks, directory)
}

fn read_text(text: &str) -> Result<Arguments, String> {
    read_files(&[], &[(NAME, text)]).0
}

#[test]
fn settings_have_a_section_a_name_and_a_value() {
    let arguments = read_text(
        "  server = 1 # on\n\n# nothing\nnolisten=1\nregtest.rpcport=5\n[test]\nrpcport=6\nmain.par=2\n[]\nprune=1\n",
    )
    .unwrap();
    let values = |section: &str, name: &str| arguments.file[section][name].clone();
    assert_eq!(values("", "server"), [Value::Text("1".to_owned())]);
    assert_eq!(values("", "listen"), [Value::Switch(false)]);
    assert_eq!(values("regtest", "rpcport"), [Value::Text("5".to_owned())]);
    assert_eq!(values("test", "rpcport"), [Value::Text("6".to_owned())]);
    let sections: Vec<(&str, usize)> = arguments
        .sections
        .iter()
        .map(|section| (&*section.name, section.line))
        .collect();
    assert_eq!(
        sections,
        [("regtest", 5), ("test", 6), ("test.main", 8), ("", 9)]
    );
}

#[test]
fn lines_that_are_none_are_told_with_their_number() {
    for (text, error) in [
        ("a=1\nb", "parse error on line 2: b"),
        (
            "nolisten",
            "parse error on line 1: nolisten, if you intended to specify a negated option, use nolisten=1 instead",
        ),
        (
            "-par=1",
            "parse error on line 1: -par=1, options in configuration file must be specified without leading -",
        ),
        (
            "\nmain.rpcpassword=a#b",
            "parse error on line 2, using # in rpcpassword can be ambiguous and should be avoided",
        ),
        (
            "conf=x",
            "conf cannot be set in the configuration file; use includeconf= if you want to include additional config files",
        ),
        (
            "nodatadir=1",
            "Negating of -datadir is meaningless and therefore forbidden",
        ),
        ("includeconf=x", "Failed to include configuration file x"),
        ("includeconf=", "Failed to include configuration file "),
        (
            "includeconf=.",
            "Included config file \"DIR/.\" is a directory.",
        ),
    ] {
        assert_eq!(read_text(text).err().as_deref(), Some(error), "{text}");
    }
}

#[test]
fn names_that_nobody_knows_are_told_and_passed_over() {
    let (arguments, remarks, _directory) = read_files(&[], &[(NAME, "x=1\nregtest.noy=1\n")]);
    assert!(arguments.unwrap().file.is_empty());
    assert_eq!(
        remarks.logged,
        [
            "Ignoring unknown configuration value x",
            "Ignoring unknown configuration value regtest.noy"
        ]
    );
}

#[test]
fn files_are_included_once_and_not_from_included_ones() {
    let files = [
        (
            NAME,
            "regtest=1\nincludeconf=a\n[regtest]\nincludeconf=b\n[test]\nincludeconf=none\n",
        ),
        ("a", "par=1\nincludeconf=c\n"),
        ("b", "par=2\n"),
        ("c", "par=3\n"),
    ];
    let (arguments, remarks, _directory) = read_files(&[], &files);
    let par = arguments.unwrap().file[""]["par"].clone();
    // Those of the chain's section come first.
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(par, [text("2"), text("1")]);
    assert_eq!(
        remarks.told,
        ["warning: -includeconf cannot be used from included files; ignoring -includeconf=c"]
    );
    assert!(remarks.logged.is_empty());
    assert_eq!(remarks.noted.len(), 2);
    let (arguments, _, _directory) = read_files(&["-noincludeconf"], &files);
    assert!(!arguments.unwrap().file[""].contains_key("par"));
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("none");
    let arguments = Arguments::parse(DAEMON, &[]).unwrap();
    let read = |path: &Path, named: bool| {
        let (mut arguments, mut remarks) = (arguments.clone(), Remarks::default());
        super::read(
            &mut arguments,
            Some(path),
            named,
            directory.path(),
            &mut remarks,
        )
    };
    assert!(read(&path, false).is_ok());
    assert!(matches!(read(&path, true), Err(ConfigError::Missing(_))));
    assert!(matches!(
        read(directory.path(), false),
        Err(ConfigError::Directory(_))
    ));
    fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
    assert!(matches!(read(&path, false), Err(ConfigError::Long(_))));
}
