//! Owns the table of the client's options: those of Core's `bitcoin-cli` 31.

use crate::bitcoind::option::{OptionSpec, OptionTable};

const fn does(name: &'static str, value: &'static str, about: &'static str) -> OptionSpec {
    OptionSpec::does(name, value, about)
}

/// The options of the client.
pub(super) const CLIENT: OptionTable = OptionTable(&[
    does("help", "", "Print this text and exit (also -h and -?)"),
    does("h", "", "The same"),
    does("?", "", "The same"),
    does("version", "", "Print the version and exit"),
    does(
        "conf",
        "=<file>",
        "The configuration file, relative to the data directory (default: bitcoin.conf)",
    ),
    does(
        "datadir",
        "=<dir>",
        "The data directory; it has to exist (default: ~/.bitcoin)",
    )
    .no_negation(),
    does(
        "includeconf",
        "=<file>",
        "Read another file as well; in the configuration file only",
    ),
    does(
        "chain",
        "=<chain>",
        "main, test, testnet4, signet or regtest (default: main)",
    ),
    does("regtest", "", "The same as -chain=regtest"),
    does("signet", "", "The same as -chain=signet"),
    does("signetchallenge", "=<hex>", "Without effect here").no_negation(),
    does("signetseednode", "=<host>", "Without effect here").no_negation(),
    does(
        "testactivationheight",
        "=name@height",
        "Without effect here",
    ),
    does("testnet", "", "The same as -chain=test"),
    does("testnet4", "", "The same as -chain=testnet4"),
    does(
        "vbparams",
        "=deployment:start:end[:height]",
        "Without effect here",
    ),
    does(
        "color",
        "=<when>",
        "Colours of -getinfo: always, auto (on a terminal) or never (default: auto)",
    )
    .no_negation(),
    does("named", "", "Arguments are NAME=VALUE (default: 0)"),
    does("rpcid", "=<id>", "The id of the request (default: 1)")
        .no_negation()
        .no_elision(),
    does(
        "rpcclienttimeout",
        "=<n>",
        "Seconds to wait for an answer; 0 waits for ever (default: 900)",
    ),
    does(
        "rpcconnect",
        "=<ip>",
        "The node's address (default: 127.0.0.1)",
    ),
    does(
        "rpccookiefile",
        "=<loc>",
        "The cookie, relative to the network's directory (default: .cookie)",
    ),
    does(
        "rpcpassword",
        "=<pw>",
        "The password, in place of the cookie",
    ),
    does(
        "rpcport",
        "=<port>",
        "The port (default: 8332, testnet3: 18332, testnet4: 48332, signet: 38332, regtest: 18443)",
    )
    .network_only(),
    does("rpcuser", "=<user>", "The name that goes with the password"),
    does("rpcwait", "", "Wait for the node to start"),
    does(
        "rpcwaittimeout",
        "=<n>",
        "Seconds to wait for that; 0 waits for ever (default: 0)",
    )
    .no_negation(),
    does("rpcwallet", "=<walletname>", "Ask a wallet of the node"),
    does(
        "stdin",
        "",
        "Read further arguments from standard input, one a line",
    ),
    does(
        "stdinrpcpass",
        "",
        "Read the password from standard input, its first line",
    ),
    does(
        "stdinwalletpassphrase",
        "",
        "Read a wallet's passphrase from standard input, the next line",
    ),
    does(
        "ipcconnect",
        "=<address>",
        "Without effect: the node is asked over HTTP",
    ),
    does("addrinfo", "", "Count the addresses that the node knows").command(),
    does(
        "generate",
        "",
        "Make blocks to a new address of the wallet: -generate [blocks] [tries]",
    )
    .command(),
    does("getinfo", "", "Tell how the node is").command(),
    does(
        "netinfo",
        "",
        "Tell of its connections: -netinfo [0 to 4] [outonly], -netinfo help",
    )
    .command(),
]);
