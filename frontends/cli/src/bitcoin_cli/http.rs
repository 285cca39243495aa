//! Owns one request over HTTP. Promises an answer in time or a reason; refuses answers beyond a limit.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Bytes of an answer at most.
const MAX_BODY: usize = 1 << 30;

/// A request.
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) path: &'a str,
    pub(super) authorization: String,
    pub(super) body: String,
    /// How long the whole of it may take.
    pub(super) timeout: Duration,
}

/// What came back.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Nobody has that name.
    #[error("Could not resolve host: {0}")]
    Host(String),
    /// Nobody answers there.
    #[error("Could not connect to the server")]
    Connect,
    /// It took too long.
    #[error("timeout")]
    Timeout,
    /// The answer is longer than any is.
    #[error("the answer has more than {MAX_BODY} bytes")]
    Long,
    /// The answer is no HTTP, or breaks off.
    #[error("HTTP error: {0}")]
    Http(String),
}

impl Request<'_> {
    /// Sends it, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`HttpError`].
    pub(super) fn send(self) -> Result<Response, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error: io::Error| HttpError::Http(error.to_string()))?;
        runtime.block_on(async {
            match timeout(self.timeout, self.exchange()).await {
                Ok(answer) => answer,
                Err(_) => Err(HttpError::Timeout),
            }
        })
    }

    async fn connect(&self) -> Result<TcpStream, HttpError> {
        let addresses = lookup_host((self.host, self.port)).await;
        let addresses = addresses.map_err(|_| HttpError::Host(self.host.to_owned()))?;
        for address in addresses {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(HttpError::Connect)
    }

    async fn exchange(&self) -> Result<Response, HttpError> {
        let failed = |error: hyper::Error| HttpError::Http(error.to_string());
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(failed)?;
        // It ends with the runtime.
        tokio::spawn(connection);
        let request = hyper::Request::post(self.path)
            .header("Host", self.host)
            .header("Connection", "close")
            .header("Content-Type", "application/json")
            .header("Authorization", &self.authorization)
            .body(Full::new(Bytes::from(self.body.clone())))
            .map_err(|error| HttpError::Http(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => HttpError::Long,
            false => HttpError::Http(error.to_string()),
        })?;
        Ok(Response {
            status,
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        })
    }
}
