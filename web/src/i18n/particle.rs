//! Korean particles take one of two forms, by how the word before them ends. The texts write both forms where that word
//! is an argument, as `{ $node }을(를)`; this puts the one that is read. Knows sounds, and not what the texts say.

/// What a text writes; the form behind a consonant, and behind a vowel.
const PARTICLES: [(&str, &str, &str); 5] = [
    ("을(를)", "을", "를"),
    ("이(가)", "이", "가"),
    ("은(는)", "은", "는"),
    ("과(와)", "과", "와"),
    ("(으)로", "으로", "로"),
];

/// How a word ends when it is read aloud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Vowel,
    Consonant,
    /// A consonant, which `(으)로` takes for a vowel.
    Rieul,
}

/// Gives each particle its form.
pub(super) fn fit(text: &str) -> String {
    let mut fitted = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let found = PARTICLES
            .iter()
            .filter_map(|particle| rest.find(particle.0).map(|at| (at, particle)));
        let Some((at, (both, consonant, vowel))) = found.min_by_key(|(at, _)| *at) else {
            return fitted + rest;
        };
        fitted += &rest[..at];
        fitted += match ending(&fitted) {
            Ending::Vowel => vowel,
            Ending::Rieul if *vowel == "로" => vowel,
            _ => consonant,
        };
        rest = &rest[at + both.len()..];
    }
}

/// Letters of other scripts are read as Koreans mostly read them: single ones by their names, words by their sound.
fn ending(text: &str) -> Ending {
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
        // A syllable's number tells its final consonant; none is the first of twenty-eight.
        '가'..='힣' => match (u32::from(last) - u32::from('가')) % 28 {
            0 => Ending::Vowel,
            8 => Ending::Rieul,
            _ => Ending::Consonant,
        },
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
        for (text, expected) in [
            ("노드 1을(를) 종료", "노드 1을 종료"),
            ("노드 2을(를) 종료", "노드 2를 종료"),
            ("노드 3이(가)", "노드 3이"),
            ("노드 4은(는), 5은(는), 6은(는)", "노드 4는, 5는, 6은"),
            ("1(으)로 3(으)로 10(으)로 8(으)로", "1로 3으로 10으로 8로"),
            (
                "리더과(와) 팔로워과(와) 노드 일곱과(와)",
                "리더와 팔로워와 노드 일곱과",
            ),
            ("클라이언트 A이(가)", "클라이언트 A가"),
            ("클라이언트 N이(가) R을(를)", "클라이언트 N이 R을"),
            ("잠금 /lock을(를)", "잠금 /lock을"),
            ("큐 /queue을(를) (/a/b)을(를)", "큐 /queue를 (/a/b)를"),
            (
                "그룹 /serving을(를) 링크(으)로 서울(으)로",
                "그룹 /serving을 링크로 서울로",
            ),
            ("을(를)", "를"),
            ("아무것도 없음", "아무것도 없음"),
        ] {
            assert_eq!(fit(text), expected);
        }
    }
}
