//! Owns what is seen at a glance: the picture of the tree and the node's state, made once for all who look.
//! Promises that whoever follows is told within a moment when a block was accepted, and that a flood of blocks does not
//! become a flood of pictures.
//! Refuses to keep news for anyone: who was away fetches the newest picture.

mod scene;
mod speed;
mod system;

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bitcoin::BlockHash;
use everett_ledger::{Ledger, Skeleton};
use everett_node::{Handle, PeerEvent, Phase, StopSignal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};

use crate::fault::Fault;
use crate::picture::MAX_TIPS;
use crate::reads::Patience;
use crate::recent::Recent;
use crate::site::Site;
use scene::NodeState;
pub(crate) use scene::Scene;
use speed::Speed;
use system::Disk;

/// The shortest time between two pictures.
const PAUSE: Duration = Duration::from_millis(150);
/// How often the picture is made anew when nothing happens: ages grow.
const AGEING: Duration = Duration::from_secs(10);
/// How often the speed of catching up is measured.
const MEASURE: Duration = Duration::from_secs(2);
/// How long a picture may wait for blocks to be read, for the sake of the conflicts in them.
const READING: Duration = Duration::from_millis(250);
/// How often a silent connection is told that the server is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After how long a browser tries again when the connection was lost.
const RETRY: Duration = Duration::from_secs(2);

/// The picture, and who follows it.
pub(crate) struct Live {
    /// The number of the newest picture.
    news: watch::Sender<u64>,
    /// The same of the page of peers.
    peer_news: watch::Sender<u64>,
    /// The same of the pages of wallets.
    wallet_news: watch::Sender<u64>,
    scene: Mutex<Option<Arc<Scene>>>,
    speed: std::sync::Mutex<Speed>,
    disk: Arc<std::sync::Mutex<Disk>>,
    places: Arc<Semaphore>,
    max_places: usize,
    stop: StopSignal,
}

impl Live {
    pub(crate) fn new(max_places: usize, stop: StopSignal) -> Live {
        Live {
            news: watch::Sender::new(0),
            peer_news: watch::Sender::new(0),
            wallet_news: watch::Sender::new(0),
            scene: Mutex::new(None),
            speed: std::sync::Mutex::default(),
            disk: Arc::default(),
            places: Arc::new(Semaphore::new(max_places)),
            max_places,
            stop,
        }
    }

    /// Watches the ledger and the peers until the node stops.
    pub(crate) async fn follow(self: Arc<Live>, handle: Handle) {
        tokio::join!(
            self.follow_ledger(&handle),
            self.follow_peers(&handle),
            self.follow_wallets(&handle)
        );
    }

    /// Says that a wallet may have changed: with every event, with what comes to wait, and when one is opened, shut or used.
    async fn follow_wallets(&self, handle: &Handle) {
        let Some(wallets) = handle.wallets() else {
            return;
        };
        let mut events = handle.event_seq();
        let mut pending = handle.mempool().change_number();
        let mut measure = tokio::time::interval(MEASURE);
        let mut last = Vec::new();
        loop {
            let moved = tokio::select! {
                Ok(()) = events.changed() => true,
                Ok(()) = pending.changed() => true,
                _ = measure.tick() => false,
                () = self.stop.wait() => return,
            };
            let open = wallets.list();
            let now: Vec<(String, u64)> = (open.iter())
                .map(|wallet| (wallet.name().to_owned(), *wallet.revision().borrow()))
                .collect();
            if moved || now != last {
                last = now;
                self.wallet_news.send_modify(|number| *number += 1);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Says that the peers have changed: when one comes or goes, and from time to time, for counts grow.
    async fn follow_peers(&self, handle: &Handle) {
        let mut events: Option<broadcast::Receiver<PeerEvent>> = None;
        let mut last = None;
        let mut measure = tokio::time::interval(MEASURE);
        loop {
            let next = async {
                match &mut events {
                    Some(events) => events.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = next => if let Err(RecvError::Closed) = event {
                    events = None;
                },
                _ = measure.tick() => {}
                () = self.stop.wait() => return,
            }
            let Some(peers) = handle.peers() else {
                continue;
            };
            if events.is_none() {
                events = Some(peers.events());
            }
            self.peer_news.send_modify(|number| *number += 1);
            // The start page shows how far the node has synced.
            let progress = Some(peers.progress());
            if progress != last {
                last = progress;
                self.changed();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_ledger(&self, handle: &Handle) {
        let mut events = handle.event_seq();
        let mut phase = handle.watch_phase();
        let mut ageing = tokio::time::interval(AGEING);
        let mut measure = tokio::time::interval(MEASURE);
        loop {
            tokio::select! {
                Ok(()) = events.changed() => {}
                Ok(()) = phase.changed() => {}
                _ = ageing.tick() => {}
                _ = measure.tick() => {
                    let height = handle.ledger().best().height();
                    self.with_speed(|speed| speed.measure(Instant::now(), height));
                    continue;
                }
                () = self.stop.wait() => return,
            }
            self.changed();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells everyone that there is something new to see.
    pub(crate) fn changed(&self) {
        self.news.send_modify(|number| *number += 1);
    }

    fn with_speed<R>(&self, look: impl FnOnce(&mut Speed) -> R) -> R {
        let lock = self.speed.lock();
        // A panic while it was held cannot leave it half changed.
        look(&mut lock.unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl Site {
    /// The newest picture; made if nobody has asked for it before. Who asks meanwhile waits for the same one.
    pub(crate) async fn scene(&self) -> Result<Arc<Scene>, Fault> {
        let mut kept = self.live.scene.lock().await;
        let number = *self.live.news.borrow();
        // Events may be there that nobody was told of yet: who asks now sees them, too.
        let events = *self.reads.handle().event_seq().borrow();
        let newest = |scene: &&Arc<Scene>| scene.number == number && scene.events == events;
        if let Some(scene) = kept.as_ref().filter(newest) {
            return Ok(scene.clone());
        }
        let speed = self.live.with_speed(|speed| speed.blocks_a_second());
        let handle = self.reads.handle().clone();
        let phase = handle.phase();
        let network = handle.peers().map(|peers| peers.progress());
        let disk = self.live.disk.clone();
        // Whoever searches with it now has it for longer than a picture may wait.
        let recent = self.recent.clone().try_lock_owned().ok();
        let before = kept.as_ref().map(|scene| scene.clashes.clone());
        let (scene, whole) = self
            .reads
            .read(move |ledger, _| {
                let skeleton = ledger.skeleton(MAX_TIPS);
                let (clashes, whole) = match recent {
                    Some(mut recent) if phase == Phase::Ready => {
                        clashes(ledger, &skeleton, &mut recent)?
                    }
                    Some(_) => (HashMap::new(), true),
                    None => (before.unwrap_or_default(), false),
                };
                let disk = disk.lock();
                let state = NodeState {
                    phase,
                    network,
                    speed,
                    disk: disk
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                        .bytes(ledger, Instant::now()),
                    frontends: handle.frontends()?,
                };
                let scene = Scene::make(ledger, &skeleton, clashes, (number, events), &state)?;
                Ok((scene, whole))
            })
            .await?;
        let scene = Arc::new(scene);
        *kept = Some(scene.clone());
        if !whole {
            let live = self.live.clone();
            tokio::spawn(async move {
                tokio::time::sleep(READING).await;
                live.changed();
            });
        }
        Ok(scene)
    }
}

/// How many coins each branch spends otherwise than the best chain, as far as there is time to find out, and whether
/// there was enough.
fn clashes(
    ledger: &Ledger,
    skeleton: &Skeleton,
    recent: &mut Recent,
) -> Result<(HashMap<BlockHash, u64>, bool), Fault> {
    let rivals = skeleton.blocks.iter().filter(|key| key.tip && !key.best);
    let readable = rivals.filter(|key| key.info.live);
    let Some(lowest) = readable.map(|key| key.info.fork_height).min() else {
        return Ok((HashMap::new(), true));
    };
    let whole = recent.catch_up(ledger, skeleton, lowest, &Patience::of(READING))?;
    Ok((recent.clashes(ledger, skeleton), whole))
}

/// A page that follows; dropped with its connection.
type Follower = Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>;

/// `GET /admin/events`: one event `news` for each new picture, its number as data; the first one at once.
pub(crate) async fn events(State(site): State<Arc<Site>>) -> Response {
    follow(&site.live, site.live.news.subscribe())
}

/// `GET /admin/peers/events`: the same for the page of peers.
pub(crate) async fn peer_events(State(site): State<Arc<Site>>) -> Response {
    follow(&site.live, site.live.peer_news.subscribe())
}

/// `GET /admin/wallets/events`: the same for the page of wallets.
pub(crate) async fn wallets_events(State(site): State<Arc<Site>>) -> Response {
    follow(&site.live, site.live.wallet_news.subscribe())
}

/// `GET /admin/wallet/NAME/events`: the same for the page of one.
pub(crate) async fn wallet_events(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    site.wallet(&name)?;
    Ok(follow(&site.live, site.live.wallet_news.subscribe()))
}

fn follow(live: &Live, news: watch::Receiver<u64>) -> Response {
    let Ok(place) = live.places.clone().try_acquire_owned() else {
        let limit = live.max_places;
        return Fault::TooManyLive { limit }.into_response();
    };
    let news = WatchStream::new(news).map(|number| {
        let event = Event::default().event("news").retry(RETRY);
        Ok(event.data(number.to_string()))
    });
    let stream: Follower = Box::pin(UntilStop {
        news: Box::pin(news),
        stop: Box::pin({
            let stop = live.stop.clone();
            async move { stop.wait().await }
        }),
        _place: place,
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(stream).keep_alive(heartbeat).into_response()
}

/// Ends when the node stops: a connection that only waits would be open for ever.
struct UntilStop {
    news: Follower,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: OwnedSemaphorePermit,
}

impl Stream for UntilStop {
    type Item = Result<Event, Infallible>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        if self.stop.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(None);
        }
        self.news.as_mut().poll_next(context)
    }
}
