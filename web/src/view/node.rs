//! One node on the stage. Everything it shows is in its properties, so that it is drawn again only when
//! one of them changes; its timer arc is moved by the frame loop.

use otterkeeper_core::id::NodeId;
use otterkeeper_core::raft::note::Role;
use yew::prelude::*;

use crate::desk::Desk;
use crate::geometry::{NODE, Ring};
use crate::i18n::{Lang, Words};
use crate::shape::{self, Shape};
use crate::state::{Action, Model, Selection};
use crate::values::{VALUES, value};
use crate::view::icon;

/// What a node shows.
#[derive(Clone, PartialEq, Properties)]
pub(crate) struct Face {
    pub(crate) desk: Desk,
    pub(crate) id: NodeId,
    pub(crate) x: i32,
    pub(crate) y: i32,
    /// As in the test hooks.
    pub(crate) role: &'static str,
    /// How it is drawn, also while it is paused.
    pub(crate) form: &'static str,
    pub(crate) paused: bool,
    pub(crate) term: u64,
    pub(crate) commit: u64,
    pub(crate) applied: u64,
    /// Entries that the others have committed and this one has not applied.
    pub(crate) lag: u64,
    /// Votes of the election under way: who could vote, and whether they did.
    pub(crate) ballots: Vec<bool>,
    pub(crate) frozen: bool,
    pub(crate) writing: bool,
    pub(crate) waiting: Vec<Shape>,
    pub(crate) selected: bool,
    /// The value that the visitor wants to see of each node.
    pub(crate) said: Option<String>,
    pub(crate) lang: Lang,
}

impl Face {
    pub(crate) fn of(
        desk: &Desk,
        model: &Model,
        ring: Ring,
        id: NodeId,
        top: u64,
        selected: bool,
    ) -> Self {
        let sim = model.sim();
        let at = ring.node(id.0);
        let disk = sim.disk(id);
        let mut face = Self {
            desk: desk.clone(),
            id,
            x: at.x.round() as i32,
            y: at.y.round() as i32,
            role: "down",
            form: "down",
            paused: false,
            term: disk.map_or(0, |disk| disk.vote.term.0),
            commit: 0,
            applied: 0,
            lag: 8,
            ballots: Vec::new(),
            frozen: disk.is_some_and(|disk| disk.frozen),
            writing: disk.is_some_and(|disk| disk.waiting > 0),
            waiting: Vec::new(),
            selected,
            said: None,
            lang: model.words.lang,
        };
        let wanted = model.choices.on_stage.checked_sub(1);
        if let Some(key) = wanted.and_then(|place| VALUES.get(place)) {
            let value = value(model, id, key);
            face.said = value.map(|value| format!("{} {value}", model.words.get(key)));
        }
        let Some(view) = sim.node(id) else {
            return face;
        };
        let role = view.role();
        face.form = form(role);
        face.role = face.form;
        face.paused = sim.is_paused(id);
        if face.paused {
            face.role = "paused";
        }
        face.term = view.term().0;
        face.commit = view.commit().0;
        face.applied = view.applied().0;
        face.lag = top.saturating_sub(face.applied).min(8);
        if matches!(role, Role::Candidate | Role::PreCandidate) {
            let votes = view.votes();
            face.ballots = view
                .voters()
                .iter()
                .map(|voter| votes.contains(voter))
                .collect();
            face.ballots.sort_unstable_by_key(|got| !got);
        }
        face.waiting = view
            .withheld()
            .iter()
            .map(|held| shape::of_raft(&held.message))
            .collect();
        face
    }
}

/// The role as in the test hooks.
pub(crate) const fn form(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

#[component]
pub(crate) fn NodeView(face: &Face) -> Html {
    let id = face.id.0;
    let clip = format!("clip-{id}");
    let class = classes!(
        "node",
        format!("t{}", face.term % 8),
        format!("is-{}", face.form),
        face.paused.then_some("is-paused"),
        face.selected.then_some("sel")
    );
    let mut label = name(&face.desk.read().words, face);
    let holds = face.frozen || face.writing || !face.waiting.is_empty();
    // Below the ballots and what waits for the disk.
    let said = face.said.as_ref().map(|said| {
        label += &format!(", {said}");
        let y = 61 + 17 * (i32::from(!face.ballots.is_empty()) + i32::from(holds));
        html! { <text class="said" y={y.to_string()}>{ said }</text> }
    });
    let select = face.desk.on(Action::Select(Some(Selection::Node(face.id))));
    let desk = face.desk.clone();
    let node = face.id;
    let key = Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Enter" {
            desk.act(Action::Select(Some(Selection::Node(node))));
        }
    });
    let radius = NODE.to_string();
    // The level falls by an eighth of the node for each entry that it is behind.
    let level = -NODE + 2.0 * NODE * face.lag as f64 / 9.0;
    html! {
        <g {class} transform={format!("translate({} {})", face.x, face.y)}>
            <g id={format!("node-{id}")} data-testid={format!("node-{id}")} data-role={face.role} data-term={face.term.to_string()}
                data-commit={face.commit.to_string()} data-applied={face.applied.to_string()} tabindex="0" role="button"
                aria-label={label} aria-pressed={face.selected.to_string()} onclick={select} onkeydown={key}>
                <circle class="halo" r="51" />
                <circle class="body" r={radius.clone()} />
                <clipPath id={clip.clone()}><circle r={radius.clone()} /></clipPath>
                <rect class="level" x="-33" width="66" height="66" y={format!("{level:.1}")} clip-path={format!("url(#{clip})")} />
                { if face.form == "down" { hatch(&clip) } else { html! {} } }
                <circle class="ring" r={radius} />
                <circle class="ring outer" r="38.5" />
                <circle class="timer" id={format!("timer-{id}")} r="43" pathLength="100" transform="rotate(-90)" />
                { if face.form == "leader" { html! { <path class="crown" d={icon::CROWN} /> } } else { html! {} } }
                { if face.paused { ice() } else { html! {} } }
            </g>
            // What is written on it: the name says it in words.
            <g class="labels" aria-hidden="true">
                <text class="name" y="3">{ id }</text>
                <text class="sub" y="19">{ if face.form == "down" { String::new() } else { format!("#{}", face.commit) } }</text>
                <g class="badge" transform="translate(30 -30)">
                    <rect x="-15" y="-9.5" width="30" height="19" rx="9.5" /><text y="4">{ format!("t{}", face.term) }</text>
                </g>
                <g class="ballots">{ ballots(&face.ballots) }</g>
                <g class="held" transform={if face.ballots.is_empty() { "translate(0 57)" } else { "translate(0 74)" }}>{ held(face) }</g>
                { for said }
            </g>
        </g>
    }
}

/// What is read out.
fn name(words: &Words, face: &Face) -> String {
    let role = words.get(match face.role {
        "leader" => "role-leader",
        "candidate" => "role-candidate",
        "pre-candidate" => "role-pre-candidate",
        "paused" => "role-paused",
        "down" => return words.with("stage-node-down", &[("node", face.id.0.into())]),
        _ => "role-follower",
    });
    words.with(
        "stage-node",
        &[
            ("node", face.id.0.into()),
            ("role", role.into()),
            ("term", face.term.into()),
            ("commit", face.commit.into()),
        ],
    )
}

fn hatch(clip: &str) -> Html {
    let lines: String = (0..18)
        .map(|line| format!("M{} 40l80-80", -120 + line * 9))
        .collect();
    html! { <g clip-path={format!("url(#{clip})")}><path class="hatch" d={lines} /></g> }
}

fn ice() -> Html {
    html! {
        <>
            <path class="ice" d="M0-40 12-34 27-30 31-15 40-3 33 11 30 27 15 31 2 40-11 33-27 30-31 15-40 2-33-12-30-27-14-31Z" />
            <path class="flake" d="M-34 34v-14M-40 30.500l12-7M-40 23.500l12 7" />
        </>
    }
}

fn ballots(ballots: &[bool]) -> Html {
    let middle = (ballots.len() as f64 - 1.0) / 2.0;
    let dots = ballots.iter().enumerate().map(|(place, got)| {
        let x = (place as f64 - middle) * 11.5;
        html! { <circle key={place} class={classes!("ballot", got.then_some("got"))} cx={format!("{x:.1}")} cy="57" r="4" /> }
    });
    dots.collect()
}

/// The disk, and the messages that wait for it.
fn held(face: &Face) -> Html {
    if !face.frozen && !face.writing && face.waiting.is_empty() {
        return html! {};
    }
    let shown = face.waiting.len().min(4);
    let width = 16.0 + shown as f64 * 14.0;
    let more = face.waiting.len() - shown;
    html! {
        <g transform={format!("translate({:.1} 0)", -width / 2.0)}>
            <path class={classes!("disk", face.frozen.then_some("frozen"))} d="M0-4.500v9c0 3.500 12 3.500 12 0v-9c0-3.500-12-3.500-12 0s12 3.500 12 0" />
            { for face.waiting.iter().take(shown).enumerate().map(|(place, shape)| html! {
                <g key={place} class={classes!("msg", shape.class, "waits")} transform={format!("translate({} 0) scale(.62)", 22 + place * 14)}><path d={shape.path} /></g>
            }) }
            { if more > 0 { html! { <text class="more" x={format!("{}", width + 4.0)} y="4">{ format!("+{more}") }</text> } } else { html! {} } }
        </g>
    }
}
