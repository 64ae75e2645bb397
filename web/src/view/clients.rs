//! Clients: who has a session where, and a command line with zkCli's verbs against the chosen node.

use otterkeeper_core::recipe::{Standing, Trade};
use otterkeeper_core::request::Error;
use otterkeeper_core::sim::{ClientId, ClientView};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::command::{Body, Line, Mistake, USAGE, error_name};
use crate::desk::Seen;
use crate::i18n::Words;
use crate::sentence;
use crate::state::{Action, Model};
use crate::view::znodes::chooser;

/// Commands to begin with.
const FIRST: &[&str] = &[
    "create /app 1",
    "get -w /app",
    "set /app 2",
    "create -e -s /app-",
    "ls -w /",
    "stat /app",
    "lock /lock",
    "unlock /lock",
    "put /queue job",
    "take /queue",
    "finish /queue",
    "stand /boss",
    "join /group",
    "roll /group",
];

#[component]
pub(crate) fn Clients(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let sim = model.sim();
    let ours: Vec<ClientView> = sim.clients().filter(|client| client.id.0 < 1_000).collect();
    let load = sim
        .clients()
        .filter(|client| client.id.0 >= 1_000 && client.node.is_some())
        .count();
    let cards = ours.iter().map(|client| card(seen, &model, client));
    let cards: Vec<Html> = cards.collect();
    html! {
        <section class="panel right clients" role="tabpanel" aria-label={words.get("tab-clients")}>
            { chooser(seen, &model, &words.get("clients-at")) }
            <label class="check" title={words.get("clients-repeat-why")}><input type="checkbox" data-testid="repeat" checked={model.repeat} onchange={seen.desk.on(Action::Repeat)} />{ words.get("clients-repeat") }</label>
            { lines(seen, &model) }
            <div class="cards">{ cards }</div>
            { stores(&model) }
            { if ours.is_empty() { html! { <p class="empty">{ words.get("clients-none") }</p> } } else { html! {} } }
            { console(seen, &model) }
            { if load == 0 { html! {} } else { html! { <p class="sub">{ words.with("clients-workload", &[("n", (load as u64).into())]) }</p> } } }
        </section>
    }
}

fn card(seen: &Seen, model: &Model, client: &ClientView) -> Html {
    let words = &model.words;
    let on = model.client == Some(client.id);
    let state = match client.node {
        _ if client.paused => words.get("clients-paused"),
        Some(node) if client.read_only => {
            words.with("clients-read-only", &[("node", node.0.into())])
        }
        Some(node) if client.attached => words.with("clients-attached", &[("node", node.0.into())]),
        Some(_) => words.get("clients-connecting"),
        None => words.get("clients-away"),
    };
    // What is left of the session, as its own client counts it.
    let left = client
        .timeout
        .0
        .saturating_sub(model.sim().now().since(client.heard).0);
    let part = left as f64 * 100.0 / client.timeout.0.max(1) as f64;
    let state = match client.repeat {
        true => format!("{state}, {}", words.get("clients-repeats")),
        false => state,
    };
    html! {
        <div key={client.id.0} class={classes!("card", on.then_some("on"))} data-testid={format!("client-{}", sentence::client_name(client.id))}>
            <button class="cardname" aria-pressed={on.to_string()} onclick={seen.desk.on(Action::Client(client.id))}>
                <b class="who you">{ sentence::client_name(client.id) }</b><span>{ state }</span><span class="grow"></span>
                { if client.session.0 == 0 || client.read_only { html! {} } else { html! { <span class="num">{ words.with("clients-session", &[("session", client.session.0.into())]) }</span> } } }
            </button>
            { if client.session.0 == 0 { html! {} } else { html! {
                <>{ doings(model, client.id) }
                <div class="cardfoot">
                    <span class="life" title={words.with("clients-left", &[("left", (left / 1_000_000).into()), ("all", (client.timeout.0 / 1_000_000).into())])}><i style={format!("width:{part:.0}%")}></i></span>
                    <button class="tinytext" aria-pressed={client.paused.to_string()} onclick={seen.desk.on(Action::PauseClient(client.id))}>{ words.get(if client.paused { "clients-resume" } else { "clients-pause" }) }</button>
                    <button class="tinytext" onclick={seen.desk.on(Action::DropClient(client.id))}>{ words.get("clients-break") }</button>
                    <button class="tinytext" onclick={seen.desk.on(Action::KillClient(client.id))}>{ words.get("clients-kill") }</button>
                </div></>
            } } }
        </div>
    }
}

/// What a client's recipes hold or wait for, and its watches.
fn doings(model: &Model, client: ClientId) -> Html {
    let (sim, words) = (model.sim(), &model.words);
    let standings = sim.standings(client).filter_map(|(trade, path, standing)| {
        let (state, key, token) = match standing {
            Standing::Idle => return None,
            Standing::Busy => ("busy", "recipe-busy", None),
            Standing::Waiting => ("waits", "recipe-waits", None),
            Standing::Holding { token } => ("holds", "recipe-holds", token),
        };
        let name = words.get(match trade {
            Trade::Lock => "recipe-lock",
            Trade::Election => "recipe-election",
            Trade::Producer => "recipe-producer",
            Trade::Consumer => "recipe-consumer",
            Trade::Member => "recipe-member",
            Trade::Roll => "recipe-roll",
            Trade::Barrier => "recipe-barrier",
            Trade::Counter => "recipe-counter",
            Trade::Reader => "recipe-reader",
            Trade::Writer => "recipe-writer",
            Trade::Directory => "recipe-directory",
        });
        let token = token.map(|token| html! { <b class="num token">{ format!("#{token}") }</b> });
        let names: Vec<String> = sim
            .present(client, path)
            .map(|seat| member_name(&seat.data))
            .collect();
        let state_text = match trade {
            Trade::Roll | Trade::Directory => words.with("recipe-sees", &[("n", names.len().to_string().into()), ("who", names.join(" ").into())]),
            _ => words.get(key),
        };
        Some(html! {
            <li key={format!("{name}{path}")} data-state={state}>
                <span class="mark" aria-hidden="true"></span><span>{ name }</span><code>{ path.to_owned() }</code><span class="grow"></span><span>{ state_text }</span>{ for token }
            </li>
        })
    });
    let watches = sim.watches(client).map(|(path, children)| {
        let path = if children { format!("{path}/*") } else { path.to_owned() };
        html! { <li key={path.clone()} data-state="bell"><span class="mark" aria-hidden="true"></span><span>{ words.get("recipe-watch") }</span><code>{ path }</code></li> }
    });
    let items: Vec<Html> = standings.chain(watches).collect();
    if items.is_empty() {
        return html! {};
    }
    html! { <ul class="doings">{ items }</ul> }
}

/// A member of a group calls itself `client` and a number; people know it by its letter.
fn member_name(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let number = text.strip_prefix("client ").and_then(|id| id.parse().ok());
    number.map_or_else(
        || text.into_owned(),
        |id| sentence::client_name(ClientId(id)),
    )
}

/// What is outside of the cluster.
fn stores(model: &Model) -> Html {
    let words = &model.words;
    let stores = model.sim().stores().map(|(path, store)| {
        let (who, value) = match &store.value {
            Some((client, value)) => (sentence::client_name(*client), value.clone()),
            None => (String::new(), String::new()),
        };
        let arguments = [("value", value.into()), ("client", who.into())];
        let token = store.greatest().0;
        let token = (0 < token).then(|| words.with("store-token", &[("token", token.into())]));
        html! {
            <div key={path.to_owned()} class="card store" data-testid={format!("store:{path}")}>
                <b>{ words.with("store", &[("path", path.into())]) }</b><span>{ words.with("store-value", &arguments) }</span>{ for token }
            </div>
        }
    });
    let stores: Vec<Html> = stores.collect();
    html! { <div class="cards">{ stores }</div> }
}

/// In a lesson: what clients do in this step, to be picked.
fn lines(seen: &Seen, model: &Model) -> Html {
    let Some(course) = &model.course else {
        return html! {};
    };
    let lines = course.lines().enumerate().map(|(place, line)| {
        let (who, what) = line.split_once(' ').unwrap_or((line, ""));
        let who = if who.len() == 1 { who.to_ascii_uppercase() } else { "?".to_owned() };
        let what = what.strip_prefix("/").filter(|_| who == "?").and_then(|rest| rest.split_once(' ')).map_or(what, |(_, what)| what);
        html! { <button key={place} class="btn" data-testid="line" onclick={seen.desk.on(Action::Line(line.to_owned()))}>{ format!("{who}> {what}") }</button> }
    });
    let lines: Vec<Html> = lines.collect();
    if lines.is_empty() {
        return html! {};
    }
    html! { <div class="try" role="group" aria-label={model.words.get("lesson-lines")}>{ lines }</div> }
}

fn console(seen: &Seen, model: &Model) -> Html {
    let words = &model.words;
    let open = model
        .client
        .and_then(|id| model.sim().clients().find(|client| client.id == id));
    let prompt = match open {
        Some(client) => {
            let node = client
                .node
                .map_or_else(|| "-".to_owned(), |node| node.to_string());
            format!("{}@{node}>", sentence::client_name(client.id))
        }
        None => format!("@{}>", model.at),
    };
    let enter = {
        let desk = seen.desk.clone();
        Callback::from(move |event: KeyboardEvent| {
            let input = event
                .target()
                .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if event.key() == "Enter"
                && let Some(input) = input
            {
                desk.act(Action::Command(input.value()));
                input.set_value("");
            }
        })
    };
    let lines = model.console();
    let shown: Vec<Html> = lines
        .iter()
        .rev()
        .enumerate()
        .map(|(place, line)| html! { <div key={lines.len() - place}>{ said(words, line) }</div> })
        .collect();
    let tries = FIRST.iter().map(|text| html! { <button key={*text} class="btn" onclick={seen.desk.on(Action::Command((*text).to_owned()))}>{ *text }</button> });
    let tries: Vec<Html> = tries.collect();
    html! {
        <>
            <div class="cli">
                // Newest at the foot: the column is reversed, so that it stays scrolled to its end.
                <div class="log" data-testid="command-output" role="log" tabindex="0">{ shown }</div>
                <label><span>{ prompt }</span><input id="command" data-testid="command" autocomplete="off" autocapitalize="off" spellcheck="false" aria-label={words.get("command")} placeholder={words.get("command-hint")} onkeydown={enter} /></label>
            </div>
            <div class="try" role="group" aria-label={words.get("command-try")}>{ tries }</div>
        </>
    }
}

fn said(words: &Words, line: &Line) -> Html {
    let who = line.client.map(sentence::client_name).unwrap_or_default();
    match &line.body {
        Body::Typed(text) => html! { <span class="in">{ format!("{who}> {text}") }</span> },
        Body::Said(text) => html! { <span>{ text }</span> },
        Body::Watch(text) => html! { <span class="ev">{ text }</span> },
        Body::Failed(error, path) => {
            let meaning = words.get(match error {
                Error::NoNode => "error-no-node",
                Error::NodeExists => "error-node-exists",
                Error::BadVersion => "error-bad-version",
                Error::NotEmpty => "error-not-empty",
                Error::NoChildrenForEphemerals => "error-no-children",
                Error::BadArguments => "error-bad-arguments",
                Error::SessionExpired => "error-expired",
                Error::SessionMoved => "error-moved",
                _ => "error-other",
            });
            let name = match path {
                Some(path) => words.with(
                    "error-on",
                    &[
                        ("error", error_name(*error).into()),
                        ("path", path.as_str().into()),
                    ],
                ),
                None => error_name(*error).to_owned(),
            };
            html! { <span class="err">{ format!("{name}: {meaning}") }</span> }
        }
        Body::Mistake(typed, mistake) => {
            let what = |key: &str, what: &str| words.with(key, &[("what", what.into())]);
            let text = match mistake {
                Mistake::Unknown(word) => what("mistake-unknown", word),
                Mistake::NoPath => words.get("mistake-path"),
                Mistake::BadPath(path) => what("mistake-bad-path", path),
                Mistake::NoData => words.get("mistake-data"),
                Mistake::BadFlag(flag) => what("mistake-flag", flag),
                Mistake::BadVersion(version) => what("mistake-version", version),
            };
            html! { <><span class="in">{ format!("> {typed}") }</span>{ "\n" }<span class="err">{ text }</span></> }
        }
        Body::Help(typed) => html! {
            <><span class="in">{ format!("> {typed}") }</span>{ "\n" }<span>{ format!("{}\n  {}", words.get("help-line"), USAGE.join("\n  ")) }</span></>
        },
        Body::Event(event) => {
            let client = line.client.unwrap_or(ClientId(0));
            let often =
                (1 < line.times).then(|| html! { <b>{ format!(" \u{d7}{}", line.times) }</b> });
            html! { <span class="note">{ sentence::client_said(words, client, event) }{ for often }</span> }
        }
    }
}
