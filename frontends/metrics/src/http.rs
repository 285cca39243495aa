//! Owns the little of HTTP that a scrape needs: one request a connection, answered and closed.
//! Promises bounded memory and time for whoever connects.
//! Refuses everything but GET and HEAD.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of a request's head.
const MAX_HEAD: usize = 8 * 1024;
/// How long a client may take to ask, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without its query.
    pub(crate) path: String,
    /// What the client calls this server, if it says so.
    pub(crate) host: Option<String>,
}

impl Request {
    /// Whether the client means this machine. A page from elsewhere that made a browser believe that its own name leads
    /// here (DNS rebinding) sends that name.
    pub(crate) fn means_this_machine(&self) -> bool {
        let Some(host) = &self.host else { return true };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            _ => host,
        };
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok()
    }
}

/// What it gets.
pub(crate) struct Response {
    pub(crate) status: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn plain(status: &'static str, body: &str) -> Response {
        Response {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.to_owned(),
        }
    }
}

/// Reads a request; `None` where there is none that makes sense in time.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<Request> {
    let read = async {
        let mut head = Vec::new();
        let mut chunk = [0; 1024];
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = stream.read(&mut chunk).await.ok()?;
            if read == 0 || head.len() + read > MAX_HEAD {
                return None;
            }
            head.extend_from_slice(&chunk[..read]);
        }
        parse(&head)
    };
    tokio::time::timeout(PATIENCE, read).await.ok().flatten()
}

fn parse(head: &[u8]) -> Option<Request> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with("HTTP/1.") {
        return None;
    }
    let path = target.split('?').next()?;
    let text = String::from_utf8_lossy(head);
    let host = text.split("\r\n").skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host")
            .then(|| value.trim().to_owned())
    });
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        host,
    })
}

/// Answers, and ends the connection.
pub(crate) async fn answer(stream: &mut TcpStream, response: &Response, with_body: bool) {
    let mut text = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        response.status,
        response.content_type,
        response.body.len()
    );
    if with_body {
        text.push_str(&response.body);
    }
    let write = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        // What the client still sends is read, so that its end does not cut the answer off.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Whoever does not take it does not get it.
    let _ = tokio::time::timeout(PATIENCE, write).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_elsewhere_is_not_this_machine() {
        let asked = |host: &str| {
            let head = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
            parse(head.as_bytes()).unwrap().means_this_machine()
        };
        for ours in [
            "127.0.0.1:8370",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8370",
            "[::1]",
        ] {
            assert!(asked(ours), "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:8370",
            "localhost.evil.example",
            "",
        ] {
            assert!(!asked(other), "{other}");
        }
        assert!(
            parse(b"GET / HTTP/1.0\r\n\r\n")
                .unwrap()
                .means_this_machine()
        );
    }

    #[test]
    fn only_a_request_line_is_one() {
        let request = parse(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("GET", "/metrics")
        );
        for wrong in [
            &b"GET /metrics\r\n\r\n"[..],
            b"\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"\xff / HTTP/1.1\r\n\r\n",
            b"GET / SPDY\r\n\r\n",
        ] {
            assert_eq!(parse(wrong), None);
        }
    }
}
