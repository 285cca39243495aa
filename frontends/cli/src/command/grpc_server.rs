//! Owns the gRPC server of a node as its options say. Promises the address that it took, once it has. Refuses half a TLS.

use everett_grpc::{BearerToken, BoundAddress, Grpc, GrpcConfig, TlsFiles};

use crate::args::GrpcArgs;
use crate::failure::Failure;

/// The gRPC server before the node takes it, and what is to be said of it afterwards.
pub(crate) struct GrpcServer {
    pub(crate) server: Grpc,
    pub(crate) address: BoundAddress,
    pub(super) scheme: &'static str,
}

impl GrpcServer {
    /// As the options say.
    pub(crate) fn new(args: &GrpcArgs) -> Result<GrpcServer, Failure> {
        let mut config = GrpcConfig::default();
        if let Some(listen) = args.grpc {
            config.listen = listen;
        }
        config.allow_open = args.grpc_allow_open;
        config.token = args
            .grpc_token
            .as_ref()
            .map(|token| BearerToken::new(token))
            .transpose()
            .map_err(Failure::usage)?;
        config.tls = match (&args.grpc_tls_cert, &args.grpc_tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, None) => None,
            _ => {
                return Err(Failure::usage(
                    "TLS needs both a certificate and its key: grpc_tls_cert and grpc_tls_key",
                ));
            }
        };
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let server = Grpc::new(config);
        Ok(GrpcServer {
            address: server.bound_address(),
            server,
            scheme,
        })
    }
}

/// Where clients find the server.
pub(super) fn url(scheme: &str, address: &BoundAddress) -> String {
    match address.get() {
        Some(address) => format!("{scheme}://{address}"),
        None => "no address".to_owned(),
    }
}
