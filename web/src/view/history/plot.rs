//! How long answers took, by when they were asked for: a dot for each call, in the colour of its kind. The scale is
//! logarithmic, because an answer from memory and one that waited for an election lie far apart.

use otterkeeper_core::time::Span;
use yew::prelude::*;

use super::groups::{KINDS, kind};
use super::{Bar, LEFT, WIDTH, milliseconds};
use crate::state::Model;

/// Room for the dots, and above them.
const HEIGHT: f64 = 62.0;
const TOP: f64 = 12.0;

/// How long a call waited, in microseconds, if it no longer waits.
pub(super) fn took(bar: &Bar<'_>) -> Option<u64> {
    Some(bar.end?.since(bar.call.invoked).0.max(1))
}

/// Powers of ten, from the greatest that is not above all values to the least that is not below them.
struct Scale {
    low: u32,
    high: u32,
}

impl Scale {
    fn of(values: impl Iterator<Item = u64> + Clone) -> Option<Self> {
        let low = values.clone().min()?.ilog10();
        let most = values.max()?;
        // At least one step, so that a single value has a place.
        let high = (most - 1).checked_ilog10().map_or(0, |power| power + 1);
        Some(Self {
            low,
            high: high.max(low + 1),
        })
    }

    /// How far up a value stands, from 0 to 1.
    fn part(&self, us: u64) -> f64 {
        let steps = f64::from(self.high - self.low);
        ((us as f64).log10() - f64::from(self.low)) / steps
    }
}

pub(super) fn plot(model: &Model, bars: &[Bar<'_>], x: impl Fn(Span) -> f64) -> Html {
    let words = &model.words;
    let Some(scale) = Scale::of(bars.iter().filter_map(took)) else {
        return html! {};
    };
    let y = |us| TOP + HEIGHT * (1.0 - scale.part(us));
    let mut paths = [const { String::new() }; KINDS.len()];
    for bar in bars {
        if let Some(us) = took(bar) {
            let asked = x(model.run.since_start(bar.call.invoked));
            paths[kind(bar)] += &format!("M{asked:.1} {:.1}h0", y(us));
        }
    }
    let dots = KINDS.iter().zip(paths).filter(|(_, d)| !d.is_empty());
    let dots = dots.map(|((key, class), d)| {
        let class = classes!("dots", *class);
        html! { <path {class} data-testid={format!("dots-{key}")} {d} /> }
    });
    let dots: Vec<Html> = dots.collect();
    let steps = (scale.low..=scale.high).map(|power| {
        let us = 10_u64.pow(power);
        let line = format!("M{LEFT} {:.1}H{WIDTH}", y(us));
        let text = words.with("history-ms", &[("ms", milliseconds(us).into())]);
        html! { <g key={power}><path class="lane" d={line} /><text class="tick" x="0" y={format!("{:.1}", y(us) - 2.0)}>{ text }</text></g> }
    });
    let steps: Vec<Html> = steps.collect();
    let height = TOP + HEIGHT + 5.0;
    html! {
        <svg class="chart" viewBox={format!("0 0 {WIDTH} {height:.0}")} role="img" aria-label={words.get("history-plot")} data-testid="plot">{ steps }{ dots }</svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_power_of_ten_has_the_same_height() {
        let scale = Scale::of([300, 20_000, 900].into_iter()).expect("values");
        assert_eq!((scale.low, scale.high), (2, 5));
        for (us, part) in [
            (100, 0.0),
            (1_000, 1.0 / 3.0),
            (10_000, 2.0 / 3.0),
            (100_000, 1.0),
        ] {
            assert!((scale.part(us) - part).abs() < 1e-9, "{us}");
        }
        assert!(scale.part(300) < scale.part(301));
        // One value alone, and one that is a power itself.
        let alone = Scale::of([1_000].into_iter()).expect("a value");
        assert_eq!((alone.low, alone.high), (3, 4));
        assert_eq!(alone.part(1_000), 0.0);
        assert!(Scale::of([].into_iter()).is_none());
    }
}
