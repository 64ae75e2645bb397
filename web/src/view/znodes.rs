//! The znodes as the chosen node sees them: a node that lags shows the older tree.

use otterkeeper_core::node::View;
use otterkeeper_core::request::CreateMode;
use otterkeeper_core::tree::{Tree, Znode};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::command;
use crate::desk::Seen;
use crate::state::{Action, Model};
use crate::view::icon::{self, icon};

/// Znodes shown at once.
const SHOWN: usize = 100;

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

/// A field in which something is looked for; its key is that of its name too.
pub(crate) fn filter(
    seen: &Seen,
    key: &'static str,
    value: &str,
    act: fn(String) -> Action,
) -> Html {
    let desk = seen.desk.clone();
    let input = Callback::from(move |event: InputEvent| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        if let Some(input) = input {
            desk.act(act(input.value()));
        }
    });
    let name = seen.desk.read().words.get(key);
    html! { <span class="field find"><input type="search" data-testid={key} aria-label={name.clone()} placeholder={name} value={value.to_owned()} oninput={input} /></span> }
}

/// The rows that are shown, the place of the first, and how many there are: depth first, as people read a tree, or those
/// whose paths have what is looked for, with a star for anything.
fn page<'a>(tree: &'a Tree, sought: &str, from: usize) -> (Vec<Znode<'a>>, usize, usize) {
    let mut rows = Vec::new();
    if !sought.is_empty() {
        let found = || tree.iter().filter(|znode| fits(znode.path(), sought));
        let all = found().count();
        let from = from.min(all.saturating_sub(1) / SHOWN * SHOWN);
        rows.extend(found().skip(from).take(SHOWN));
        return (rows, from, all);
    }
    let all = tree.count() as usize;
    let from = from.min(all.saturating_sub(1) / SHOWN * SHOWN);
    let mut next = tree.get("/");
    let mut open = Vec::new();
    let mut row = 0;
    while let Some(znode) = next {
        if from <= row {
            rows.push(znode);
        }
        row += 1;
        if rows.len() == SHOWN {
            break;
        }
        open.push(tree.children(znode.path()));
        next = None;
        while let Some(children) = open.last_mut() {
            next = children.next();
            if next.is_some() {
                break;
            }
            open.pop();
        }
    }
    (rows, from, all)
}

/// Whether a path has the pieces between stars, one behind the other.
fn fits(path: &str, sought: &str) -> bool {
    let mut rest = path;
    sought.split('*').all(|piece| {
        let found = rest.find(piece);
        rest = found.map_or("", |at| &rest[at + piece.len()..]);
        found.is_some()
    })
}

fn tree(seen: &Seen, model: &Model, view: View<'_>) -> Html {
    let words = &model.words;
    let tree = view.machine().tree();
    let mut watched: Vec<String> = Vec::new();
    for connection in view.connections() {
        watched.extend(
            view.watches()
                .of(connection.conn)
                .map(|(path, _)| path.to_owned()),
        );
    }
    let sought = &model.path_sought;
    let (rows, from, all) = page(tree, sought, model.tree_from);
    let to = from + rows.len();
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
                <button key={stat.mzxid.0} class="fresh" data-testid={format!("znode:{path}")} aria-pressed={(model.znode == path).to_string()} onclick={seen.desk.on(Action::Znode(path.to_owned()))}>
                    <span class="key">{ name.to_owned() }</span><span class="val">{ value }</span>{ for kind }
                    { if stat.ephemeral_owner.0 == 0 { html! {} } else { html! { <span class="tag eph">{ words.with("znodes-session", &[("session", stat.ephemeral_owner.0.into())]) }</span> } } }
                    { if watches == 0 { html! {} } else { html! { <span class="tag watch" title={words.get("znodes-watches")}>{ icon(icon::BELL) }{ watches }</span> } } }
                </button>
            </li>
        }
    });
    let rows: Vec<Html> = rows.collect();
    let turn = |id: &'static str, path: &'static str, row: usize, disabled: bool| {
        html! { <button class="tiny" data-testid={id} aria-label={words.get(id)} title={words.get(id)} {disabled} onclick={seen.desk.on(Action::TreeFrom(row))}>{ icon(path) }</button> }
    };
    let place = [
        ("from", (from as u64 + 1).into()),
        ("to", (to as u64).into()),
        ("all", (all as u64).into()),
    ];
    html! {
        <>
            <div class="pages">
                { filter(seen, "znodes-find", sought, Action::SeekPath) }
                { if all <= SHOWN { html! {} } else { html! {
                    <>{ turn("znodes-before", icon::BACK, from.saturating_sub(SHOWN), from == 0) }<span class="num" data-testid="znodes-page">{ words.with("znodes-page", &place) }</span>{ turn("znodes-after", icon::NEXT, to, all <= to) }</>
                } } }
            </div>
            <p class="sub">{ words.with("znodes-applied", &[("index", view.applied().0.into())]) }</p>
            <ul class="tree">{ rows }</ul>
            { if all == 0 { html! { <p class="empty">{ words.get("znodes-none") }</p> } } else { html! {} } }
            { stat(seen, model, view) }
        </>
    }
}

fn stat(seen: &Seen, model: &Model, view: View<'_>) -> Html {
    let words = &model.words;
    let (desk, path) = (seen.desk.clone(), model.znode.clone());
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
    let Some(znode) = view.machine().tree().get(&model.znode) else {
        return html! {};
    };
    let facts = command::stat_lines(&znode.stat()).into_iter().map(|(name, value)| {
        html! { <div key={name}><dt>{ name }</dt><dd key={value.clone()} class="changed">{ value }</dd></div> }
    });
    let facts: Vec<Html> = facts.collect();
    html! {
        <>
            <h3>{ words.with("znodes-stat", &[("path", model.znode.as_str().into())]) }</h3>
            { match znode.data() {
                Some(data) if !data.is_empty() => html! { <p class="quote mono">{ command::show(Some(data)) }</p> },
                _ => html! {},
            } }
            <label class="field">{ words.get("znodes-set") }<input data-testid="znodes-set" autocomplete="off" spellcheck="false" onkeydown={enter} /></label>
            <dl class="facts">{ facts }</dl>
        </>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::state::Model;
    use otterkeeper_core::id::NodeId;
    use otterkeeper_core::time::Span;

    #[test]
    fn a_tree_of_thousands_is_shown_a_page_at_a_time() {
        let mut model = Model::new(3, 42, Lang::En);
        model.seek(Span::from_ms(1_500));
        model.update(Action::Command("create /all 1".to_owned()));
        for number in 0..3_000 {
            let inner = if number % 100 == 7 {
                "/all/in-"
            } else {
                "/all/"
            };
            let path = format!("create {inner}{number:04}");
            model.update(Action::Command(path));
            if number % 500 == 499 {
                model.seek(Span::from_ms(2_000 + number * 3));
            }
        }
        model.seek(Span::from_ms(15_000));
        let view = model.sim().node(NodeId(1)).expect("it is up");
        let tree = view.machine().tree();
        let mut paths = Vec::new();
        loop {
            let (rows, from, all) = page(tree, "", paths.len());
            assert_eq!((from, all), (paths.len(), tree.count() as usize));
            assert!(rows.len() <= SHOWN);
            paths.extend(rows.iter().map(|znode| znode.path().to_owned()));
            if paths.len() == all {
                break;
            }
        }
        assert!(3_000 < paths.len());
        // Each below its parent, and none twice.
        let mut sorted = paths.clone();
        sorted.sort_by_key(|path| path.split('/').map(str::to_owned).collect::<Vec<_>>());
        sorted.dedup();
        assert_eq!(paths[1..], sorted[1..]);
        let (rows, from, all) = page(tree, "all*in-*07", 0);
        assert_eq!((rows.len(), from, all), (30, 0, 30));
        let (rows, from, all) = page(tree, "/all/", 5_000);
        assert_eq!((rows.len(), from, all), (100, 2_900, 3_000));
        assert_eq!(page(tree, "none of them", 0).2, 0);
    }

    #[test]
    fn stars_stand_for_anything() {
        for (sought, fit) in [
            ("a", true),
            ("/a*c", true),
            ("*", true),
            ("c*a", false),
            ("/a/b/c", true),
            ("b*", true),
        ] {
            assert_eq!(fits("/a/b/c", sought), fit, "{sought}");
        }
    }
}
