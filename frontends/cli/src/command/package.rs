//! Owns what packages need beside the program: completions for shells, man pages, an example of a configuration file.
//! Promises that all of it is made from the options themselves.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::failure::Failure;
use crate::output::write;
use crate::settings::example;

/// What all of it is called.
const NAME: &str = "everett";

/// `everett completions`.
pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut text);
    write(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// `everett man`.
pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| {
        let directory = args.directory.display();
        Failure::named("FILE_FAILED", format!("{directory}: {error}"))
    };
    std::fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.directory).map_err(failed)?;
    // Where no command is named, who wants to know where the pages are reads it here.
    let _ = writeln!(
        std::io::stderr(),
        "man {}/everett.1",
        args.directory.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// `everett config`.
pub(super) fn config() -> Result<ExitCode, Failure> {
    write(&example::text())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;

    use super::*;
    use crate::args::Command;

    fn packaging(name: &str) -> String {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/packaging");
        std::fs::read_to_string(path.join(name)).unwrap()
    }

    /// Parses a command line, which has to be that of a node.
    fn is_run(words: &[String]) {
        let line = std::iter::once("everett").chain(words.iter().map(String::as_str));
        let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(cli.command, Command::Run(_)), "{words:?}");
    }

    #[test]
    fn the_nodes_of_the_compose_file_are_started_with_options_that_there_are() {
        let text = packaging("compose.yaml");
        let commands: Vec<Vec<String>> = (text.lines())
            .filter_map(|line| line.trim().strip_prefix("command: "))
            .map(|list| serde_json::from_str(list).unwrap())
            .collect();
        assert_eq!(commands.len(), 3);
        for words in &commands {
            is_run(words);
            assert!(words.contains(&"regtest".to_owned()));
        }
    }

    #[test]
    fn the_unit_starts_a_node_with_options_that_there_are_and_waits_until_it_is_told() {
        let text = packaging("everett.service");
        let setting = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let line = setting("ExecStart").unwrap();
        let words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
        is_run(&words);
        assert_eq!(setting("Type"), Some("notify"));
        assert_eq!(setting("NoNewPrivileges"), Some("yes"));
        assert_eq!(setting("ProtectSystem"), Some("strict"));
    }

    #[test]
    fn the_image_starts_what_there_is() {
        let text = packaging("Dockerfile");
        let list = |name: &str| -> Vec<String> {
            let mut lists = text.lines().filter_map(|line| line.strip_prefix(name));
            serde_json::from_str(lists.next().unwrap().trim()).unwrap()
        };
        assert_eq!(list("ENTRYPOINT"), ["everett"]);
        is_run(&list("CMD"));
    }

    #[test]
    fn every_command_has_a_page_and_completions() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("man1");
        man(&ManArgs {
            directory: directory.clone(),
        })
        .unwrap();
        let mut command = Cli::command();
        command.build();
        for command in command.get_subcommands() {
            let name = command.get_name();
            let page = std::fs::read_to_string(directory.join(format!("everett-{name}.1")));
            assert!(page.unwrap().contains(".SH NAME"), "{name}");
        }
        for shell in [
            clap_complete::Shell::Bash,
            clap_complete::Shell::Zsh,
            clap_complete::Shell::Fish,
        ] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), NAME, &mut text);
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("from-snapshot"), "{shell}");
        }
    }
}
