//! The znodes as the chosen node sees them: a node that lags shows the older tree.

use otterkeeper_core::node::View;
use otterkeeper_core::request::{Acl, CreateMode};
use otterkeeper_core::time::Span;
use otterkeeper_core::tree::{Tree, Znode};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::command;
use crate::desk::Seen;
use crate::frame::seconds;
use crate::i18n::{Word, Words};
use crate::rows::{self, SHOWN, page};
use crate::state::{Action, Choice, Held, Model};
use crate::view::filter::filter;
use crate::view::icon::{self, icon};

/// Changes elsewhere are told for so long, and so many of them by name.
const RECENT: Span = Span::from_ms(2_000);
const NAMED: usize = 3;

#[component]
pub(crate) fn Znodes(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    html! {
        <section class="panel right znodes" role="tabpanel" aria-label={words.get("tab-znodes")}>
            { chooser(seen, &model, &words.get("znodes-as")) }
            { match model.sim().node(model.at) {
                Some(view) => tree(seen, &model, view),
                None => html! { <p class="empty">{ words.with("znodes-down", &[("node", model.at.0.into())]) }</p> },
            } }
        </section>
    }
}

/// Buttons to choose a node.
pub(crate) fn chooser(seen: &Seen, model: &Model, name: &str) -> Html {
    let buttons = model.sim().nodes().map(|id| {
        let down = model.sim().node(id).is_none();
        html! {
            <button key={id.0} class={classes!(down.then_some("gone"))} aria-pressed={(model.at == id).to_string()} data-testid={format!("at-{id}")} onclick={seen.desk.on(Action::At(id))}>{ id.0 }</button>
        }
    });
    html! { <div class="as" role="group" aria-label={name.to_owned()}><span>{ name }</span>{ for buttons }</div> }
}

fn tree(seen: &Seen, model: &Model, view: View<'_>) -> Html {
    let words = &model.words;
    let held = model.held();
    let tree = held.map_or(view.machine().tree(), |held| &held.tree);
    let mut watched: Vec<String> = Vec::new();
    for connection in view.connections() {
        watched.extend(
            view.watches()
                .of(connection.conn)
                .map(|(path, _)| path.to_owned()),
        );
    }
    let sought = &model.choices.path_sought;
    let (rows, from, all) = page(tree, sought, model.choices.tree_from);
    let to = from + rows.len();
    let news = news(seen, model, view, &rows, all);
    let rows = rows.into_iter().map(|znode| {
        let (stat, path) = (znode.stat(), znode.path());
        let depth = if path == "/" || !sought.is_empty() { 0 } else { path.matches('/').count() };
        // What is found stands by itself, not below its parents.
        let name = match znode.name() {
            "" => path,
            _ if !sought.is_empty() => path,
            name => name,
        };
        let kind = match znode.mode() {
            CreateMode::Container => Some("container".to_owned()),
            CreateMode::Ttl { ms } => Some(format!("ttl {ms} ms")),
            _ => None,
        };
        let kind = kind.map(|kind| html! { <span class="tag">{ kind }</span> });
        let value = znode.data().filter(|data| !data.is_empty()).map(|data| command::show(Some(data))).unwrap_or_default();
        let watches = watched.iter().filter(|watched| **watched == path).count();
        html! {
            <li key={path} style={format!("padding-left:{}px", depth * 14)}>
                // Another version is another element, so that a change flashes.
                <button key={stat.mzxid.0} class="fresh" data-testid={format!("znode:{path}")} aria-pressed={(model.choices.znode == path).to_string()} onclick={seen.desk.on(Action::Choose(Choice::Znode(path.to_owned())))}>
                    <span class="key">{ name.to_owned() }</span><span class="val">{ value }</span>{ for kind }
                    { if stat.ephemeral_owner.0 == 0 { html! {} } else { html! { <span class="tag eph">{ words.with("znodes-session", &[("session", stat.ephemeral_owner.0.into())]) }</span> } } }
                    { if watches == 0 { html! {} } else { html! { <span class="tag watch" title={words.get("znodes-watches")}>{ icon(icon::BELL) }{ watches }</span> } } }
                </button>
            </li>
        }
    });
    let rows: Vec<Html> = rows.collect();
    let turn = |id: &'static str, path: &'static str, row: usize, disabled: bool| {
        html! { <button class="tiny" data-testid={id} aria-label={words.get(id)} title={words.get(id)} {disabled} onclick={seen.desk.on(Action::Choose(Choice::TreeFrom(row)))}>{ icon(path) }</button> }
    };
    let place = [
        ("from", (from as u64 + 1).into()),
        ("to", (to as u64).into()),
        ("all", (all as u64).into()),
    ];
    html! {
        <>
            <div class="pages">
                { filter(seen, "znodes-find", sought, |text| Action::Choose(Choice::SeekPath(text))) }
                { if all <= SHOWN { html! {} } else { html! {
                    <>{ turn("znodes-before", icon::BACK, from.saturating_sub(SHOWN), from == 0) }<span class="num" data-testid="znodes-page">{ words.with("znodes-page", &place) }</span>{ turn("znodes-after", icon::NEXT, to, all <= to) }</>
                } } }
            </div>
            { state(seen, model, view) }
            <div role="status" data-testid="news">{ news }</div>
            <ul class="tree">{ rows }</ul>
            { if all == 0 { html! { <p class="empty">{ words.get("znodes-none") }</p> } } else { html! {} } }
            { stat(seen, model, tree) }
        </>
    }
}

/// Of which moment the tree is, and the switch that keeps it.
fn state(seen: &Seen, model: &Model, view: View<'_>) -> Html {
    let words = &model.words;
    let of = |held: &Held| {
        [
            ("at", seconds(held.at.0).into()),
            ("index", held.applied.into()),
            ("node", held.node.0.into()),
        ]
    };
    let held = model.held();
    let text = match held {
        Some(held) => words.with("znodes-held", &of(held)),
        None => words.with("znodes-applied", &[("index", view.applied().0.into())]),
    };
    let rests = model.choices.held.as_ref().filter(|_| held.is_none());
    let rests = rests.map(|held| {
        html! { <p class="sub">{ words.with("znodes-hold-rests", &of(held)) }</p> }
    });
    html! {
        <>
            <p class="sub apart"><span>{ text }</span><label class="check"><input type="checkbox" data-testid="znodes-hold" checked={held.is_some()} onchange={seen.desk.on(Action::Choose(Choice::Hold))} />{ words.get("znodes-hold") }</label></p>
            { for rests }
        </>
    }
}

/// What has changed where nobody looks: behind the held tree, or beside the shown page a short while ago.
fn news(
    seen: &Seen,
    model: &Model,
    view: View<'_>,
    shown: &[Znode<'_>],
    all: usize,
) -> Option<Html> {
    let words = &model.words;
    let tree = view.machine().tree();
    let (key, paths) = match model.held() {
        Some(held) if held.applied == view.applied().0 => return None,
        Some(held) => ("znodes-changed", rows::changed(&held.tree, tree)),
        // All of it is on the screen.
        None if shown.len() == all && model.choices.path_sought.is_empty() => return None,
        None => {
            let zxid = model.committed_before(view.id(), RECENT);
            if view.applied().0 <= zxid {
                return None;
            }
            let found = rows::since(tree, zxid, shown);
            let paths = found.iter().map(|znode| znode.path().to_owned());
            ("znodes-elsewhere", paths.collect())
        }
    };
    let first = paths.first()?.trim_start_matches(['+', '-']).to_owned();
    let mut names = paths[..paths.len().min(NAMED)].join(", ");
    if NAMED < paths.len() {
        names += ", \u{2026}";
    }
    let arguments = [
        ("n", Word::Count(paths.len() as u64)),
        ("paths", names.into()),
    ];
    Some(html! {
        <p class="quote news"><span>{ words.with(key, &arguments) }</span><button class="btn" data-testid="znodes-reveal" onclick={seen.desk.on(Action::Choose(Choice::Reveal(first)))}>{ words.get("znodes-reveal") }</button></p>
    })
}

fn stat(seen: &Seen, model: &Model, tree: &Tree) -> Html {
    let words = &model.words;
    let (desk, path) = (seen.desk.clone(), model.choices.znode.clone());
    let enter = Callback::from(move |event: KeyboardEvent| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        if let Some(input) = input.filter(|_| event.key() == "Enter") {
            let (path, value) = (command::quoted(&path), command::quoted(&input.value()));
            desk.act(Action::Command(format!("set {path} {value}")));
            input.set_value("");
        }
    });
    let Some(znode) = tree.get(&model.choices.znode) else {
        return html! {};
    };
    let facts = command::stat_lines(&znode.stat()).into_iter().map(|(name, value)| {
        html! { <div key={name}><dt>{ name }</dt><dd key={value.clone()} class="changed">{ value }</dd></div> }
    });
    let facts: Vec<Html> = facts.collect();
    html! {
        <>
            <h3>{ words.with("znodes-stat", &[("path", model.choices.znode.as_str().into())]) }</h3>
            { match znode.data() {
                Some(data) if !data.is_empty() => html! { <p class="quote mono">{ command::show(Some(data)) }</p> },
                _ => html! {},
            } }
            <label class="field">{ words.get("znodes-set") }<input data-testid="znodes-set" autocomplete="off" spellcheck="false" onkeydown={enter} /></label>
            <dl class="facts">{ facts }</dl>
            { acl(words, tree, znode) }
            { delete(seen, model) }
        </>
    }
}

/// Who may do what with it.
fn acl(words: &Words, tree: &Tree, znode: Znode<'_>) -> Html {
    let rows = tree.acl_of(znode).into_iter().enumerate().map(|(key, acl)| {
        let bits = [
            (Acl::READ, "acl-read"),
            (Acl::WRITE, "acl-write"),
            (Acl::CREATE, "acl-create"),
            (Acl::DELETE, "acl-delete"),
            (Acl::ADMIN, "acl-admin"),
        ];
        let granted = bits.into_iter().filter(|(bit, _)| acl.perms & bit != 0);
        let granted: Vec<String> = granted.map(|(_, key)| words.get(key)).collect();
        html! { <tr {key}><td>{ acl.scheme }</td><td>{ acl.id }</td><td>{ granted.join(", ") }</td></tr> }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <>
            <h3>{ words.get("acl") }</h3>
            <table class="grid acl" data-testid="acl">
                <thead><tr><th scope="col">{ words.get("acl-scheme") }</th><th scope="col">{ words.get("acl-id") }</th><th scope="col">{ words.get("acl-may") }</th></tr></thead>
                <tbody>{ rows }</tbody>
            </table>
        </>
    }
}

/// Deletes it and all below it, when it was asked how many that are.
fn delete(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let path = &model.choices.znode;
    let tree = model.sim().node(model.at).map(|view| view.machine().tree());
    let Some(tree) = tree.filter(|tree| path != "/" && tree.get(path).is_some()) else {
        return html! {};
    };
    let button = |id: &'static str, class: &'static str, action: Action| {
        html! { <button key={id} class={classes!("btn", class)} data-testid={id} onclick={seen.desk.on(action)}>{ words.get(id) }</button> }
    };
    let choose = |path| Action::Choose(Choice::Doom(path));
    if model.choices.doomed.as_ref() != Some(path) {
        let ask = button("znodes-delete", "danger", choose(Some(path.clone())));
        return html! { <div class="row">{ ask }</div> };
    }
    let arguments = [
        ("n", Word::Count(tree.count_below(path) + 1)),
        ("path", path.as_str().into()),
    ];
    let line = format!("deleteall {}", command::quoted(path));
    html! {
        <div class="row" role="group" aria-label={words.get("znodes-delete")}>
            <p class="quote" role="status" data-testid="znodes-doomed">{ words.with("znodes-doomed", &arguments) }</p>
            { button("znodes-delete-yes", "danger", Action::Command(line)) }
            { button("znodes-delete-no", "", choose(None)) }
        </div>
    }
}
