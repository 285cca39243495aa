//! Owns the counting of calls: how many of each method, how they ended, how long they took.
//! Promises that the names are those of the services, whatever a client asks for, so that there is a bounded number.
//! Refuses to look into requests and answers: only at the status that ends them.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use everett_node::meters::{CALL_SECONDS, Described, Histogram, Meters};
use everett_proto::FILE_DESCRIPTOR_SET;
use http_body::{Frame, SizeHint};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::{Bytes, http};
use tower::{Layer, Service};

/// Calls that have ended, by method and code.
const CALLS: Described = Described {
    name: "everett_grpc_calls_total",
    help: "gRPC calls that have ended, by service, method and status code.",
};
/// How long they took.
const SECONDS: Described = Described {
    name: "everett_grpc_call_duration_seconds",
    help: "Time from the first byte of a gRPC call to the end of its answer, by service and method; of a stream, its life.",
};

/// What stands for a method that there is not.
const UNKNOWN: &str = "unknown";

/// Where the status stands, in the headers of an answer without a body, or in its trailers.
const STATUS: &str = "grpc-status";

/// Counts what goes through it.
#[derive(Clone)]
pub(crate) struct MeterLayer {
    methods: Arc<HashMap<String, Arc<Method>>>,
    unknown: Arc<Method>,
}

/// A method, and its meters.
struct Method {
    service: String,
    name: String,
    meters: Meters,
    seconds: Histogram,
}

impl Method {
    fn new(meters: &Meters, service: &str, name: &str) -> Arc<Method> {
        let labels = [("service", service), ("method", name)];
        Arc::new(Method {
            service: service.to_owned(),
            name: name.to_owned(),
            meters: meters.clone(),
            seconds: meters.histogram(SECONDS, CALL_SECONDS, &labels),
        })
    }

    fn ended(&self, code: Code, started: Instant) {
        let labels = [
            ("service", self.service.as_str()),
            ("method", self.name.as_str()),
            ("code", name_of(code)),
        ];
        self.meters.counter(CALLS, &labels).one();
        self.seconds.see_time(started.elapsed());
    }
}

impl MeterLayer {
    /// With a series for each method of the services.
    pub(crate) fn new(meters: &Meters) -> MeterLayer {
        let mut methods = HashMap::new();
        let described = [FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET];
        for set in described {
            // Ours and the health service's are built in; if one did not decode, its methods would be unknown.
            let files = FileDescriptorSet::decode(set).unwrap_or_default().file;
            for file in files {
                for service in &file.service {
                    for method in &service.method {
                        let path =
                            format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        let method = Method::new(meters, service.name(), method.name());
                        methods.insert(path, method);
                    }
                }
            }
        }
        MeterLayer {
            methods: Arc::new(methods),
            unknown: Method::new(meters, UNKNOWN, UNKNOWN),
        }
    }
}

impl<S> Layer<S> for MeterLayer {
    type Service = Metered<S>;

    fn layer(&self, inner: S) -> Metered<S> {
        Metered {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(crate) struct Metered<S> {
    inner: S,
    layer: MeterLayer,
}

impl<S> Service<http::Request<Body>> for Metered<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<MeteredBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let known = self.layer.methods.get(request.uri().path());
        let mut running = Running {
            method: known.unwrap_or(&self.layer.unknown).clone(),
            started: Instant::now(),
            code: None,
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            running.look(answer.headers());
            Ok(answer.map(|inner| MeteredBody { inner, running }))
        })
    }
}

/// A call that has not ended. Dropped without a status, it was cancelled.
struct Running {
    method: Arc<Method>,
    started: Instant,
    code: Option<Code>,
}

impl Running {
    /// Takes the status out of headers or trailers, if it is there.
    fn look(&mut self, headers: &http::HeaderMap) {
        if let Some(status) = headers.get(STATUS) {
            self.code = Some(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        self.method.ended(code, self.started);
    }
}

/// An answer whose end is waited for.
pub(crate) struct MeteredBody {
    inner: Body,
    running: Running,
}

impl http_body::Body for MeteredBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.running.look(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A code's name in the protocol.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
