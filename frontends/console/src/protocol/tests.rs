use super::*;

#[tokio::test]
async fn a_message_survives_its_frame() {
    let request = Request::Eval(Eval {
        id: 7,
        script: "best()".to_owned(),
        json: true,
        lines: false,
        time_ms: None,
    });
    let mut bytes = Vec::new();
    write(&mut bytes, &request).await.unwrap();
    assert_eq!(
        &bytes[4..],
        br#"{"type":"eval","id":7,"script":"best()","json":true,"lines":false}"#
    );
    let back: Option<Request> = read(&mut &bytes[..]).await.unwrap();
    assert_eq!(back, Some(request));
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_refused_by_its_length() {
    let bytes = u32::MAX.to_be_bytes();
    let answer = read::<Request>(&mut &bytes[..]).await;
    assert!(matches!(answer, Err(FrameError::TooLong(_))), "{answer:?}");
}

#[tokio::test]
async fn a_torn_frame_and_one_of_something_else_are_errors() {
    let torn = [0, 0, 0, 9, b'{'];
    assert!(matches!(
        read::<Request>(&mut &torn[..]).await,
        Err(FrameError::Io(_))
    ));
    let other = [0, 0, 0, 2, b'{', b'}'];
    assert!(matches!(
        read::<Request>(&mut &other[..]).await,
        Err(FrameError::Malformed(_))
    ));
    assert!(read::<Request>(&mut &[][..]).await.unwrap().is_none());
}
