//! Owns a client of JSON-RPC for tests: one request a connection, and nothing done to what comes back.
//! Promises the status and the bytes of an answer, so that two servers can be compared to the digit.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server, and who asks it.
#[derive(Clone, Debug)]
pub struct RpcClient {
    server: SocketAddr,
    /// A name, a colon, a password.
    login: String,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// All lines before the body.
    pub head: String,
    /// The body.
    pub body: String,
    /// The body's bytes.
    pub bytes: Vec<u8>,
}

impl RpcClient {
    /// A client of a server on loopback; `login` is what its cookie holds.
    pub fn new(port: u16, login: &str) -> RpcClient {
        RpcClient {
            server: SocketAddr::from(([127, 0, 0, 1], port)),
            login: login.to_owned(),
        }
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Sends a request as it is, and reads the answer: as long as it says that it is, or to the end. (Core closes a
    /// connection only some fifty milliseconds after it has answered.)
    pub fn send(&self, request: &[u8]) -> HttpAnswer {
        let mut stream = TcpStream::connect(self.server).expect("the server listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time is set");
        // Who is refused early may find the connection closed.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let mut part = vec![0; 64 * 1024];
        while !is_whole(&bytes) {
            match stream.read(&mut part) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&part[..count]),
                _ => break,
            }
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let body = bytes.split_off(end.map_or(bytes.len(), |end| end + 4));
        let head = String::from_utf8_lossy(&bytes);
        let head = head.trim_end_matches("\r\n");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        HttpAnswer {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
        }
    }

    /// Sends a body to a path with the login, and asks for the connection to be closed.
    pub fn request(&self, method: &str, path: &str, body: &str) -> HttpAnswer {
        self.request_as(method, path, body, Some(&self.login))
    }

    /// The same with another login, or none.
    pub fn request_as(
        &self,
        method: &str,
        path: &str,
        body: &str,
        login: Option<&str>,
    ) -> HttpAnswer {
        self.request_bytes(method, path, body.as_bytes(), login)
    }

    /// The same with any bytes for a body.
    pub fn request_bytes(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        login: Option<&str>,
    ) -> HttpAnswer {
        let login = login.map(|login| format!("Authorization: Basic {}\r\n", base64(login)));
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n",
            login.unwrap_or_default(),
            body.len()
        )
        .into_bytes();
        request.extend(body);
        self.send(&request)
    }

    /// Calls a method.
    pub fn answer(&self, method: &str, params: &Value) -> HttpAnswer {
        let body = json!({ "method": method, "params": params, "id": 1 });
        self.request("POST", "/", &body.to_string())
    }

    /// Calls a method that has to succeed.
    pub fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, &params);
        let body: Value = serde_json::from_str(&answer.body)
            .unwrap_or_else(|error| panic!("{method} {params}: {error}: {answer:?}"));
        assert!(
            body["error"].is_null(),
            "{method} {params}: {}",
            answer.body
        );
        body["result"].clone()
    }

    /// Calls a method that has to succeed, and gives text.
    pub fn text(&self, method: &str, params: Value) -> String {
        let result = self.call(method, params);
        result.as_str().expect("a string").to_owned()
    }
}

/// Whether an answer has as many bytes as it says.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
        return false;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = (text.lines()).find_map(|line| line.strip_prefix("content-length:"));
    let length: Option<usize> = length.and_then(|length| length.trim().parse().ok());
    length.is_some_and(|length| bytes.len() >= head + 4 + length)
}

/// RFC 4648.
pub fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            let there = place <= chunk.len();
            encoded.push(if there { char::from(letter) } else { '=' });
        }
    }
    encoded
}
