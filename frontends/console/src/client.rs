//! Owns the client's end: a connection to a node's socket, or to a session of this process's own.
//! Promises that both are spoken to alike.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use everett_ledger::Ledger;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::connection::{Times, serve};
use crate::limits::{DEFAULT_MAX_TIME, DEFAULT_TIME};
use crate::protocol::{
    Eval, FrameError, Hello, PROTOCOL, Reply, Request, ScriptError, read, write,
};
use crate::server::{never, own_ground};
use crate::socket::{SocketError, check_path};

/// Bytes between a session of our own and its client, before one waits for the other.
const OWN_PIPE_BYTES: usize = 64 * 1024;

/// Why there is no console to talk to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The socket's path.
    #[error(transparent)]
    Path(#[from] SocketError),
    /// Nobody listens there.
    #[error("no node answers at {path}: {source}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The node has as many consoles as it takes.
    #[error("{0}")]
    Refused(String),
    /// Something else answers there.
    #[error(
        "what answers at the console's socket speaks another protocol (version {0}, ours is {PROTOCOL})"
    )]
    OtherProtocol(u32),
    /// The connection ended before it had begun.
    #[error("what answers at the console's socket is no console: {0}")]
    NoConsole(FrameError),
    /// It ended without a word.
    #[error("the node ended the connection before it had begun; look into its log")]
    Silent,
}

/// Both ends of a stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A connection to a console.
pub struct Client {
    input: ReadHalf<Box<dyn Stream + Unpin>>,
    output: WriteHalf<Box<dyn Stream + Unpin>>,
    hello: Hello,
    last_id: u64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("hello", &self.hello)
            .finish()
    }
}

impl Client {
    /// Attaches to a node's socket.
    ///
    /// # Errors
    ///
    /// [`AttachError`].
    pub async fn attach(socket: &Path) -> Result<Client, AttachError> {
        check_path(socket)?;
        let stream =
            UnixStream::connect(socket)
                .await
                .map_err(|source| AttachError::Unreachable {
                    path: socket.to_owned(),
                    source,
                })?;
        Client::begin(Box::new(stream)).await
    }

    /// A session in this process, on a ledger that it has opened. It ends with the client.
    ///
    /// # Errors
    ///
    /// [`AttachError`].
    pub async fn own(ledger: Ledger, lab: bool, write: bool) -> Result<Client, AttachError> {
        let (ours, theirs) = tokio::io::duplex(OWN_PIPE_BYTES);
        let times = Times {
            usual: DEFAULT_TIME,
            most: DEFAULT_MAX_TIME,
        };
        tokio::spawn(serve(
            theirs,
            own_ground(ledger, lab, write),
            times,
            never(),
        ));
        Client::begin(Box::new(ours)).await
    }

    async fn begin(stream: Box<dyn Stream + Unpin>) -> Result<Client, AttachError> {
        let (mut input, output) = split(stream);
        let first = read::<Reply>(&mut input).await;
        match first.map_err(AttachError::NoConsole)? {
            Some(Reply::Hello(hello)) if hello.protocol == PROTOCOL => Ok(Client {
                input,
                output,
                hello,
                last_id: 0,
            }),
            Some(Reply::Hello(hello)) => Err(AttachError::OtherProtocol(hello.protocol)),
            Some(Reply::Refused { message }) => Err(AttachError::Refused(message)),
            Some(_) | None => Err(AttachError::Silent),
        }
    }

    /// Who answers.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Runs a script to its end. What it prints and comes to goes to `show`, a text at a time; each change of
    /// `interrupts`, also one from before, asks the console to stop it.
    ///
    /// # Errors
    ///
    /// [`RunError`]; the client is then of no more use.
    pub async fn run<F>(
        &mut self,
        script: Script<'_>,
        interrupts: &mut watch::Receiver<u64>,
        mut show: F,
    ) -> Result<Outcome, RunError>
    where
        F: FnMut(Said<'_>) -> io::Result<()>,
    {
        self.last_id += 1;
        let id = self.last_id;
        let time = script.time.map(|time| u64::try_from(time.as_millis()));
        let request = Request::Eval(Eval {
            id,
            script: script.text.to_owned(),
            json: script.json,
            lines: script.lines,
            time_ms: time.map(|millis| millis.unwrap_or(u64::MAX)),
        });
        write(&mut self.output, &request).await?;
        loop {
            let reply = {
                // Kept over interrupts: half a frame that is dropped is lost.
                let mut next = pin!(read(&mut self.input));
                loop {
                    tokio::select! {
                        reply = &mut next => break reply?,
                        Ok(()) = interrupts.changed() => {
                            write(&mut self.output, &Request::Cancel { id }).await?;
                        }
                    }
                }
            };
            match reply.ok_or(RunError::Gone)? {
                Reply::Print { text, .. } => show(Said::Printed(&text))?,
                Reply::Value {
                    json: Some(json), ..
                } => {
                    let text = serde_json::to_string_pretty(&json).map_err(FrameError::from)?;
                    show(Said::Value(&text))?;
                }
                Reply::Value {
                    text: Some(text), ..
                } => show(Said::Value(&text))?,
                Reply::Value { .. } => {}
                Reply::Done { variables, .. } => return Ok(Outcome::Done(variables)),
                Reply::Error(error) => return Ok(Outcome::Failed(error)),
                Reply::Refused { message } => return Err(RunError::Refused(message)),
                Reply::Hello(_) => return Err(RunError::Gone),
            }
        }
    }
}

/// What a script says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said<'a> {
    /// What it prints.
    Printed(&'a str),
    /// What it came to.
    Value(&'a str),
}

/// How a script ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well; these are the variables and functions that there are now.
    Done(Vec<String>),
    /// With an error.
    Failed(ScriptError),
}

/// Why a script has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The connection.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The node has ended it.
    #[error("the node ended the connection; it may be shutting down")]
    Gone,
    /// The node wants no more of it.
    #[error("{0}")]
    Refused(String),
    /// What was to be shown could not be.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// A script, and how it is to be answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Script<'a> {
    /// The script.
    pub text: &'a str,
    /// Its value as JSON.
    pub json: bool,
    /// See [`Eval::lines`].
    pub lines: bool,
    /// How long it may run; the node's own default without.
    pub time: Option<Duration>,
}
