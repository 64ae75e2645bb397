//! The page's words. Every string that people see comes from `www/i18n/*.ftl`; both languages are in
//! the wasm, so that switching needs no network. Knows keys and arguments, not where they are shown.

mod particle;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

const EN: &str = include_str!("../../www/i18n/en.ftl");
const KO: &str = include_str!("../../www/i18n/ko.ftl");

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lang {
    En,
    Ko,
}

impl Lang {
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::En => EN,
            Self::Ko => KO,
        }
    }
}

/// The words of one language.
pub(crate) struct Words {
    pub(crate) lang: Lang,
    bundle: FluentBundle<FluentResource>,
}

impl Words {
    pub(crate) fn new(lang: Lang) -> Self {
        // A mistake in a text file costs its own lines only; the test below lets none through.
        let resource = match FluentResource::try_new(lang.source().to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        let tag = lang.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new(vec![tag]);
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { lang, bundle }
    }

    /// A text without arguments. A missing key shows itself.
    pub(crate) fn get(&self, key: &str) -> String {
        self.with(key, &[])
    }

    /// A text that only some have.
    pub(crate) fn find(&self, key: &str) -> Option<String> {
        self.bundle.has_message(key).then(|| self.get(key))
    }

    /// A text with arguments.
    pub(crate) fn with(&self, key: &str, arguments: &[(&str, Word)]) -> String {
        let Some(pattern) = self
            .bundle
            .get_message(key)
            .and_then(|message| message.value())
        else {
            return key.to_owned();
        };
        let mut filled = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            match value {
                Word::Text(text) => filled.set(*name, text.as_str()),
                // As text, so that numbers look the same in every language.
                Word::Number(number) => filled.set(*name, number.to_string()),
                Word::Count(number) => filled.set(*name, *number),
            }
        }
        let text = self
            .bundle
            .format_pattern(pattern, Some(&filled), &mut Vec::new());
        match self.lang {
            Lang::En => text.into_owned(),
            Lang::Ko => particle::fit(&text),
        }
    }
}

/// An argument of a text.
pub(crate) enum Word {
    Text(String),
    Number(u64),
    /// A number that decides between singular and plural.
    Count(u64),
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Word {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(source: &str) -> BTreeSet<&str> {
        source
            .lines()
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
            .collect()
    }

    #[test]
    fn both_languages_have_the_same_keys_and_no_mistakes() {
        for source in [EN, KO] {
            if let Err((_, errors)) = FluentResource::try_new(source.to_owned()) {
                panic!("{errors:?}");
            }
        }
        let (english, korean) = (keys(EN), keys(KO));
        assert_eq!(
            english.difference(&korean).collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "missing in ko.ftl"
        );
        assert_eq!(
            korean.difference(&english).collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "missing in en.ftl"
        );
    }

    #[test]
    fn no_korean_particle_takes_an_argument_for_granted() {
        let forms: BTreeSet<&str> = particle::particles().flat_map(|(_, forms)| forms).collect();
        for line in KO.lines() {
            for behind in line.split('}').skip(1) {
                let end = behind.find(|letter: char| !('\u{ac00}'..='\u{d7a3}').contains(&letter));
                let word = &behind[..end.unwrap_or(behind.len())];
                let both = behind[word.len()..].starts_with('(');
                assert!(both || !forms.contains(word), "{line}");
            }
        }
    }

    #[test]
    fn every_key_in_the_sources_exists_and_every_key_is_used() {
        let sources = sources(std::path::Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src"
        )));
        let english = keys(EN);
        // Keys are written as whole literals in the sources, which is what makes this check possible.
        let mut used = BTreeSet::new();
        for literal in sources.split('"').skip(1).step_by(1) {
            if english.contains(literal) {
                used.insert(literal);
            }
        }
        // All but those of the lessons, which are called after lessons and steps.
        let lessons = crate::state::lessons();
        let of_lessons: Vec<String> = lessons.iter().flat_map(|lesson| texts_of(lesson)).collect();
        for key in &of_lessons {
            assert!(english.contains(key.as_str()), "no text for {key:?}");
            used.insert(key.as_str());
        }
        // A step's checks may have texts of their own.
        let checks = lessons.iter().flat_map(|lesson| {
            let step = |step: &otterkeeper_core::scenario::Step| {
                let key = format!("{}-{}-check", crate::state::key_of(lesson), step.name);
                (1..=step.checks.len())
                    .map(|place| format!("{key}-{place}"))
                    .collect::<Vec<_>>()
            };
            lesson.steps.iter().flat_map(step).collect::<Vec<_>>()
        });
        let checks: Vec<String> = checks.collect();
        used.extend(checks.iter().map(String::as_str));
        let unused: Vec<_> = english.iter().filter(|key| !used.contains(**key)).collect();
        assert!(unused.is_empty(), "never used: {unused:?}");
        for call in ["get(\"", "with(\"", "say(\"", "key: \""] {
            for rest in sources.split(call).skip(1) {
                let key = rest.split('"').next().unwrap_or_default();
                let shaped = key.contains('-') || english.contains(key);
                assert!(!shaped || english.contains(key), "no text for {key:?}");
            }
        }
    }

    fn texts_of(lesson: &otterkeeper_core::scenario::Lesson) -> Vec<String> {
        let name = crate::state::key_of(lesson);
        let whole: &[&str] = match lesson.rule {
            true => &["", "-fell"],
            false => &["", "-question", "-answer", "-break"],
        };
        let whole = whole.iter().map(|part| format!("{name}{part}"));
        let whole: Vec<String> = whole.collect();
        let steps = lesson.steps.iter().flat_map(|step| {
            let step = format!("{name}-{}", step.name);
            [format!("{step}-task"), step]
        });
        whole.into_iter().chain(steps).collect()
    }

    fn sources(folder: &std::path::Path) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all += &sources(&path);
            } else if !path.ends_with("i18n.rs") {
                all += &std::fs::read_to_string(path).unwrap();
            }
        }
        all
    }
}
