//! Which calls of the history are shown: those of some clients only, and those of some kinds. Hides and counts; judges
//! nothing.

use std::collections::BTreeMap;

use otterkeeper_core::sim::ClientId;
use yew::prelude::*;

use super::Bar;
use crate::desk::Seen;
use crate::sentence;
use crate::state::{Action, Choice, Model};

/// Kinds of calls: the key of the name, and the classes of their bars. A call is of one kind.
pub(super) const KINDS: [(&str, &str); 5] = [
    ("history-reads", ""),
    ("history-old", "behind"),
    ("history-writes", "write"),
    ("history-failed", "failed"),
    ("history-lost", "unknown"),
];

/// The place of its kind. What still waits counts by what was asked.
pub(super) fn kind(bar: &Bar<'_>) -> usize {
    match bar.state {
        "failed" => 3,
        "unknown" => 4,
        _ if bar.write => 2,
        _ if bar.behind.is_some() => 1,
        _ => 0,
    }
}

/// The calls of clients that are not hidden.
pub(super) fn callers<'a>(model: &Model, bars: &[Bar<'a>]) -> Vec<Bar<'a>> {
    let hidden = &model.choices.callers_hidden;
    let shown = bars.iter().filter(|bar| !hidden.contains(&bar.client));
    shown.copied().collect()
}

/// Those of kinds that are not hidden.
pub(super) fn shown<'a>(model: &Model, bars: &[Bar<'a>]) -> Vec<Bar<'a>> {
    let hidden = model.choices.kinds_hidden;
    let shown = bars.iter().filter(|bar| (hidden >> kind(bar)) & 1 == 0);
    shown.copied().collect()
}

/// Buttons that show and hide groups, each with how many calls it has, and how many of all calls are shown.
pub(super) fn buttons(
    seen: &Seen,
    model: &Model,
    all: &[Bar<'_>],
    some: &[Bar<'_>],
    shown: usize,
) -> Html {
    let (words, choices) = (&model.words, &model.choices);
    let kinds = KINDS.into_iter().enumerate().map(|(place, (key, class))| {
        let count = some.iter().filter(|bar| kind(bar) == place).count();
        let on = (choices.kinds_hidden >> place) & 1 == 0;
        html! {
            <button {key} class="btn" data-testid={key} aria-pressed={on.to_string()} onclick={seen.desk.on(Action::Choose(Choice::Kind(place)))}>
                <svg class="chart" viewBox="0 0 14 9" aria-hidden="true"><rect class={classes!("bar", class)} x="1" y="1" width="12" height="7" rx="2" /></svg>{ words.get(key) }<span class="num">{ count }</span>
            </button>
        }
    });
    let kinds: Vec<Html> = kinds.collect();
    let mut counts: BTreeMap<ClientId, u64> = BTreeMap::new();
    for bar in all {
        *counts.entry(bar.client).or_default() += 1;
    }
    let clients = counts.iter().map(|(client, count)| {
        let on = !choices.callers_hidden.contains(client);
        html! { <button key={client.0} class="btn" data-testid={format!("caller-{}", client.0)} aria-pressed={on.to_string()} onclick={seen.desk.on(Action::Choose(Choice::Caller(*client)))}>{ sentence::client_name(*client) }<span class="num">{ count }</span></button> }
    });
    let clients: Vec<Html> = clients.collect();
    let left = (shown < all.len()).then(|| {
        let arguments = [("n", (shown as u64).into()), ("all", (all.len() as u64).into())];
        html! { <p class="sub" role="status" data-testid="history-shown">{ words.with("history-shown", &arguments) }</p> }
    });
    html! {
        <>
            <div class="groups" role="group" aria-label={words.get("history-kinds")}>{ kinds }</div>
            <div class="groups" role="group" aria-label={words.get("diagram-clients")}>{ clients }</div>
            { for left }
        </>
    }
}

#[cfg(test)]
mod tests {
    use super::super::{asked, newest};
    use super::*;
    use crate::i18n::Lang;
    use otterkeeper_core::time::Span;

    #[test]
    fn calls_are_hidden_by_client_and_by_kind_and_judged_all_the_same() {
        let mut model = Model::new(5, 42, Lang::En);
        model.seek(Span::from_ms(1_000));
        model.update(Action::Load(60));
        model.seek(Span::from_ms(4_000));
        model.update(Action::Write);
        model.update(Action::Command("delete /none".to_owned()));
        model.seek(Span::from_ms(4_200));
        model.update(Action::Load(0));
        model.seek(Span::from_ms(6_000));
        let digest = model.sim().digest();
        let count = |model: &Model| {
            let all = asked(model);
            let some = newest(model, &callers(model, &all));
            let shown = shown(model, &some);
            let mut kinds = [0; KINDS.len()];
            for bar in &shown {
                kinds[kind(bar)] += 1;
            }
            (all.len(), some.len(), kinds)
        };
        let (all, some, kinds) = count(&model);
        assert!(
            super::super::BARS < all && some == super::super::BARS,
            "{all}"
        );
        assert_eq!(kinds.iter().sum::<usize>(), some);
        assert!(0 < kinds[0] && 0 < kinds[2] && 0 < kinds[3], "{kinds:?}");
        let mut expected = kinds;
        for place in 0..KINDS.len() {
            model.update(Action::Choose(Choice::Kind(place)));
            expected[place] = 0;
            assert_eq!(count(&model), (all, some, expected));
        }
        for place in 0..KINDS.len() {
            model.update(Action::Choose(Choice::Kind(place)));
        }
        assert_eq!(count(&model), (all, some, kinds));
        // Without the load only the calls of the visitor are left, which may be older than all that were shown.
        let callers: Vec<ClientId> = model.sim().callers().filter(|id| 1_000 <= id.0).collect();
        for client in callers {
            model.update(Action::Choose(Choice::Caller(client)));
        }
        let (_, some, kinds) = count(&model);
        assert_eq!((some, kinds[2], kinds[3]), (2, 1, 1));
        assert_eq!(model.sim().digest(), digest);
    }
}
