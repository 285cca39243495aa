//! Owns the prompt that people type at, and what becomes of an answer on a terminal.
//! Promises that Ctrl-C stops what runs and never the console, that Ctrl-D leaves, and a history that only its owner
//! reads.
//! Refuses to know where the console is: it has a [`Client`].

mod helper;

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::helper::Words;
use crate::client::{Client, Outcome, RunError, Said, Script};
use crate::protocol::{Hello, ScriptError};

/// Lines that the history keeps.
const MAX_HISTORY: usize = 10_000;

/// How the prompt is to be.
#[derive(Clone, Debug, Default)]
pub struct PromptOptions {
    /// Where lines are kept from one time to the next; made with mode 0600. Without, they are not.
    pub history: Option<PathBuf>,
    /// Values as JSON.
    pub json: bool,
    /// How long a script may run.
    pub time: Option<Duration>,
}

/// Why the prompt ended otherwise than by its user.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The terminal.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] ReadlineError),
    /// The node, or the way to it.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Reads, runs and shows until the user leaves. `interrupts` counts each Ctrl-C while a script runs.
///
/// # Errors
///
/// [`PromptError`].
pub fn run(
    runtime: &Runtime,
    client: &mut Client,
    interrupts: &mut watch::Receiver<u64>,
    options: &PromptOptions,
) -> Result<(), PromptError> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(MAX_HISTORY)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Words, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Words::new(client.hello())));
    if let Some(path) = &options.history {
        load(&mut editor, path);
    }
    loop {
        let line = match editor.readline("everett> ") {
            Ok(line) => line,
            // A line that was begun is given up.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if let Some(path) = &options.history
            && let Err(error) = editor.append_history(path)
        {
            tracing::debug!(%error, "a line is not kept in the history");
        }
        match line.trim() {
            "" => continue,
            "exit" | "quit" => return Ok(()),
            _ => {}
        }
        let script = Script {
            text: &line,
            json: options.json,
            lines: true,
            time: options.time,
        };
        // What came too late for the script before is not for this one.
        interrupts.mark_unchanged();
        let outcome = runtime.block_on(client.run(script, interrupts, |said| {
            let (Said::Printed(text) | Said::Value(text)) = said;
            writeln!(io::stdout().lock(), "{text}")
        }))?;
        match outcome {
            Outcome::Done(variables) => {
                if let Some(helper) = editor.helper_mut() {
                    helper.set_variables(variables);
                }
            }
            Outcome::Failed(error) => eprintln!("{}", mark(&error, io::stderr().is_terminal())),
        }
    }
}

fn mark(error: &ScriptError, colour: bool) -> String {
    match colour {
        true => format!("\x1b[31merror:\x1b[0m {error}"),
        false => format!("error: {error}"),
    }
}

/// Makes the history's file its owner's alone before anything is in it. A history that cannot be read is none.
fn load(editor: &mut Editor<Words, FileHistory>, path: &Path) {
    let made = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    if let Err(error) = made
        .map_err(ReadlineError::from)
        .and_then(|_| editor.load_history(path))
    {
        tracing::debug!(%error, path = %path.display(), "there is no history");
    }
}

/// What is said when a prompt opens.
pub fn greeting(hello: &Hello, place: &str) -> String {
    let lab = if hello.lab { " lab" } else { "" };
    let write = match hello.write {
        true => "scripts may change the ledger",
        false => "queries only",
    };
    format!(
        "Everett {} on {}{lab}, {place}: {write}. help() lists what there is, Ctrl-C stops a script, Ctrl-D leaves.",
        hello.version, hello.network
    )
}

#[cfg(test)]
mod tests;
