//! The logs: a row a node, a box an entry, its term as number and hue. Dashed until this node knows it
//! to be committed; what a node throws away sinks, struck out.

use otterkeeper_core::id::{Index, NodeId};
use yew::prelude::*;

use crate::command;
use crate::desk::{Desk, Seen};
use crate::sentence;
use crate::state::{Action, Selection};
use crate::view::icon::{self, icon};
use crate::view::node::form;

/// Columns of the table.
const COLUMNS: u64 = 8;

#[derive(Clone, PartialEq)]
enum Cell {
    Empty,
    Snapshot,
    Entry {
        term: u64,
        label: String,
        committed: bool,
        durable: bool,
    },
}

#[derive(Clone, PartialEq)]
struct Box {
    index: u64,
    cell: Cell,
    /// The last one that this node knows to be committed.
    edge: bool,
    lost: Option<(u64, String)>,
}

#[derive(Clone, PartialEq, Properties)]
struct Row {
    desk: Desk,
    id: NodeId,
    form: &'static str,
    role: AttrValue,
    selected: bool,
    boxes: Vec<Box>,
    /// What a box can be, in words: in the snapshot, not committed, waiting for the disk, committed.
    states: [AttrValue; 4],
}

#[component]
pub(crate) fn Logs(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let sim = model.sim();
    let last = sim
        .nodes()
        .filter_map(|id| sim.node(id))
        .map(|view| view.last().index.0)
        .max()
        .unwrap_or(0);
    let furthest = last.saturating_sub(COLUMNS);
    let back = model.log_back.min(furthest);
    let first = furthest - back + 1;
    let columns = first..first + COLUMNS;
    let states = [
        words.get("log-snapshot"),
        words.get("log-open"),
        words.get("log-wet"),
        words.get("log-committed"),
    ]
    .map(AttrValue::from);
    let rows = sim.nodes().map(|id| {
        let view = sim.node(id);
        let disk = sim.disk(id).map_or(0, |disk| disk.last.0);
        let boxes = columns.clone().map(|index| {
            let lost = model
                .lost_entries
                .iter()
                .find(|lost| lost.node == id && lost.index == index);
            let cell = match view {
                // A node that is down keeps what its disk holds.
                None if disk < index => Cell::Empty,
                None => match model.remembered(id, index) {
                    Some((term, label)) => Cell::Entry {
                        term: term.0,
                        label: label.to_owned(),
                        committed: true,
                        durable: true,
                    },
                    None => Cell::Snapshot,
                },
                Some(view) => match view.entry(Index(index)) {
                    Some(entry) => Cell::Entry {
                        term: entry.id.term.0,
                        label: model
                            .remembered(id, index)
                            .map_or_else(|| command::label(entry), |(_, label)| label.to_owned()),
                        committed: index <= view.commit().0,
                        durable: index <= view.durable().0,
                    },
                    None if index < view.first_index().0 => Cell::Snapshot,
                    None => Cell::Empty,
                },
            };
            Box {
                index,
                cell,
                edge: view.is_some_and(|view| view.commit().0 == index),
                lost: lost.map(|lost| (lost.term.0, lost.label.clone())),
            }
        });
        let row = Row {
            desk: seen.desk.clone(),
            id,
            form: view.map_or("down", |view| form(view.role())),
            role: view
                .map_or_else(
                    || words.get("role-down"),
                    |view| sentence::role(words, view.role()),
                )
                .into(),
            selected: model.selection == Some(Selection::Node(id)),
            boxes: boxes.collect(),
            states: states.clone(),
        };
        html! { <LogRow key={id.0} ..row /> }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <section class="logs" aria-label={words.get("logs")}>
            <table>
                <thead><tr>
                    <th class="pager">
                        <button class="tiny" disabled={back >= furthest} aria-label={words.get("log-older")} title={words.get("log-older")} onclick={seen.desk.on(Action::LogBack(4))}>{ icon(icon::BACK) }</button>
                        <button class="tiny" disabled={back == 0} aria-label={words.get("log-newer")} title={words.get("log-newer")} onclick={seen.desk.on(Action::LogBack(-4))}>{ icon(icon::NEXT) }</button>
                        { words.get("log") }
                    </th>
                    { for columns.map(|index| html! { <th key={index} scope="col">{ index }</th> }) }
                </tr></thead>
                <tbody>{ rows }</tbody>
            </table>
        </section>
    }
}

#[component]
fn LogRow(row: &Row) -> Html {
    let cells = row.boxes.iter().map(|cell| {
        let inside = match &cell.cell {
            Cell::Empty => html! {},
            Cell::Snapshot => html! { <span class="snap" title={row.states[0].clone()}></span> },
            Cell::Entry { term, label, committed, durable } => {
                let class = classes!("entry", format!("t{}", term % 8), (!committed).then_some("open"), (!durable).then_some("wet"));
                let state = match (committed, durable) {
                    (true, _) => &row.states[3],
                    (false, true) => &row.states[1],
                    (false, false) => &row.states[2],
                };
                html! { <div {class} title={format!("{label}: {state}")}><b>{ term }</b><span>{ command::short(label) }</span></div> }
            }
        };
        let lost = match &cell.lost {
            None => html! {},
            Some((term, label)) => html! { <div class="entry lost" title={label.clone()}><b>{ term }</b><span>{ label }</span></div> },
        };
        html! { <td key={cell.index} class={classes!(cell.edge.then_some("edge"))}>{ inside }{ lost }</td> }
    });
    html! {
        <tr class={classes!(row.form, row.selected.then_some("sel"))}>
            <th scope="row"><button class="rowname" onclick={row.desk.on(Action::Select(Some(Selection::Node(row.id))))}><b>{ row.id.0 }</b>{ row.role.clone() }</button></th>
            { for cells }
        </tr>
    }
}
