//! Owns EventService: streams of events, and the cursors of those who follow them by name.

use std::sync::Arc;

use everett_ledger::{Policy, SubscriberStatus};
use everett_node::Handle;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::event_service_server::EventService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use crate::calls::Calls;
use crate::config::StreamLimits;
use crate::convert;
use crate::event_stream::{self, EventResponses};
use crate::event_wish::{EventWish, not_our_own};
use crate::fault::Fault;
use crate::parse;

pub(crate) struct Events {
    calls: Calls,
    limits: StreamLimits,
    places: Arc<Semaphore>,
}

impl Events {
    pub(crate) fn new(calls: Calls, limits: StreamLimits) -> Events {
        Events {
            calls,
            limits,
            places: Arc::new(Semaphore::new(limits.max_streams)),
        }
    }

    fn handle(&self) -> &Handle {
        self.calls.handle()
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let limit = self.limits.max_streams;
            Fault::new(
                Code::ResourceExhausted,
                ErrorReason::Overloaded,
                format!("{limit} event streams are open, the most this node takes"),
            )
            .with("limit", limit)
        })
    }
}

#[tonic::async_trait]
impl EventService for Events {
    type StreamEventsStream = EventResponses;

    async fn stream_events(
        &self,
        request: Request<v1::StreamEventsRequest>,
    ) -> Result<Response<EventResponses>, Status> {
        let network = self.handle().ledger().params().network;
        let wish = EventWish::read(request.into_inner(), network)?;
        let place = self.place()?;
        let handle = self.handle();
        let stream = match &wish.subscriber {
            Some(name) => handle.subscribe(name, wish.policy, wish.start.clone()),
            None => {
                let followed = handle.follow(wish.policy, wish.start.clone()).await;
                return Ok(self.begin(followed.map_err(Fault::from)?, wish, place));
            }
        };
        Ok(self.begin(stream.await.map_err(Fault::from)?, wish, place))
    }

    async fn ack_events(
        &self,
        request: Request<v1::AckEventsRequest>,
    ) -> Result<Response<v1::AckEventsResponse>, Status> {
        self.calls
            .read(request, |reading, request| {
                not_our_own(&request.subscriber)?;
                let cursor = parse::cursor("cursor", request.cursor)?;
                reading.ledger.acknowledge(&request.subscriber, cursor)?;
                Ok(v1::AckEventsResponse {})
            })
            .await
    }

    async fn list_subscribers(
        &self,
        request: Request<v1::ListSubscribersRequest>,
    ) -> Result<Response<v1::ListSubscribersResponse>, Status> {
        self.calls
            .read(request, |reading, _| {
                let log = reading.ledger.event_log()?;
                let subscribers = reading.ledger.subscribers()?;
                Ok(v1::ListSubscribersResponse {
                    subscribers: subscribers.into_iter().map(subscriber).collect(),
                    oldest_seq: log.oldest,
                    next_seq: log.next,
                })
            })
            .await
    }

    async fn delete_subscriber(
        &self,
        request: Request<v1::DeleteSubscriberRequest>,
    ) -> Result<Response<v1::DeleteSubscriberResponse>, Status> {
        self.calls
            .write(request, |reading, request| {
                let name = request.subscriber;
                not_our_own(&name)?;
                match reading.ledger.unregister(&name)? {
                    true => Ok(v1::DeleteSubscriberResponse {}),
                    false => Err(everett_ledger::EventsError::Unregistered { name }.into()),
                }
            })
            .await
    }
}

impl Events {
    fn begin(
        &self,
        stream: everett_node::EventStream,
        wish: EventWish,
        place: OwnedSemaphorePermit,
    ) -> Response<EventResponses> {
        let handle = self.handle().clone();
        let responses = event_stream::begin(handle, stream, wish, self.limits, place);
        Response::new(responses)
    }
}

fn subscriber(status: SubscriberStatus) -> v1::Subscriber {
    let lag = i64::try_from(status.lag_seconds).unwrap_or(i64::MAX);
    v1::Subscriber {
        name: status.name,
        policy: policy(status.policy).into(),
        cursor: Some(convert::cursor(status.cursor)),
        lag_events: status.lag_events,
        lag: Some(prost_types::Duration {
            seconds: lag,
            nanos: 0,
        }),
        missed_events: status.missed,
    }
}

fn policy(policy: Policy) -> v1::EventPolicy {
    match policy {
        Policy::Lossless => v1::EventPolicy::Lossless,
        Policy::Conflating => v1::EventPolicy::Conflating,
    }
}
