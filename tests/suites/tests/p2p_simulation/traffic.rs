//! Owns what goes over the links: calls, bytes, and what the nodes' protocols want done.
//! Promises what the node's own threads promise its protocol: each in order, answers only while there is room.
//! Refuses to let a node discourage another, or fail to understand it: only false peers may get that.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bitcoin::p2p::{Magic, ServiceFlags};
use everett_ledger::{Network, Params};
use everett_net::{Command, PeerId, SessionConfig, SessionEvent};
use everett_p2p::protocol::{Action, Reason};
use everett_tests::mint::CLOCK;
use everett_tests::walk::TRUNK;

use super::links::Link;
use super::node::Work;
use super::simulation::{Happening, NODES, Simulation};

/// Bytes that may wait in a session before no more answers are made.
const ROOM: usize = 1 << 20;

impl Simulation {
    pub(super) fn links_of(&self, node: usize) -> Vec<(u64, usize)> {
        let ends = self.links.iter().flat_map(|(id, link)| {
            (0..2)
                .filter(move |end| link.ends[*end].node == node)
                .map(move |end| (*id, end))
        });
        ends.collect()
    }

    /// False peers are in both halves.
    fn is_divided(&self, [a, b]: [usize; 2]) -> bool {
        if a.max(b) >= NODES {
            return false;
        }
        self.sides.is_some_and(|sides| sides[a] != sides[b])
    }

    pub(super) fn call(&mut self, pair: [usize; 2]) {
        let up = pair
            .iter()
            .all(|node| self.as_liar(*node).is_some() || self.nodes[*node].running.is_some());
        let linked = self.links.values().any(|link| {
            let nodes = [link.ends[0].node, link.ends[1].node];
            nodes == pair || nodes == [pair[1], pair[0]]
        });
        if linked {
            return;
        }
        if !up || self.is_divided(pair) {
            return self.after(5_000, Happening::Call { pair });
        }
        for [node, other] in [pair, [pair[1], pair[0]]] {
            if !self.discouraged.contains(&(node, self.address(other))) {
                continue;
            }
            match self.as_liar(other) {
                Some(liar) if self.liars[liar].moves() => {
                    self.count("new addresses");
                    return self.after(20_000, Happening::Call { pair });
                }
                _ => return,
            }
        }
        let addresses = pair.map(|node| self.address(node));
        let v2 = self.random.percent(30);
        let configs = pair.map(|node| self.session_config(node, v2));
        self.next += 1;
        let id = self.next;
        let peers = [PeerId(2 * id), PeerId(2 * id + 1)];
        let link = Link::new(pair, addresses, peers, configs, self.now, &mut self.random);
        self.links.insert(id, link);
        self.count("calls");
        self.flush(id);
    }

    fn address(&self, node: usize) -> Ipv4Addr {
        match self.as_liar(node) {
            Some(liar) => self.liars[liar].address(),
            None => Ipv4Addr::new(10, 0, 0, 1 + node as u8),
        }
    }

    fn session_config(&self, node: usize, v2: bool) -> Arc<SessionConfig> {
        let params = Params::new(Network::Regtest);
        let mut config = SessionConfig::new(Magic::from_bytes(params.magic));
        config.services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
        let wants_tips = (self.as_liar(node)).is_none_or(|liar| self.liars[liar].wants_tips);
        config.features = (Command::new("sendtips").into_iter())
            .filter(|_| wants_tips)
            .collect();
        config.v2 = v2;
        config.relay = true;
        config.epoch = CLOCK as i64;
        let best = (self.nodes.get(node))
            .and_then(|node| node.running.as_ref())
            .map(|running| running.ledger.best().height());
        config.start_height = best.unwrap_or(TRUNK) as i32;
        Arc::new(config)
    }

    /// What a session has to say after bytes came.
    pub(super) fn read(&mut self, link: u64, end: usize) {
        let now = self.now;
        loop {
            let Some(there) = self.links.get_mut(&link) else {
                return;
            };
            let (node, peer) = (there.ends[end].node, there.ends[end].peer);
            let event = match there.ends[end].session.next() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    self.tell(|| format!("link {link} of node {node}: {error}"));
                    self.count("session errors");
                    self.expect_a_liar(link, &error.to_string());
                    return self.cut(link);
                }
            };
            if let Some(liar) = self.as_liar(node) {
                self.hear(liar, link, end, &event);
                continue;
            }
            let Some(running) = self.running(node) else {
                return;
            };
            match event {
                SessionEvent::Established(info) => running.protocol.connected(info, now),
                SessionEvent::Message(message) => running.protocol.received(peer, message, now),
            }
            self.act(node);
        }
        self.flush(link);
    }

    /// Bytes that were written go on their way; and there is room for more answers.
    pub(super) fn flush(&mut self, link: u64) {
        let now = self.now;
        for end in 0..2 {
            loop {
                let Some(there) = self.links.get_mut(&link) else {
                    return;
                };
                let (node, peer) = (there.ends[end].node, there.ends[end].peer);
                for (at, bytes) in there.take_output(end, now, &mut self.random) {
                    let arrive = Happening::Arrive {
                        link,
                        end: 1 - end,
                        bytes,
                    };
                    self.schedule(at, arrive);
                }
                let Some(running) = self.running(node) else {
                    break;
                };
                let mut more = running.protocol.has_requests(peer);
                while more && self.output_length(link, end) < ROOM {
                    let Some(running) = self.running(node) else {
                        break;
                    };
                    more = running.protocol.serve(peer, now);
                    self.act(node);
                }
                if self.output_length(link, end) == 0 {
                    break;
                }
            }
        }
    }

    fn output_length(&self, link: u64, end: usize) -> usize {
        self.links
            .get(&link)
            .map_or(0, |link| link.ends[end].session.output_length())
    }

    /// Does what a node's protocol wants.
    pub(super) fn act(&mut self, node: usize) {
        let now = self.now;
        loop {
            let Some(running) = self.running(node) else {
                return;
            };
            let actions = running.protocol.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                match action {
                    Action::Send(peer, message) => {
                        let Some((link, end)) = self.link_of(node, peer) else {
                            continue;
                        };
                        if let Some(there) = self.links.get_mut(&link)
                            && let Err(error) = there.ends[end].session.send(&message, now)
                        {
                            panic!("seed {}: {message:?} cannot be sent: {error}", self.seed);
                        }
                    }
                    Action::Disconnect(peer, reason) => {
                        self.tell(|| format!("node {node} lets go of {peer}: {reason}"));
                        if let Some((link, end)) = self.link_of(node, peer) {
                            let other = self.links[&link].ends[1 - end].node;
                            self.count(match self.as_liar(other) {
                                Some(_) => "liars let go",
                                None => "let go",
                            });
                            self.cut(link);
                        }
                    }
                    Action::Discourage(peer, reason) => self.discourage(node, peer, &reason),
                    Action::Note(peer, reason) => {
                        self.tell(|| format!("node {node} notes of {peer}: {reason}"));
                        self.count("notes");
                    }
                    Action::SubmitHeaders { headers, .. } => {
                        self.queue_work(node, Work::Headers(headers))
                    }
                    Action::SubmitBlock { hash, bytes, .. } => {
                        self.queue_work(node, Work::Block(hash, bytes));
                    }
                    Action::Work(work) => {
                        let Some(running) = self.running(node) else {
                            continue;
                        };
                        if let Some(answer) = work.run(&running.mempool) {
                            running.protocol.mempool_answered(answer, now);
                        }
                    }
                    Action::FindAddresses { .. } => {
                        if let Some(running) = self.running(node) {
                            running.protocol.addresses_found(Vec::new(), now);
                        }
                    }
                    Action::AddAddresses { .. }
                    | Action::HeardTransaction { .. }
                    | Action::Useful(..)
                    | Action::CallOneMore => {}
                }
            }
        }
        for (link, end) in self.links_of(node) {
            if self.output_length(link, end) > 0 {
                self.send_off(link, end);
            }
        }
    }

    /// Only false peers do what that is for.
    fn discourage(&mut self, node: usize, peer: PeerId, reason: &Reason) {
        let Some((link, end)) = self.link_of(node, peer) else {
            return;
        };
        self.expect_a_liar(link, &format!("node {node} discourages {peer}: {reason}"));
        self.tell(|| format!("node {node} discourages {peer}: {reason}"));
        self.count("discouraged");
        let other = self.links[&link].ends[1 - end].node;
        self.discouraged.insert((node, self.address(other)));
        self.cut(link);
    }

    /// What happened on a link never happens between two nodes.
    fn expect_a_liar(&self, link: u64, what: &str) {
        let liars = (self.links[&link].ends.iter()).any(|end| end.node >= NODES);
        assert!(liars, "seed {}: {what}", self.seed);
    }

    fn send_off(&mut self, link: u64, end: usize) {
        let now = self.now;
        let Some(there) = self.links.get_mut(&link) else {
            return;
        };
        for (at, bytes) in there.take_output(end, now, &mut self.random) {
            let arrive = Happening::Arrive {
                link,
                end: 1 - end,
                bytes,
            };
            self.schedule(at, arrive);
        }
    }

    fn link_of(&self, node: usize, peer: PeerId) -> Option<(u64, usize)> {
        // Both ends' numbers are made of the link's.
        let (link, end) = (peer.0 / 2, (peer.0 % 2) as usize);
        let there = self.links.get(&link)?;
        (there.ends[end].node == node).then_some((link, end))
    }

    /// A connection breaks; bytes on their way are lost.
    pub(super) fn cut(&mut self, link: u64) {
        let Some(there) = self.links.remove(&link) else {
            return;
        };
        for end in &there.ends {
            let now = self.now;
            if let Some(running) = self.running(end.node) {
                running.protocol.disconnected(end.peer, now);
            }
        }
        let pair = [there.ends[0].node, there.ends[1].node];
        for node in pair {
            self.act(node);
        }
        self.after(4_000, Happening::Call { pair });
    }
}
