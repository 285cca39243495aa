//! Owns `everett cli`: a client of JSON-RPC that is called, answers and fails as Core's `bitcoin-cli` does.
//! Promises Core's reading of arguments and files, answers as Core prints them, and its exit codes: 0, the error's code without
//! its sign, or 1.
//! Refuses to know methods: what is no command of the client goes to the node, Everett or Core, as it was given.
//!
//! ```text
//! words ─> convert ─> request ─> http ─> reply ─> indent ─> standard output
//! ```

mod addr_info;
mod convert;
mod generate;
mod get_info;
mod http;
mod indent;
mod net_info;
mod option_table;
mod reply;
mod session;
mod stdin;

use std::ffi::OsString;
use std::process::ExitCode;

use self::convert::{by_name, by_position};
use self::option_table::CLIENT;
use self::reply::{Ended, Reply};
use self::session::{CliError, Session};
use crate::bitcoind::arguments::{Arguments, Value};
use crate::bitcoind::config_file::{self, Remarks};
use crate::bitcoind::layout::{self, Layout};
use crate::bitcoind::{say, version};

/// Runs the client with the arguments that follow its name.
pub(crate) fn main(line: Vec<OsString>) -> ExitCode {
    let line: Vec<String> = line
        .into_iter()
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    match opened(&line) {
        Ok(Some(session)) => match run(session) {
            Ok(ended) => ended.print(),
            Err(error) => Ended::failed(format!("error: {error}")).print(),
        },
        Ok(None) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line and the files; `None` where help was all that was wanted.
fn opened(line: &[String]) -> Result<Option<Session>, String> {
    let mut arguments = Arguments::parse(CLIENT, line)
        .map_err(|error| format!("Error parsing command line arguments: {error}"))?;
    let version = arguments.flag("version", false);
    if line.is_empty() || version || arguments.wants_help() {
        say(&text(version));
        return match line.is_empty() {
            true => Err("Error: too few parameters".to_owned()),
            false => Ok(None),
        };
    }
    let missing =
        |text: String| format!("Error: Specified data directory \"{text}\" does not exist.");
    let base = layout::base(&arguments).map_err(missing)?;
    let conf = arguments
        .path("conf", config_file::NAME)
        .map(|path| base.join(path));
    let named = arguments.is_set("conf");
    let mut remarks = Remarks::default();
    config_file::read(&mut arguments, conf.as_deref(), named, &base, &mut remarks)
        .map_err(|error| format!("Error reading configuration file: {error}"))?;
    for line in &remarks.told {
        eprintln!("{line}");
    }
    let base = layout::base(&arguments).map_err(|text| {
        format!(
            "Error reading configuration file: specified data directory \"{text}\" does not exist."
        )
    })?;
    let chain = arguments
        .chain()
        .map_err(|error| format!("Error: {error}"))?;
    arguments.select(chain);
    Ok(Some(Session {
        layout: Layout::new(base, chain),
        arguments,
        chain,
        conf,
    }))
}

fn text(only_version: bool) -> String {
    let first = version::line("RPC client");
    if only_version {
        return first + version::LICENCE;
    }
    format!(
        "{first}\n\
         Asks a node over JSON-RPC: Everett's or Bitcoin Core's.\n\
         \n\
         Usage: bitcoin-cli [options] <command> [params]\n\
         or:    bitcoin-cli [options] -named <command> [name=value]...\n\
         or:    bitcoin-cli [options] help [command]\n\
         or:    everett cli, in place of bitcoin-cli\n\
         \n\
         Options:\n\
         \n{}",
        CLIENT.help()
    )
}

fn run(mut session: Session) -> Result<Ended, CliError> {
    let mut words = std::mem::take(&mut session.arguments.words);
    if session.arguments.flag("stdinrpcpass", false) {
        let password = stdin::secret("RPC password> ").ok_or(CliError::new(
            "-stdinrpcpass specified but failed to read from standard input",
        ))?;
        let password = Value::Text(password);
        session.arguments.force("rpcpassword", password);
    }
    if session.arguments.flag("stdinwalletpassphrase", false) {
        let fits = words
            .first()
            .is_some_and(|word| word.starts_with("walletpassphrase"));
        if !fits {
            return Err(CliError::new(
                "-stdinwalletpassphrase is only applicable for walletpassphrase(change)",
            ));
        }
        let phrase = stdin::secret("Wallet passphrase> ").ok_or(CliError::new(
            "-stdinwalletpassphrase specified but failed to read from standard input",
        ))?;
        words.insert(1, phrase);
    }
    if session.arguments.flag("stdin", false) {
        words.extend(stdin::lines());
    }
    let commands = CLIENT.0.iter().filter(|option| option.command);
    let given: Vec<String> = commands
        .filter(|option| session.arguments.is_set(option.name))
        .map(|option| format!("-{}", option.name))
        .collect();
    if given.len() > 1 {
        return Err(CliError::new(format!(
            "Only one of {} may be specified.",
            given.join(", ")
        )));
    }
    let asks = |name: &str| session.arguments.flag(name, false);
    if asks("getinfo") {
        get_info::run(&session, &words)
    } else if asks("netinfo") {
        net_info::run(&session, &words)
    } else if asks("generate") {
        generate::run(&session, words)
    } else if asks("addrinfo") {
        addr_info::run(&session, &words)
    } else {
        call(&session, &words)
    }
}

/// Calls a method of the node.
fn call(session: &Session, words: &[String]) -> Result<Ended, CliError> {
    let Some((method, words)) = words.split_first() else {
        return Err(CliError::new("too few parameters (need at least command)"));
    };
    let params = match session.arguments.flag("named", false) {
        true => by_name(method, words),
        false => by_position(method, words),
    };
    let params = params.map_err(CliError::new)?;
    let id = session.arguments.text("rpcid").unwrap_or("1".to_owned());
    let request = session::request(method, &params, &convert::quoted(&id));
    let reply = session.ask(&request, session.wallet().as_deref())?;
    Ok(Reply::read(&reply)?.ended())
}
