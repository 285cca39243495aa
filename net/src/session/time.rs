//! Owns a session's time: deadlines, pings and who is late.
//! Promises that [`Session::tick`] at [`Session::deadline`] is enough.
//! Refuses to hold the peer to a deadline while its owner does not read.

use std::time::Duration;

use bitcoin::consensus::Decodable;

use super::{HandshakeStage, Session, SessionError, Stage};

impl Session {
    /// When [`Session::tick`] has something to do next, if no bytes come until then.
    pub fn deadline(&self) -> Duration {
        let timeouts = &self.config.timeouts;
        if !self.is_established() {
            return self.counters.connected + timeouts.handshake;
        }
        let pong = match self.counters.ping_since {
            Some(since) => since + timeouts.inactivity,
            None => self.next_ping,
        };
        pong.min(self.last_message + timeouts.inactivity)
    }

    /// Sends pings when it is time, and judges who waits too long.
    ///
    /// # Errors
    ///
    /// [`SessionError`]: the connection is to be closed.
    pub fn tick(&mut self, now: Duration) -> Result<(), SessionError> {
        let timeouts = &self.config.timeouts;
        if !self.is_established() {
            if now >= self.counters.connected + timeouts.handshake {
                let after = timeouts.handshake;
                let stage = self.handshake_stage();
                return Err(SessionError::HandshakeTimeout { stage, after });
            }
            return Ok(());
        }
        if now >= self.last_message + timeouts.inactivity {
            let after = timeouts.inactivity;
            return Err(SessionError::Inactive { after });
        }
        match self.counters.ping_since {
            Some(since) if now >= since + timeouts.inactivity => Err(SessionError::PingTimeout {
                after: timeouts.inactivity,
            }),
            None if now >= self.next_ping => {
                self.ping(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Moves all deadlines by `paused`: the owner did not read for so long, so the peer is not to blame.
    pub fn forgive(&mut self, paused: Duration) {
        self.last_message += paused;
        self.next_ping += paused;
        if let Some(since) = &mut self.counters.ping_since {
            *since += paused;
        }
    }

    fn handshake_stage(&self) -> HandshakeStage {
        match self.stage {
            Stage::Transport if self.counters.bytes_received == 0 => HandshakeStage::Nothing,
            Stage::Transport => HandshakeStage::Transport,
            Stage::Version => HandshakeStage::Version,
            Stage::Verack(_) | Stage::Established { .. } => HandshakeStage::Verack,
        }
    }

    /// A pong counts if it has our last nonce. One of zero, or of no nonce, gives the ping up, as in Bitcoin Core;
    /// others are left alone.
    pub(super) fn pong(&mut self, payload: &[u8], now: Duration) {
        let nonce = u64::consensus_decode(&mut &payload[..]).unwrap_or(0);
        let Some(waited_for) = self.ping_nonce else {
            self.counters.out_of_order += 1;
            return;
        };
        if nonce == waited_for {
            self.ping_nonce = None;
            self.counters.pong(now);
        } else if nonce == 0 {
            self.ping_nonce = None;
            self.counters.ping_since = None;
        } else {
            self.counters.out_of_order += 1;
        }
    }

    pub(super) fn ping(&mut self, now: Duration) {
        // A xorshift: nonces need to be told apart, not to be secret.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let nonce = self.random.max(1);
        self.ping_nonce = Some(nonce);
        self.counters.ping_since = Some(now);
        self.next_ping = now + self.config.timeouts.ping_interval;
        self.put_nonce("ping", nonce, now);
    }
}
