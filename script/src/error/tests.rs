use super::*;

#[test]
fn names_are_unique_and_lead_back() {
    for error in ScriptError::ALL {
        assert_eq!(ScriptError::from_name(error.name()), Some(*error));
    }
    assert_eq!(ScriptError::from_name("OK"), None);
}

#[test]
fn the_text_is_cores() {
    assert_eq!(
        ScriptError::OpReturn.to_string(),
        "OP_RETURN was encountered"
    );
    assert_eq!(
        ScriptError::SigHighS.to_string(),
        "Non-canonical signature: S value is unnecessarily high"
    );
}
