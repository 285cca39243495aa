//! Owns what of a keyring is not in the file yet.

use std::collections::BTreeSet;

use crate::slot::{DescriptorNumber, Slot};

/// What is to be written by the next [`save`](super::Keyring::save).
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    pub(super) descriptors: BTreeSet<DescriptorNumber>,
    pub(super) scripts: Vec<Slot>,
    pub(super) secrets: BTreeSet<DescriptorNumber>,
    pub(super) seal: bool,
    pub(super) flags: bool,
}
