use super::route;

#[test]
fn a_path_goes_to_the_first_beginning_that_fits() {
    let beginning = |target| route(target).map(|route| route.beginning);
    assert_eq!(
        beginning("/rest/block/notxdetails/00.json"),
        Some("/rest/block/notxdetails/")
    );
    assert_eq!(beginning("/rest/block/00.json"), Some("/rest/block/"));
    assert_eq!(beginning("/rest/chaininfo.json"), Some("/rest/chaininfo"));
    assert_eq!(
        beginning("/rest/deploymentinfo.json?at=best"),
        Some("/rest/deploymentinfo")
    );
    assert_eq!(beginning("/rest/tx"), None);
    assert_eq!(beginning("/"), None);
}

#[test]
fn a_body_is_read_only_for_outputs_and_has_to_be_small() {
    let limit = |target| route(target).unwrap().body_limit();
    assert_eq!(limit("/rest/getutxos.bin"), Some(16 * 1024));
    assert_eq!(limit("/rest/getutxos/checkmempool.hex"), Some(16 * 1024));
    for (beginning, _) in super::ROUTES {
        let read = limit(beginning).is_some();
        assert_eq!(read, beginning == "/rest/getutxos", "{beginning}");
    }
}
