//! Owns `everett console`: the prompt, an expression, a script; on a node or on a data directory.
//! Promises to say on what it works; refuses to write where that was not asked for.

use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use everett_console::limits::MAX_SCRIPT_BYTES;
use everett_console::prompt::{self, PromptError, PromptOptions};
use everett_console::{AttachError, Client, Outcome, RunError, SOCKET_NAME, Said, Script};
use everett_ledger::{Access, Ledger, LedgerConfig, Network};
use everett_node::NodeError;
use everett_proto::v1::ErrorReason;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::run::runtime;
use crate::args::{ConsoleArgs, LedgerArgs};
use crate::failure::Failure;
use crate::settings::Settings;

/// What a process ends with that is interrupted twice: 128 and SIGINT's number.
const INTERRUPTED: i32 = 130;

/// Runs the command.
pub(super) fn console(settings: &Settings, args: ConsoleArgs) -> Result<ExitCode, Failure> {
    let work = Work::new(&args)?;
    let runtime = runtime()?;
    let (mut client, place) = runtime.block_on(open(settings, &args))?;
    if args.allow_write && !client.hello().write {
        return Err(Failure::new(
            ErrorReason::ReadOnly,
            "this node's console takes queries only: run the node with --console-allow-write",
        ));
    }
    let quiet = settings.json || place.attached;
    let mut interrupts = interrupts(&runtime, matches!(work, Work::Prompt))?;
    let texts = match work {
        Work::Prompt => {
            println!("{}", prompt::greeting(client.hello(), &place.text));
            let options = PromptOptions {
                history: args.history.or_else(default_history),
                json: settings.json,
                time: args.timeout,
            };
            prompt::run(&runtime, &mut client, &mut interrupts, &options)?;
            return Ok(ExitCode::SUCCESS);
        }
        Work::Texts(texts) => texts,
    };
    if !quiet {
        let _ = writeln!(std::io::stderr(), "everett: {}", place.text);
    }
    for text in &texts {
        let script = Script {
            text: &text.text,
            json: settings.json,
            lines: text.lines,
            time: args.timeout,
        };
        let ran =
            runtime.block_on(client.run(script, &mut interrupts, |said| say(said, settings.json)));
        match ran {
            Ok(Outcome::Done(_)) => {}
            Ok(Outcome::Failed(error)) => {
                let place = text
                    .name
                    .as_ref()
                    .map_or(String::new(), |name| format!("{name}: "));
                return Err(Failure::named(&error.reason, format!("{place}{error}")));
            }
            // Whoever reads has seen enough.
            Err(RunError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is to do.
enum Work {
    Prompt,
    Texts(Vec<Text>),
}

/// A script, and what it is called in messages.
struct Text {
    name: Option<String>,
    text: String,
    /// It was piped in, and may be lines as one types them.
    lines: bool,
}

impl Work {
    fn new(args: &ConsoleArgs) -> Result<Work, Failure> {
        if !args.expression.is_empty() {
            let text = |text: &String| Text {
                name: None,
                text: text.clone(),
                lines: false,
            };
            return Ok(Work::Texts(args.expression.iter().map(text).collect()));
        }
        let file = args.file.as_deref().filter(|file| *file != Path::new("-"));
        if let Some(path) = file {
            let name = path.display().to_string();
            let opened = std::fs::File::open(path);
            let text = opened.and_then(read);
            let text =
                text.map_err(|error| Failure::named("FILE_FAILED", format!("{name}: {error}")))?;
            return Ok(Work::Texts(vec![Text {
                name: Some(name),
                text: without_shebang(text),
                lines: false,
            }]));
        }
        if args.file.is_none() && std::io::stdin().is_terminal() {
            return Ok(Work::Prompt);
        }
        let text = read(std::io::stdin().lock())
            .map_err(|error| Failure::named("FILE_FAILED", format!("standard input: {error}")))?;
        Ok(Work::Texts(vec![Text {
            name: None,
            text: without_shebang(text),
            lines: true,
        }]))
    }
}

/// Reads a script, of which there may be no more than a console takes.
fn read(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(MAX_SCRIPT_BYTES as u64 + 1)
        .read_to_string(&mut text)?;
    if text.len() > MAX_SCRIPT_BYTES {
        return Err(std::io::Error::other(format!(
            "the script is longer than {} MiB",
            MAX_SCRIPT_BYTES >> 20
        )));
    }
    Ok(text)
}

/// A script may begin with the line that names its interpreter.
fn without_shebang(text: String) -> String {
    match text.starts_with("#!") {
        true => format!("//{text}"),
        false => text,
    }
}

/// What a console works on, in words.
struct Place {
    attached: bool,
    text: String,
}

/// Attaches to the node, or opens the data directory where there is none.
async fn open(settings: &Settings, args: &ConsoleArgs) -> Result<(Client, Place), Failure> {
    let params = settings.params(Network::Mainnet)?;
    if let Some(socket) = &args.socket {
        let client = Client::attach(socket).await?;
        check_network(settings, &client)?;
        return Ok((client, Place::attached(socket)));
    }
    let directory = settings.datadir(params.network)?;
    let socket = directory.join(SOCKET_NAME);
    if !args.offline {
        match Client::attach(&socket).await {
            Ok(client) => {
                check_network(settings, &client)?;
                return Ok((client, Place::attached(&socket)));
            }
            Err(AttachError::Unreachable { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) => {}
            // A node whose directory has no room for a socket has none.
            Err(AttachError::Path(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut config = match args.allow_write {
        true => settings.ledger_config(params, &directory, &LedgerArgs::default())?,
        false => LedgerConfig::new(params, &directory),
    };
    if args.lab && config.params.network == Network::Mainnet {
        return Err(NodeError::LabOnMainnet.into());
    }
    if args.allow_write && !directory.join("data.mdb").exists() {
        // A misspelt name should not make a new ledger.
        config.access = Access::Reader;
        Ledger::open(config.clone())?;
        config.access = Access::Writer;
    }
    if !args.allow_write {
        config.access = Access::Reader;
        // It is read where the writer keeps one, and else not asked.
        config.tx_index = true;
    }
    let opened = tokio::task::spawn_blocking(move || Ledger::open(config)).await;
    let ledger = opened.map_err(|error| Failure::new(ErrorReason::Internal, error))??;
    let client = Client::own(ledger, args.lab, args.allow_write).await?;
    let how = match args.allow_write {
        true => "writing to",
        false => "reading",
    };
    let place = Place {
        attached: false,
        text: match args.offline {
            true => format!("{how} {}", directory.display()),
            false => format!("no node has a console there; {how} {}", directory.display()),
        },
    };
    Ok((client, place))
}

impl Place {
    fn attached(socket: &Path) -> Place {
        Place {
            attached: true,
            text: format!("attached to {}", socket.display()),
        }
    }
}

fn check_network(settings: &Settings, client: &Client) -> Result<(), Failure> {
    let theirs = &client.hello().network;
    match settings.named_network()? {
        Some(named) if named.to_string() != *theirs => Err(Failure::named(
            "OTHER_NETWORK",
            format!("the node is on {theirs}, not on {named}; set --network"),
        )),
        _ => Ok(()),
    }
}

/// Counts each Ctrl-C from now on. Without a prompt the second one ends the process.
fn interrupts(runtime: &Runtime, prompt: bool) -> Result<watch::Receiver<u64>, Failure> {
    let (count, counted) = watch::channel(0);
    let _inside = runtime.enter();
    let mut signal = signal(SignalKind::interrupt())
        .map_err(|error| Failure::new(ErrorReason::Internal, format!("Ctrl-C: {error}")))?;
    runtime.spawn(async move {
        while signal.recv().await.is_some() {
            if *count.borrow() > 0 && !prompt {
                std::process::exit(INTERRUPTED);
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

/// With `--json` standard output is for values.
fn say(said: Said<'_>, json: bool) -> std::io::Result<()> {
    match said {
        Said::Printed(text) if json => writeln!(std::io::stderr().lock(), "{text}"),
        Said::Printed(text) | Said::Value(text) => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{text}")?;
            out.flush()
        }
    }
}

/// `$XDG_STATE_HOME/everett/console-history`; its directory is made for its owner alone.
fn default_history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".local/state")))?;
    let directory = state.join("everett");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .ok()?;
    Some(directory.join("console-history"))
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Failure {
        match error {
            AttachError::Path(_) => Failure::usage(error),
            AttachError::Unreachable { .. } => Failure::named("UNREACHABLE", error),
            AttachError::Refused(_) => Failure::new(ErrorReason::Overloaded, error),
            other => Failure::named("CONSOLE_FAILED", other),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        Failure::named("CONSOLE_FAILED", error)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Failure {
        Failure::named("CONSOLE_FAILED", error)
    }
}
