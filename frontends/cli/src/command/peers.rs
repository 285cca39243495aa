//! Owns the commands about peers: they ask a running node.
//! Promises that without a node to ask the failure says how to name one; refuses to open a data directory.

use std::process::ExitCode;
use std::time::SystemTime;

use crate::args::{AddPeerArgs, BanArgs, DisconnectArgs, PeersArgs};
use crate::failure::Failure;
use crate::output::show;
use crate::settings::Settings;
use crate::view::peers::{BansView, DisconnectedView, UnbannedView};

/// `everett peers`.
pub(super) fn peers(settings: &Settings, args: PeersArgs) -> Result<ExitCode, Failure> {
    let mut peers = settings.node(args.connect)?.peers()?;
    peers.messages = args.messages;
    show(&peers, settings.json)?;
    Ok(ExitCode::SUCCESS)
}

/// `everett addpeer`.
pub(super) fn add(settings: &Settings, args: AddPeerArgs) -> Result<ExitCode, Failure> {
    let added = settings
        .node(args.connect)?
        .add_peer(args.address, args.once, args.v1)?;
    show(&added, settings.json)?;
    Ok(ExitCode::SUCCESS)
}

/// `everett disconnect`.
pub(super) fn disconnect(settings: &Settings, args: DisconnectArgs) -> Result<ExitCode, Failure> {
    settings.node(args.connect)?.disconnect(&args.peer)?;
    let disconnected = match args.peer.parse::<u64>() {
        Ok(id) => format!("peer {id}"),
        Err(_) => args.peer,
    };
    show(&DisconnectedView { disconnected }, settings.json)?;
    Ok(ExitCode::SUCCESS)
}

/// `everett ban`.
pub(super) fn ban(settings: &Settings, args: BanArgs) -> Result<ExitCode, Failure> {
    let node = settings.node(args.connect)?;
    match (args.subnet, args.remove) {
        (Some(subnet), _) => show(&node.ban(subnet, args.length)?, settings.json)?,
        (None, Some(subnet)) => {
            node.unban(subnet.clone())?;
            show(&UnbannedView { unbanned: subnet }, settings.json)?;
        }
        // Clap asks for one of the three.
        (None, None) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let bans = BansView {
                bans: node.bans()?,
                now: now.map_or(0, |now| now.as_secs()),
            };
            show(&bans, settings.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
