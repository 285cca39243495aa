use super::*;

fn file(text: &str) -> SettingsFile {
    toml::from_str(text).unwrap()
}

fn args() -> P2pArgs {
    P2pArgs::default()
}

fn regtest(args: P2pArgs, text: &str) -> Result<Option<P2pConfig>, Failure> {
    options(args, &file(text), Network::Regtest, false)
}

#[test]
fn public_networks_are_joined_and_private_ones_only_when_told_to() {
    for network in Network::ALL {
        let public = network != Network::Regtest;
        let joined = options(args(), &file(""), network, false).unwrap();
        assert_eq!(joined.is_some(), public, "{network}");
        if let Some(joined) = joined {
            assert!(joined.listen.is_empty() && joined.dns_seeds && joined.v2);
            assert!(joined.relay && !joined.discover);
        }
        let lab = options(args(), &file(""), network, true).unwrap();
        assert_eq!(lab, None, "{network}");
    }
    for text in ["serve = [\"127.0.0.1:0\"]", "relay = true", "outgoing = 0"] {
        let joined = regtest(args(), text).unwrap().unwrap();
        assert!(!joined.dns_seeds, "{text}");
    }
}

#[test]
fn transactions_are_relayed_unless_blocks_alone_are_wanted() {
    let relay = |args, text| regtest(args, text).unwrap().unwrap().relay;
    let serve = "serve = [\"127.0.0.1:0\"]\n";
    assert!(relay(args(), serve));
    assert!(!relay(args(), "blocksonly = true"));
    assert!(!relay(args(), "relay = false"));
    let only = P2pArgs {
        blocksonly: Some(true),
        ..args()
    };
    assert!(!relay(only, "relay = true"));
    let wish = P2pArgs {
        relay: Some(true),
        ..args()
    };
    assert!(relay(wish, "blocksonly = true"));
}

#[test]
fn staying_off_is_said_on_the_command_line_or_in_the_file() {
    let off = P2pArgs {
        no_p2p: true,
        ..args()
    };
    assert_eq!(regtest(off, "relay = true").unwrap(), None);
    let signet = |args| options(args, &file("no_p2p = true"), Network::Signet, false).unwrap();
    assert_eq!(signet(args()), None);
    // What is asked for on the command line goes before the file.
    let wish = P2pArgs {
        relay: Some(true),
        ..args()
    };
    assert!(signet(wish).is_some());
}

#[test]
fn it_listens_where_it_is_told_to_or_when_calls_are_wanted() {
    let listen = |text| regtest(args(), text).unwrap().unwrap().listen;
    assert_eq!(listen("incoming = 3"), ["0.0.0.0:18444".parse().unwrap()]);
    assert!(listen("incoming = 0").is_empty());
    let here = "serve = [\"127.0.0.1:1\", \"[::1]:2\"]";
    assert_eq!(listen(here).len(), 2);
    let both = P2pArgs {
        incoming: Some(0),
        ..args()
    };
    let failure = regtest(both, here).unwrap_err().to_string();
    assert!(failure.contains("--incoming 0"), "{failure}");
}

#[test]
fn peers_have_the_port_of_their_network_and_others_are_left_alone() {
    let wish = P2pArgs {
        connect_peer: vec!["192.0.2.1".to_owned(), "[2001:db8::1]:7".to_owned()],
        ..args()
    };
    let text = "outgoing = 4\nconnect_peer = [\"192.0.2.9\"]\naddnode = [\"192.0.2.3\"]";
    let options = options(wish, &file(text), Network::Mainnet, false);
    let options = options.unwrap().unwrap();
    let words = |list: &[Endpoint]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        words(&options.connect),
        ["192.0.2.1:8333", "[2001:db8::1]:7"]
    );
    assert_eq!(words(&options.add), ["192.0.2.3:8333"]);
    assert_eq!(
        (options.outgoing, options.dns_seeds),
        (everett_p2p::DEFAULT_OUTGOING, false)
    );
    let wrong = P2pArgs {
        addnode: vec!["seed.example.org".to_owned()],
        ..args()
    };
    let failure = regtest(wrong, "").unwrap_err().to_string();
    assert!(failure.contains("--addnode"), "{failure}");
}
