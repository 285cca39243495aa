//! Owns the turns of the false peers: when they speak, what they hear.
//! Promises that they are heard as far as a connection carries, like anybody.

use std::time::Duration;

use everett_net::{Message, SessionEvent};

use super::liars::Truth;
use super::simulation::{Happening, NODES, Simulation};

/// How often each speaks.
const TURN: Duration = Duration::from_millis(250);

impl Simulation {
    fn truth(&self) -> Truth<'_> {
        Truth {
            naive: &self.naive,
            mined: &self.mined,
            low_work: self.low_work,
            given: &self.given,
        }
    }

    /// It speaks on each of its connections.
    pub(super) fn lie(&mut self, liar: usize) {
        self.schedule(self.now + TURN, Happening::Lie { liar });
        self.tick_links(NODES + liar);
        for (link, end) in self.links_of(NODES + liar) {
            let established =
                (self.links.get(&link)).is_some_and(|link| link.ends[end].session.is_established());
            if established {
                let said = self.with_liar(liar, |liar, truth| liar.speak(truth));
                self.say(link, end, said);
            }
        }
    }

    /// What comes over one of its connections.
    pub(super) fn hear(&mut self, liar: usize, link: u64, end: usize, event: &SessionEvent) {
        let said = match event {
            SessionEvent::Established(_) => self.liars[liar].greeting(),
            SessionEvent::Message(message) => {
                self.with_liar(liar, |liar, truth| liar.answer(message, truth))
            }
        };
        self.say(link, end, said);
    }

    fn with_liar(
        &mut self,
        liar: usize,
        of: impl FnOnce(&mut super::liars::Liar, &Truth<'_>) -> Vec<Message>,
    ) -> Vec<Message> {
        let mut liars = std::mem::take(&mut self.liars);
        let said = of(&mut liars[liar], &self.truth());
        self.liars = liars;
        said
    }

    fn say(&mut self, link: u64, end: usize, said: Vec<Message>) {
        let now = self.now;
        for message in said {
            if let Some(there) = self.links.get_mut(&link) {
                let sent = there.ends[end].session.send(&message, now);
                sent.unwrap_or_else(|error| panic!("{message:?} cannot be sent: {error}"));
            }
        }
        self.flush(link);
    }
}
