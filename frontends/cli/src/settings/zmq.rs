//! Owns the settings of what is published over ZeroMQ: the options, then what the file adds to them.

use everett_rpc::ZmqPublisher;
use everett_zmq::{DEFAULT_HIGH_WATER_MARK, Topic, ZmqConfig};

use super::Settings;
use crate::args::ZmqArgs;
use crate::failure::Failure;

impl Settings {
    /// What is published where.
    pub(crate) fn zmq(&self, args: ZmqArgs) -> Result<ZmqConfig, Failure> {
        let file = self.file.clone();
        let options = [
            (
                Topic::HashBlock,
                (args.zmqpubhashblock, file.zmqpubhashblock),
                args.zmqpubhashblockhwm.or(file.zmqpubhashblockhwm),
            ),
            (
                Topic::HashTx,
                (args.zmqpubhashtx, file.zmqpubhashtx),
                args.zmqpubhashtxhwm.or(file.zmqpubhashtxhwm),
            ),
            (
                Topic::RawBlock,
                (args.zmqpubrawblock, file.zmqpubrawblock),
                args.zmqpubrawblockhwm.or(file.zmqpubrawblockhwm),
            ),
            (
                Topic::RawTx,
                (args.zmqpubrawtx, file.zmqpubrawtx),
                args.zmqpubrawtxhwm.or(file.zmqpubrawtxhwm),
            ),
            (
                Topic::Sequence,
                (args.zmqpubsequence, file.zmqpubsequence),
                args.zmqpubsequencehwm.or(file.zmqpubsequencehwm),
            ),
        ];
        let mut config = ZmqConfig::default();
        for (topic, (given, in_file), high_water_mark) in options {
            let addresses = if given.is_empty() { in_file } else { given };
            let high_water_mark = high_water_mark.unwrap_or(DEFAULT_HIGH_WATER_MARK);
            for address in addresses {
                config
                    .publish(topic, &address, high_water_mark)
                    .map_err(|error| Failure::usage(format!("--zmqpub{topic}: {error}")))?;
            }
        }
        Ok(config)
    }
}

/// What `getzmqnotifications` tells of it.
pub(crate) fn zmq_publishers(config: &ZmqConfig) -> Vec<ZmqPublisher> {
    let publications = config.publications().iter();
    publications
        .map(|publication| ZmqPublisher {
            kind: format!("pub{}", publication.topic),
            address: publication.given.clone(),
            high_water_mark: publication.high_water_mark,
        })
        .collect()
}
