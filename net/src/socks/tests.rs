//! Against the server of another crate.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;

use fast_socks5::server::{
    AuthMethodSuccessState, NoAuthentication, PasswordAuthentication, Socks5ServerProtocol,
    StandardAuthentication, StandardAuthenticationStarted, run_tcp_proxy,
};
use fast_socks5::util::target_addr::TargetAddr as Wanted;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const ONION: &str = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion:8333";

/// What a server was asked: credentials, if it wanted any, and whom for.
type Asked = Arc<Mutex<Vec<(Option<(String, String)>, String)>>>;

/// A proxy that leads every name to one place; it takes nobody, or refuses everybody, if told so.
async fn server(lead_to: SocketAddr, takes: bool, refuses: Option<ReplyError>) -> (Proxy, Asked) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let told = asked.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (told, refuses) = (told.clone(), refuses);
            tokio::spawn(async move {
                let methods = [
                    StandardAuthentication::PasswordAuthentication(PasswordAuthentication),
                    StandardAuthentication::NoAuthentication(NoAuthentication),
                ];
                let start = Socks5ServerProtocol::start(socket);
                let (credentials, protocol) = match start.negotiate_auth(&methods).await.unwrap() {
                    StandardAuthenticationStarted::PasswordAuthentication(login) => {
                        let (user, password, login) = login.read_username_password().await.unwrap();
                        if !takes {
                            return login.reject().await.unwrap();
                        }
                        let login = login.accept().await.unwrap();
                        (Some((user, password)), login.finish_auth())
                    }
                    StandardAuthenticationStarted::NoAuthentication(login) => {
                        (None, login.finish_auth())
                    }
                };
                let (protocol, command, wanted) = protocol.read_command().await.unwrap();
                assert!(matches!(command, Socks5Command::TCPConnect));
                told.lock().unwrap().push((credentials, wanted.to_string()));
                if let Some(reason) = refuses {
                    return protocol.reply_error(&reason).await.unwrap();
                }
                let to = match wanted {
                    Wanted::Ip(address) => Wanted::Ip(address),
                    Wanted::Domain(..) => Wanted::Ip(lead_to),
                };
                let _ = run_tcp_proxy(protocol, &to, Duration::from_secs(5), false).await;
            });
        }
    });
    let isolate = true;
    (Proxy { address, isolate }, asked)
}

/// Somebody who sends back what it is sent.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn says_hello(mut stream: TcpStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
}

#[tokio::test]
async fn bytes_go_through_and_names_are_left_to_the_proxy() {
    let echo = echo().await;
    let (proxy, asked) = server(echo, true, None).await;
    says_hello(connect(&proxy, &echo.into()).await.unwrap()).await;
    says_hello(connect(&proxy, &ONION.parse().unwrap()).await.unwrap()).await;
    let asked = asked.lock().unwrap();
    let whom: Vec<&str> = asked.iter().map(|(_, whom)| whom.as_str()).collect();
    assert_eq!(whom, [&echo.to_string(), ONION]);
}

#[tokio::test]
async fn with_isolation_no_two_connections_share_credentials() {
    let echo = echo().await;
    let (mut proxy, asked) = server(echo, true, None).await;
    for _ in 0..3 {
        connect(&proxy, &echo.into()).await.unwrap();
    }
    proxy.isolate = false;
    connect(&proxy, &echo.into()).await.unwrap();
    let asked = asked.lock().unwrap();
    let mut all: Vec<_> = asked[..3]
        .iter()
        .map(|(who, _)| who.clone().unwrap())
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 3);
    assert!(
        all.iter()
            .all(|(user, password)| user != password && user.len() == 32)
    );
    assert_eq!(asked[3].0, None);
}

#[tokio::test]
async fn a_refusal_is_told_from_a_host_that_is_not_there() {
    let echo = echo().await;
    let endpoint = Endpoint::from(echo);
    let (proxy, _) = server(echo, false, None).await;
    let error = connect(&proxy, &endpoint).await.unwrap_err();
    assert!(matches!(error, SocksError::Refused { .. }), "{error}");
    for (reason, text) in [
        (ReplyError::HostUnreachable, "Host unreachable"),
        (ReplyError::ConnectionRefused, "Connection refused"),
        (ReplyError::GeneralFailure, "General SOCKS server failure"),
    ] {
        let (proxy, _) = server(echo, true, Some(reason)).await;
        let error = connect(&proxy, &endpoint).await.unwrap_err();
        assert!(matches!(error, SocksError::Unreachable { .. }));
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn where_there_is_no_proxy_it_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let isolate = false;
    let proxy = Proxy { address, isolate };
    let error = connect(&proxy, &ONION.parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, SocksError::Proxy { .. }), "{error}");
}

#[tokio::test]
async fn what_no_proxy_reaches_is_not_asked_for() {
    let (proxy, asked) = server(echo().await, true, None).await;
    for text in [
        "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p:0",
        "bip155-9-00:1",
    ] {
        let error = connect(&proxy, &text.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, SocksError::NoRoute { .. }), "{error}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    let isolate = true;
    let proxy = Proxy { address, isolate };
    let target = TargetAddr::Ip(address);
    let error = reach(
        &proxy,
        target,
        "there".to_owned(),
        Duration::from_millis(50),
    )
    .await;
    assert!(matches!(error, Err(SocksError::Slow { .. })));
}

#[tokio::test]
async fn a_proxy_that_speaks_something_else_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let isolate = true;
    let error = connect(&Proxy { address, isolate }, &ONION.parse().unwrap()).await;
    assert!(matches!(error, Err(SocksError::Refused { .. })));
}
