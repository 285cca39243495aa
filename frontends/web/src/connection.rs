//! Owns the accepting and serving of connections.
//! Promises that no more are open than the limit and one, that a visitor who sends or takes too slowly is cut off, that
//! who is silent makes room for who comes, and that all end when the server does.

mod places;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use everett_node::StopSignal;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::gate::Visitor;
use places::{Dismissed, Place, Places};

/// Most bytes of a request's line and headers together: the longest script in hexadecimal fits.
const MAX_HEAD_BYTES: usize = 24 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long an answer in flight may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long to wait when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts and serves connections until `stop` is given, then waits until those that are open have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    patience: Duration,
    stop: StopSignal,
) {
    let places = Places::new(max_connections);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.wait() => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let place = tokio::select! {
                    place = places.take() => place,
                    () = stop.wait() => break,
                };
                let router = router.clone();
                let connection =
                    connection(stream, from.ip(), router, patience, stop.clone(), place);
                tokio::spawn(connection);
            }
            Err(error) => {
                warn!(%error, "the web page cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    places.all_left().await;
}

async fn connection(
    stream: TcpStream,
    from: IpAddr,
    router: Router,
    patience: Duration,
    stop: StopSignal,
    place: Arc<Place>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a connection stays slow");
    }
    let answering = place.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answering = answering.answer();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Visitor(from));
        let router = router.clone();
        async move {
            let answering = answering.ok_or(Dismissed)?;
            let response = router.oneshot(request).await;
            // A router cannot fail.
            let response = response.unwrap_or_else(|never| match never {});
            Ok::<_, Dismissed>(response.map(|body| answering.with(body)))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let stream = Watched::new(stream, patience);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = &mut serving => served,
        () = place.dismissed() => {
            debug!(%from, "a silent connection makes room for another");
            return;
        }
        () = stop.wait() => {
            serving.as_mut().graceful_shutdown();
            // Who has sent half a request may never send the rest.
            let Ok(served) = tokio::time::timeout(FAREWELL, serving).await else {
                return;
            };
            served
        }
    };
    if let Err(error) = served {
        debug!(%error, %from, "a connection ended early");
    }
}

/// A stream that fails when the other side takes nothing of what is written for too long.
struct Watched {
    stream: TcpStream,
    patience: Duration,
    /// Runs while something waits to be taken.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn new(stream: TcpStream, patience: Duration) -> Watched {
        Watched {
            stream,
            patience,
            stalled: None,
        }
    }

    fn watch<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let end = Instant::now() + self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(poll, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.watch(poll, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(poll, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(poll, context)
    }
}
