//! Owns what goes over the console's socket: frames of JSON.
//! Promises that a frame is refused by its length before anything of it is read.
//!
//! ```text
//!   frame   length u32 big-endian | JSON object, UTF-8
//!
//!   server  {"type":"hello", …}                       once, first
//!   client  {"type":"eval","id":1,"script":"best()"}  any time; they run one after the other
//!   server  {"type":"print","id":1,"text":"…"}        any number
//!   server  {"type":"value","id":1,"text":"…"}        one, or one a piece with "lines"
//!   server  {"type":"done","id":1,"variables":[…]}    or {"type":"error","id":1,…}: the last of each
//!   client  {"type":"cancel","id":1}                  any time
//! ```

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::MAX_FRAME_BYTES;

/// The version of this protocol. One that a client does not know is not for it.
pub const PROTOCOL: u32 = 1;

/// What a client sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Run a script.
    Eval(Eval),
    /// Stop it, if it still runs or waits.
    Cancel {
        /// The script's.
        id: u64,
    },
}

/// A script to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Eval {
    /// Chosen by the client; replies carry it.
    pub id: u64,
    /// The script.
    pub script: String,
    /// Show values as JSON beside their text.
    #[serde(default)]
    pub json: bool,
    /// The script was typed line by line: where it makes no sense as a whole, but each of its lines does, they are
    /// run one after the other, and the value of each is shown.
    #[serde(default)]
    pub lines: bool,
    /// How long it may run, in milliseconds; the server has a default and a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
}

/// What the server sends.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    /// The first frame.
    Hello(Hello),
    /// In place of the first frame: no session. The connection ends.
    Refused {
        /// Why.
        message: String,
    },
    /// What a script prints.
    Print {
        /// The script's.
        id: u64,
        /// A line, without its end.
        text: String,
    },
    /// What a script came to.
    Value {
        /// The script's.
        id: u64,
        /// For people; `None` where there is nothing to show.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// For programs, if it was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        json: Option<serde_json::Value>,
    },
    /// A script has ended well.
    Done {
        /// The script's.
        id: u64,
        /// The variables and functions that there are now, for completion.
        variables: Vec<String>,
    },
    /// A script has failed.
    Error(ScriptError),
}

/// Who answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// The version of Everett.
    pub version: String,
    /// Which network.
    pub network: String,
    /// Whether `mine` works.
    pub lab: bool,
    /// Whether the ledger may be changed.
    pub write: bool,
    /// Names of functions, for completion.
    pub functions: Vec<String>,
    /// Names of properties and methods, for completion; methods end in `(`.
    pub members: Vec<String>,
}

/// Why a script failed, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptError {
    /// The script's.
    pub id: u64,
    /// For programs: a reason of the gRPC interface, or `SYNTAX`, `SCRIPT`, `CANCELLED`, …
    pub reason: String,
    /// What went wrong, and what to do.
    pub message: String,
    /// From 1; `None` where it was nowhere in particular.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// In characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                write!(f, "line {line}, column {column}: {}", self.message)
            }
            (Some(line), None) => write!(f, "line {line}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side is gone.
    #[error("the connection ended: {0}")]
    Io(#[from] io::Error),
    /// A frame that is longer than any may be.
    #[error("a frame of {0} bytes; {MAX_FRAME_BYTES} are the most that are taken")]
    TooLong(usize),
    /// A frame that is not what is spoken here.
    #[error("a frame does not make sense: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Reads a frame; `None` where the other side has ended the connection between two of them.
///
/// # Errors
///
/// [`FrameError`].
pub async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong(length));
    }
    // Grows as it comes, so that a length without a frame costs nothing.
    let mut frame = Vec::new();
    let got = from.take(length as u64).read_to_end(&mut frame).await?;
    if got < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(serde_json::from_slice(&frame)?))
}

/// Writes a frame.
///
/// # Errors
///
/// [`FrameError`].
pub async fn write<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), FrameError> {
    let frame = serde_json::to_vec(message)?;
    if frame.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong(frame.len()));
    }
    let length = u32::try_from(frame.len()).map_err(|_| FrameError::TooLong(frame.len()))?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(&frame).await?;
    to.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests;
