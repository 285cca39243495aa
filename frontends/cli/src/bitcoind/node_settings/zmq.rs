//! Owns what is published over ZMQ, as the options say it.
//! Refuses what is no address and what is no number of messages.

use everett_zmq::{DEFAULT_HIGH_WATER_MARK, Topic, ZmqConfig};

use super::super::arguments::Arguments;
use super::super::failure::InitError;

/// What the options say.
pub(super) fn config(arguments: &Arguments) -> Result<ZmqConfig, InitError> {
    let mut config = ZmqConfig::default();
    for topic in Topic::ALL {
        let name = format!("zmqpub{topic}hwm");
        let most = match arguments.int(&name) {
            None => DEFAULT_HIGH_WATER_MARK,
            Some(most) => u32::try_from(most)
                .map_err(|_| InitError::new(format!("-{name}={most} is no number of messages")))?,
        };
        for address in arguments.list(&format!("zmqpub{topic}")) {
            config.publish(topic, &address, most).map_err(|error| {
                InitError::new(format!(
                    "Invalid address in -zmqpub{topic}: '{address}': {error}"
                ))
            })?;
        }
    }
    Ok(config)
}
