//! Owns the server: what it listens on, what it serves, when it is healthy.
//! Promises that it serves when it has started, and finishes the calls in flight when it stops.
//! Refuses to listen beyond loopback without a token, unless it is told to.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use everett_node::{Frontend, FrontendError, Handle, Phase, Starting, StopSignal, Task};
use everett_proto::FILE_DESCRIPTOR_SET;
use everett_proto::v1::chain_service_server::ChainServiceServer;
use everett_proto::v1::event_service_server::EventServiceServer;
use everett_proto::v1::lab_service_server::LabServiceServer;
use everett_proto::v1::ledger_service_server::LedgerServiceServer;
use everett_proto::v1::mempool_service_server::MempoolServiceServer;
use everett_proto::v1::peer_service_server::PeerServiceServer;
use everett_proto::v1::snapshot_service_server::SnapshotServiceServer;
use everett_proto::v1::wallet_service_server::WalletServiceServer;
use everett_proto::v1::world_service_server::WorldServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::Router;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::{info, warn};

use crate::MAX_REQUEST_BYTES;
use crate::auth::Door;
use crate::calls::Calls;
use crate::chain_service::Chain;
use crate::config::{GrpcConfig, TlsFiles};
use crate::event_service::Events;
use crate::incoming;
use crate::lab_service::Lab;
use crate::ledger_service::LedgerReads;
use crate::mempool_service::MempoolCalls;
use crate::meter::MeterLayer;
use crate::peer_service::PeerCalls;
use crate::pins::Pins;
use crate::snapshot_service::SnapshotCalls;
use crate::wallet_service::WalletCalls;
use crate::world_service::Worlds;

/// How long a connection may take to answer a sign-of-life request.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long answers have to get out after the last call has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often expired pins are let go.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The services that health is told of by name; the empty name stands for the whole server.
const HEALTH_NAMES: [&str; 10] = [
    "",
    WorldServiceServer::<Worlds>::NAME,
    LedgerServiceServer::<LedgerReads>::NAME,
    ChainServiceServer::<Chain>::NAME,
    EventServiceServer::<Events>::NAME,
    LabServiceServer::<Lab>::NAME,
    MempoolServiceServer::<MempoolCalls>::NAME,
    PeerServiceServer::<PeerCalls>::NAME,
    SnapshotServiceServer::<SnapshotCalls>::NAME,
    WalletServiceServer::<WalletCalls>::NAME,
];

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// Anyone could read and hand in blocks.
    #[error(
        "gRPC would listen on {listen}, beyond this machine, without a token; set a token, or allow it explicitly"
    )]
    OpenBeyondLoopback {
        /// The configured address.
        listen: SocketAddr,
    },
    /// A limit of zero serves nobody.
    #[error("the gRPC limit `{limit}` is 0; set it to 1 or more")]
    ZeroLimit {
        /// Its name in the configuration.
        limit: &'static str,
    },
    /// The address cannot be listened on.
    #[error(
        "gRPC cannot listen on {listen}: {source}; choose another address, or stop what uses it"
    )]
    Listen {
        /// The configured address.
        listen: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A TLS file cannot be read.
    #[error("the TLS file {path} cannot be read: {source}")]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The TLS files do not make an identity.
    #[error("the TLS certificate {certificate} and key {key} cannot be used: {reason}")]
    Tls {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// The descriptors of the services cannot be read.
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The gRPC server as a frontend of the node.
pub struct Grpc {
    config: GrpcConfig,
    bound: watch::Sender<Option<SocketAddr>>,
}

/// Tells where the server listens, also after the node has taken it over.
#[derive(Clone, Debug)]
pub struct BoundAddress(watch::Receiver<Option<SocketAddr>>);

impl BoundAddress {
    /// The address, once the server has started; with port 0 configured, the port it got.
    pub fn get(&self) -> Option<SocketAddr> {
        *self.0.borrow()
    }
}

impl Grpc {
    /// A server that is not started yet.
    pub fn new(config: GrpcConfig) -> Grpc {
        Grpc {
            config,
            bound: watch::Sender::new(None),
        }
    }

    /// Tells where it listens: take it before the node takes the server.
    pub fn bound_address(&self) -> BoundAddress {
        BoundAddress(self.bound.subscribe())
    }

    async fn serve(&self, handle: Handle) -> Result<Task, GrpcError> {
        let config = &self.config;
        check(config)?;
        let server = transport(config)?;
        let listen = config.listen;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| GrpcError::Listen { listen, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| GrpcError::Listen { listen, source })?;

        let pins = Arc::new(Pins::new(config.pins));
        let calls = Calls::new(
            handle.clone(),
            pins.clone(),
            config.max_calls,
            config.max_time,
        );
        let (health, health_service) = tonic_health::server::health_reporter();
        report(&health, handle.phase()).await;
        let server = server.layer(MeterLayer::new(handle.meters()));
        let router = services(server, config, calls.clone())?.add_service(health_service);

        let cut = CutAtEnd(StopSignal::new());
        let connections = incoming::accept(listener, config.max_connections, cut.0.clone());
        self.bound.send_replace(Some(address));
        info!(
            %address,
            tls = config.tls.is_some(),
            token = config.token.is_some(),
            "gRPC listens"
        );
        Ok(tokio::spawn(async move {
            let stop = handle.stop_signal().clone();
            let mut serving = pin!(router.serve_with_incoming_shutdown(connections, stop.wait()));
            let served = tokio::select! {
                served = &mut serving => served,
                () = take_care(&handle, &health, &pins) => {
                    calls.drain().await;
                    tokio::time::sleep(LAST_WORDS).await;
                    // Clients that only wait for news would keep their connections for ever.
                    cut.0.give();
                    serving.await
                }
            };
            served.map_err(FrontendError::from)
        }))
    }
}

/// Ends all connections when the server is gone, however it went.
struct CutAtEnd(StopSignal);

impl Drop for CutAtEnd {
    fn drop(&mut self) {
        self.0.give();
    }
}

impl Frontend for Grpc {
    fn name(&self) -> &str {
        "grpc"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.serve(handle).await?) })
    }
}

/// Whether the settings can go together.
fn check(config: &GrpcConfig) -> Result<(), GrpcError> {
    for (limit, value) in [
        ("max_calls", config.max_calls),
        ("max_connections", config.max_connections),
        ("max_streams", config.max_streams as usize),
    ] {
        if value == 0 {
            return Err(GrpcError::ZeroLimit { limit });
        }
    }
    let listen = config.listen;
    if !listen.ip().is_loopback() && config.token.is_none() {
        if !config.allow_open {
            return Err(GrpcError::OpenBeyondLoopback { listen });
        }
        warn!(%listen, "gRPC listens beyond this machine without a token");
    }
    if !listen.ip().is_loopback() && config.tls.is_none() && config.token.is_some() {
        warn!(%listen, "gRPC sends its token in the clear: set a TLS certificate and key");
    }
    Ok(())
}

/// HTTP/2 and TLS as configured.
fn transport(config: &GrpcConfig) -> Result<Server, GrpcError> {
    let server = Server::builder()
        .max_concurrent_streams(config.max_streams)
        .http2_keepalive_interval(Some(config.keepalive))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
    let Some(TlsFiles { certificate, key }) = &config.tls else {
        return Ok(server);
    };
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| GrpcError::TlsFile {
            path: path.clone(),
            source,
        })
    };
    let identity = Identity::from_pem(read(certificate)?, read(key)?);
    server
        .tls_config(ServerTlsConfig::new().identity(identity))
        .map_err(|error| GrpcError::Tls {
            certificate: certificate.clone(),
            key: key.clone(),
            reason: reason(&error),
        })
}

/// An error and what lies below it, in one line.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(": ");
        text.push_str(&error.to_string());
        below = error.source();
    }
    text
}

/// All services but health, behind the token.
fn services<L: Clone>(
    mut server: Server<L>,
    config: &GrpcConfig,
    calls: Calls,
) -> Result<Router<L>, GrpcError> {
    let door = Door::new(config.token.clone());
    macro_rules! guarded {
        ($service:expr) => {
            InterceptedService::new(
                $service.max_decoding_message_size(MAX_REQUEST_BYTES),
                door.clone(),
            )
        };
    }
    let router = server
        .add_service(guarded!(WorldServiceServer::new(Worlds::new(
            calls.clone()
        ))))
        .add_service(guarded!(LedgerServiceServer::new(LedgerReads::new(
            calls.clone()
        ))))
        .add_service(guarded!(ChainServiceServer::new(Chain::new(calls.clone()))))
        .add_service(guarded!(EventServiceServer::new(Events::new(
            calls.clone(),
            config.streams
        ))))
        .add_service(guarded!(LabServiceServer::new(Lab::new(calls.clone()))))
        .add_service(guarded!(MempoolServiceServer::new(MempoolCalls::new(
            calls.clone(),
            config.streams
        ))))
        .add_service(guarded!(SnapshotServiceServer::new(SnapshotCalls::new(
            calls.clone()
        ))))
        .add_service(guarded!(PeerServiceServer::new(PeerCalls::new(
            calls.clone(),
            config.streams
        ))))
        .add_service(guarded!(WalletServiceServer::new(WalletCalls::new(
            calls, config
        ))));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(router
        .add_service(InterceptedService::new(
            reflection().build_v1()?,
            door.clone(),
        ))
        .add_service(InterceptedService::new(reflection().build_v1alpha()?, door)))
}

/// Keeps health true and pins short until the server is to stop.
async fn take_care(handle: &Handle, health: &HealthReporter, pins: &Pins) {
    let mut phase = handle.watch_phase();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            // The handle keeps the sender.
            Ok(()) = phase.changed() => {
                let now = *phase.borrow_and_update();
                report(health, now).await;
            }
            _ = sweep.tick() => pins.sweep(),
            () = handle.stop_signal().wait() => {
                for name in HEALTH_NAMES {
                    health.set_service_status(name, ServingStatus::NotServing).await;
                }
                return;
            }
        }
    }
}

async fn report(health: &HealthReporter, phase: Phase) {
    let status = match phase {
        Phase::CatchingUp => ServingStatus::NotServing,
        Phase::Ready => ServingStatus::Serving,
    };
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}
