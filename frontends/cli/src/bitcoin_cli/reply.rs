//! Owns a node's reply, and how it is printed: strings bare, all else as JSON, errors with their code.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::indent::indented;
use super::session::CliError;

/// The code of an error by which a node asks for a wallet to be named.
const WALLET_NOT_SPECIFIED: i64 = -19;

/// A reply to one request.
#[derive(Deserialize)]
pub(super) struct Reply {
    /// The answer, as the node wrote it.
    #[serde(default)]
    pub(super) result: Option<Box<RawValue>>,
    /// The error, if there is one.
    #[serde(default)]
    pub(super) error: Option<Box<RawValue>>,
    #[serde(default)]
    id: Option<serde_json::Value>,
}

/// How a call ends: what is printed, and where.
pub(super) struct Ended {
    text: String,
    code: u8,
}

impl Ended {
    /// With an answer.
    pub(super) fn well(text: String) -> Ended {
        Ended { text, code: 0 }
    }

    /// Without one.
    pub(super) fn failed(text: String) -> Ended {
        Ended { text, code: 1 }
    }

    /// Prints it.
    pub(super) fn print(self) -> ExitCode {
        use std::io::Write;
        if !self.text.is_empty() {
            // Who has seen enough closes it.
            let _ = match self.code {
                0 => writeln!(std::io::stdout(), "{}", self.text),
                _ => writeln!(std::io::stderr(), "{}", self.text),
            };
        }
        ExitCode::from(self.code)
    }
}

/// The text of a string, the JSON of anything else, nothing of a `null`.
pub(super) fn shown(json: &RawValue) -> String {
    match serde_json::from_str::<String>(json.get()) {
        Ok(text) => text,
        Err(_) if json.get() == "null" => String::new(),
        Err(_) => indented(json.get()),
    }
}

impl Reply {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// It is none.
    pub(super) fn read(body: &str) -> Result<Reply, CliError> {
        serde_json::from_str(body).map_err(|_| CliError::new("couldn't parse reply from server"))
    }

    /// Reads a batch of so many replies, in the order of their ids, which count from 0.
    ///
    /// # Errors
    ///
    /// It is none.
    pub(super) fn read_batch(body: &str, count: usize) -> Result<Vec<Reply>, CliError> {
        let Ok(mut replies) = serde_json::from_str::<Vec<Reply>>(body) else {
            // A server refuses a whole batch with one error.
            return match Reply::read(body) {
                Ok(reply) if reply.error.is_some() => Ok(vec![reply]),
                _ => Err(CliError::new("Batch must be an array")),
            };
        };
        replies.sort_by_key(|reply| reply.id.as_ref().and_then(serde_json::Value::as_u64));
        match replies.len() == count {
            true => Ok(replies),
            false => Err(CliError::new(
                "Batch has not the replies that were asked for",
            )),
        }
    }

    /// What is printed of it.
    pub(super) fn ended(&self) -> Ended {
        match &self.error {
            Some(error) => failed(error),
            None => Ended::well(
                self.result
                    .as_ref()
                    .map_or(String::new(), |json| shown(json)),
            ),
        }
    }

    /// The code of its error.
    pub(super) fn code(&self) -> Option<i64> {
        let error: serde_json::Value = serde_json::from_str(self.error.as_ref()?.get()).ok()?;
        error["code"].as_i64()
    }
}

fn failed(error: &RawValue) -> Ended {
    let value: serde_json::Value = serde_json::from_str(error.get()).unwrap_or_default();
    let mut text = String::new();
    let code = value["code"].as_i64();
    if value.is_object() {
        if let Some(code) = code {
            text += &format!("error code: {code}\n");
        }
        if let Some(message) = value["message"].as_str() {
            text += &format!("error message:\n{message}");
        }
        if code == Some(WALLET_NOT_SPECIFIED) {
            text += " Or for the CLI, specify the \"-rpcwallet=<walletname>\" option before the command \
                     (run \"bitcoin-cli -h\" for help or \"bitcoin-cli listwallets\" to see which wallets are currently loaded).";
        }
    } else {
        text = format!("error: {}", error.get());
    }
    // What a process leaves behind is the code's last byte; an error never leaves 0.
    let left = code.unwrap_or(1).unsigned_abs() & 0xff;
    Ended {
        text,
        code: u8::try_from(left).unwrap_or(1).max(1),
    }
}
