//! Owns one call of the client: where the node is, how to log in, how long to wait.
//! Promises Core's messages where the node cannot be asked.
//! Refuses to try again unless `-rpcwait` is given.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::convert::quoted;
use super::http::{self, HttpError, Response};
use super::reply::Reply;
use crate::bitcoind::arguments::Arguments;
use crate::bitcoind::chain::Chain;
use crate::bitcoind::layout::Layout;

/// Seconds to wait for an answer unless it is configured otherwise.
const DEFAULT_TIMEOUT: i64 = 900;
/// What stands for no end of waiting.
const FOR_EVER: Duration = Duration::from_secs(5 * 365 * 24 * 3_600);
/// How long is waited before the node is called again.
const PAUSE: Duration = Duration::from_secs(1);
/// The code of an error by which a node says that it has not started yet.
const WARMING_UP: i64 = -28;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct CliError {
    text: String,
    /// It may go away by itself.
    transient: bool,
}

impl CliError {
    pub(super) fn new(text: impl fmt::Display) -> CliError {
        CliError {
            text: text.to_string(),
            transient: false,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One call of the client.
pub(super) struct Session {
    pub(super) arguments: Arguments,
    pub(super) chain: Chain,
    pub(super) layout: Layout,
    /// The configuration file, whether it is there or not.
    pub(super) conf: Option<PathBuf>,
}

/// How the client logs in.
enum Login {
    /// With the cookie.
    Cookie,
    /// There is to be no cookie.
    NoCookie,
    /// The cookie cannot be read.
    MissingCookie,
    /// With a name and a password.
    Password,
}

/// A request as JSON; `params` and `id` are JSON already.
pub(super) fn request(method: &str, params: &str, id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#,
        quoted(method)
    )
}

/// A host and its port, where it has one. Core's rules: brackets around IPv6, a single colon elsewhere.
fn split(text: &str) -> Option<(String, Option<u16>)> {
    let bare = |host: &str| {
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(host).to_owned()
    };
    match text.rsplit_once(':') {
        Some((host, port))
            if host.is_empty()
                || (host.starts_with('[') && host.ends_with(']'))
                || !host.contains(':') =>
        {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            Some((bare(host), Some(port)))
        }
        _ => Some((bare(text), None)),
    }
}

/// A name in a path.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl Session {
    /// The wallet that is named, if one is.
    pub(super) fn wallet(&self) -> Option<String> {
        match self.arguments.is_negated("rpcwallet") {
            true => None,
            false => self.arguments.text("rpcwallet"),
        }
    }

    /// Sends a request, and gives what comes back.
    ///
    /// # Errors
    ///
    /// Nothing comes back.
    pub(super) fn ask(&self, request: &str, wallet: Option<&str>) -> Result<String, CliError> {
        let waits = self.arguments.flag("rpcwait", false);
        let patience = self.arguments.int("rpcwaittimeout").unwrap_or(0);
        let begun = Instant::now();
        loop {
            let answer = self.ask_once(request, wallet).and_then(|body| {
                let warming =
                    waits && Reply::read(&body).is_ok_and(|reply| reply.code() == Some(WARMING_UP));
                match warming {
                    true => Err(CliError {
                        text: "server in warmup".to_owned(),
                        transient: true,
                    }),
                    false => Ok(body),
                }
            });
            match answer {
                Err(error) if error.transient && waits => {
                    let over = begun.elapsed().as_secs() >= patience.unsigned_abs();
                    if patience > 0 && over {
                        return Err(CliError::new(format!(
                            "timeout on transient error: {error}"
                        )));
                    }
                    std::thread::sleep(PAUSE);
                }
                answer => return answer,
            }
        }
    }

    fn ask_once(&self, request: &str, wallet: Option<&str>) -> Result<String, CliError> {
        let (host, port) = self.place()?;
        let (login, credentials) = self.login();
        let path = match wallet {
            Some(name) => format!("/wallet/{}", encoded(name)),
            None => "/".to_owned(),
        };
        let seconds = self
            .arguments
            .int("rpcclienttimeout")
            .unwrap_or(DEFAULT_TIMEOUT);
        let timeout = match seconds {
            ..=0 => FOR_EVER,
            seconds => Duration::from_secs(seconds.unsigned_abs()),
        };
        let request = http::Request {
            host: &host,
            port,
            path: &path,
            authorization: format!("Basic {}", STANDARD.encode(credentials)),
            body: format!("{request}\n"),
            timeout,
        };
        let Response { status, body } = request.send().map_err(|error: HttpError| CliError {
            text: format!(
                "Error while attempting to communicate with server {host}:{port} ({error})\n\n\
                 Make sure the bitcoind server is running and that you are connecting to the correct RPC port.\n\
                 Use \"bitcoin-cli -help\" for more info."
            ),
            transient: true,
        })?;
        match status {
            401 => Err(self.unauthorized(&login)),
            503 => Err(CliError::new(format!("Server response: {body}"))),
            400 | 404 | 500 | ..400 if body.is_empty() => {
                Err(CliError::new("no response from server"))
            }
            400 | 404 | 500 | ..400 => Ok(body),
            status => Err(CliError::new(format!(
                "server returned HTTP error {status}"
            ))),
        }
    }

    fn place(&self) -> Result<(String, u16), CliError> {
        let text = self.arguments.text("rpcconnect");
        let text = text.unwrap_or("127.0.0.1".to_owned());
        let (host, named) = split(&text).ok_or_else(|| {
            CliError::new(format!("Invalid port provided in -rpcconnect: {text}"))
        })?;
        let Some(text) = self.arguments.text("rpcport") else {
            let usual = everett_rpc::default_port(self.chain.network());
            return Ok((host, named.unwrap_or(usual)));
        };
        let port = text.parse().unwrap_or(0);
        if port == 0 {
            return Err(CliError::new(format!(
                "Invalid port provided in -rpcport: {text}"
            )));
        }
        if named.is_some() {
            eprintln!(
                "Warning: Port specified in both -rpcconnect and -rpcport. Using -rpcport {port}"
            );
        }
        Ok((host, port))
    }

    fn login(&self) -> (Login, String) {
        let password = self.arguments.text("rpcpassword").unwrap_or_default();
        if !password.is_empty() {
            let user = self.arguments.text("rpcuser").unwrap_or_default();
            return (Login::Password, format!("{user}:{password}"));
        }
        let Some(path) = self.arguments.path("rpccookiefile", ".cookie") else {
            return (Login::NoCookie, String::new());
        };
        match std::fs::read_to_string(self.layout.file(&path)) {
            Ok(cookie) => {
                let line = cookie.lines().next().unwrap_or_default();
                (Login::Cookie, line.to_owned())
            }
            Err(_) => (Login::MissingCookie, String::new()),
        }
    }

    fn unauthorized(&self, login: &Login) -> CliError {
        let reason = match login {
            Login::MissingCookie => "Failed to read cookie file and no rpcpassword was specified.",
            Login::NoCookie => {
                "Cookie file was disabled via -norpccookiefile and no rpcpassword was specified."
            }
            Login::Cookie => {
                "Cookie file credentials were invalid and no rpcpassword was specified."
            }
            Login::Password => "Incorrect rpcuser or rpcpassword were specified.",
        };
        let conf = self.conf.as_ref().map(|path| path.display().to_string());
        CliError::new(format!(
            "Authorization failed: {reason} Configuration file: ({})",
            conf.unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        let host = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(split("127.0.0.1"), host("127.0.0.1", None));
        assert_eq!(split("node:8332"), host("node", Some(8332)));
        assert_eq!(split("[::1]:8332"), host("::1", Some(8332)));
        assert_eq!(split("::1"), host("::1", None));
        for wrong in ["node:", "node:0", "node:x", "[::1]:65536"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_wallets_name_may_be_anything() {
        assert_eq!(encoded("my wallet/ä"), "my%20wallet%2F%C3%A4");
    }
}
