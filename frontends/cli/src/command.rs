//! Owns the commands: from arguments to an exit code.
//! Promises that a command does one thing with its settings; refuses to parse or format.

mod console;
mod faces;
pub(crate) mod grpc_server;
mod import;
mod lab;
mod log;
mod monitor;
mod network;
mod package;
mod peers;
mod run;
mod script;
mod snapshot;
mod tx;
mod wallet;
pub(crate) mod web_server;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use everett_log::{LogLayer, Sink};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::args::{Cli, Command, LogFormat};
use crate::failure::Failure;
use crate::output::{show, write};
use crate::settings::Settings;
use crate::{bitcoin_cli, bitcoind};

/// The variable that sets what is logged, in the syntax of `tracing_subscriber`.
const LOG_VARIABLE: &str = "EVERETT_LOG";

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return misused(&error, json),
    };
    let sink = tell(cli.common.verbose, cli.common.log_format);
    let settings = Settings::new(cli.common, cli.chain, sink)?;
    let json = settings.json;
    match cli.command {
        // Named first, they never come here; options of ours before the name are none of theirs.
        Command::Bitcoind(args) => return Ok(bitcoind::main(args.options)),
        Command::Cli(args) => return Ok(bitcoin_cli::main(args.options)),
        Command::Run(args) => return run::run(&settings, *args),
        Command::Lab(args) => return lab::lab(&settings, *args),
        Command::Import(args) => return import::import(&settings, args),
        Command::Worlds(args) => show(&settings.source(args.connect)?.worlds()?, json)?,
        Command::Balance(args) => {
            let source = settings.source(args.at.connect)?;
            show(&source.balances(args.at.at, &args.scripts)?, json)?;
        }
        Command::Coins(args) => {
            let source = settings.source(args.at.connect)?;
            show(&source.coins(args.at.at, &args.script, args.limit)?, json)?;
        }
        Command::Diff(args) => {
            show(&settings.source(args.connect)?.diff(args.a, args.b)?, json)?;
        }
        Command::Conflicts(args) => {
            show(
                &settings.source(args.connect)?.conflicts(args.a, args.b)?,
                json,
            )?;
        }
        Command::UtxoInfo(args) => {
            show(&settings.source(args.connect)?.utxo_info(args.at)?, json)?;
        }
        Command::Block(args) => {
            let block = settings.source(args.connect)?.block(args.block)?;
            if args.hex {
                write(&(block.hex() + "\n"))?;
            } else {
                show(&block, json)?;
            }
        }
        Command::Tx(args) => return tx::tx(&settings, args),
        Command::Peers(args) => return peers::peers(&settings, args),
        Command::AddPeer(args) => return peers::add(&settings, args),
        Command::Disconnect(args) => return peers::disconnect(&settings, args),
        Command::Ban(args) => return peers::ban(&settings, args),
        Command::Console(args) => return console::console(&settings, args),
        Command::Snapshot(args) => return snapshot::snapshot(&settings, args),
        Command::Log(args) => return log::log(&settings, args),
        Command::Config => return package::config(),
        Command::Completions(args) => return package::completions(&args),
        Command::Man(args) => return package::man(&args),
        Command::Wallet(args) => return wallet::wallet(&settings, *args),
        Command::Script(args) => return script::script(&settings, args),
    }
    Ok(ExitCode::SUCCESS)
}

/// What clap has to say: help and version are answers, the rest is wrong usage.
fn misused(error: &clap::Error, json: bool) -> Result<ExitCode, Failure> {
    let answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if json && !answer {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        return Err(Failure::usage(text));
    }
    // Standard output or error may be closed; there is nobody left to tell then.
    let _ = error.print();
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    Ok(ExitCode::from(code))
}

/// Begins to tell what goes on: on standard error, and to the binary log of a node.
fn tell(verbose: u8, format: LogFormat) -> Sink {
    let level = match verbose {
        0 => "warn",
        1 => "info,everett_net::packet=trace",
        // Of each call and each connection of gRPC there is nothing to see but that it is HTTP.
        2 => "debug,everett_net::packet=trace,h2=info,hyper=info,hyper_util=info,tower=info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    // Codes for colours are noise in a file.
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    let sink = Sink::new();
    // A second call in one process (tests) leaves the first one's logger.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .with(LogLayer::new(sink.clone()).with_filter(LevelFilter::WARN))
        .try_init();
    sink
}
