//! The row of faults below the stage: what can be done to the selected node, and to all.

use yew::prelude::*;

use crate::desk::Seen;
use crate::state::Action;
use crate::view::icon::{self, icon};

#[component]
pub(crate) fn Tools(seen: &Seen) -> Html {
    let model = seen.desk.read();
    let words = &model.words;
    let sim = model.sim();
    let target = model.target();
    let up = target.is_some_and(|id| sim.node(id).is_some());
    let none = target.is_none();
    let tool = |id: &'static str,
                key: &'static str,
                name: &'static str,
                action: Action,
                disabled: bool,
                class: &'static str| {
        html! {
            <button key={id} class={classes!("btn", class)} data-testid={id} {disabled} onclick={seen.desk.on(action)} aria-keyshortcuts={key}>
                { words.get(name) }<kbd aria-hidden="true">{ key }</kbd>
            </button>
        }
    };
    let life = if none || up {
        tool("kill", "K", "tool-kill", Action::Kill, none, "danger")
    } else {
        tool(
            "restart",
            "K",
            "tool-restart",
            Action::Restart,
            false,
            "primary",
        )
    };
    let paused = target.is_some_and(|id| sim.is_paused(id));
    let isolated = target.is_some_and(|id| sim.is_isolated(id));
    let on = |on: bool| if on { "on" } else { "" };
    html! {
        <div class="tools" role="toolbar" aria-label={words.get("tool-none")}>
            <span class="for">
                { match target {
                    Some(id) => html! { <>{ words.get("tool-node") }{ " " }<b>{ id.0 }</b></> },
                    None => html! { { words.get("tool-none") } },
                } }
            </span>
            <span class="group">
                { life }
                { tool("pause", "P", if paused { "tool-resume" } else { "tool-pause" }, Action::Pause, !up, on(paused)) }
                { tool("isolate", "I", if isolated { "tool-rejoin" } else { "tool-isolate" }, Action::Isolate, none, on(isolated)) }
                { tool("campaign", "T", "tool-campaign", Action::Campaign, !up, "") }
            </span>
            <span class="gap"></span>
            <span class="group">
                <button class={classes!("btn", on(model.scissors))} data-testid="scissors" title={words.get("tool-scissors-hint")} aria-pressed={model.scissors.to_string()} onclick={seen.desk.on(Action::Scissors)}>
                    { words.get("tool-scissors") }<kbd aria-hidden="true">{ "C" }</kbd>
                </button>
                { tool("heal", "H", "tool-heal", Action::HealAll, false, "") }
                { tool("write", "R", "tool-write", Action::Write, model.leader().is_none(), "") }
                <button class="btn icon" data-testid="undo" aria-label={words.get("tool-undo")} title={words.get("tool-undo")} disabled={model.run.deeds_done().is_empty()} onclick={seen.desk.on(Action::Undo)}>{ icon(icon::UNDO) }</button>
            </span>
        </div>
    }
}
