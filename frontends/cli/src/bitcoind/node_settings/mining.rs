//! Owns the settings of blocks that are made here, as the options say them.

use everett_mining::MiningConfig;

use super::super::arguments::Arguments;
use super::super::failure::InitError;
use super::mempool::rate;

/// What the options say.
pub(super) fn config(arguments: &Arguments) -> Result<MiningConfig, InitError> {
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
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::super::super::option::DAEMON;
    use super::*;

    fn read(options: &[&str]) -> Result<MiningConfig, String> {
        let line: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        let arguments = Arguments::parse(DAEMON, &line);
        let arguments = arguments.unwrap_or_else(|_| panic!("options that there are"));
        config(&arguments).map_err(|error| error.to_string())
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
}
