use super::*;

/// As Core's `createpsbt` makes it: two inputs, one output, lock time 7.
const VERSION_2: &str = "cHNidP8BAgQCAAAAAQMEBwAAAAEEAQIBBQEBAfsEAgAAAAABDiDgaRGeldFjjbri3h+NQAq4pudezCmHTDlR1/H6XPEHvgEPBAAAAAABEAT9////AAEOIOBpEZ6V0WONuuLeH41ACrim517MKYdMOVHX8fpc8Qe+AQ8ECAAAAAEQBAUAAAAAAQMIgPD6AgAAAAABBBYAFHUedugZkZbUVJQcRdGzoyPxQzvWAA==";

#[test]
fn one_of_version_2_is_written_as_it_was_read() {
    let partial = Partial::parse(VERSION_2).unwrap();
    assert_eq!(partial.version, 2);
    assert_eq!(partial.psbt.unsigned_tx.lock_time.to_consensus_u32(), 7);
    assert_eq!(partial.extras[1].sequence, Some(5));
    assert_eq!(partial.text(), VERSION_2);
    let again = Partial::new(partial.psbt.unsigned_tx.clone(), 2).unwrap();
    assert_eq!(again.text(), VERSION_2);
    let old = Partial::new(partial.psbt.unsigned_tx.clone(), 0).unwrap();
    assert_eq!(Partial::parse(&old.text()).unwrap().version, 0);
}

#[test]
fn what_is_none_is_told_why() {
    let error = |text: &str| Partial::parse(text).unwrap_err().message;
    assert_eq!(error("xx"), "TX decode failed invalid base64");
    assert_eq!(
        error("AAAA"),
        "TX decode failed SpanReader::read(): end of data: iostream error"
    );
    assert!(error(&VERSION_2[..80]).starts_with("TX decode failed"));
}

#[test]
fn lock_times_of_inputs_are_joined() {
    let extra = |time, height| InputExtra {
        sequence: None,
        time,
        height,
    };
    assert_eq!(lock_time(&[extra(None, None)], Some(5)), Some(5));
    assert_eq!(
        lock_time(
            &[extra(None, Some(9)), extra(Some(600_000_000), Some(7))],
            None
        ),
        Some(9)
    );
    assert_eq!(
        lock_time(
            &[extra(Some(600_000_000), None), extra(None, Some(7))],
            None
        ),
        None
    );
    assert_eq!(
        lock_time(&[extra(Some(600_000_000), None)], None),
        Some(600_000_000)
    );
}
