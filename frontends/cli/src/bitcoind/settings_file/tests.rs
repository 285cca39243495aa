use tempfile::tempdir;

use super::*;

#[test]
fn settings_in_json_are_read_and_written_as_they_were() {
    let directory = tempdir().unwrap();
    let path = directory.path().join(NAME);
    assert!(SettingsFile::read(&path).unwrap().values().is_empty());
    let text =
        r#"{"_warning_": "x", "par": "3", "prune": 550, "listen": false, "addnode": ["a", "b"]}"#;
    fs::write(&path, text).unwrap();
    for _ in 0..2 {
        let file = SettingsFile::read(&path).unwrap();
        let values = file.values();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(values.len(), 4);
        assert_eq!(values["par"], [text("3")]);
        assert_eq!(values["prune"], [text("550")]);
        assert_eq!(values["listen"], [Value::Switch(false)]);
        assert_eq!(values["addnode"], [text("a"), text("b")]);
        file.write(&path).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap().contains(REMARK_TEXT));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_no_object_or_says_something_twice_is_refused() {
    let directory = tempdir().unwrap();
    let path = directory.path().join(NAME);
    let place = path.display().to_string();
    for (text, error) in [
        (
            "[]",
            format!("Found non-object value [] in settings file {place}"),
        ),
        (
            "3",
            format!("Found non-object value 3 in settings file {place}"),
        ),
        (
            r#"{"a": 1, "b": 2, "a": 3}"#,
            format!("Found duplicate key a in settings file {place}"),
        ),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(SettingsFile::read(&path).unwrap_err(), error);
    }
    fs::write(&path, "{").unwrap();
    let error = SettingsFile::read(&path).unwrap_err();
    assert!(error.contains("does not contain valid JSON"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("none").join(NAME);
    let error = SettingsFile::default().write(&path).unwrap_err();
    assert_eq!(
        error,
        format!(
            "Error: Unable to open settings file {}.tmp for writing",
            path.display()
        )
    );
}
