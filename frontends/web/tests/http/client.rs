//! A visitor that knows just enough HTTP to look at bytes and headers as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// How often a piece of text stands in the body.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.body.matches(text).count()
    }

    /// Every value of an attribute in the body, in order.
    pub(crate) fn all(&self, attribute: &str) -> Vec<&str> {
        let start = format!(" {attribute}=\"");
        let values = self.body.split(start.as_str()).skip(1);
        values.filter_map(|rest| rest.split('"').next()).collect()
    }
}

/// A request on a connection of its own.
pub(crate) fn ask(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = open(to, method, path, headers, "close");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    parse(&bytes)
}

/// A form as a browser sends it from a page of the same place.
pub(crate) fn post(to: SocketAddr, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        form.len()
    );
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {to}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(form);
    say(to, request.as_bytes())
}

/// `GET` as a browser on this machine sends it.
pub(crate) fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path, &[])
}

/// What a server answers to these very bytes, until it closes the connection.
pub(crate) fn say(to: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(to);
    // The server may have heard enough before all is said.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes)
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

fn open(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    connection: &str,
) -> TcpStream {
    let mut stream = connect(to);
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: {connection}\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {to}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    Answer {
        status: status.and_then(|code| code.parse().ok()).unwrap_or(0),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// A page that follows the ledger.
pub(crate) struct Follower(BufReader<TcpStream>);

impl Follower {
    /// Follows, and waits for the answer's head; its status.
    pub(crate) fn start(to: SocketAddr) -> (u16, Follower) {
        Follower::of(to, "/admin/events")
    }

    /// The same of the news at another path.
    pub(crate) fn of(to: SocketAddr, path: &str) -> (u16, Follower) {
        let stream = open(to, "GET", path, &[], "keep-alive");
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).expect("a status");
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        while line.trim() != "" {
            line.clear();
            lines.read_line(&mut line).expect("a header");
        }
        (status.unwrap_or(0), Follower(lines))
    }

    /// The number of the next news; `None` when the server closed the connection.
    pub(crate) fn next(&mut self) -> Option<u64> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).expect("a line in time");
            if read == 0 {
                return None;
            }
            if let Some(number) = line.strip_prefix("data: ") {
                return number.trim().parse().ok();
            }
        }
    }
}
