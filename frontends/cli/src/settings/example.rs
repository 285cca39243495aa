//! Owns the example of a configuration file: every key, commented out, with what it is for.
//! Promises that the words are those of the options, and that the file is read as it stands, with and without its `#`.

use clap::CommandFactory;

use crate::args::Cli;

/// Columns of a line.
const WIDTH: usize = 100;

/// Commands whose options the keys are named after; of two with one name, the first one's.
const COMMANDS: [&str; 2] = ["run", "worlds"];

/// Each key with an example of its value, in groups.
const KEYS: &[(&str, &[(&str, &str)])] = &[
    (
        "Which chain, and where it is kept",
        &[
            ("network", "\"regtest\""),
            ("datadir", "\"/var/lib/everett/regtest\""),
            ("signet_challenge", "\"51\""),
            ("testactivationheight", "[\"segwit@100\"]"),
        ],
    ),
    (
        "The ledger",
        &[
            ("horizon", "288"),
            ("txindex", "true"),
            ("prune", "550"),
            ("retain_events", "100000"),
            ("event_quota", "1000000"),
            ("event_quota_mib", "1024"),
            ("assumevalid", "\"0\""),
            ("par", "0"),
            ("lab", "false"),
        ],
    ),
    (
        "gRPC",
        &[
            ("grpc", "\"127.0.0.1:8390\""),
            ("grpc_token", "\"a long random word\""),
            ("grpc_tls_cert", "\"cert.pem\""),
            ("grpc_tls_key", "\"key.pem\""),
            ("grpc_allow_open", "false"),
        ],
    ),
    (
        "JSON-RPC and REST",
        &[
            ("no_rpc", "false"),
            ("rpcport", "8332"),
            ("rest", "false"),
            ("rpcbind", "[\"127.0.0.1\"]"),
            ("rpcallowip", "[\"127.0.0.1\"]"),
            ("rpcuser", "\"user\""),
            ("rpcpassword", "\"password\""),
            ("rpcauth", "[\"user:salt$hash\"]"),
            ("rpccookiefile", "\".cookie\""),
            ("rpccookieperms", "\"owner\""),
            ("rpcwhitelist", "[\"user:getblockcount,getblock\"]"),
            ("rpcwhitelistdefault", "false"),
            ("rpcthreads", "16"),
            ("rpcworkqueue", "64"),
            ("rpcservertimeout", "30"),
            ("blockmaxweight", "4000000"),
            ("blockreservedweight", "8000"),
            ("blockmintxfee", "0.00000001"),
            ("blockversion", "536870912"),
            ("generate_to", "\"raw(51)\""),
        ],
    ),
    (
        "Wallets",
        &[
            ("disablewallet", "false"),
            ("wallet", "[\"savings\"]"),
            ("keypool", "1000"),
            ("walletcompat", "false"),
            ("wallet_warn_blocks", "6"),
        ],
    ),
    (
        "Peers",
        &[
            ("outgoing", "8"),
            ("incoming", "115"),
            ("serve", "[\"0.0.0.0:8333\"]"),
            ("connect_peer", "[\"127.0.0.1:18444\"]"),
            ("addnode", "[\"127.0.0.1:18444\"]"),
            ("blocksonly", "false"),
            ("whitelist", "[\"noban@127.0.0.1\"]"),
            ("relay", "true"),
            ("proxy", "\"127.0.0.1:9050\""),
            ("dnsseed", "true"),
            ("v2transport", "true"),
            ("discover", "true"),
            ("log_packets", "64"),
            ("fork_blocks", "100"),
            ("fork_peer_blocks", "50"),
            ("fork_bytes", "100000000"),
            ("no_p2p", "false"),
        ],
    ),
    (
        "ZeroMQ",
        &[
            ("zmqpubhashblock", "[\"tcp://127.0.0.1:28332\"]"),
            ("zmqpubhashblockhwm", "1000"),
            ("zmqpubhashtx", "[\"tcp://127.0.0.1:28332\"]"),
            ("zmqpubhashtxhwm", "1000"),
            ("zmqpubrawblock", "[\"tcp://127.0.0.1:28332\"]"),
            ("zmqpubrawblockhwm", "1000"),
            ("zmqpubrawtx", "[\"tcp://127.0.0.1:28332\"]"),
            ("zmqpubrawtxhwm", "1000"),
            ("zmqpubsequence", "[\"tcp://127.0.0.1:28332\"]"),
            ("zmqpubsequencehwm", "1000"),
        ],
    ),
    (
        "Web page, console, metrics, log",
        &[
            ("webui", "\"127.0.0.1:8380\""),
            ("no_web", "false"),
            ("user", "\"name:password\""),
            ("user_file", "\"login.txt\""),
            ("monitor", "\"console.sock\""),
            ("no_monitor", "false"),
            ("console_allow_write", "false"),
            ("metrics", "\"127.0.0.1:8391\""),
            ("metrics_allow_open", "false"),
            ("no_log", "false"),
            ("log_size", "16777216"),
            ("log_files", "16"),
        ],
    ),
    (
        "Commands that ask a node",
        &[
            ("connect", "\"http://127.0.0.1:8390\""),
            ("token", "\"a long random word\""),
            ("tls_ca", "\"cert.pem\""),
        ],
    ),
];

/// The file.
pub(crate) fn text() -> String {
    let mut text = String::from(
        "# Everett's settings: everett run --config everett.toml\n\
         #\n\
         # A key is an option of `everett run` with _ for -; what stands on the command line goes before it.\n\
         # Take the # from what is to be set. The values here are examples, not what holds without them.\n",
    );
    for (group, keys) in KEYS {
        text.push_str(&format!("\n## {group}\n"));
        for (key, example) in *keys {
            text.push('\n');
            for line in wrapped(&explanation(key)) {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&format!("#{key} = {example}\n"));
        }
    }
    text
}

/// What the option that a key is named after says of itself.
fn explanation(key: &str) -> String {
    let option = match key {
        // Of `run` it names peers, of the others the node that is asked.
        "connect_peer" => "connect".to_owned(),
        key => key.replace('_', "-"),
    };
    let (command, of_common) = match key {
        "connect" | "token" | "tls_ca" => (COMMANDS[1], false),
        _ => (COMMANDS[0], true),
    };
    let mut cli = Cli::command();
    cli.build();
    let found = (cli.find_subcommand(command).into_iter())
        .chain(of_common.then_some(&cli))
        .flat_map(clap::Command::get_arguments)
        .find(|argument| argument.get_long() == Some(&option));
    let help = found.and_then(|argument| argument.get_help());
    help.map(ToString::to_string).unwrap_or_default()
}

/// Text in lines that fit.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH - 2 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::file::SettingsFile;
    use super::*;

    /// The file as it stands in the repository.
    const FILE: &str = "../../docs/packaging/everett.toml";

    fn keys() -> BTreeSet<String> {
        let keys = KEYS.iter().flat_map(|(_, keys)| *keys);
        keys.map(|(key, _)| (*key).to_owned()).collect()
    }

    #[test]
    fn every_key_that_there_is_has_an_example_and_an_explanation() {
        // Serde names those that it knows.
        let unknown = toml::from_str::<SettingsFile>("nosuchkey = 1")
            .err()
            .unwrap();
        let known: BTreeSet<String> = (unknown.message().split('`').skip(3).step_by(2))
            .map(str::to_owned)
            .filter(|key| key != "web")
            .collect();
        assert_eq!(keys(), known);
        for key in keys() {
            assert!(explanation(&key).len() > 10, "{key}: {}", explanation(&key));
        }
    }

    #[test]
    fn the_example_is_read_as_it_stands_and_without_its_marks() {
        toml::from_str::<SettingsFile>(&text()).unwrap();
        let marked = |line: &str| {
            line.starts_with('#')
                && !line.starts_with("# ")
                && !line.starts_with("##")
                && line.len() > 1
        };
        let all: String = (text().lines())
            .map(|line| if marked(line) { &line[1..] } else { line })
            .map(|line| format!("{line}\n"))
            .collect();
        toml::from_str::<SettingsFile>(&all).unwrap();
        assert_eq!(
            all.lines()
                .filter(|line| line.contains(" = ") && !line.starts_with('#'))
                .count(),
            keys().len()
        );
    }

    #[test]
    fn the_file_of_the_packages_is_what_the_command_prints() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        if file != text() && std::env::var_os("EVERETT_WRITE_EXAMPLES").is_some() {
            std::fs::write(&path, text()).unwrap();
        } else {
            assert!(
                file == text(),
                "write it anew: everett config > docs/packaging/everett.toml"
            );
        }
    }
}
