//! The client against a driver of plain values: what it sends when, what it makes of answers, and that
//! every call has one outcome.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{Client, Event, Input, Outcome, Output};
use crate::config::ClientConfig;
use crate::id::{Index, SessionId};
use crate::request::{
    Change, Error, EventKind, Hangup, Once, Op, Read, ReadKind, Reply, Request, Response,
    SetWatches, Stat, WatchEvent, WatchMode,
};
use crate::time::{Span, Time};

const TIMEOUT: Span = Span::from_ms(6_000);

/// A client, its clock, and what it wants.
struct Bench {
    client: Client,
    now: Time,
    out: Vec<Output>,
}

impl Bench {
    fn new(config: ClientConfig) -> Self {
        let now = Time(1_000_000);
        Self {
            client: Client::new(config, 7, now),
            now,
            out: Vec::new(),
        }
    }

    /// One that has session 5.
    fn attached() -> Self {
        Self::attached_as(ClientConfig::new(3))
    }

    fn attached_as(config: ClientConfig) -> Self {
        let mut bench = Self::new(config);
        bench.wake();
        bench.attach(SessionId(5));
        bench.out.clear();
        bench
    }

    fn input(&mut self, input: Input) {
        self.client.handle(self.now, input, &mut self.out);
    }

    /// Lets time pass to the deadline.
    fn wake(&mut self) {
        self.now = self.now.max(self.client.deadline());
        self.input(Input::Wake);
    }

    fn call(&mut self, id: u64, request: Request) {
        self.input(Input::Call { id, request });
    }

    /// The requests sent so far and not looked at.
    fn sent(&mut self) -> Vec<(u64, Request)> {
        let take = |output: &Output| match output {
            Output::Send { tag, request, .. } => Some((*tag, request.clone())),
            _ => None,
        };
        let sent = self.out.iter().filter_map(take).collect();
        self.out
            .retain(|output| !matches!(output, Output::Send { .. }));
        sent
    }

    fn events(&mut self) -> Vec<Event> {
        let take = |output: &Output| match output {
            Output::Event(event) => Some(event.clone()),
            _ => None,
        };
        let events = self.out.iter().filter_map(take).collect();
        self.out.clear();
        events
    }

    /// Answers the oldest request that was sent.
    fn answer(&mut self, tag: u64, zxid: u64, result: Result<Response, Error>) {
        let link = self.client.link;
        let zxid = Index(zxid);
        let reply = Reply { zxid, result };
        self.input(Input::Reply { link, tag, reply });
    }

    fn attach(&mut self, session: SessionId) {
        let (tag, _) = self.sent().pop().expect("it asks to be attached");
        let connected = Response::Connected {
            session,
            password: [9; 16],
            timeout_ms: u32::try_from(TIMEOUT.as_ms()).expect("it is small"),
            read_only: false,
        };
        self.answer(tag, 10, Ok(connected));
    }

    /// The connection breaks, and the next one is opened.
    fn reconnect(&mut self) {
        let link = self.client.link;
        self.input(Input::Ended { link, reason: None });
        while self.client.server().is_none() {
            self.wake();
        }
    }
}

fn read(kind: ReadKind, path: &str, watch: bool) -> Request {
    Request::Read(Read {
        kind,
        path: path.into(),
        watch,
    })
}

fn delete() -> Request {
    Request::Write(Op::Delete {
        path: "/a".into(),
        version: -1,
    })
}

fn once(number: u64, answered: u64, request: Request) -> Request {
    let change = match request {
        Request::Write(op) => Change::One(op),
        other => panic!("{other:?}"),
    };
    Request::Once(Once {
        number,
        answered,
        change,
    })
}

/// Asks nothing again.
fn forgetful() -> ClientConfig {
    ClientConfig {
        repeat: false,
        ..ClientConfig::new(3)
    }
}

fn stat(mzxid: u64, pzxid: u64) -> Stat {
    Stat {
        mzxid: Index(mzxid),
        pzxid: Index(pzxid),
        ..Stat::default()
    }
}

fn done(id: u64, outcome: Outcome) -> Event {
    Event::Done { id, outcome }
}

#[test]
fn a_server_that_is_silent_for_two_thirds_of_the_timeout_is_left() {
    let mut bench = Bench::attached();
    let heard = bench.now;
    bench.wake();
    assert_eq!(bench.now, heard + Span(TIMEOUT.0 / 3));
    let sent = bench.sent();
    assert!(
        matches!(sent[..], [(_, Request::Ping)]),
        "a ping at one third: {sent:?}"
    );
    bench.wake();
    assert_eq!(bench.now, heard + Span(TIMEOUT.0 / 3 * 2));
    let close = Output::Close { link: 1 };
    assert_eq!(bench.out.first(), Some(&close), "the end at two thirds");
    assert_eq!(bench.events(), vec![Event::Disconnected { reason: None }]);
}

#[test]
fn pings_that_are_answered_keep_the_session_sure() {
    let mut bench = Bench::attached();
    for _ in 0..10 {
        bench.wake();
        let (tag, request) = bench.sent().pop().expect("a ping");
        assert_eq!(request, Request::Ping);
        bench.answer(tag, 11, Ok(Response::Pong));
    }
    assert_eq!(bench.events(), vec![]);
}

#[test]
fn without_an_answer_for_the_whole_timeout_it_is_unsure_until_it_is_attached_again() {
    let mut bench = Bench::attached();
    let sure_until = bench.now + TIMEOUT;
    let session = SessionId(5);
    while !bench.events().contains(&Event::Unsure { session }) {
        assert!(bench.now <= sure_until, "it was never unsure");
        bench.wake();
    }
    assert_eq!(bench.now, sure_until);
    while bench.client.server().is_none() {
        bench.wake();
    }
    // What `events` took away.
    bench.out.clear();
    let link = bench.client.link;
    bench.input(Input::Ended { link, reason: None });
    while bench.client.server().is_none() {
        bench.wake();
    }
    bench.attach(session);
    let events = bench.events();
    let server = bench.client.server().expect("it is attached");
    let connected = Event::Connected {
        server,
        session,
        resumed: true,
    };
    assert!(
        events.ends_with(&[connected, Event::Sure { session }]),
        "{events:?}"
    );
}

#[test]
fn every_server_is_tried_before_one_is_tried_again() {
    let mut bench = Bench::new(ClientConfig::new(5));
    let mut seen = Vec::new();
    for _ in 0..10 {
        bench.wake();
        seen.push(bench.client.server().expect("it connects"));
        let (link, reason) = (bench.client.link, None);
        bench.input(Input::Ended { link, reason });
    }
    let (first, second) = seen.split_at(5);
    let mut sorted = first.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4]);
    assert_eq!(first, second, "the order stays");
    let other = Client::new(ClientConfig::new(5), 8, bench.now);
    assert_ne!(
        other.order, bench.client.order,
        "another seed, another order"
    );
}

#[test]
fn pauses_grow_to_their_limit() {
    let config = ClientConfig::new(1);
    let mut bench = Bench::new(config);
    let mut longest = Span(0);
    for attempt in 0..200_u32 {
        bench.wake();
        let (link, reason) = (bench.client.link, None);
        bench.input(Input::Ended { link, reason });
        let pause = bench.client.deadline().since(bench.now);
        assert!(Span::from_ms(1) <= pause && pause <= config.pause_max);
        if attempt == 0 {
            assert!(pause <= config.pause.times(2));
        }
        longest = longest.max(pause);
    }
    assert!(config.pause.times(2) < longest, "they never grew");
}

#[test]
fn calls_wait_for_the_session_and_are_sent_in_order() {
    let mut bench = Bench::new(ClientConfig::new(1));
    bench.call(1, delete());
    bench.call(2, Request::Ping);
    bench.wake();
    assert_eq!(bench.client.calls(), 2);
    bench.attach(SessionId(5));
    let sent: Vec<Request> = bench
        .sent()
        .into_iter()
        .map(|(_, request)| request)
        .collect();
    assert_eq!(sent, [once(1, 0, delete()), Request::Ping]);
}

#[test]
fn what_was_asked_on_a_lost_connection_is_asked_again_in_order() {
    let mut bench = Bench::attached();
    bench.call(1, delete());
    bench.call(2, delete());
    let tag = bench.sent()[0].0;
    bench.answer(tag, 11, Ok(Response::Deleted));
    bench.call(3, read(ReadKind::Exists, "/a", true));
    bench.call(4, delete());
    bench.reconnect();
    bench.call(5, delete());
    bench.attach(SessionId(5));
    let requests = |bench: &mut Bench| {
        let sent = bench.sent();
        sent.into_iter()
            .map(|(_, request)| request)
            .collect::<Vec<_>>()
    };
    let expected = [
        once(2, 1, delete()),
        read(ReadKind::Exists, "/a", true),
        once(3, 1, delete()),
        once(4, 1, delete()),
    ];
    assert_eq!(requests(&mut bench), expected);
    // Again, and then the session turns out to have ended: nobody knows, except of what was never sent.
    bench.events();
    bench.reconnect();
    bench.call(6, delete());
    let (tag, _) = bench.sent().pop().expect("it asks to be attached");
    bench.events();
    bench.answer(tag, 12, Ok(Response::Expired));
    // Whoever asks anew because of that has not been told of the end yet.
    bench.call(7, delete());
    bench.wake();
    let session = SessionId(5);
    let expected = vec![
        done(2, Outcome::Unknown),
        done(3, Outcome::Unknown),
        done(4, Outcome::Unknown),
        done(5, Outcome::Unknown),
        done(6, Outcome::Unsent),
        done(7, Outcome::Unsent),
        Event::Expired { session },
    ];
    assert_eq!(bench.events(), expected);
}

/// The requests that leave lasting watches again.
fn left_again(bench: &mut Bench) -> Vec<(u64, SetWatches)> {
    let had = |(tag, request)| match request {
        Request::SetWatches(had) => Some((tag, had)),
        _ => None,
    };
    bench.sent().into_iter().filter_map(had).collect()
}

fn add_watch(bench: &mut Bench, path: &str) -> u64 {
    bench.call(
        1,
        Request::AddWatch {
            path: path.into(),
            mode: WatchMode::Recursive,
            since: None,
        },
    );
    let (tag, _) = bench.sent().pop().expect("it is asked");
    tag
}

fn watching(bench: &mut Bench, path: &str, zxid: u64) {
    let tag = add_watch(bench, path);
    bench.answer(tag, zxid, Ok(Response::Watching { complete: true }));
    bench.out.clear();
}

fn created(path: &str, zxid: u64) -> WatchEvent {
    WatchEvent {
        kind: EventKind::NodeCreated,
        path: path.into(),
        zxid: Index(zxid),
    }
}

/// What the caller hears of these events.
fn heard(bench: &mut Bench, events: &[WatchEvent]) -> Vec<WatchEvent> {
    let link = bench.client.link;
    for event in events.iter().cloned() {
        bench.input(Input::Watch { link, event });
    }
    let told = bench.events().into_iter().filter_map(|event| match event {
        Event::Watch(event) => Some(event),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_lasting_watch_goes_on_where_it_was() {
    let mut bench = Bench::attached();
    // It may tell something before the answer comes.
    let tag = add_watch(&mut bench, "/a");
    let early = [created("/a/0", 19)];
    assert_eq!(heard(&mut bench, &early), early);
    bench.answer(tag, 20, Ok(Response::Watching { complete: true }));
    let events = [created("/a/b", 25), created("/ab", 25)];
    assert_eq!(heard(&mut bench, &events), events[..1]);

    // Of transaction 25 there may be more, so all of it is told again, and what is known is left out. A
    // connection that breaks before the watch is there changes nothing, and what the server had seen when it
    // attached the session says nothing of events.
    for _ in 0..2 {
        bench.reconnect();
        bench.attach(SessionId(5));
        let again = left_again(&mut bench);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].1.zxid, Index(24));
        bench.out.clear();
        let again = [created("/a/b", 25)];
        assert_eq!(heard(&mut bench, &again), []);
    }
    let tag = bench.client.last_tag;
    let events = [created("/a/c", 25)];
    assert_eq!(heard(&mut bench, &events), events);
    bench.answer(tag, 32, Ok(Response::WatchesSet { complete: true }));
    assert_eq!(bench.events(), []);

    bench.reconnect();
    bench.attach(SessionId(5));
    let (tag, had) = left_again(&mut bench).remove(0);
    assert_eq!(had.zxid, Index(32));
    assert_eq!(had.recursive, ["/a"]);
    bench.out.clear();
    bench.answer(tag, 99, Ok(Response::WatchesSet { complete: false }));
    let path = "/a".into();
    assert_eq!(bench.events(), [Event::Missed { path }]);
}

#[test]
fn equal_changes_in_one_transaction_are_told_one_by_one() {
    let mut bench = Bench::attached();
    watching(&mut bench, "/a", 20);
    let events = [created("/a/b", 25), created("/a/b", 25)];
    assert_eq!(heard(&mut bench, &events), events);
}

#[test]
fn lasting_watches_are_left_again_together() {
    let mut bench = Bench::attached();
    for path in ["/", "/a", "/b"] {
        watching(&mut bench, path, 20);
    }
    bench.reconnect();
    bench.attach(SessionId(5));
    let again = left_again(&mut bench);
    assert_eq!(again.len(), 1, "so that each change is told once, in order");
    assert_eq!(again[0].1.recursive, ["/", "/a", "/b"]);
    bench.out.clear();
    // The connection breaks in the middle of what happened meanwhile.
    let events = [created("/a/b", 25), created("/b/c", 30)];
    assert_eq!(heard(&mut bench, &events), events);
    bench.reconnect();
    bench.attach(SessionId(5));
    let (tag, had) = left_again(&mut bench).remove(0);
    assert_eq!(had.zxid, Index(29));
    bench.out.clear();
    let events = [created("/b/c", 30), created("/c", 31)];
    assert_eq!(heard(&mut bench, &events), events[1..]);
    bench.answer(tag, 31, Ok(Response::WatchesSet { complete: true }));
}

#[test]
fn very_many_lasting_watches_are_left_again_in_parts() {
    let mut bench = Bench::attached();
    let long = "x".repeat(1_000);
    for number in 0..200 {
        watching(&mut bench, &format!("/{number:03}{long}"), 20);
    }
    let again = |bench: &mut Bench| {
        bench.reconnect();
        bench.attach(SessionId(5));
        let again = left_again(bench);
        bench.out.clear();
        again
    };
    let parts = again(&mut bench);
    assert_eq!(parts.len(), 2);
    let paths = parts.iter().map(|(_, had)| had.recursive.len());
    assert_eq!(paths.sum::<usize>(), 200);
    // The first part is told everything up to now, the second one nothing yet.
    let events = [created(&format!("/000{long}/a"), 40)];
    assert_eq!(heard(&mut bench, &events), events);
    bench.answer(parts[0].0, 41, Ok(Response::WatchesSet { complete: true }));
    let parts = again(&mut bench);
    assert!(
        parts.iter().all(|(_, had)| had.zxid == Index(20)),
        "nothing is left out"
    );
    for (tag, _) in &parts {
        bench.answer(*tag, 41, Ok(Response::WatchesSet { complete: true }));
    }
    let parts = again(&mut bench);
    assert!(parts.iter().all(|(_, had)| had.zxid == Index(41)));
}

#[test]
fn a_lasting_watch_that_is_asked_for_twice_lasts() {
    let mut bench = Bench::attached();
    watching(&mut bench, "/a", 20);
    // The answer to the second request never comes.
    add_watch(&mut bench, "/a");
    bench.reconnect();
    bench.attach(SessionId(5));
    let again = left_again(&mut bench);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1.zxid, Index(20));
    let events = [created("/a/b", 25)];
    assert_eq!(heard(&mut bench, &events), events);

    // One that is refused was never there.
    let tag = add_watch(&mut bench, "/b");
    let tags = [bench.client.last_tag - 2, bench.client.last_tag - 1];
    bench.answer(tags[0], 25, Ok(Response::WatchesSet { complete: true }));
    bench.answer(tags[1], 25, Ok(Response::Watching { complete: true }));
    bench.answer(tag, 25, Err(Error::BadArguments));
    assert_eq!(heard(&mut bench, &[created("/b/c", 26)]), []);
}

#[test]
fn what_cannot_be_repeated_is_unknown_at_once() {
    let mut bench = Bench::attached();
    bench.call(1, delete());
    bench.call(2, Request::Close);
    let (link, reason) = (bench.client.link, None);
    bench.input(Input::Ended { link, reason });
    let expected = vec![
        done(2, Outcome::Unknown),
        Event::Disconnected { reason: None },
    ];
    assert_eq!(bench.events(), expected);
}

#[test]
fn a_busy_server_knows_nothing_of_a_change_that_was_sent_before() {
    let mut bench = Bench::attached();
    bench.call(1, delete());
    bench.reconnect();
    bench.attach(SessionId(5));
    bench.call(2, delete());
    bench.out.clear();
    let last = bench.client.last_tag;
    bench.answer(last - 1, 11, Err(Error::ThrottledOp));
    bench.answer(last, 11, Err(Error::ThrottledOp));
    let refused = Outcome::Answered(Reply {
        zxid: Index(11),
        result: Err(Error::ThrottledOp),
    });
    let expected = vec![done(1, Outcome::Unknown), done(2, refused)];
    assert_eq!(bench.events(), expected);
}

#[test]
fn an_answer_that_does_not_come_leaves_the_outcome_unknown() {
    let mut bench = Bench::attached_as(forgetful());
    bench.call(1, delete());
    bench.call(2, read(ReadKind::Exists, "/a", false));
    let link = bench.client.link;
    let reason = Some(Hangup::Leaderless);
    bench.input(Input::Ended { link, reason });
    let expected = vec![
        done(1, Outcome::Unknown),
        done(2, Outcome::Unknown),
        Event::Disconnected { reason },
    ];
    assert_eq!(bench.events(), expected);
    // What comes late on the old link is not heard.
    let (zxid, result) = (Index(11), Ok(Response::Deleted));
    let reply = Reply { zxid, result };
    bench.input(Input::Reply {
        link,
        tag: 2,
        reply,
    });
    assert_eq!(bench.events(), vec![]);
}

#[test]
fn an_answer_out_of_turn_ends_the_connection() {
    let mut bench = Bench::attached_as(forgetful());
    bench.call(1, delete());
    bench.call(2, delete());
    let tags: Vec<u64> = bench.sent().into_iter().map(|(tag, _)| tag).collect();
    bench.answer(tags[1], 11, Ok(Response::Deleted));
    assert_eq!(bench.out.first(), Some(&Output::Close { link: 1 }));
    let expected = vec![
        done(1, Outcome::Unknown),
        done(2, Outcome::Unknown),
        Event::Disconnected { reason: None },
    ];
    assert_eq!(bench.events(), expected);
}

#[test]
fn what_waits_for_a_session_that_has_expired_is_never_sent() {
    let mut bench = Bench::attached();
    bench.reconnect();
    bench.call(1, delete());
    let (tag, request) = bench.sent().pop().expect("it asks to be attached");
    let Request::Connect(connect) = request else {
        panic!("{request:?}")
    };
    assert_eq!((connect.session, connect.password), (SessionId(5), [9; 16]));
    bench.out.clear();
    bench.answer(tag, 12, Ok(Response::Expired));
    bench.wake();
    let session = SessionId(5);
    let expected = vec![done(1, Outcome::Unsent), Event::Expired { session }];
    assert_eq!(bench.events(), expected);
    bench.reconnect();
    bench.attach(SessionId(13));
    let events = bench.events();
    let Some(Event::Connected {
        session: SessionId(13),
        resumed: false,
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
}

#[test]
fn a_closed_session_ends_the_client() {
    let mut bench = Bench::attached();
    bench.call(1, Request::Close);
    bench.call(2, Request::Ping);
    let (tag, _) = bench.sent()[0];
    bench.answer(tag, 11, Ok(Response::Closed));
    bench.call(3, Request::Ping);
    let (zxid, result) = (Index(11), Ok(Response::Closed));
    let session = SessionId(5);
    let expected = vec![
        done(1, Outcome::Answered(Reply { zxid, result })),
        done(2, Outcome::Unknown),
        Event::Closed { session },
        done(3, Outcome::Unsent),
    ];
    assert_eq!(bench.events(), expected);
    assert_eq!(bench.client.deadline(), Time::NEVER);
}

#[test]
fn who_it_is_is_said_again_on_each_connection() {
    let mut bench = Bench::attached();
    let auth = Request::Auth {
        scheme: "digest".into(),
        proof: "otter:raft".into(),
    };
    bench.call(1, auth.clone());
    let (tag, _) = bench.sent().pop().expect("it was sent");
    bench.answer(tag, 11, Ok(Response::Authenticated));
    bench.reconnect();
    bench.call(2, delete());
    bench.attach(SessionId(5));
    let sent: Vec<Request> = bench
        .sent()
        .into_iter()
        .map(|(_, request)| request)
        .collect();
    assert_eq!(
        sent,
        [auth, once(1, 0, delete())],
        "before anything that needs it"
    );
}

#[test]
fn calls_beyond_the_limit_are_refused() {
    let config = ClientConfig {
        calls: 2,
        watches: 1,
        ..ClientConfig::new(1)
    };
    let mut bench = Bench::new(config);
    bench.wake();
    bench.attach(SessionId(5));
    bench.call(1, read(ReadKind::Exists, "/a", true));
    let (tag, _) = bench.sent().pop().expect("it was sent");
    bench.answer(tag, 11, Ok(Response::Stat(stat(3, 3))));
    bench.out.clear();
    bench.call(2, read(ReadKind::Exists, "/b", true));
    assert_eq!(bench.events(), vec![done(2, Outcome::Unsent)]);
    for id in 3..6 {
        bench.call(id, Request::Ping);
    }
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.events(), vec![done(5, Outcome::Unsent)]);
}

/// Leaves a watch on `shown`, breaks the connection, and shows `later` when it is left again. Gives the
/// events, and whether an event that comes then is passed on.
fn missed(
    kind: ReadKind,
    shown: Result<Response, Error>,
    later: Result<Response, Error>,
) -> (Vec<(EventKind, Index)>, bool) {
    let mut bench = Bench::attached();
    bench.call(1, read(kind, "/a", true));
    let (tag, _) = bench.sent().pop().expect("it was sent");
    bench.answer(tag, 11, shown);
    bench.reconnect();
    bench.attach(SessionId(5));
    bench
        .out
        .retain(|output| matches!(output, Output::Send { .. }));
    let again = bench.sent();
    let [(tag, Request::Read(ref left))] = again[..] else {
        panic!("{again:?}")
    };
    assert!(left.watch && left.path == "/a");
    bench.answer(tag, 30, later);
    let take = |event: Event| match event {
        Event::Watch(WatchEvent { kind, zxid, .. }) => (kind, zxid),
        other => panic!("{other:?}"),
    };
    let events = bench.events().into_iter().map(take).collect();
    let link = bench.client.link;
    let event = WatchEvent {
        kind: EventKind::NodeDeleted,
        path: "/a".into(),
        zxid: Index(31),
    };
    bench.input(Input::Watch { link, event });
    (events, !bench.events().is_empty())
}

#[test]
fn watches_are_left_again_and_tell_what_they_missed() {
    let there = |mzxid, pzxid| Ok(Response::Stat(stat(mzxid, pzxid)));
    let listed = |pzxid| {
        Ok(Response::Children {
            names: Vec::<String>::new(),
            stat: stat(3, pzxid),
        })
    };
    let absent = || Err(Error::NoNode);
    let (exists, children) = (ReadKind::Exists, ReadKind::Children);
    let nothing = |missed| assert_eq!(missed, (vec![], true));
    let one = |missed, kind, zxid| assert_eq!(missed, (vec![(kind, Index(zxid))], false));
    nothing(missed(exists, there(3, 3), there(3, 20)));
    nothing(missed(exists, absent(), absent()));
    nothing(missed(children, listed(3), listed(3)));
    let (created, deleted) = (EventKind::NodeCreated, EventKind::NodeDeleted);
    one(missed(exists, absent(), there(20, 20)), created, 20);
    one(missed(exists, there(3, 3), absent()), deleted, 30);
    one(missed(children, listed(3), absent()), deleted, 30);
    let data = EventKind::NodeDataChanged;
    one(missed(exists, there(3, 3), there(20, 3)), data, 20);
    let listing = EventKind::NodeChildrenChanged;
    one(missed(children, listed(3), listed(20)), listing, 20);
}
