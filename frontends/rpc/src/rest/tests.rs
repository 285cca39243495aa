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
