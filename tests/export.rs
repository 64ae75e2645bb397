//! What a run is written as for other programs says what happened, and what can be read back comes to the same
//! digest. `exported.rs` beside this file is the Rust test that the playground writes for a certain run;
//! `OTTERKEEPER_REWRITE=1` writes it anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use otterkeeper_core::id::NodeId;
use otterkeeper_core::request::{Acl, CreateMode, Op, Request};
use otterkeeper_core::scenario::export::{Export, Kind, rust_test};
use otterkeeper_core::scenario::{Record, play};
use otterkeeper_core::sim::{ClientId, Intervention, Sim, SimConfig, Workload};
use otterkeeper_core::time::Span;
use serde_json::Value;

/// A leader is killed while clients write, a link is cut, a message is repeated, and the cluster heals.
fn run() -> Sim {
    let mut config = SimConfig::new(5);
    config.workload = Some(Workload {
        ops_per_second: 0,
        ..Workload::default()
    });
    let mut sim = Sim::new(config, 42);
    let pass = |sim: &mut Sim, ms: u64| {
        sim.run_until(sim.now() + Span::from_ms(ms), u64::MAX);
    };
    pass(&mut sim, 700);
    let (one, leader) = (ClientId(1), sim.leader().expect("there is one"));
    sim.apply(&Intervention::OpenClient {
        client: one,
        node: NodeId(2),
    });
    for path in ["/otter", "/a value"] {
        let op = Op::Create {
            path: path.into(),
            data: Some(b"two words".as_slice().into()),
            acl: vec![Acl::open()],
            mode: CreateMode::Persistent,
            stat: false,
        };
        sim.apply(&Intervention::Client {
            client: one,
            request: Request::Write(op),
        });
    }
    sim.apply(&Intervention::Workload { ops_per_second: 40 });
    pass(&mut sim, 200);
    let flight = sim.flights().next().expect("something is under way").id;
    sim.apply(&Intervention::DuplicateFlight(flight));
    sim.apply(&Intervention::Loss {
        link: None,
        per_mille: 100,
    });
    pass(&mut sim, 100);
    sim.apply(&Intervention::Kill(leader));
    sim.apply(&Intervention::Cut {
        from: NodeId(1),
        to: NodeId(3),
    });
    pass(&mut sim, 900);
    sim.apply(&Intervention::Restart(leader));
    sim.apply(&Intervention::HealAll);
    pass(&mut sim, 500);
    sim
}

fn written(kind: Kind, record: Record) -> String {
    let digest = record.digest;
    let mut export = Export::new(kind, record);
    while !export.advance(100) {}
    assert_eq!(Some(export.sim().digest()), digest);
    export.finish()
}

#[test]
fn a_record_is_read_as_it_was_written_and_comes_to_its_digest() {
    let record = Record::of(&run());
    let script = record.script();
    assert_eq!(Record::parse(&script).as_ref(), Ok(&record));
    assert_eq!(play(&script).map(|sim| sim.digest()).ok(), record.digest);
    let wrong = script.replace("kill", "isolate");
    let complaint = play(&wrong).err().expect("it goes another way");
    assert!(complaint.contains("digest"), "{complaint}");
    for bad in [
        "",
        "nodes",
        "nodes 3 seed x",
        "nodes 3\nevent 5",
        "nodes 3\nraw 0",
        "nodes 3 clients 4000000000",
        "nodes 3\ndigest 1\nkill 1",
    ] {
        assert!(Record::parse(bad).is_err(), "{bad}");
    }
}

/// Stories do whatever can be done; written as records, they come to the same end.
#[test]
fn every_story_can_be_written_as_a_record() {
    let (mut played, mut wrong) = (0, Vec::new());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for file in fs::read_dir(folder).expect("the folder is there") {
        let path = file.expect("it can be listed").path();
        let text = fs::read_to_string(&path).expect("a script can be read");
        // What only stories ask is no part of the language.
        let Ok(sim) = play(&text) else { continue };
        played += 1;
        let record = Record::of(&sim);
        let script = record.script();
        if Record::parse(&script).as_ref() != Ok(&record) {
            wrong.push(format!("{path:?} is read as something else:\n{script}"));
        } else if let Err(complaint) = play(&script) {
            wrong.push(format!("{path:?}: {complaint}"));
        }
    }
    println!("* {played} stories written as records");
    assert!(40 < played && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_exported_test_is_the_one_that_runs_in_this_suite() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("exported.rs");
    let text = rust_test(&Record::of(&run()));
    if env::var_os("OTTERKEEPER_REWRITE").is_some() {
        fs::write(&path, &text).expect("it can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "tests/exported.rs is another one now; OTTERKEEPER_REWRITE=1 writes it anew"
    );
}

#[test]
fn a_timeline_has_a_start_for_every_arrival() {
    let text = written(Kind::Perfetto, Record::of(&run()));
    let trace: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("it has events");
    let mut left = BTreeMap::new();
    let (mut arrived, mut slices, mut begun) = (0, 0, 0_i64);
    for event in events {
        let at = event["ts"].as_u64().expect("every event has a time");
        match event["ph"].as_str().expect("every event has a phase") {
            "s" => assert_eq!(left.insert(event["id"].as_u64(), at), None),
            "f" => {
                let sent = left.get(&event["id"].as_u64()).expect("it has left");
                assert!(*sent <= at);
                arrived += 1;
            }
            "X" => slices += u64::from(event["tid"] == 1),
            "b" => begun += 1,
            "e" => begun -= 1,
            _ => {}
        }
    }
    assert!(
        500 < arrived && 8 <= slices,
        "{arrived} messages, {slices} roles"
    );
    assert!((0..20).contains(&begun), "{begun} calls are open");
}

/// One event of a log for ShiViz.
struct Logged {
    host: String,
    clock: BTreeMap<String, u64>,
    text: String,
}

/// As the usual expression reads it: `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`.
fn logged(text: &str) -> Vec<Logged> {
    let lines: Vec<&str> = text.lines().collect();
    let one = |pair: &[&str]| {
        let (host, clock) = pair[1].split_once(' ').expect("HOST CLOCK");
        Logged {
            host: host.to_owned(),
            clock: serde_json::from_str(clock).expect("the clock is JSON"),
            text: pair[0].to_owned(),
        }
    };
    lines.chunks(2).map(one).collect()
}

#[test]
fn a_picture_has_an_arrow_for_every_message() {
    let log = written(Kind::ShiViz, Record::of(&run()));
    let text = written(Kind::Lanes, Record::of(&run()));
    let of = |class: &str| {
        let arrows = text
            .lines()
            .filter(|line| line.starts_with("<g class=\"m "));
        arrows.filter(|line| line.contains(class)).count()
    };
    let got = log
        .lines()
        .filter(|line| line.starts_with("gets #"))
        .count();
    let lost = of("class=\"m lost\"");
    assert!(500 < got && 10 < lost, "{got} arrived, {lost} lost");
    assert_eq!(of("<path"), got + lost);
    for (line, end) in text
        .lines()
        .filter(|line| line.starts_with("<g "))
        .map(|line| (line, "</g>"))
    {
        assert!(line.ends_with(end), "{line}");
    }
    for tag in ["svg", "style", "defs", "desc"] {
        assert_eq!(
            text.matches(&format!("<{tag}")).count(),
            text.matches(&format!("</{tag}>")).count(),
            "{tag}"
        );
    }
    assert!(text.contains("class=\"leader\"") && text.contains("class=\"down\""));
    assert!(text.contains("kill ") && !text.contains("{W}"));
}

#[test]
fn vector_clocks_say_what_happened_before() {
    let log = logged(&written(Kind::ShiViz, Record::of(&run())));
    let mut last: BTreeMap<&str, &Logged> = BTreeMap::new();
    let mut sent: BTreeMap<&str, &Logged> = BTreeMap::new();
    let (mut arrived, mut copies) = (0, 0);
    let below =
        |a: &Logged, b: &Logged| a.clock.iter().all(|(host, n)| Some(n) <= b.clock.get(host));
    for one in &log {
        // A host counts its own events one by one, and never forgets what it knew.
        let before = last.insert(&one.host, one);
        let own = before.map_or(0, |before| before.clock[&one.host]);
        assert_eq!(one.clock[&one.host], own + 1, "{}", one.text);
        assert!(before.is_none_or(|before| below(before, one)));
        // Nobody knows more of a host than it has done.
        for (host, count) in &one.clock {
            assert!(*count <= last[host.as_str()].clock[host], "{}", one.text);
        }
        let number = one.text.split_whitespace().nth(1).unwrap_or_default();
        match one.text.split_whitespace().next() {
            Some("sends") => assert!(sent.insert(number, one).is_none(), "{}", one.text),
            Some("gets") => match sent.get(number) {
                Some(sent) => {
                    assert!(below(sent, one) && !below(one, sent), "{}", one.text);
                    arrived += 1;
                }
                None => copies += 1,
            },
            _ => {}
        }
    }
    assert!(
        5 < last.len() && 500 < arrived,
        "{} hosts, {arrived} messages",
        last.len()
    );
    assert!(
        copies < 2,
        "only the copy that the visitor made was sent by nobody"
    );
}
