//! Korean particles take one of two forms, by how the word before them ends. The texts write both forms where that word
//! is an argument; this puts the one that is read. Knows sounds, and not what the texts say. Both forms of each
//! particle are in `www/i18n/ko.particles`.

const PARTICLES: &str = include_str!("../../../www/i18n/ko.particles");

/// How a word ends when it is read aloud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Consonant,
    Vowel,
    Rieul,
}

/// What a text writes for each particle, and its form behind a consonant, a vowel and a rieul.
pub(super) fn particles() -> impl Iterator<Item = (&'static str, [&'static str; 3])> {
    let lines = PARTICLES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut words = line.split(' ');
        let both = words.next()?;
        Some((both, [words.next()?, words.next()?, words.next()?]))
    })
}

/// Gives each particle its form.
pub(super) fn fit(text: &str) -> String {
    let mut fitted = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let found =
            particles().filter_map(|particle| rest.find(particle.0).map(|at| (at, particle)));
        let Some((at, (both, [consonant, vowel, rieul]))) = found.min_by_key(|(at, _)| *at) else {
            return fitted + rest;
        };
        fitted += &rest[..at];
        fitted += match ending(&fitted) {
            Ending::Consonant => consonant,
            Ending::Vowel => vowel,
            Ending::Rieul => rieul,
        };
        rest = &rest[at + both.len()..];
    }
}

/// Letters of other scripts are read as Koreans mostly read them: single ones by their names, words by their sound.
fn ending(text: &str) -> Ending {
    const FIRST_SYLLABLE: char = '\u{ac00}';
    const LAST_SYLLABLE: char = '\u{d7a3}';
    let mut letters = text
        .chars()
        .rev()
        .skip_while(|letter| !letter.is_alphanumeric());
    let Some(last) = letters.next() else {
        return Ending::Vowel;
    };
    let before = letters.next();
    let in_word = before.is_some_and(|letter| letter.is_ascii_alphabetic());
    match last {
        // A syllable's number tells its final consonant: the first of twenty-eight is none, the ninth rieul.
        FIRST_SYLLABLE..=LAST_SYLLABLE => {
            match (u32::from(last) - u32::from(FIRST_SYLLABLE)) % 28 {
                0 => Ending::Vowel,
                8 => Ending::Rieul,
                _ => Ending::Consonant,
            }
        }
        '1' | '7' | '8' | 'l' | 'L' => Ending::Rieul,
        'r' | 'R' if !in_word => Ending::Rieul,
        'g' | 'G' if matches!(before, Some('n' | 'N')) => Ending::Consonant,
        'b' | 'B' | 'k' | 'K' | 'p' | 'P' if in_word => Ending::Consonant,
        '0' | '3' | '6' | 'm' | 'M' | 'n' | 'N' => Ending::Consonant,
        _ => Ending::Vowel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_follow_what_is_read() {
        assert_eq!(particles().count(), 5);
        let examples = include_str!("particle.examples");
        let mut seen = 0;
        for line in examples.lines().filter(|line| !line.starts_with('#')) {
            let (text, expected) = line.split_once(" = ").expect("a text and how it is read");
            assert_eq!(fit(text), expected);
            seen += 1;
        }
        assert_eq!(seen, 13);
    }
}
