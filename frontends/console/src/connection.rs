//! Owns one client: its frames in, its replies out, and the session between them.
//! Promises that the script of a client that goes away is stopped, and that requests are read while one runs.
//! Refuses more requests than a few that wait: the rest stays in the client.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everett_node::StopSignal;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::limits::{MAX_WAITING_REPLIES, MAX_WAITING_REQUESTS, STACK_BYTES};
use crate::protocol::{FrameError, Reply, Request, ScriptError, read, write};
use crate::session::{Ground, Job, run};

/// How long scripts may run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Unless the client says otherwise.
    pub(crate) usual: Duration,
    /// Whatever the client says.
    pub(crate) most: Duration,
}

/// Scripts that run or wait, by their ids, with the flags that stop them.
#[derive(Clone, Default)]
struct Under(Arc<Mutex<VecDeque<Running>>>);

/// A script's number, and the flag that stops it.
type Running = (u64, Arc<AtomicBool>);

impl Under {
    fn begin(&self, id: u64) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        self.0.lock().push_back((id, flag.clone()));
        flag
    }

    fn end(&self, id: u64) {
        let mut jobs = self.0.lock();
        if let Some(place) = jobs.iter().position(|(job, _)| *job == id) {
            jobs.remove(place);
        }
    }

    fn cancel(&self, id: u64) {
        let jobs = self.0.lock();
        for (_, flag) in jobs.iter().filter(|(job, _)| *job == id) {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

/// Stops all that runs when the connection is gone, however it went.
struct Stopping(Under);

impl Drop for Stopping {
    fn drop(&mut self) {
        for (_, flag) in self.0.0.lock().iter() {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

/// Serves a client until it goes, or `stop` is given; returns when the session's thread has ended.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    ground: Ground,
    times: Times,
    stop: StopSignal,
) -> Result<(), FrameError> {
    let (jobs, waiting) = mpsc::channel(MAX_WAITING_REQUESTS);
    let (replies, mut ready) = mpsc::channel(MAX_WAITING_REPLIES);
    let refusals = replies.clone();
    let (ended, mut session_ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::Builder::new()
        .name("console".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            // Dropped when the thread is done, also by a panic.
            let _ended = ended;
            run(&ground, waiting, &replies);
        })?;
    let under = Under::default();
    let stopping = Stopping(under.clone());
    let (mut input, mut output) = tokio::io::split(stream);
    let end = {
        let answering = async {
            while let Some(reply) = ready.recv().await {
                match &reply {
                    Reply::Done { id, .. } => under.end(*id),
                    Reply::Error(error) => under.end(error.id),
                    _ => {}
                }
                write(&mut output, &reply).await?;
            }
            Ok(())
        };
        let asking = async {
            while let Some(request) = read(&mut input).await? {
                match request {
                    Request::Cancel { id } => under.cancel(id),
                    Request::Eval(eval) => {
                        let id = eval.id;
                        let time = eval.time_ms.map_or(times.usual, Duration::from_millis);
                        let job = Job {
                            cancelled: under.begin(id),
                            time: time.min(times.most),
                            eval,
                        };
                        // To wait for room here would be to miss the client's end.
                        if jobs.try_send(job).is_err() && refusals.send(too_many(id)).await.is_err()
                        {
                            break;
                        }
                    }
                }
            }
            Ok(())
        };
        tokio::select! {
            end = asking => end,
            end = answering => end,
            () = stop.wait() => Ok(()),
            // The session's thread is lost.
            _ = &mut session_ended => return Ok(()),
        }
    };
    // What runs is told first; then nobody reads replies, and no job comes: the thread ends.
    drop(stopping);
    drop(jobs);
    drop(ready);
    let _ = session_ended.await;
    end
}

fn too_many(id: u64) -> Reply {
    Reply::Error(ScriptError {
        id,
        reason: "OVERLOADED".to_owned(),
        message: format!(
            "{MAX_WAITING_REQUESTS} scripts of this session wait already; send one after the other"
        ),
        line: None,
        column: None,
    })
}
