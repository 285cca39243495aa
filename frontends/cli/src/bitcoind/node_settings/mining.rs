//! Owns the settings of blocks that are made here, as the options say them.

use everett_mining::{MiningConfig, SignalTimes};

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;
use super::mempool::rate;

/// What the options say.
pub(super) fn config(arguments: &Arguments, chain: Chain) -> Result<MiningConfig, InitError> {
    let mut config = MiningConfig::default();
    if let Some(rate) = rate(arguments, "blockmintxfee")? {
        config.min_fee = rate;
    }
    // As in Core, what is below nothing wraps around, and is too much.
    let weight = |name: &str| arguments.int(name).map(|weight| weight as u64);
    config.max_weight = weight("blockmaxweight").unwrap_or(config.max_weight);
    config.reserved_weight = weight("blockreservedweight").unwrap_or(config.reserved_weight);
    config.version = arguments.int("blockversion").map(|version| version as i32);
    config
        .check()
        .map_err(|error| InitError::new(error.to_string()))?;
    if let Some(times) = signal_times(arguments, chain)? {
        config.signal_times = times;
    }
    Ok(config)
}

/// When the test deployment is signalled for, as `-vbparams` says.
fn signal_times(arguments: &Arguments, chain: Chain) -> Result<Option<SignalTimes>, InitError> {
    let given = arguments.list("vbparams");
    if chain == Chain::Main && !given.is_empty() {
        return Err(InitError::new(
            "The -vbparams option may not be used on mainnet.",
        ));
    }
    let mut times = None;
    for text in &given {
        let parts: Vec<&str> = text.split(':').collect();
        let (name, start, timeout, height) = match parts[..] {
            [name, start, timeout] => (name, start, timeout, "0"),
            [name, start, timeout, height] => (name, start, timeout, height),
            _ => {
                return Err(InitError::new(
                    "Version bits parameters malformed, expecting deployment:start:end[:min_activation_height]",
                ));
            }
        };
        let number = |what: &str, text: &str| {
            // Core's numbers have no plus.
            let number = text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
            number.ok_or_else(|| InitError::new(format!("Invalid {what} ({text})")))
        };
        times = Some(SignalTimes {
            start: number("nStartTime", start)?,
            timeout: number("nTimeout", timeout)?,
            min_activation_height: number("min_activation_height", height)?,
        });
        if name != "testdummy" {
            return Err(InitError::new(format!("Invalid deployment ({name})")));
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::super::super::option::DAEMON;
    use super::*;

    fn read(options: &[&str]) -> Result<MiningConfig, String> {
        let line: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        let arguments = Arguments::parse(DAEMON, &line);
        let arguments = arguments.unwrap_or_else(|_| panic!("options that there are"));
        config(&arguments, Chain::Regtest).map_err(|error| error.to_string())
    }

    #[test]
    fn options_say_what_blocks_weigh_and_pay() {
        let config = read(&["-blockmaxweight=9000", "-blockmintxfee=0.00001"]).unwrap();
        assert_eq!((config.max_weight, config.reserved_weight), (9_000, 8_000));
        assert_eq!(config.min_fee.sat_per_kvb(), 1_000);
        let low = read(&["-blockreservedweight=1999"]).unwrap_err();
        assert!(low.contains("is lower than minimum safety value of (2000)"));
        assert!(read(&["-blockmaxweight=-1"]).is_err());
    }

    #[test]
    fn the_test_deployment_has_the_times_that_it_is_told() {
        let times =
            |text: &str| read(&[&format!("-vbparams={text}")]).map(|read| read.signal_times);
        let told = SignalTimes {
            start: -1,
            timeout: 999_999_999_999,
            min_activation_height: 432,
        };
        assert_eq!(times("testdummy:-1:999999999999:432"), Ok(told));
        for (text, error) in [
            (
                "testdummy:1",
                "Version bits parameters malformed, expecting deployment:start:end[:min_activation_height]",
            ),
            ("testdummy:a:1", "Invalid nStartTime (a)"),
            ("testdummy:1:+1", "Invalid nTimeout (+1)"),
            ("testdummy:1:1:", "Invalid min_activation_height ()"),
            ("taproot:1:1", "Invalid deployment (taproot)"),
        ] {
            assert_eq!(times(text), Err(error.to_owned()), "{text}");
        }
    }
}
