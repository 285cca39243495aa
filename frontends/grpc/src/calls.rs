//! Owns the way every call takes to the ledger: admission, deadline, a thread to work on.
//! Promises an answer by the deadline, and that work nobody waits for stops soon.
//! Refuses calls beyond the limit at once rather than to let them queue.

use std::sync::Arc;
use std::time::Duration;

use everett_node::{CallError, Handle};
use everett_proto::v1::ErrorReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tonic::{Code, Request, Response, Status};

use crate::deadline::{Deadline, Patience};
use crate::fault::Fault;
use crate::pins::Pins;
use crate::reading::Reading;

/// What all services of a server share. Clones share one admission and one set of pins.
#[derive(Clone)]
pub(crate) struct Calls {
    handle: Handle,
    pins: Arc<Pins>,
    admission: Arc<Semaphore>,
    max_calls: usize,
    max_time: Option<Duration>,
}

impl Calls {
    pub(crate) fn new(
        handle: Handle,
        pins: Arc<Pins>,
        max_calls: usize,
        max_time: Option<Duration>,
    ) -> Calls {
        Calls {
            handle,
            pins,
            admission: Arc::new(Semaphore::new(max_calls)),
            max_calls,
            max_time,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn lab(&self) -> bool {
        self.handle.lab()
    }

    /// Answers a call that reads the ledger.
    pub(crate) async fn read<Q, A>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Reading<'_>, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        self.answer(request, Side::Read, work).await
    }

    /// Answers a call that writes to the ledger. A write that has begun is finished, whoever waits for it.
    pub(crate) async fn write<Q, A>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Reading<'_>, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        self.answer(request, Side::Write, work).await
    }

    /// Answers a call that hands in blocks: the ledger decides which of those that wait goes first.
    pub(crate) async fn submit<Q, A>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Reading<'_>, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        self.answer(request, Side::Submit, work).await
    }

    async fn answer<Q, A>(
        &self,
        request: Request<Q>,
        side: Side,
        work: impl FnOnce(&Reading<'_>, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let admitted = self.admit()?;
        let deadline = Deadline::of(request.metadata(), self.max_time);
        let (patience, client) = Patience::new(deadline);
        let pins = self.pins.clone();
        let work = move |ledger: &everett_ledger::Ledger| {
            // Work that outlives its caller still counts.
            let _admitted = admitted;
            patience.check()?;
            work(&Reading::new(ledger, &pins, patience), request.into_inner())
        };
        let call = async {
            match side {
                Side::Read => self.handle.read(work).await,
                Side::Write => self.handle.write(work).await,
                Side::Submit => self.handle.submit(work).await,
            }
        };
        let answer: Result<Result<A, Fault>, CallError> = match deadline.instant() {
            None => call.await,
            Some(moment) => tokio::time::timeout_at(moment, call)
                .await
                .map_err(|_| self.too_late())?,
        };
        drop(client);
        Ok(Response::new(answer.map_err(Fault::from)??))
    }

    /// Why there is no answer in time: a node that stops does not answer later either.
    fn too_late(&self) -> Fault {
        match self.handle.stop_signal().is_given() {
            true => CallError::ShuttingDown.into(),
            false => Fault::deadline_exceeded(),
        }
    }

    /// Waits until no call is in flight, and admits none from then on.
    pub(crate) async fn drain(&self) {
        let all = u32::try_from(self.max_calls).unwrap_or(u32::MAX);
        // An error means that somebody drained it before.
        let _ = self.admission.acquire_many(all).await;
        self.admission.close();
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.admission.clone().try_acquire_owned().map_err(|full| {
            if full == TryAcquireError::Closed {
                return CallError::ShuttingDown.into();
            }
            Fault::new(
                Code::ResourceExhausted,
                ErrorReason::Overloaded,
                format!(
                    "{} calls are in flight, the most this node takes; try again later",
                    self.max_calls
                ),
            )
            .with("limit", self.max_calls)
        })
    }
}

/// Which places on the ledger a call takes.
enum Side {
    Read,
    Write,
    Submit,
}
