//! What the page does, without a page.

use otterkeeper_core::sim::{CallEnd, ClientEvent, Event};

use super::*;
use otterkeeper_core::sim::linear::Judgement;
use otterkeeper_core::time::Time;

fn led() -> Model {
    let mut model = Model::new(5, 42, Lang::En);
    model.playing = false;
    assert!(
        model.leader().is_none(),
        "the page begins in the middle of an election"
    );
    assert!(model.run_until(Until::Leader));
    model
}

#[test]
fn killing_the_leader_gives_another_in_a_higher_term() {
    let mut model = led();
    let old = model.leader().expect("elected");
    let term = model.sim().node(old).expect("up").term();
    model.update(Action::Select(Some(Selection::Node(old))));
    model.update(Action::Kill);
    assert!(model.run_until(Until::Leader));
    let new = model.leader().expect("elected again");
    assert_ne!(old, new);
    assert!(model.sim().node(new).expect("up").term() > term);
    assert!(model.sim().violations().is_empty());
}

#[test]
fn a_moment_is_the_same_however_it_is_reached() {
    let mut model = led();
    model.update(Action::Write);
    model.update(Action::Load(50));
    assert!(model.seek(Span::from_ms(3_000)));
    model.update(Action::Select(Some(Selection::Node(NodeId(2)))));
    model.update(Action::Kill);
    let (now, digest) = (model.run.now(), model.sim().digest());
    assert!(model.seek(Span::from_ms(9_000)));
    let (late, later) = (model.run.now(), model.sim().digest());
    model.seek(now);
    assert_eq!(model.sim().digest(), digest);
    model.update(Action::StepForward);
    model.update(Action::StepForward);
    model.update(Action::StepBack);
    model.update(Action::StepBack);
    assert_eq!(
        model.sim().events(),
        model.run.deeds_done().last().expect("the kill").event + 1
    );
    model.seek(late);
    assert_eq!(model.sim().digest(), later);
}

#[test]
fn acting_in_the_past_keeps_the_old_course() {
    let mut model = led();
    let fork = model.run.now();
    model.update(Action::Select(Some(Selection::Node(NodeId(1)))));
    model.seek(Span::from_ms(2_000));
    let end = model.run.now();
    let old = model.sim().digest();
    model.seek(fork);
    model.update(Action::Isolate);
    assert_eq!(model.run.branches.len(), 2);
    model.seek(end);
    assert_ne!(model.sim().digest(), old);
    model.update(Action::Branch(0));
    assert_eq!(model.sim().digest(), old);
    model.update(Action::Branch(1));
    model.update(Action::Undo);
    assert_eq!(model.run.branches.len(), 3);
    model.seek(end);
    assert_eq!(
        model.sim().digest(),
        old,
        "without the deed, the same course again up to the number of the branch"
    );
}

#[test]
fn a_shared_run_is_reproduced_with_its_hash() {
    let mut model = led();
    model.update(Action::Command("create /app 1".to_owned()));
    model.seek(Span::from_ms(1_500));
    model.update(Action::Command("get -w /app".to_owned()));
    model.seek(Span::from_ms(2_500));
    let recipe = crate::share::Recipe::of(&model);
    let other = opened(&recipe.fragment());
    assert_eq!(other.notice, Some(Notice::Reproduced(model.sim().digest())));
    let text: Vec<_> = other.console().into_iter().map(|line| line.body).collect();
    assert!(
        text.contains(&command::Body::Said("Created /app".to_owned())),
        "{text:?}"
    );
}

/// What a link shows in another page, once its run has been executed.
fn opened(link: &str) -> Model {
    let read = crate::share::Recipe::read(link)
        .expect("a run")
        .expect("sane");
    let mut other = Model::new(3, 7, Lang::En);
    read.play(&mut other);
    for _ in 0..10_000 {
        if other.replay.is_none() {
            break;
        }
        other.frame(16.0);
    }
    other
}

#[test]
fn a_shared_run_shows_what_was_shown() {
    let mut model = led();
    model.update(Action::At(NodeId(4)));
    model.update(Action::Command("create /app 1".to_owned()));
    model.seek(Span::from_ms(1_500));
    while model.sim().flights().next().is_none() {
        model.update(Action::StepForward);
    }
    model.update(Action::NextMessage(true));
    let message = model.selection;
    assert!(matches!(message, Some(Selection::Message(_))));
    model.update(Action::Tab(Tab::Clients));
    model.update(Action::Diagram);
    model.update(Action::At(NodeId(5)));
    model.update(Action::Client(ClientId(1)));
    model.at = NodeId(2);
    model.update(Action::Name(0, "two views".to_owned()));
    let link = crate::share::Recipe::of(&model).fragment();
    let other = opened(&link);
    assert_eq!(other.sight(), model.sight());
    assert_eq!(other.selection, message);
    assert_eq!(other.client, Some(ClientId(1)));
    assert_eq!(other.run.current().name.as_deref(), Some("two views"));
    // What is not there is not shown, and a name has its limit.
    for (said, lie) in [
        ("&at=2", "&at=9"),
        ("&client=1", "&client=999"),
        (
            "&b=two%20views",
            "&b=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        ("&tab=clients", "&tab=lesson"),
    ] {
        assert!(link.contains(said), "{said} in {link}");
        let other = opened(&link.replace(said, lie));
        assert_eq!(other.sim().digest(), model.sim().digest());
        assert!(other.at == NodeId(2) || other.at == NodeId(1), "{lie}");
        assert!(other.client.is_none_or(|client| client == ClientId(1)));
        assert_ne!(other.tab, Tab::Lesson);
        let name = other.run.current().name.clone().unwrap_or_default();
        assert!(name.chars().count() <= 40);
    }
    // A message that has arrived is still there to be asked for its causes and effects.
    let at = model.run.now() + Span::from_ms(300);
    model.run.go_to(at, u64::MAX);
    assert!(model.message().is_none() && model.selection == message);
    let link = crate::share::Recipe::of(&model).fragment();
    assert_eq!(opened(&link).selection, message);
    let (before, _) = link.split_once("&sel=").expect("a selection");
    for lie in ["n9", "n0", "m99999999", "n1-n9", "n2-n2"] {
        assert_eq!(opened(&format!("{before}&sel={lie}")).selection, None);
    }
    let other = opened(&format!("{before}&sel=n2-n3"));
    assert_eq!(other.selection, Some(Selection::Link(NodeId(2), NodeId(3))));
}

#[test]
fn an_old_read_is_allowed_and_its_age_known_at_every_moment() {
    let mut model = led();
    let leader = model.leader().expect("elected");
    let lonely = NodeId(leader.0 % 5 + 1);
    let ask = |model: &mut Model, node, text: &str, ms| {
        model.update(Action::At(node));
        model.update(Action::Command(text.to_owned()));
        let at = model.run.now() + Span::from_ms(ms);
        assert!(model.seek(at));
    };
    ask(&mut model, leader, "create /x 1", 1_000);
    ask(&mut model, lonely, "stat /x", 1_000);
    model.update(Action::Select(Some(Selection::Node(lonely))));
    model.update(Action::Isolate);
    ask(&mut model, leader, "set /x 2", 200);
    let fresh = model.run.now();
    ask(&mut model, lonely, "get /x", 100);
    model.judge();
    let behind: Vec<_> = model.sim().behind(Time(0)).into_values().collect();
    assert_eq!(behind.len(), 1);
    assert!((100_000..200_000).contains(&behind[0].by.0), "{behind:?}");
    assert_eq!(
        model.judged.order,
        Judgement::Order {
            calls: 2,
            unchecked: 0,
            undecided: Vec::new()
        },
        "old, and no contradiction"
    );
    // Time is turned back to before the question.
    model.update(Action::GoTo(fresh));
    assert!(model.sim().behind(Time(0)).is_empty());
}

#[test]
fn a_marked_moment_is_found_again_from_another_course() {
    let mut model = led();
    model.seek(Span::from_ms(1_000));
    model.update(Action::Bookmark);
    let (events, branch) = (model.sim().events(), model.run.branch);
    model.seek(Span::from_ms(500));
    model.update(Action::HealAll);
    assert_ne!(model.run.branch, branch);
    model.update(Action::GoToBookmark(0));
    assert_eq!((model.sim().events(), model.run.branch), (events, branch));
    model.update(Action::Bookmark);
    assert!(model.bookmarks.is_empty(), "the mark goes where it stands");
}

#[test]
fn a_client_that_asks_again_is_told_the_end_and_the_change_is_made_once() {
    let mut model = led();
    let leader = model.leader().expect("elected");
    let pass = |model: &mut Model, ms| {
        let at = model.run.now() + Span::from_ms(ms);
        assert!(model.seek(at));
    };
    let command = |model: &mut Model, text: &str| {
        model.update(Action::Command(text.to_owned()));
    };
    model.update(Action::At(leader));
    command(&mut model, "create /plain 1");
    model.update(Action::Repeat);
    command(&mut model, "create /again 1");
    pass(&mut model, 1_000);
    model.update(Action::Select(Some(Selection::Node(leader))));
    model.update(Action::Isolate);
    // Commands go to the client that was chosen last.
    command(&mut model, "create -s /again/once- 1");
    model.update(Action::Client(ClientId(1)));
    assert!(!model.repeat, "that one does not ask again");
    command(&mut model, "create -s /plain/once- 1");
    pass(&mut model, 8_000);
    let end = |model: &Model, client| {
        let last = model.sim().history(ClientId(client)).last();
        last.and_then(|call| call.end.clone())
            .expect("it has ended")
    };
    assert!(matches!(end(&model, 1), CallEnd::Unknown { .. }));
    assert!(matches!(end(&model, 2), CallEnd::Returned { reply, .. } if reply.result.is_ok()));
    let again = |event: &&std::rc::Rc<Event>| {
        let asked = ClientId(2);
        matches!(&event.what, What::Client { client, event: ClientEvent::CalledAgain { .. } } if *client == asked)
    };
    assert!(model.run.journal().iter().any(|event| again(&event)));
    model.update(Action::HealAll);
    pass(&mut model, 2_000);
    for id in model.sim().nodes() {
        let view = model.sim().node(id).expect("up");
        let tree = view.machine().tree();
        assert_eq!(tree.children("/again").count(), 1, "on node {id}");
        assert_eq!(tree.children("/plain").count(), 0, "on node {id}");
    }
    assert!(model.sim().violations().is_empty());
    // A link says it too.
    let recipe = crate::share::Recipe::of(&model);
    let read = crate::share::Recipe::read(&recipe.fragment());
    assert_eq!(read, Some(Ok(recipe)));
}

#[test]
fn what_a_client_tells_again_and_again_is_one_line() {
    let mut model = led();
    model.update(Action::Command("create /app 1".to_owned()));
    for id in 2..=5 {
        model.update(Action::Command(format!("kill {id}")));
    }
    assert!(model.seek(Span::from_ms(30_000)));
    let lines = model.console();
    let said = |line: &Line| line.times;
    let often = lines.iter().map(said).max().expect("something is said");
    assert!(1 < often, "it looked for a leader once");
    for pair in lines.windows(2) {
        assert!(!pair[1].repeats(&pair[0]), "{pair:?}");
    }
    // Each attempt is counted: none is lost.
    let told = |line: &Line| matches!(line.body, command::Body::Event(_));
    let counted: u32 = lines.iter().filter(|line| told(line)).map(said).sum();
    let happened = model
        .run
        .journal()
        .iter()
        .filter(|event| match &event.what {
            What::Client { client, event } => {
                let lines = command::lines(*client, 0, event, |_| None);
                client.0 < 1_000 && lines.iter().any(told)
            }
            _ => false,
        });
    assert_eq!(counted as usize, happened.count());
}

#[test]
fn what_scripts_say_can_be_typed() {
    let mut model = led();
    let command = |model: &mut Model, text: &str| {
        let before = model.run.deeds_done().len();
        model.update(Action::Command(text.to_owned()));
        model.run.deeds_done().len() - before
    };
    assert_eq!(command(&mut model, "delay 1->2 50ms..90ms"), 1);
    assert_eq!(command(&mut model, "clock-rate 3 1040"), 1);
    assert_eq!(model.client, None, "nobody was spoken to");
    // What only a client does is meant for the one that is spoken to, who opens a session for it.
    assert_eq!(command(&mut model, "lock /lock"), 2);
    let at = model.run.now() + Span::from_ms(2_000);
    assert!(model.seek(at));
    let holds = model.sim().tokens(ClientId(1)).count();
    assert_eq!(holds, 1, "it has the lock");
    for nonsense in [
        "kill 99",
        "clock-rate 1 5000",
        "delay all 0ms..9000s",
        "lock",
        "nonsense /x",
    ] {
        assert_eq!(command(&mut model, nonsense), 0, "{nonsense}");
        let last = model.console().pop().expect("something is said").body;
        assert!(
            matches!(last, command::Body::Mistake(..)),
            "{nonsense}: {last:?}"
        );
    }
}

#[test]
fn a_long_run_under_load_is_judged_also_when_calls_are_forgotten() {
    let mut model = led();
    model.update(Action::Load(400));
    let judged = |model: &mut Model, ms| {
        assert!(model.seek(Span::from_ms(ms)));
        model.judge();
        match model.judged.order {
            Judgement::Order {
                calls, unchecked, ..
            } => {
                assert!(unchecked <= calls / 50, "{unchecked} of {calls}");
                calls
            }
            ref other => panic!("{other:?}"),
        }
    };
    let early = judged(&mut model, 10_000);
    model.update(Action::Select(model.leader().map(Selection::Node)));
    model.update(Action::Kill);
    let late = judged(&mut model, 70_000);
    assert!(100 < early && 4 * early < late, "{early} {late}");
    let forgot = |client| model.sim().history(client).any(|call| call.tag == 1);
    assert!(!model.sim().callers().any(forgot));
    // Time is turned back, and the moment is what it was.
    assert_eq!(judged(&mut model, 10_000), early);
    assert_eq!(judged(&mut model, 70_000), late);
}

#[test]
fn a_znode_is_deleted_with_all_below_it() {
    let mut model = Model::new(3, 42, Lang::En);
    model.seek(Span::from_ms(1_500));
    for path in ["/a", "/a/b", "/a/b/c", "/ab", "/a/d"] {
        model.update(Action::Command(format!("create {path} 1")));
    }
    model.seek(Span::from_ms(2_500));
    model.update(Action::Command("deleteall /a".to_owned()));
    // Of the root not all can go.
    model.update(Action::Command("deleteall /".to_owned()));
    model.seek(Span::from_ms(3_500));
    let view = model.sim().node(model.at).expect("it is up");
    let tree = view.machine().tree();
    for path in ["/a", "/a/b", "/a/b/c", "/a/d"] {
        assert!(tree.get(path).is_none(), "{path}");
    }
    let kept = tree.get("/ab").expect("it only has the same letters");
    let rights = otterkeeper_core::acl::text(&tree.acl_of(kept));
    assert_eq!(rights, "world:anyone:cdrwa");
}
