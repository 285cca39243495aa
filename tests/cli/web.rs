//! The options of the web page.

use std::io::{Read, Write};
use std::net::TcpStream;

use tempfile::TempDir;

use crate::everett::{Serving, everett, on};

/// The status line that the page at `url` answers with.
fn status(url: &str, header: &str) -> String {
    let address = url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/admin/"));
    let address = address.unwrap_or_else(|| panic!("{url}"));
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /admin/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_node_and_a_lab_say_where_their_page_is_and_serve_it() {
    let directory = TempDir::new().unwrap();
    let node = Serving::run(directory.path(), &[]);
    let lab = Serving::start(&["lab", "--json", "--grpc", "127.0.0.1:0"], "worlds");
    for serving in [&node, &lab] {
        let url = serving.ready["web"].as_str().unwrap();
        assert_eq!(status(url, ""), "HTTP/1.1 200 OK");
    }
    assert!(node.stop("TERM").success());
    assert!(lab.stop("INT").success());
}

#[test]
fn the_page_can_be_left_out() {
    let directory = TempDir::new().unwrap();
    let node = Serving::run(directory.path(), &["--no-web"]);
    assert!(node.ready["web"].is_null());
    assert!(node.stop("TERM").success());
}

#[test]
fn a_login_comes_from_an_option_or_a_file() {
    let directory = TempDir::new().unwrap();
    let login = directory.path().join("login.txt");
    std::fs::write(&login, "ann:secret\n").unwrap();
    let authorization = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
    let by_file = ["--user-file", login.to_str().unwrap()];
    for options in [&["-u", "ann:secret"][..], &by_file] {
        let data = TempDir::new().unwrap();
        let node = Serving::run(data.path(), options);
        let url = node.ready["web"].as_str().unwrap();
        assert_eq!(status(url, ""), "HTTP/1.1 401 Unauthorized");
        assert_eq!(status(url, authorization), "HTTP/1.1 200 OK");
        assert!(node.stop("TERM").success());
    }
    let data = TempDir::new().unwrap();
    let both = [&["run", "--grpc", "127.0.0.1:0", "-u", "a:b"][..], &by_file].concat();
    for (options, code, word) in [
        (&both[..], 2, "given twice"),
        (&["run", "--user", "ann"], 2, "NAME:PASSWORD"),
        (&["run", "--user-file", "/no/such"], 2, "/no/such"),
    ] {
        let answer = on(data.path(), options);
        assert_eq!(answer.code, Some(code), "{answer:?}");
        assert!(answer.stderr.contains(word), "{answer:?}");
    }
}

#[test]
fn what_keeps_the_page_from_listening_names_its_options() {
    let directory = TempDir::new().unwrap();
    let node = Serving::run(directory.path(), &[]);
    let url = node.ready["web"].as_str().unwrap();
    let port = url
        .trim_start_matches("http://")
        .trim_end_matches("/admin/");
    let other = TempDir::new().unwrap();
    let run = ["run", "--grpc", "127.0.0.1:0", "-a"];
    let answer = on(other.path(), &[&run[..], &[port]].concat());
    assert_eq!(answer.code, Some(1), "{answer:?}");
    for word in [port, "--webui", "--no-web"] {
        assert!(answer.stderr.contains(word), "{answer:?}");
    }
    assert!(node.stop("TERM").success());

    let answer = on(other.path(), &[&run[..], &["0.0.0.0:0"]].concat());
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.stderr.contains("--user"), "{answer:?}");
    let answer = everett(&["run", "--webui", "nowhere"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
}
