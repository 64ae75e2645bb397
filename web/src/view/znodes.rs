//! The znodes as the chosen node sees them: a node that lags shows the older tree.

use otterkeeper_core::node::View;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::command;
use crate::desk::Seen;
use crate::state::{Action, Model};
use crate::view::icon::{self, icon};

/// Znodes shown at once.
const SHOWN: usize = 200;

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
    // Depth first, as people read a tree.
    let mut rows = Vec::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        if rows.len() == SHOWN {
            break;
        }
        let mut children: Vec<String> = tree
            .children(&path)
            .map(|child| child.path().to_owned())
            .collect();
        children.reverse();
        open.extend(children);
        rows.push(path);
    }
    let more = tree.count().saturating_sub(rows.len() as u64);
    let rows = rows.into_iter().map(|path| {
        let Some(znode) = tree.get(&path) else { return html! {} };
        let stat = znode.stat();
        let depth = if path == "/" { 0 } else { path.matches('/').count() };
        let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/").to_owned();
        let value = znode.data().filter(|data| !data.is_empty()).map(|data| command::show(Some(data))).unwrap_or_default();
        let watches = watched.iter().filter(|watched| **watched == path).count();
        html! {
            <li key={path.clone()} style={format!("padding-left:{}px", depth * 14)}>
                // Another version is another element, so that a change flashes.
                <button key={stat.mzxid.0} class="fresh" data-testid={format!("znode:{path}")} aria-pressed={(model.znode == path).to_string()} onclick={seen.desk.on(Action::Znode(path.clone()))}>
                    <span class="key">{ name }</span><span class="val">{ value }</span>
                    { if stat.ephemeral_owner.0 == 0 { html! {} } else { html! { <span class="tag eph">{ words.with("znodes-session", &[("session", stat.ephemeral_owner.0.into())]) }</span> } } }
                    { if watches == 0 { html! {} } else { html! { <span class="tag watch" title={words.get("znodes-watches")}>{ icon(icon::BELL) }{ watches }</span> } } }
                </button>
            </li>
        }
    });
    let rows: Vec<Html> = rows.collect();
    html! {
        <>
            <p class="sub">{ words.with("znodes-applied", &[("index", view.applied().0.into())]) }</p>
            <ul class="tree">{ rows }</ul>
            { if more == 0 { html! {} } else { html! { <p class="sub">{ words.with("znodes-more", &[("n", more.into())]) }</p> } } }
            { stat(model, view) }
        </>
    }
}

fn stat(model: &Model, view: View<'_>) -> Html {
    let words = &model.words;
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
            <dl class="facts">{ facts }</dl>
        </>
    }
}
