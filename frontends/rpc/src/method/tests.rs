use super::*;
use crate::error::{INVALID_PARAMETER, MISC_ERROR, TYPE_ERROR};
use crate::json::Json;

static SAMPLE: Method = Method {
    name: "sample",
    category: Category::Util,
    about: "A sample.",
    arguments: &[
        Argument::required("first", Kind::Text, "One"),
        Argument::required("second|other", Kind::Number, "Two"),
        Argument::default("third", Kind::Bool, "true", "Three"),
        Argument::optional("options", Kind::Object, "More").options(&[Argument::optional(
            "extra",
            Kind::Number,
            "Four",
        )]),
    ],
    result: "null",
    at: true,
    run: Run::Read(|_| Ok(Json::Null)),
};

fn take(params: &str) -> Result<String, (i32, String)> {
    let params = Json::parse(params.as_bytes()).unwrap();
    let given = SAMPLE.take(&params);
    given
        .map(|given| Json::Array(given.places).write())
        .map_err(|error| (error.code, error.message))
}

#[test]
fn shapes_are_of_methods_and_of_their_arguments() {
    for name in shapes::methods() {
        let method = crate::registry::find(name).unwrap_or_else(|| panic!("{name}"));
        for shape in shapes::of(name).arguments {
            let mut arguments = method.arguments.iter();
            let known = arguments.any(|argument| argument.first_name() == shape.heading);
            assert!(known, "{name} {}", shape.heading);
        }
    }
}

#[test]
fn arguments_come_by_place_and_by_name() {
    assert_eq!(take(r#"["a",1]"#).unwrap(), r#"["a",1]"#);
    assert_eq!(take(r#"{"other":1,"first":"a"}"#).unwrap(), r#"["a",1]"#);
    assert_eq!(
        take(r#"{"args":["a"],"second":1,"extra":3}"#).unwrap(),
        r#"["a",1,null,{"extra":3}]"#
    );
    assert_eq!(take(r#"{"args":["a",1,true]}"#).unwrap(), r#"["a",1,true]"#);
    assert_eq!(
        take(r#"{"args":["a",1],"at":"best"}"#).unwrap(),
        r#"["a",1]"#
    );
}

#[test]
fn what_is_wrong_with_names_is_said_as_core_says_it() {
    let parameter = |text: &str| Err((INVALID_PARAMETER, text.to_owned()));
    assert_eq!(
        take(r#"{"first":"a","nonsense":1}"#),
        parameter("Unknown named parameter nonsense")
    );
    assert_eq!(
        take(r#"{"first":"a","first":"b"}"#),
        parameter("Parameter first specified multiple times")
    );
    assert_eq!(
        take(r#"{"args":["a",1],"second":1}"#),
        parameter("Parameter second|other specified twice both as positional and named argument")
    );
    assert_eq!(
        take(r#"{"first":"a","second":1,"options":{},"extra":1}"#),
        parameter("Parameter options conflicts with parameter extra")
    );
}

#[test]
fn a_wrong_number_of_arguments_is_answered_with_the_help() {
    for params in ["[]", r#"["a"]"#, r#"["a",1,true,{},5]"#] {
        let (code, text) = take(params).unwrap_err();
        assert_eq!(code, MISC_ERROR);
        assert!(
            text.starts_with("sample \"first\" second ( third options )\n\nA sample.\n"),
            "{text}"
        );
    }
}

#[test]
fn all_wrong_types_are_named_at_once() {
    let (code, text) = take(r#"[1,"x",null]"#).unwrap_err();
    assert_eq!(code, TYPE_ERROR);
    assert_eq!(
        text,
        "Wrong type passed:\n{\n    \"Position 1 (first)\": \"JSON value of type number is not of expected type \
         string\",\n    \"Position 2 (second|other)\": \"JSON value of type string is not of expected type number\"\n}"
    );
}
