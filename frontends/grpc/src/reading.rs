//! Owns what the work of a call has at hand: the ledger, the pins, the caller's patience.
//! Promises that a reference is resolved once, to one world that does not change under the call.

use everett_ledger::{BlockInfo, Ledger, World};
use everett_proto::v1;
use everett_proto::v1::world_ref::Ref;

use crate::convert;
use crate::deadline::Patience;
use crate::fault::Fault;
use crate::parse;
use crate::pins::Pins;

/// A call at work.
pub(crate) struct Reading<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) pins: &'a Pins,
    pub(crate) patience: Patience,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(ledger: &'a Ledger, pins: &'a Pins, patience: Patience) -> Reading<'a> {
        Reading {
            ledger,
            pins,
            patience,
        }
    }

    /// The world that a reference names; `field` is where it stands in the request.
    pub(crate) fn world(
        &self,
        field: &str,
        reference: Option<v1::WorldRef>,
    ) -> Result<World, Fault> {
        match reference.and_then(|reference| reference.r#ref) {
            None | Some(Ref::Best(_)) => Ok(self.ledger.best()),
            Some(Ref::BlockHash(hash)) => {
                let hash = parse::block_hash(&format!("{field}.block_hash"), &hash)?;
                Ok(self.ledger.world(&hash)?)
            }
            Some(Ref::BestHeight(height)) => Ok(self.ledger.world_at_height(height)?),
            Some(Ref::PinId(id)) => self.pins.world(&id),
        }
    }

    /// The block that a reference names, whether or not there is a world at it.
    pub(crate) fn block(
        &self,
        field: &str,
        reference: Option<v1::WorldRef>,
    ) -> Result<BlockInfo, Fault> {
        let hash = match reference.and_then(|reference| reference.r#ref) {
            Some(Ref::BlockHash(hash)) => parse::block_hash(&format!("{field}.block_hash"), &hash)?,
            Some(Ref::BestHeight(height)) => match self.ledger.best_hash_at(height) {
                Some(hash) => hash,
                None => {
                    return Err(everett_ledger::WorldError::HeightUnknown {
                        height,
                        best: self.ledger.best().height(),
                    }
                    .into());
                }
            },
            other => self
                .world(
                    field,
                    other.map(|other| v1::WorldRef { r#ref: Some(other) }),
                )?
                .hash(),
        };
        self.ledger
            .block_info(&hash)
            .ok_or_else(|| everett_ledger::BlockError::Unknown { hash }.into())
    }

    /// How the answer tells of a world.
    pub(crate) fn tell(&self, world: &World) -> Result<v1::World, Fault> {
        let hash = world.hash();
        let best = self.ledger.best();
        let info = self
            .ledger
            .block_info(&hash)
            .ok_or(everett_ledger::BlockError::Unknown { hash })?;
        Ok(convert::world(&info, best.hash() == hash))
    }
}
