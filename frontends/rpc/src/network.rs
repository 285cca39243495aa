//! Owns the methods about peers.

use crate::method::Method;

/// The version that stands where Core's does: what of Core's interface is spoken.
pub(crate) const VERSION: u32 = 310_000;
/// The version of the protocol between nodes.
pub(crate) const PROTOCOL_VERSION: u32 = 70_016;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[];
