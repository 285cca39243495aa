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
