//! Owns the scripts of a descriptor at one index, as they are kept in the file.
//! Promises that a wallet which is locked, or was just loaded, knows its addresses without deriving anything.
//!
//! Table `scripts`: descriptor u32, index u32 (both big-endian) ->
//! `count u8 | each script behind its length u32 | the definite descriptor's text behind its length`.
//! The text is there only where the last step is hardened, so that the public descriptor cannot make it.

use bitcoin::ScriptBuf;
use miniscript::Descriptor;
use miniscript::descriptor::DescriptorPublicKey;
use smallvec::SmallVec;

use super::expression::{DescriptorError, Form};
use super::hardened::step_down;
use super::secret::Secret;
use crate::store::Malformed;
use crate::store::codec::{Source, put_bytes};

/// The scripts at one index: four of `combo()`, else one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub(crate) scripts: SmallVec<[ScriptBuf; 1]>,
    /// The descriptor at this index without hardened steps, where the public one has some.
    pub(crate) definite: Option<Box<Descriptor<DescriptorPublicKey>>>,
}

impl Held {
    /// Derives them; hardened steps need the secret.
    pub(crate) fn derive(
        form: &Form,
        index: u32,
        secret: Option<&Secret>,
    ) -> Result<Held, DescriptorError> {
        if let Ok(scripts) = form.scripts(index) {
            return Ok(Held {
                scripts: scripts.into(),
                definite: None,
            });
        }
        let keys = secret.map_or(&[][..], |secret| &secret.keys);
        let mut definite = None;
        let stepped = form.map(|descriptor| {
            let stepped = step_down(descriptor, index, keys)?;
            definite = Some(Box::new(stepped.clone()));
            Ok(stepped)
        })?;
        Ok(Held {
            scripts: stepped.scripts(index)?.into(),
            definite,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = vec![self.scripts.len() as u8];
        for script in &self.scripts {
            put_bytes(&mut row, script.as_bytes());
        }
        let text = self.definite.as_ref().map(ToString::to_string);
        put_bytes(&mut row, text.unwrap_or_default().as_bytes());
        row
    }

    pub(crate) fn read(value: &[u8]) -> Result<Held, Malformed> {
        let mut source = Source::new(value);
        let count = source.u8()?;
        let scripts = (0..count)
            .map(|_| Ok(ScriptBuf::from_bytes(source.bytes()?.to_vec())))
            .collect::<Result<_, Malformed>>()?;
        let definite = match source.text()? {
            "" => None,
            text => Some(Box::new(
                text.parse()
                    .map_err(|_| Malformed("its descriptor cannot be read"))?,
            )),
        };
        source.end()?;
        Ok(Held { scripts, definite })
    }
}
