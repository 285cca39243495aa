//! Owns the gRPC interface of Everett: the code generated from `proto/everett/v1/*.proto`.
//! Promises that the documentation stands in those files, and nothing is written by hand here.
//! Refuses to hold logic: conversions and services are in `everett-grpc`.

/// Package `everett.v1`: messages, clients and servers.
#[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
pub mod v1 {
    tonic::include_proto!("everett.v1");
}

/// The encoded `google.protobuf.FileDescriptorSet` of the package, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/everett_descriptor.bin"));

/// The domain of every `google.rpc.ErrorInfo` that a node sends.
pub const ERROR_DOMAIN: &str = "everett";

impl v1::ErrorReason {
    /// The value of `google.rpc.ErrorInfo.reason`: the name without its prefix, such as
    /// `WORLD_UNKNOWN`.
    pub fn reason(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }

    /// The reason that an `ErrorInfo` names, if it is one of these.
    pub fn from_reason(reason: &str) -> Option<v1::ErrorReason> {
        v1::ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}"))
    }
}
