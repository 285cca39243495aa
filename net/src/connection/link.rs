//! Owns a connection's socket: one future that reads, writes, keeps time and listens to the handles.
//! Promises one task a connection and no buffer of its own while nothing moves.
//! Refuses to run ahead: it reads while the receive budget lasts, and encrypts while the socket takes bytes.

use std::cell::Cell;
use std::future::Future;
use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::budget::Permit;
use super::peer::{Peer, cost};
use super::{Clock, DRAINED_BELOW, LostReason, RECEIVE_BUDGET};
use crate::message::Message;
use crate::peer::PeerInfo;
use crate::session::{Session, SessionEvent};

/// Bytes read at once, into a buffer that all connections of a thread share.
const READ_AT_ONCE: usize = 128 * 1024;

/// Reads in a row before other connections get their turn.
const READS_IN_A_ROW: usize = 8;

/// Bytes that are put on the wire ahead of the socket; the rest waits as messages, which share their payloads.
const WRITE_AHEAD: usize = 256 * 1024;

/// Pieces that one write takes.
const PIECES: usize = 16;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Who is told what happens on a connection. Calls must not block.
pub(crate) trait Owner: Send + Sync {
    /// The handshake is over.
    fn established(&self, peer: &Peer, info: PeerInfo);
    /// A message came.
    fn message(&self, peer: &Peer, message: Message, permit: Permit);
    /// Much waited to be written, and no longer does.
    fn drained(&self, _peer: &Peer) {}
}

/// The future that is a connection; its output is why it ended.
pub(crate) struct Link<S, O> {
    stream: S,
    session: Session,
    peer: Peer,
    owner: O,
    clock: Clock,
    write_stall: Duration,
    sleep: Pin<Box<Sleep>>,
    wake_at: Duration,
    /// Since when the socket takes nothing of what waits.
    stalled_since: Option<Duration>,
    /// Since when nothing is read because too much is held.
    paused_since: Option<Duration>,
    was_full: bool,
    unflushed: bool,
}

/// How a step went.
enum Step {
    Moved,
    Waits,
}

impl<S: AsyncRead + AsyncWrite + Unpin, O: Owner + Unpin> Link<S, O> {
    pub(crate) fn new(
        stream: S,
        session: Session,
        peer: Peer,
        owner: O,
        clock: Clock,
        write_stall: Duration,
    ) -> Link<S, O> {
        let wake_at = session.deadline();
        Link {
            stream,
            session,
            peer,
            owner,
            clock,
            write_stall,
            sleep: Box::pin(tokio::time::sleep_until(clock.at(wake_at))),
            wake_at,
            stalled_since: None,
            paused_since: None,
            was_full: false,
            unflushed: false,
        }
    }

    /// Whether the peer should be called again with v1.
    pub(crate) fn should_fall_back(&self) -> bool {
        self.session.should_fall_back()
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Result<Step, LostReason> {
        let now = self.clock.now();
        let closing = self.listen(cx);
        let mut moved = self.write(cx, now)?;
        if let Some(reason) = closing {
            return Err(reason);
        }
        moved |= self.read(cx, now)?;
        self.keep_time(cx, now)?;
        Ok(if moved { Step::Moved } else { Step::Waits })
    }

    /// Takes what the handles say: messages as far as the socket is likely to take them, and whether to end.
    fn listen(&mut self, cx: &mut Context<'_>) -> Option<LostReason> {
        let shared = self.peer.shared.clone();
        let mut taken = 0;
        let closing = loop {
            let message = {
                let mut lines = shared.lines();
                if !lines
                    .waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
                {
                    lines.waker = Some(cx.waker().clone());
                }
                let room = self.session.output_length() < WRITE_AHEAD;
                if !self.session.is_established() || !room {
                    break lines.close.clone();
                }
                match lines.queue.pop_front() {
                    Some(message) => message,
                    None => {
                        if lines.queue.capacity() > PIECES {
                            lines.queue = Default::default();
                        }
                        break lines.close.clone();
                    }
                }
            };
            taken += cost(&message);
            // Its length was judged when it was queued, so only the cipher can refuse it.
            if let Err(error) = self.session.send(&message, self.clock.now()) {
                tracing::debug!(peer = %self.peer.id(), %error, "message not sent");
            }
        };
        // What the session holds is counted before the queue lets go of it, so `queued` never falls short.
        let unwritten = self.session.output_length();
        shared.unwritten.store(unwritten, Ordering::Release);
        // Whoever has seen a full queue waits to hear that it no longer is, also if all of it is written at once.
        self.was_full |= self.peer.queued() >= DRAINED_BELOW;
        shared.waiting.fetch_sub(taken, Ordering::AcqRel);
        closing
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Duration) -> Result<bool, LostReason> {
        let mut moved = false;
        while self.session.output_length() > 0 {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let count = self.session.output_slices(&mut slices);
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write_vectored(cx, &slices[..count]) {
                Poll::Pending => {
                    let since = *self.stalled_since.get_or_insert(now);
                    if now >= since + self.write_stall {
                        let after = self.write_stall;
                        return Err(LostReason::WriteStalled { after });
                    }
                    break;
                }
                Poll::Ready(Ok(0)) => return Err(LostReason::Closed),
                Poll::Ready(Ok(written)) => {
                    self.session.output_written(written);
                    self.stalled_since = None;
                    self.unflushed = true;
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Err(lost(error)),
            }
        }
        if self.session.output_length() == 0 {
            self.stalled_since = None;
            if self.unflushed && Pin::new(&mut self.stream).poll_flush(cx).is_ready() {
                self.unflushed = false;
            }
        }
        self.report_queue();
        Ok(moved)
    }

    fn report_queue(&mut self) {
        let unwritten = self.session.output_length();
        let shared = &self.peer.shared;
        shared.unwritten.store(unwritten, Ordering::Release);
        let queued = self.peer.queued();
        if queued >= DRAINED_BELOW {
            self.was_full = true;
        } else if self.was_full {
            self.was_full = false;
            shared.drained.notify_waiters();
            self.owner.drained(&self.peer);
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Duration) -> Result<bool, LostReason> {
        if self.is_paused(cx) {
            self.paused_since.get_or_insert(now);
            return Ok(false);
        }
        if let Some(since) = self.paused_since.take() {
            self.session.forgive(now.saturating_sub(since));
        }
        let mut bytes = BUFFER
            .take()
            .unwrap_or_else(|| vec![0; READ_AT_ONCE].into_boxed_slice());
        let mut buffer = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        let handled = match polled {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(lost(error)),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(LostReason::Closed),
            Poll::Ready(Ok(())) => {
                self.session.receive(buffer.filled(), now);
                self.hand_on().map(|()| true)
            }
        };
        BUFFER.set(Some(bytes));
        handled
    }

    /// Whether so much is held that nothing is to be read. Who gives some of it back wakes us.
    fn is_paused(&self, cx: &mut Context<'_>) -> bool {
        let shared = &self.peer.shared;
        let full = || {
            let held = shared.held.load(Ordering::SeqCst);
            held > RECEIVE_BUDGET || (held > 0 && shared.total.wait(cx.waker()))
        };
        if !full() {
            return false;
        }
        // In one order with what a permit does when it is dropped (first `held`, then `paused`): either it sees that we
        // wait, or we see what it has given back.
        shared.paused.store(true, Ordering::SeqCst);
        full()
    }

    fn hand_on(&mut self) -> Result<(), LostReason> {
        while let Some(event) = self.session.next()? {
            match event {
                SessionEvent::Established(info) => {
                    // Set once: a session is established once.
                    let _ = self.peer.shared.info.set(info.clone());
                    self.publish();
                    self.owner.established(&self.peer, info);
                }
                SessionEvent::Message(message) => {
                    let permit = Permit::new(&self.peer.shared, cost(&message));
                    self.owner.message(&self.peer, message, permit);
                }
            }
        }
        Ok(())
    }

    fn keep_time(&mut self, cx: &mut Context<'_>, now: Duration) -> Result<(), LostReason> {
        if self.paused_since.is_none() {
            self.session.tick(now)?;
        }
        let mut deadline = match self.paused_since {
            // While nothing is read the peer cannot be late; looked at again when it is.
            Some(_) => now + self.write_stall,
            None => self.session.deadline(),
        };
        if let Some(since) = self.stalled_since {
            deadline = deadline.min(since + self.write_stall);
        }
        // A timer that goes off too early is cheaper than one that is set anew with each message.
        if deadline < self.wake_at || self.sleep.is_elapsed() {
            self.wake_at = deadline;
            self.sleep.as_mut().reset(self.clock.at(deadline));
        }
        if self.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn publish(&mut self) {
        let mut published = self.peer.lock_counters();
        let undecodable = published
            .undecodable
            .max(self.session.counters().undecodable);
        published.clone_from(self.session.counters());
        published.undecodable = undecodable;
    }

    fn end(&mut self) {
        self.publish();
        self.peer.shared.end();
    }
}

impl<S, O> Drop for Link<S, O> {
    /// A task that is stopped half-way leaves no handle behind that waits for it.
    fn drop(&mut self) {
        self.peer.shared.end();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, O: Owner + Unpin> Future for Link<S, O> {
    type Output = LostReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LostReason> {
        let link = &mut *self;
        for _ in 0..READS_IN_A_ROW {
            match link.step(cx) {
                Ok(Step::Moved) => {}
                Ok(Step::Waits) => {
                    link.publish();
                    return Poll::Pending;
                }
                Err(reason) => {
                    link.end();
                    return Poll::Ready(reason);
                }
            }
        }
        link.publish();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn lost(error: std::io::Error) -> LostReason {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            LostReason::Closed
        }
        _ => error.into(),
    }
}
