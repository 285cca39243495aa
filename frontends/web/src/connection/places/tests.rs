use std::time::Duration;

use super::*;

/// Whether a connection is told to go within a moment.
async fn goes(place: &Place) -> bool {
    let moment = Duration::from_millis(50);
    tokio::time::timeout(moment, place.dismissed())
        .await
        .is_ok()
}

#[tokio::test]
async fn the_longest_silent_connection_goes_when_another_comes() {
    let places = Arc::new(Places::new(2));
    let (first, second) = (places.take().await, places.take().await);
    // The first one asked since: the second one is silent longer.
    drop(first.answer());
    let third = tokio::spawn({
        let places = places.clone();
        async move { places.take().await }
    });
    assert!(goes(&second).await);
    assert!(second.answer().is_none());
    assert!(!third.is_finished());
    drop(second);
    let third = third.await.unwrap();
    assert!(!goes(&first).await && !goes(&third).await);
}

#[tokio::test]
async fn nobody_goes_while_an_answer_is_made() {
    let places = Arc::new(Places::new(1));
    let only = places.take().await;
    let answer = only.answer().unwrap().with(Body::from("content"));
    let next = tokio::spawn({
        let places = places.clone();
        async move { places.take().await }
    });
    assert!(!goes(&only).await);
    drop(answer);
    assert!(goes(&only).await);
    drop(only);
    next.await.unwrap();
    // Nobody waits any more, so nobody goes.
    let again = places.take().await;
    assert!(!goes(&again).await);
}

#[tokio::test]
async fn a_place_is_taken_until_its_last_answer_is_gone() {
    let places = Places::new(1);
    let place = places.take().await;
    let answer = place.answer().unwrap().with(Body::empty());
    drop(place);
    assert!(places.free.try_acquire().is_err());
    drop(answer);
    places.all_left().await;
    assert!(places.silent.queue().waiting.is_empty());
}
