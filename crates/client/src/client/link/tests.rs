//! A connection that is driven by hand: what happens on several threads at once happens here in one order.

use super::asking::WaitingForRoom;
use super::*;
use crate::client::news::Want;
use crate::client::slots::For;
use crate::limits::TRUSTED_SILENCE;
use geartrain_proto::Response;
use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

const IN_FLIGHT_MAX: usize = 2;

/// How often somebody was woken.
#[derive(Debug, Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A connection that was greeted and takes two requests, its driver, and the server's end.
async fn link() -> (Arc<Link>, Arc<Bell>, UnixStream) {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut limits = ClientLimits::default();
    limits.session.in_flight_max = IN_FLIGHT_MAX;
    let server = Arc::new(ServerAddress::Unix("/nowhere".into()));
    let link = Link::new(Socket::Unix(near), server, limits);
    let mut answer = Vec::new();
    Response::Option { name: EXCEPTIONS }.encode(&mut answer);
    far.write_all(&answer).await.unwrap();
    until(&link, Link::is_settled).await;
    far.read_exact(&mut [0; 22]).await.unwrap();
    let driver = Arc::new(Bell::default());
    assert!(matches!(turn(&link, &driver), Turn::Wait { .. }));
    (link, driver, far)
}

/// Lets the driver read until something is so.
async fn until(link: &Link, is_so: impl Fn(&Link) -> bool) {
    poll_fn(|context| {
        link.turn(context, &mut Vec::new());
        if is_so(link) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// One turn of the driver.
fn turn(link: &Link, driver: &Arc<Bell>) -> Turn {
    link.turn(&mut Context::from_waker(&Arc::clone(driver).into()), &mut Vec::new())
}

/// Asks for an echo for each of these.
fn ask(link: &Link, readers: impl IntoIterator<Item = For>) -> Result<(), NotTaken> {
    let limit = Duration::from_secs(60);
    let mut asking = link.asking(Instant::now())?;
    let terms = Terms { want: Want::Answer, ends_by: asking.now() + limit, limit };
    readers.into_iter().try_for_each(|reader| asking.ask(Question::Echo(b"e"), terms, reader).map(drop))
}

fn ask_for_all(link: &Link, set: SetKey) {
    ask(link, (0..IN_FLIGHT_MAX).map(|seat| For::Set(set, seat))).unwrap();
}

/// Reads the requests of a full connection, and answers them.
async fn answer_all(far: &mut UnixStream) {
    let mut answer = Vec::new();
    Response::Echo { data: b"e" }.encode(&mut answer);
    far.read_exact(&mut [0; IN_FLIGHT_MAX * 13]).await.unwrap();
    far.write_all(&answer.repeat(IN_FLIGHT_MAX)).await.unwrap();
}

/// A set that reads its own answers takes all the room there is again, and the driver sleeps.
async fn filled_without_driver() -> (Arc<Link>, Arc<Bell>, UnixStream, SetKey) {
    let (link, driver, mut far) = link().await;
    let set = link.add_set();
    ask_for_all(&link, set);
    turn(&link, &driver);
    answer_all(&mut far).await;
    let mut told = Vec::new();
    poll_fn(|context| link.collect(set, context, &mut told)).await;
    assert_eq!(told.len(), IN_FLIGHT_MAX);
    let before = driver.rings();
    ask_for_all(&link, set);
    assert_eq!(driver.rings(), before, "a set that asks reads as well");
    (link, driver, far, set)
}

/// One that comes to wait for room keeps a set from reading, and may itself be interrupted before it asks.
#[tokio::test]
async fn a_set_that_may_not_read_wakes_the_driver_if_that_sleeps() {
    let (link, driver, mut far, set) = filled_without_driver().await;
    let before = driver.rings();
    let _waiting = WaitingForRoom::new(&link);
    let reader = Arc::new(Bell::default());
    let mut told = Vec::new();
    let mut look = || link.collect(set, &mut Context::from_waker(&Arc::clone(&reader).into()), &mut told);
    assert!(look().is_pending());
    assert_eq!(driver.rings(), before + 1);
    turn(&link, &driver);
    assert!(look().is_pending());
    assert_eq!(driver.rings(), before + 1, "it is awake");
    answer_all(&mut far).await;
    until(&link, |link| link.lock().session.in_flight() == 0).await;
    assert!(look().is_ready());
}

/// The set has results at hand, and does not look at the connection for long.
#[tokio::test]
async fn one_that_finds_no_room_wakes_the_driver_if_that_sleeps() {
    let (link, driver, mut far, _) = filled_without_driver().await;
    let before = driver.rings();
    assert!(matches!(ask(&link, [For::Itself]), Err(NotTaken::Full)));
    assert_eq!(driver.rings(), before + 1);
    turn(&link, &driver);
    assert!(matches!(ask(&link, [For::Itself]), Err(NotTaken::Full)));
    assert_eq!(driver.rings(), before + 1, "it is awake");
    answer_all(&mut far).await;
    until(&link, |link| link.lock().session.has_room()).await;
    ask(&link, [For::Itself]).unwrap();
}

/// The socket is not readable any more when the runtime looks, and those who wait for room hear of it from the driver.
#[tokio::test]
async fn one_that_reads_before_it_asks_wakes_the_driver_for_the_others() {
    let (link, driver, mut far, _) = filled_without_driver().await;
    turn(&link, &driver);
    answer_all(&mut far).await;
    std::thread::sleep(2 * TRUSTED_SILENCE);
    let before = driver.rings();
    ask(&link, [For::Itself]).unwrap();
    assert_eq!((link.lock().session.in_flight(), driver.rings()), (1, before + 1));
}
