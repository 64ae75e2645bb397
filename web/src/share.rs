//! Links and files that reproduce a run: seed, node count and deeds, never state. What comes from
//! outside is hostile: every number has a limit here, and each refusal is a sentence.

mod file;
mod pack;
mod sight;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otterkeeper_core::id::NodeId;
use otterkeeper_core::sim::{DRIFT_PER_MILLE, Intervention};
use otterkeeper_core::time::Span;
use serde::{Deserialize, Serialize};

pub(crate) use self::pack::{core_of, pack, unpack};
use crate::state::{Deed, Model, Replay, Run, Sight, lesson_cluster};

/// Hash of the core's sources and of the lock file, made at build time.
pub(crate) const CORE: &str = env!("OTTERKEEPER_CORE");

/// Characters of a link's fragment.
const LINK: usize = 64 << 10;
const DEEDS: usize = 5_000;
const EVENTS: u64 = 5_000_000;
/// Virtual time that a link can span.
const SPAN: Span = Span::from_ms(3_600_000);
const VERSION: u8 = 1;

/// A run up to a moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Recipe {
    version: u8,
    core: String,
    pub(crate) nodes: u8,
    pub(crate) seed: u64,
    /// The lesson whose cluster it is.
    lesson: Option<String>,
    /// Differences of event numbers and of microseconds, and what was done.
    deeds: Vec<(u64, u64, Intervention)>,
    pub(crate) at_us: u64,
    pub(crate) event: u64,
    pub(crate) hash: Option<u64>,
    /// What the page showed. Links say it, files do not.
    #[serde(skip)]
    sight: Sight,
}

impl Recipe {
    /// The run of a model up to its present moment.
    pub(crate) fn of(model: &Model) -> Self {
        Self {
            hash: Some(model.sim().digest()),
            ..Self::unsealed(model)
        }
    }

    /// The same without a hash, which takes a look at all of the cluster's state.
    pub(crate) fn unsealed(model: &Model) -> Self {
        let mut last = (0, 0);
        let deeds = model.run.deeds_done().iter().map(|deed| {
            let step = (deed.event - last.0, deed.at.0 - last.1, deed.what.clone());
            last = (deed.event, deed.at.0);
            step
        });
        Self {
            version: VERSION,
            core: CORE.to_owned(),
            nodes: model.run.nodes,
            seed: model.run.seed,
            lesson: model.run.lesson.clone(),
            deeds: deeds.collect(),
            at_us: model.run.now().0,
            event: model.sim().events(),
            hash: None,
            sight: model.sight(),
        }
    }

    /// The fragment of its link.
    pub(crate) fn fragment(&self) -> String {
        let deeds = postcard::to_allocvec(&self.deeds).unwrap_or_default();
        let hash = self
            .hash
            .map(|hash| format!("&h={hash:016x}"))
            .unwrap_or_default();
        let lesson = self
            .lesson
            .as_ref()
            .map(|name| format!("&l={name}"))
            .unwrap_or_default();
        format!(
            "#/run?v={VERSION}&core={}&n={}&seed={}{lesson}&i={}&t={}&e={}{hash}{}",
            self.core,
            self.nodes,
            self.seed,
            URL_SAFE_NO_PAD.encode(deeds),
            self.at_us,
            self.event,
            sight::write(&self.sight),
        )
    }

    /// Reads a link's fragment. `None` if it is no link to a run.
    ///
    /// # Errors
    /// The key of the sentence that says what is wrong with it.
    pub(crate) fn read(fragment: &str) -> Option<Result<Self, &'static str>> {
        let query = fragment.strip_prefix("#/run?")?;
        Some(Self::parse(query).and_then(Self::checked))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// # Errors
    /// As `read`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let recipe: Self = postcard::from_bytes(bytes).map_err(|_| "link-damaged")?;
        recipe.checked()
    }

    /// Lets a model execute it.
    pub(crate) fn play(self, model: &mut Model) {
        let (mut event, mut at) = (0, 0);
        let deeds = self.deeds.into_iter().map(|(events, us, what)| {
            (event, at) = (event + events, at + us);
            Deed {
                event,
                at: Span(at),
                what,
            }
        });
        let replay = Replay {
            target: Span(self.at_us),
            event: self.event,
            hash: self.hash,
            same_core: self.core == CORE,
            sight: self.sight,
        };
        let deeds = deeds.collect();
        let run = match &self.lesson {
            Some(name) => Run::of_lesson(name),
            None => Run::new(self.nodes, self.seed),
        };
        model.start_replay(run, deeds, replay);
    }

    fn parse(query: &str) -> Result<Self, &'static str> {
        if query.len() > LINK {
            return Err("link-too-long");
        }
        let find = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let number = |name: &str| {
            find(name)
                .and_then(|value| value.parse::<u64>().ok())
                .ok_or("link-damaged")
        };
        if number("v")? != u64::from(VERSION) {
            return Err("link-version");
        }
        let deeds = match find("i") {
            None | Some("") => Vec::new(),
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "link-damaged")?;
                postcard::from_bytes(&bytes).map_err(|_| "link-damaged")?
            }
        };
        let hash = match find("h") {
            None => None,
            Some(text) => Some(u64::from_str_radix(text, 16).map_err(|_| "link-damaged")?),
        };
        Ok(Self {
            version: VERSION,
            core: find("core").unwrap_or_default().to_owned(),
            nodes: u8::try_from(number("n")?).map_err(|_| "link-nodes")?,
            seed: number("seed")?,
            lesson: find("l").map(ToOwned::to_owned),
            deeds,
            at_us: number("t")?,
            event: number("e").unwrap_or(u64::MAX),
            hash,
            sight: sight::read(find),
        })
    }

    fn checked(self) -> Result<Self, &'static str> {
        if self.version != VERSION {
            return Err("link-version");
        }
        match &self.lesson {
            None if (3..=9).contains(&self.nodes) => {}
            None => return Err("link-nodes"),
            Some(name) => match lesson_cluster(name) {
                Some((config, _)) if config.nodes == self.nodes => {}
                Some(_) => return Err("link-nodes"),
                None => return Err("link-lesson"),
            },
        }
        let endless = self.event != u64::MAX && self.event > EVENTS;
        if self.deeds.len() > DEEDS || self.at_us > SPAN.0 || endless {
            return Err("link-too-long");
        }
        let (mut event, mut at) = (0_u64, 0_u64);
        for (events, us, deed) in &self.deeds {
            event = event.checked_add(*events).ok_or("link-damaged")?;
            at = at.checked_add(*us).ok_or("link-damaged")?;
            if at > self.at_us || event > self.event || !is_sane(deed, self.nodes) {
                return Err("link-damaged");
            }
        }
        Ok(self)
    }
}

/// Whether a deed from outside stays within what the page itself could have done.
pub(crate) fn is_sane(deed: &Intervention, nodes: u8) -> bool {
    let node = |id: &NodeId| (1..=u64::from(nodes)).contains(&id.0);
    let ends = |link: &Option<(NodeId, NodeId)>| {
        link.as_ref()
            .is_none_or(|(from, to)| node(from) && node(to))
    };
    let spans = |min: &Span, max: &Span| min <= max && max.0 <= 60_000_000;
    match deed {
        Intervention::Kill(id)
        | Intervention::Crash { node: id, .. }
        | Intervention::Restart(id)
        | Intervention::Pause(id)
        | Intervention::Resume(id)
        | Intervention::Isolate(id)
        | Intervention::Rejoin(id)
        | Intervention::FreezeDisk(id)
        | Intervention::ThawDisk(id)
        | Intervention::Campaign(id)
        | Intervention::TakeSnapshot(id)
        | Intervention::Members { node: id, .. }
        | Intervention::Wipe(id)
        | Intervention::CopyDisk(id)
        | Intervention::PutBackDisk(id)
        | Intervention::CancelTransfer(id) => node(id),
        Intervention::Transfer { from, to } => node(from) && to.as_ref().is_none_or(node),
        Intervention::Cut { from, to }
        | Intervention::Heal { from, to }
        | Intervention::Clog { from, to }
        | Intervention::Unclog { from, to } => node(from) && node(to),
        Intervention::ClockRate {
            node: id,
            per_mille,
        } => node(id) && per_mille.abs_diff(1_000) <= DRIFT_PER_MILLE,
        Intervention::ClockJump { node: id, by } => node(id) && by.0 <= 60_000_000,
        Intervention::Loss { link, per_mille }
        | Intervention::Duplicate { link, per_mille }
        | Intervention::Reorder { link, per_mille } => ends(link) && *per_mille <= 1_000,
        Intervention::Delay { link, min, max } => ends(link) && spans(min, max),
        Intervention::SlowDisk { node: id, min, max } => node(id) && spans(min, max),
        Intervention::DelayFlight { by, .. } => by.0 <= 60_000_000,
        Intervention::OpenClient { client, node: id } => node(id) && client.0 < 1_000,
        Intervention::OpenClientWith {
            client,
            servers,
            timeout_ms,
            ..
        } => {
            let few = servers.len() <= usize::from(nodes);
            few && servers.iter().all(node) && client.0 < 1_000 && *timeout_ms <= 60_000
        }
        Intervention::Store {
            client,
            path,
            value,
            ..
        } => client.0 < 1_000 && path.len() <= 1_000 && value.len() <= 1_000,
        Intervention::Client { client, .. }
        | Intervention::CloseClient(client)
        | Intervention::KillClient(client)
        | Intervention::DropClient(client)
        | Intervention::PauseClient(client)
        | Intervention::ResumeClient(client)
        | Intervention::Recipe { client, .. } => client.0 < 1_000,
        Intervention::Workload { ops_per_second } => *ops_per_second <= 1_000,
        Intervention::HealAll
        | Intervention::DropFlight(_)
        | Intervention::DuplicateFlight(_)
        | Intervention::DeliverFlight(_)
        | Intervention::Faults(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Selection, Tab};
    use otterkeeper_core::sim::{ClientId, FlightId};

    fn recipe() -> Recipe {
        Recipe {
            version: VERSION,
            core: CORE.to_owned(),
            nodes: 5,
            seed: 42,
            lesson: None,
            deeds: vec![
                (100, 250_000, Intervention::Kill(NodeId(3))),
                (7, 1_000, Intervention::HealAll),
            ],
            at_us: 900_000,
            event: 400,
            hash: Some(0xAB),
            sight: Sight::default(),
        }
    }

    #[test]
    fn a_link_says_the_same_as_its_recipe() {
        assert_eq!(Recipe::read(&recipe().fragment()), Some(Ok(recipe())));
        assert_eq!(Recipe::from_bytes(&recipe().to_bytes()), Ok(recipe()));
        assert_eq!(Recipe::read("#/"), None);
    }

    #[test]
    fn a_link_says_what_was_shown_and_nonsense_about_it_is_left_out() {
        let mut recipe = recipe();
        let plain = recipe.fragment();
        let name = "what if? 50% & \u{c655}#";
        recipe.sight = Sight {
            tab: Some(Tab::Clients),
            selection: Some(Selection::Link(NodeId(2), NodeId(4))),
            at: Some(NodeId(3)),
            client: Some(ClientId(7)),
            diagram: Some(true),
            branch: Some(name.to_owned()),
        };
        let link = recipe.fragment();
        assert!(
            link.starts_with(&plain),
            "the readable part comes last: {link}"
        );
        assert_eq!(link.matches(['#', '?']).count(), 2, "{link}");
        assert_eq!(Recipe::read(&link), Some(Ok(recipe.clone())));
        for (selection, word) in [
            (Selection::Node(NodeId(3)), "&sel=n3"),
            (Selection::Message(FlightId(118)), "&sel=m118"),
        ] {
            recipe.sight.selection = Some(selection);
            assert!(recipe.fragment().contains(word));
            assert_eq!(Recipe::read(&recipe.fragment()), Some(Ok(recipe.clone())));
        }
        for nonsense in [
            "&tab=&sel=&at=&client=&view=&b=%",
            "&tab=none&sel=q1&at=-1&client=99999999999&view=<b>&b=%ff",
            "&sel=n&sel=m-&b=%e",
            "&sel=n1-2-3&at=1e9&b=%+1",
            "&sel=99999999999999999999&b=%c3%28",
        ] {
            let read = Recipe::read(&(plain.clone() + nonsense));
            let sight = read.expect("a link").expect("a good one").sight;
            assert_eq!(sight, Sight::default(), "{nonsense}");
        }
    }

    #[test]
    fn a_hundred_interventions_fit_into_a_kilobyte() {
        let mut long = recipe();
        let deed = |number: u64| {
            let node = NodeId(number / 2 % 5 + 1);
            let what = match number % 2 {
                0 => Intervention::Kill(node),
                _ => Intervention::Restart(node),
            };
            (200 + 17 * number, 300_000 + 9_999 * number, what)
        };
        long.deeds = (0..100).map(deed).collect();
        (long.at_us, long.event) = (90_000_000, 110_000);
        let link = long.fragment();
        assert_eq!(Recipe::read(&link), Some(Ok(long)));
        assert!(link.len() <= 1_024, "{} characters", link.len());
    }

    #[test]
    fn hostile_links_are_refused_with_a_reason() {
        let good = recipe().fragment();
        let bad = |from: &str, to: &str| Recipe::read(&good.replace(from, to));
        assert_eq!(bad("n=5", "n=200"), Some(Err("link-nodes")));
        assert_eq!(bad("n=5", "n=2"), Some(Err("link-nodes")));
        assert_eq!(bad("v=1", "v=9"), Some(Err("link-version")));
        assert_eq!(bad("&i=", "&l=none&i="), Some(Err("link-lesson")));
        assert_eq!(bad("t=900000", "t=99999999999"), Some(Err("link-too-long")));
        assert_eq!(bad("t=900000", "t=1"), Some(Err("link-damaged")));
        assert_eq!(bad("e=400", "e=99999999999"), Some(Err("link-too-long")));
        assert_eq!(bad("&i=", "&i=!!"), Some(Err("link-damaged")));
        assert_eq!(bad("&h=", "&h=zz"), Some(Err("link-damaged")));
        assert_eq!(bad("seed=42", "seed="), Some(Err("link-damaged")));
        assert_eq!(
            Recipe::read(&format!("#/run?{}", "x".repeat(LINK + 1))),
            Some(Err("link-too-long"))
        );
    }
}
