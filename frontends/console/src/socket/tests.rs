use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path)
        .unwrap()
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(SOCKET_NAME);
    let socket = Socket::bind(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(UnixStream::connect(&path).is_ok());
    // Nothing else is left in the directory.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    drop(socket);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_dead_nodes_socket_is_replaced_and_a_live_ones_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(SOCKET_NAME);
    let live = Socket::bind(&path).unwrap();
    assert!(matches!(
        Socket::bind(&path),
        Err(SocketError::InUse { .. })
    ));
    // As a node that was killed leaves it.
    let Socket { listener, .. } = &live;
    let dead = listener.try_clone().unwrap();
    std::mem::forget(live);
    drop(dead);
    let stale = directory.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let socket = Socket::bind(&stale).unwrap();
    assert_eq!(mode(&stale), 0o600);
    assert!(UnixStream::connect(&stale).is_ok());
    drop(socket);
    assert!(!stale.exists());
}

#[test]
fn what_is_no_socket_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(SOCKET_NAME);
    std::fs::write(&path, "letters").unwrap();
    assert!(matches!(
        Socket::bind(&path),
        Err(SocketError::NoSocket { .. })
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "letters");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        Socket::bind(&link),
        Err(SocketError::NoSocket { .. })
    ));
}

#[test]
fn a_path_that_is_too_long_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x".repeat(MAX_SOCKET_PATH));
    let error = Socket::bind(&path).err().unwrap();
    assert!(matches!(error, SocketError::PathTooLong { .. }), "{error}");
    assert!(error.to_string().contains("--monitor"), "{error}");
}

#[test]
fn a_path_that_another_took_over_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(SOCKET_NAME);
    let first = Socket::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = Socket::bind(&path).unwrap();
    drop(first);
    assert!(UnixStream::connect(&path).is_ok());
    drop(second);
}

#[test]
fn what_a_killed_node_left_of_its_binding_is_no_hindrance() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join(".c0");
    std::fs::create_dir(&left).unwrap();
    drop(UnixListener::bind(left.join("s")).unwrap());
    let path = directory.path().join(SOCKET_NAME);
    let socket = Socket::bind(&path).unwrap();
    drop(socket);
    drop(Socket::bind(&path).unwrap());
    assert!(!left.exists());
}
