//! The search: states as numbers, breadth first, with the way back to the start.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use otterkeeper_core::config::Bug;
use otterkeeper_core::configuration::Configuration;
use otterkeeper_core::id::{NodeId, Term};
use otterkeeper_core::message::Message;
use otterkeeper_core::wire;

use super::member::{Choice, Member, Summary, named};

/// How often things may happen on one path.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) timeouts: u8,
    pub(super) beats: u8,
    pub(super) lapses: u8,
    pub(super) proposals: u8,
    pub(super) crashes: u8,
    /// Changes of the members.
    pub(super) members: u8,
    /// Messages under way; beyond it the one that was first said longest ago is lost. All of them may also
    /// never arrive.
    pub(super) flights: usize,
}

/// What is used up of the bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Used([u8; 6]);

/// A state: members, messages under way, and what must be remembered of the way here, all by number.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    members: [u32; 3],
    story: u32,
    used: Used,
    flights: Box<[u32]>,
}

/// What happened on the way that a later state must not contradict.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Story {
    /// Who led each term.
    leaders: BTreeMap<Term, NodeId>,
    /// Whom each member voted for in each term.
    votes: BTreeMap<(NodeId, Term), NodeId>,
    /// What was committed anywhere: term and payload of each entry.
    committed: Vec<(Term, u64)>,
}

/// A broken promise.
pub(super) struct Violation {
    pub(super) what: String,
    pub(super) path: Vec<String>,
    /// What the same path leads to on members that share nothing.
    pub(super) again: Option<String>,
}

/// What a step came to: the member afterwards, and what it said.
type Stepped = (u32, Box<[u32]>);

struct Kept {
    member: Member,
    summary: Summary,
}

struct Flight {
    from: NodeId,
    to: NodeId,
    message: Message,
}

pub(super) struct Search {
    bug: Option<Bug>,
    bound: Bound,
    kept: Vec<Kept>,
    kept_by_shape: HashMap<(u64, u64), u32>,
    messages: Vec<Flight>,
    message_by_bytes: HashMap<(NodeId, NodeId, Bytes), u32>,
    stories: Vec<Story>,
    story_by_content: HashMap<Story, u32>,
    /// What a choice does to a member, once it was tried.
    steps: HashMap<(u32, Choice), Stepped>,
    seen: HashMap<State, u32>,
    states: Vec<State>,
    /// Of each state: the one before it, and what was done to which member.
    ways: Vec<(u32, u8, Choice)>,
    next: usize,
    depths: Vec<u16>,
}

impl Search {
    /// From a cluster that has just elected its first leader and has settled.
    pub(super) fn new(bug: Option<Bug>, bound: Bound) -> Self {
        let mut search = Self {
            bug,
            bound,
            kept: Vec::new(),
            kept_by_shape: HashMap::new(),
            messages: Vec::new(),
            message_by_bytes: HashMap::new(),
            stories: Vec::new(),
            story_by_content: HashMap::new(),
            steps: HashMap::new(),
            seen: HashMap::new(),
            states: Vec::new(),
            ways: Vec::new(),
            next: 0,
            depths: Vec::new(),
        };
        let members = settled(bug, bound);
        let mut story = Story::default();
        for member in &members {
            remember(&mut story, &member.1, member.0).expect("a sound start");
        }
        let members = members.map(|(_, summary, member)| search.keep(member, Some(summary)));
        let start = State {
            members,
            story: search.story(story),
            used: Used::default(),
            flights: Box::new([]),
        };
        search.add(start, (0, 0, Choice::Sync), 0);
        search
    }

    /// Goes on until a promise is broken, nothing is left, or there are this many states.
    pub(super) fn run(&mut self, states: usize) -> Option<Violation> {
        while self.next < self.states.len() && self.states.len() < states {
            let from = self.next;
            self.next += 1;
            let state = self.states[from].clone();
            let choices = self.choices(&state);
            for (member, choice) in choices {
                match self.after(&state, member, &choice) {
                    Ok(next) => {
                        let depth = self.depths[from] + 1;
                        self.add(next, (from as u32, member, choice), depth);
                    }
                    Err(what) => return Some(self.violation(from, member, choice, what)),
                }
            }
        }
        None
    }

    pub(super) fn count(&self) -> usize {
        self.states.len()
    }

    /// States whose choices were not looked at.
    pub(super) fn open(&self) -> usize {
        self.states.len() - self.next
    }

    pub(super) fn depth(&self) -> u16 {
        self.depths.last().copied().unwrap_or_default()
    }

    /// Members that differ.
    pub(super) fn members(&self) -> usize {
        self.kept.len()
    }

    /// Messages that differ.
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Terms in which somebody led, at most, on one path.
    pub(super) fn terms_led(&self) -> usize {
        let led = self.stories.iter().map(|story| story.leaders.len());
        led.max().unwrap_or_default()
    }

    fn add(&mut self, state: State, way: (u32, u8, Choice), depth: u16) {
        if self.seen.contains_key(&state) {
            return;
        }
        self.seen.insert(state.clone(), self.states.len() as u32);
        self.states.push(state);
        self.ways.push(way);
        self.depths.push(depth);
    }

    /// What can happen in a state, and to whom.
    fn choices(&self, state: &State) -> Vec<(u8, Choice)> {
        let mut choices = Vec::new();
        let [timeouts, beats, lapses, proposals, crashes, changes] = state.used.0;
        for (place, number) in state.members.iter().enumerate() {
            let place = place as u8;
            let summary = &self.kept[*number as usize].summary;
            let mut may = |choice| choices.push((place, choice));
            if summary.unsynced {
                may(Choice::Sync);
            }
            if summary.leads {
                if beats < self.bound.beats {
                    may(Choice::Beat);
                }
                if lapses < self.bound.lapses {
                    may(Choice::Lapse);
                }
                if proposals < self.bound.proposals {
                    may(Choice::Propose(proposals));
                }
                if changes < self.bound.members {
                    may(Choice::Reconfigure);
                }
            } else {
                if summary.loyal {
                    may(Choice::Quiet);
                }
                if timeouts < self.bound.timeouts {
                    may(Choice::Timeout);
                }
            }
            if crashes < self.bound.crashes {
                (0..=summary.records).for_each(|records| may(Choice::Crash(records)));
            }
        }
        for flight in &state.flights {
            let place = self.messages[*flight as usize].to.0 as u8 - 1;
            choices.push((place, Choice::Deliver(*flight)));
        }
        choices
    }

    /// The state after a choice, or the promise that it breaks.
    fn after(&mut self, state: &State, place: u8, choice: &Choice) -> Result<State, String> {
        let member = state.members[usize::from(place)];
        let (after, said) = self.step(member, place, choice);
        let mut next = state.clone();
        next.members[usize::from(place)] = after;
        let used = &mut next.used.0;
        match choice {
            Choice::Timeout => used[0] += 1,
            Choice::Beat => used[1] += 1,
            Choice::Lapse => used[2] += 1,
            Choice::Propose(_) => used[3] += 1,
            Choice::Crash(_) => used[4] += 1,
            Choice::Reconfigure => used[5] += 1,
            Choice::Deliver(_) | Choice::Sync | Choice::Quiet => {}
        }
        let arrived = |flight: &&u32| *choice != Choice::Deliver(**flight);
        let mut flights: Vec<u32> = state.flights.iter().filter(arrived).copied().collect();
        for flight in said.iter() {
            if let Err(at) = flights.binary_search(flight) {
                flights.insert(at, *flight);
            }
        }
        if self.bound.flights < flights.len() {
            flights.drain(..flights.len() - self.bound.flights);
        }
        next.flights = flights.into();
        let summary = &self.kept[after as usize].summary;
        let id = NodeId(u64::from(place) + 1);
        let mut story = self.stories[state.story as usize].clone();
        remember(&mut story, summary, id)?;
        for other in next.members {
            compare(summary, &self.kept[other as usize].summary)?;
        }
        next.story = self.story(story);
        Ok(next)
    }

    /// What a choice makes of a member, taken once and then known.
    fn step(&mut self, number: u32, place: u8, choice: &Choice) -> Stepped {
        let key = (number, choice.clone());
        if let Some(known) = self.steps.get(&key) {
            return known.clone();
        }
        let mut member = self.kept[number as usize].member.clone();
        let message = match choice {
            Choice::Deliver(flight) => {
                let Flight { from, message, .. } = &self.messages[*flight as usize];
                Some((*from, message.clone()))
            }
            _ => None,
        };
        let said = member.act(choice, message);
        let from = NodeId(u64::from(place) + 1);
        let said = said
            .into_iter()
            .filter(|(to, _)| (1..=3).contains(&to.0))
            .map(|(to, message)| self.message(from, to, message));
        let said: Box<[u32]> = said.collect();
        let after = self.keep(member, None);
        self.steps.insert(key, (after, said.clone()));
        (after, said)
    }

    fn keep(&mut self, member: Member, summary: Option<Summary>) -> u32 {
        let shape = member.shape();
        if let Some(number) = self.kept_by_shape.get(&shape) {
            return *number;
        }
        let number = self.kept.len() as u32;
        let summary = summary.unwrap_or_else(|| member.summary());
        self.kept.push(Kept { member, summary });
        self.kept_by_shape.insert(shape, number);
        number
    }

    fn message(&mut self, from: NodeId, to: NodeId, message: Message) -> u32 {
        let key = (from, to, wire::encode_message(&message));
        if let Some(number) = self.message_by_bytes.get(&key) {
            return *number;
        }
        let number = self.messages.len() as u32;
        self.messages.push(Flight { from, to, message });
        self.message_by_bytes.insert(key, number);
        number
    }

    fn story(&mut self, story: Story) -> u32 {
        if let Some(number) = self.story_by_content.get(&story) {
            return *number;
        }
        let number = self.stories.len() as u32;
        self.stories.push(story.clone());
        self.story_by_content.insert(story, number);
        number
    }

    fn violation(&self, from: usize, member: u8, choice: Choice, what: String) -> Violation {
        let mut path = vec![(member, choice)];
        let mut at = from;
        while at != 0 {
            let (before, member, choice) = self.ways[at].clone();
            path.push((member, choice));
            at = before as usize;
        }
        path.reverse();
        let tell = |(member, choice): &(u8, Choice)| match choice {
            Choice::Deliver(flight) => {
                let Flight { from, to, message } = &self.messages[*flight as usize];
                format!("{from} to {to}: {message:?}")
            }
            other => format!("{}: {other:?}", member + 1),
        };
        Violation {
            what,
            again: self.again(&path),
            path: path.iter().map(tell).collect(),
        }
    }

    /// What the path leads to when each member is stepped all the way, and nothing is looked up.
    fn again(&self, path: &[(u8, Choice)]) -> Option<String> {
        let mut members = settled(self.bug, self.bound);
        let mut story = Story::default();
        for (id, summary, _) in &members {
            remember(&mut story, summary, *id).ok()?;
        }
        for (place, choice) in path {
            let message = match choice {
                Choice::Deliver(flight) => {
                    let Flight { from, message, .. } = &self.messages[*flight as usize];
                    Some((*from, message.clone()))
                }
                _ => None,
            };
            let (id, summary, member) = &mut members[usize::from(*place)];
            member.act(choice, message);
            *summary = member.summary();
            let (id, summary) = (*id, summary.clone());
            let broken = remember(&mut story, &summary, id).and_then(|()| {
                members
                    .iter()
                    .try_for_each(|(_, s, _)| compare(&summary, s))
            });
            if let Err(what) = broken {
                return Some(what);
            }
        }
        None
    }
}

/// The start: member 1 has been elected, and everybody has applied what it has.
fn settled(bug: Option<Bug>, bound: Bound) -> [(NodeId, Summary, Member); 3] {
    let voters = if bound.members == 0 { 3 } else { 2 };
    let configuration = Configuration::new((1..=voters).map(|id| named(NodeId(id))).collect());
    let mut members = [1, 2, 3].map(|id| Member::new(NodeId(id), &configuration, bug));
    let mut flights = Vec::new();
    let act = |members: &mut [Member; 3], place: usize, choice: &Choice, message| {
        let from = NodeId(place as u64 + 1);
        let said = members[place].act(choice, message);
        said.into_iter()
            .map(move |(to, message)| (from, to, message))
            .collect::<Vec<_>>()
    };
    flights.extend(act(&mut members, 0, &Choice::Timeout, None));
    loop {
        for place in 0..3 {
            if members[place].summary().unsynced {
                flights.extend(act(&mut members, place, &Choice::Sync, None));
            }
        }
        if flights.is_empty() {
            break;
        }
        let (from, to, message) = flights.remove(0);
        let place = to.0 as usize - 1;
        flights.extend(act(
            &mut members,
            place,
            &Choice::Deliver(0),
            Some((from, message)),
        ));
    }
    let mut id = 0;
    members.map(|member| {
        id += 1;
        let summary = member.summary();
        assert_eq!(summary.leads, id == 1, "member 1 leads at the start");
        (NodeId(id), summary, member)
    })
}

/// Takes a member's new state into the story, unless they contradict each other.
fn remember(story: &mut Story, summary: &Summary, id: NodeId) -> Result<(), String> {
    let term = summary.term;
    if summary.halted {
        return Err(format!("no-halt: {id} halted"));
    }
    let vote = summary.vote;
    if let Some(candidate) = vote.voted_for {
        let first = *story.votes.entry((id, vote.term)).or_insert(candidate);
        if first != candidate {
            return Err(format!(
                "election-safety: {id} votes for {first} and {candidate} in {}",
                vote.term
            ));
        }
    }
    if summary.leads {
        let first = *story.leaders.entry(term).or_insert(id);
        if first != id {
            return Err(format!("election-safety: {first} and {id} lead in {term}"));
        }
    }
    let own = |index: usize| Some((*summary.log.get(index)?, *summary.payloads.get(index)?));
    let commit = summary.commit.0 as usize;
    for index in 0..commit {
        match (story.committed.get(index), own(index)) {
            (_, None) => return Err(format!("{id} committed beyond its log")),
            (None, Some(entry)) => story.committed.push(entry),
            (Some(known), Some(entry)) if *known != entry => {
                return Err(format!(
                    "leader-completeness: {id} committed another entry at {}",
                    index + 1
                ));
            }
            _ => {}
        }
    }
    let lost =
        || (0..story.committed.len()).find(|index| own(*index) != Some(story.committed[*index]));
    let newest = story
        .leaders
        .last_key_value()
        .is_some_and(|(newest, _)| *newest == term);
    if summary.leads
        && newest
        && let Some(index) = lost()
    {
        return Err(format!(
            "leader-completeness: {id} leads in {term} without what was committed at {}",
            index + 1
        ));
    }
    if summary.applied.0 > summary.commit {
        return Err(format!("{id} applied what is not committed"));
    }
    Ok(())
}

/// What must hold between any two members.
fn compare(one: &Summary, other: &Summary) -> Result<(), String> {
    let both = one.log.len().min(other.log.len());
    for index in 0..both {
        if one.log[index] == other.log[index] && one.payloads[index] != other.payloads[index] {
            return Err(format!("log-matching: two entries at {}", index + 1));
        }
    }
    // Below an entry of the same term everything is the same.
    if let Some(top) = (0..both)
        .rev()
        .find(|index| one.log[*index] == other.log[*index])
        && one.log[..top] != other.log[..top]
    {
        return Err(format!("log-matching: logs differ below {}", top + 1));
    }
    if one.applied.0 == other.applied.0 && one.applied.1 != other.applied.1 {
        return Err(format!(
            "state-machine-safety: two states at {}",
            one.applied.0
        ));
    }
    Ok(())
}
