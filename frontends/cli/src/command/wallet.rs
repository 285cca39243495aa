//! Owns `everett wallet`: it asks the wallets of a running node.
//! Promises that what would be sent is only sent by `send`, `bump` and `cpfp`; refuses to open a wallet's file.

mod directory;
mod keys;
mod pay;
mod psbt;
mod see;
mod speak;

use std::path::Path;
use std::process::ExitCode;

use crate::args::WalletCommandArgs;
use crate::args::wallet::{AddressCommand, WalletCommand};
use crate::failure::Failure;
use crate::output::{show, write};
use crate::settings::Settings;
use crate::source::Server;

/// The node, and which of its wallets is meant.
pub(super) struct Asked {
    pub(super) node: Server,
    pub(super) wallet: Option<String>,
    pub(super) json: bool,
}

impl Asked {
    /// Shows an answer.
    fn show(&self, view: &impl crate::output::View) -> Result<ExitCode, Failure> {
        show(view, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// `everett wallet`.
pub(super) fn wallet(settings: &Settings, args: WalletCommandArgs) -> Result<ExitCode, Failure> {
    let asked = Asked {
        node: settings.node(args.target.connect())?,
        wallet: args.target.wallet,
        json: settings.json,
    };
    match args.command {
        WalletCommand::List => directory::list(&asked),
        WalletCommand::Create(args) => directory::create(&asked, args),
        WalletCommand::Load(args) => directory::load(&asked, args),
        WalletCommand::Unload(args) => directory::unload(&asked, args),
        WalletCommand::Backup(args) => directory::backup(&asked, &args.path),
        WalletCommand::Restore(args) => directory::restore(&asked, args),
        WalletCommand::Encrypt(args) => directory::encrypt(&asked, &args),
        WalletCommand::Unlock(args) => directory::unlock(&asked, &args),
        WalletCommand::Lock => directory::lock(&asked),
        WalletCommand::Passphrase => directory::change_passphrase(&asked),
        WalletCommand::Balance(args) => see::balance(&asked, args.at),
        WalletCommand::Address(AddressCommand::New {
            label,
            kind,
            change,
        }) => see::new_address(&asked, label, kind, change),
        WalletCommand::Address(AddressCommand::List { at, label, change }) => {
            see::addresses(&asked, at, label, change)
        }
        WalletCommand::Coins(args) => see::coins(&asked, args),
        WalletCommand::History(args) => see::history(&asked, args),
        WalletCommand::Payment(args) => see::payment(&asked, &args.txid),
        WalletCommand::Abandon(args) => pay::abandon(&asked, &args.txid),
        WalletCommand::Build(args) => pay::build(&asked, args),
        WalletCommand::Verify(args) => pay::verify(&asked, args.given),
        WalletCommand::Send(args) => pay::send(&asked, args),
        WalletCommand::Bump(args) => pay::bump(&asked, args),
        WalletCommand::Cpfp(args) => pay::bump_with_child(&asked, args),
        WalletCommand::Psbt(command) => psbt::psbt(&asked, command),
        WalletCommand::Message(command) => speak::message(&asked, command),
        WalletCommand::Labels(command) => speak::labels(&asked, command),
        WalletCommand::Descriptors(command) => keys::descriptors(&asked, command),
        WalletCommand::Key(command) => keys::key(&asked, command),
        WalletCommand::Rescan(args) => keys::rescan(&asked, &args),
        WalletCommand::Warnings(args) => see::warnings(&asked, &args),
        WalletCommand::Events => see::events(&asked, &[]),
    }
}

/// Writes text to a file that does not exist yet, or else to standard output.
fn write_out(text: &str, output: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = output else {
        return write(text);
    };
    let failed = |error: std::io::Error| {
        Failure::named("FILE_FAILED", format!("{}: {error}", path.display()))
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    // What is written may be a secret.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

/// Reads a file, or standard input for `-`.
fn read_in(path: &Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    /// The most that is read, in bytes: what a request to the node may have at most.
    const MAX_BYTES: u64 = 8 << 20;
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let source: Box<dyn std::io::Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(path).map_err(failed)?),
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    let mut source = std::io::Read::take(source, MAX_BYTES + 1);
    let length = std::io::Read::read_to_string(&mut source, &mut text).map_err(failed)?;
    match length as u64 > MAX_BYTES {
        true => Err(Failure::usage(format!(
            "{}: longer than {MAX_BYTES} bytes",
            path.display()
        ))),
        false => Ok(text),
    }
}
