//! Calls one peer, says what it says of itself, sends what it is told to, and prints every message that comes.

use std::pin::pin;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use bitcoin::hex::{DisplayHex, FromHex};
use clap::Parser;
use everett_net::{Command, Connection, Message};
use options::{Options, close_capture, counted, end, report, say};

mod options;

/// Call one peer and watch what it says
///
/// The handshake is made, with the encrypted transport if the peer has it. Then what --send names is sent, and every
/// message that comes is printed: its name, its bytes, and with --decode what it means. Pings are answered by themselves.
#[derive(Parser, Debug)]
#[command(after_help = "Examples:
  connect_single 1.2.3.4 --send getaddr --decode --for 30
      ask a node for addresses of others
  connect_single --network regtest 127.0.0.1 --send mempool --count 5
      the next five messages of a node of one's own
  connect_single --network signet 1.2.3.4:38333 --send feefilter:e803000000000000
      send bytes of one's own: the name, a colon, and hex")]
struct Arguments {
    #[command(flatten)]
    options: Options,

    /// A message to send after the handshake: NAME, or NAME:HEX with a payload; may be given several times
    #[arg(long, value_name = "NAME[:HEX]", value_parser = message)]
    send: Vec<Message>,

    /// Print what messages mean, and not only their names
    #[arg(long)]
    decode: bool,

    /// End after so many messages
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Reads a message from the command line.
fn message(text: &str) -> Result<Message, String> {
    let (name, hex) = text.split_once(':').unwrap_or((text, ""));
    let command = Command::new(name).ok_or("a message's name has 1 to 12 characters")?;
    let payload =
        Vec::<u8>::from_hex(hex).map_err(|error| format!("the payload is no hex: {error}"))?;
    Ok(Message::new(command, payload))
}

#[tokio::main]
async fn main() -> ExitCode {
    report(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> Result<()> {
    let options = &arguments.options;
    ensure!(
        options.named() < 2,
        "one peer is called; name just that one"
    );
    let peers = options.peers().await?;
    let endpoint = peers[0].clone();
    let capture = options.open_capture()?;

    let mut connection = Connection::open_through(
        &options.route(),
        endpoint.clone(),
        options.session(capture.as_ref()),
    )
    .await
    .with_context(|| format!("no connection to {endpoint}"))?;
    let info = connection.info().clone();
    say(format_args!(
        "connected to {endpoint} over {}",
        info.transport.as_str()
    ));
    say(format_args!(
        "{} speaks version {}, offers {}, has height {}",
        info.user_agent, info.version, info.services, info.start_height
    ));

    for message in &arguments.send {
        connection.send(message.clone())?;
    }

    let mut end = pin!(end(arguments.seconds));
    let mut count = 0;
    let reason = loop {
        if arguments.count.is_some_and(|most| count >= most) {
            break None;
        }
        let message = tokio::select! {
            message = connection.receive() => message,
            () = &mut end => break None,
        };
        let message = match message {
            Ok(message) => message,
            Err(reason) => break Some(reason),
        };
        count += 1;
        if !print(&message, arguments.decode) {
            break None;
        }
    };
    match reason {
        Some(reason) => say(format_args!("lost: {reason}")),
        None => {
            connection.close().await;
            say(format_args!("{}", counted(count, "message")))
        }
    };
    close_capture(capture)
}

fn print(message: &Message, decode: bool) -> bool {
    /// Bytes of a payload that are shown.
    const SHOWN: usize = 32;
    if decode {
        return match message.decode() {
            Ok(content) => say(format_args!("{content:?}")),
            Err(error) => say(format_args!("{error}")),
        };
    }
    let start = &message.payload[..message.payload.len().min(SHOWN)];
    let rest = if message.payload.len() > SHOWN {
        "…"
    } else {
        ""
    };
    say(format_args!(
        "{:12} {:8} bytes  {}{rest}",
        message.command,
        message.payload.len(),
        start.as_hex()
    ))
}
