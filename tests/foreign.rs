//! The Rust crate `zookeeper-client`, written by others after ZooKeeper's own tests, on three real servers: what it
//! asks that kazoo does not.

use core::time::Duration;
use std::time::Instant;

use otterkeeper_tests::process::Cluster;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use zookeeper_client as zk;
use zookeeper_client::{Acls, AddWatchMode, Client, CreateMode, EventType, MultiReadResult};

const OPEN: zk::CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: zk::CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
const CONTAINER: zk::CreateOptions<'static> = CreateMode::Container.with_acls(Acls::anyone_all());
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs a built server: cargo xtask test"]
fn another_rust_client_finds_what_it_expects() {
    let flags = ["--read-only-mode", "--container-check-ms", "200"];
    let mut cluster = Cluster::start_with(3, &flags);
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = Client::connect(&hosts(&cluster)).await.expect("a session");
        persistent_watches(&cluster, &client).await;
        reads_of_one_moment(&client).await;
        mortal_znodes(&client).await;
        a_session_is_restored(&cluster, &client).await;
        a_session_survives_its_server(&mut cluster).await;
        read_only(&mut cluster).await;
    });
    println!("* zookeeper-client: addWatch, multiRead, TTL, container, session restore, read-only");
}

fn hosts(cluster: &Cluster) -> String {
    let hosts: Vec<&str> = (0..3).map(|at| &*cluster.member(at).zk).collect();
    hosts.join(",")
}

/// addWatch in both modes, each event with its zxid.
async fn persistent_watches(cluster: &Cluster, client: &Client) {
    let watcher = Client::connect(&cluster.member(1).zk)
        .await
        .expect("a session");
    let recursive = AddWatchMode::PersistentRecursive;
    let mut recursive = watcher.watch("/watched", recursive).await.expect("a watch");
    let mut plain = watcher
        .watch("/watched", AddWatchMode::Persistent)
        .await
        .expect("a watch");
    let made = client
        .create("/watched", b"1", &OPEN)
        .await
        .expect("made")
        .0;
    let child = client
        .create("/watched/child", b"2", &OPEN)
        .await
        .expect("made")
        .0;
    let set = client
        .set_data("/watched/child", b"3", None)
        .await
        .expect("set");
    client
        .delete("/watched/child", None)
        .await
        .expect("deleted");
    for (kind, path, zxid) in [
        (EventType::NodeCreated, "/watched", Some(made.czxid)),
        (EventType::NodeCreated, "/watched/child", Some(child.czxid)),
        (
            EventType::NodeDataChanged,
            "/watched/child",
            Some(set.mzxid),
        ),
        (EventType::NodeDeleted, "/watched/child", None),
    ] {
        let event = timeout(PATIENCE, recursive.changed())
            .await
            .expect("an event");
        assert_eq!((event.event_type, &*event.path), (kind, path));
        assert!(zxid.is_none_or(|zxid| event.zxid == zxid), "{event:?}");
    }
    for kind in [
        EventType::NodeCreated,
        EventType::NodeChildrenChanged,
        EventType::NodeChildrenChanged,
    ] {
        let event = timeout(PATIENCE, plain.changed()).await.expect("an event");
        assert_eq!((event.event_type, &*event.path), (kind, "/watched"));
    }
}

async fn reads_of_one_moment(client: &Client) {
    client.create("/read", b"data", &OPEN).await.expect("made");
    client
        .create("/read/child", b"", &OPEN)
        .await
        .expect("made");
    let mut reader = client.new_multi_reader();
    reader.add_get_data("/read").expect("a path");
    reader.add_get_children("/read").expect("a path");
    reader.add_get_data("/none").expect("a path");
    let results = reader.commit().await.expect("an answer");
    match &results[..] {
        [
            MultiReadResult::Data { data, stat },
            MultiReadResult::Children { children },
            MultiReadResult::Error { err },
        ] => {
            assert_eq!((&data[..], stat.num_children), (&b"data"[..], 1));
            assert_eq!(children[..], ["child"]);
            assert_eq!(*err, zk::Error::NoNode);
        }
        other => panic!("{other:?}"),
    }
    let count = client.count_descendants_number("/read").await;
    assert_eq!(count.expect("a number"), 1);
}

async fn mortal_znodes(client: &Client) {
    let brief = OPEN.with_ttl(Duration::from_millis(300));
    client.create("/brief", b"", &brief).await.expect("made");
    client
        .create("/brief/child", b"", &OPEN)
        .await
        .expect("made");
    client
        .create("/contains", b"", &CONTAINER)
        .await
        .expect("made");
    sleep(Duration::from_secs(1)).await;
    // One has a child, the other never had one.
    for path in ["/brief", "/contains"] {
        assert!(exists(client, path).await, "{path} is gone");
    }
    client
        .create("/contains/child", b"", &OPEN)
        .await
        .expect("made");
    for path in ["/brief/child", "/contains/child"] {
        client.delete(path, None).await.expect("deleted");
    }
    let until = Instant::now() + PATIENCE;
    while exists(client, "/brief").await || exists(client, "/contains").await {
        assert!(Instant::now() < until, "they stay for ever");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn exists(client: &Client, path: &str) -> bool {
    client.check_stat(path).await.expect("an answer").is_some()
}

/// By another connection, at any server, with what the first one was given.
async fn a_session_is_restored(cluster: &Cluster, client: &Client) {
    let connector = Client::connector().with_detached();
    let first = connector
        .connect(&cluster.member(0).zk)
        .await
        .expect("a session");
    first
        .create("/restored", b"", &EPHEMERAL)
        .await
        .expect("made");
    let (id, session) = (first.session_id(), first.into_session());
    let connector = Client::connector().with_session(session.clone());
    let second = connector
        .connect(&cluster.member(2).zk)
        .await
        .expect("the session");
    assert_eq!(second.session_id(), id);
    let stat = second
        .check_stat("/restored")
        .await
        .expect("an answer")
        .expect("it is there");
    assert_eq!(stat.ephemeral_owner, id.0);
    // Whoever drops a client closes its session, and that is final.
    drop(second);
    let until = Instant::now() + PATIENCE;
    while exists(client, "/restored").await {
        assert!(Instant::now() < until, "the session goes on");
        sleep(Duration::from_millis(20)).await;
    }
    let late = Client::connector().with_session(session);
    let error = late.connect(&cluster.member(1).zk).await.map(drop);
    assert_eq!(error, Err(zk::Error::SessionExpired));
}

async fn a_session_survives_its_server(cluster: &mut Cluster) {
    let client = Client::connect(&hosts(cluster)).await.expect("a session");
    client
        .create("/alive", b"", &EPHEMERAL)
        .await
        .expect("made");
    let id = client.session_id();
    for number in 0..3 {
        cluster.kill(number);
        let until = Instant::now() + PATIENCE;
        while client.set_data("/alive", b"", None).await.is_err() {
            assert!(Instant::now() < until, "it does not come back");
            sleep(Duration::from_millis(20)).await;
        }
        cluster.run(number);
        cluster.wait(number);
    }
    let stat = client
        .check_stat("/alive")
        .await
        .expect("an answer")
        .expect("it is there");
    assert_eq!((stat.ephemeral_owner, client.session_id()), (id.0, id));
}

/// The last of three servers serves reads to whoever asks for no more.
async fn read_only(cluster: &mut Cluster) {
    cluster.kill(0);
    cluster.kill(1);
    let last = &cluster.member(2).zk;
    let until = Instant::now() + PATIENCE;
    let client = loop {
        let connector = Client::connector().with_readonly(true).with_fail_eagerly();
        match connector.connect(last).await {
            Ok(client) if client.session().is_readonly() => break client,
            _ => assert!(Instant::now() < until, "it never serves reads"),
        }
        sleep(Duration::from_millis(100)).await;
    };
    let (data, _) = client.get_data("/read").await.expect("it is there");
    assert_eq!(data, b"data");
    let refused = client.set_data("/read", b"", None).await.map(drop);
    assert_eq!(refused, Err(zk::Error::NotReadOnly));
}
