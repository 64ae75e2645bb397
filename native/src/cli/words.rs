//! A typed line in words, and what clap says about one in a line. Knows no verbs.

use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// Words as a shell would make them: quotes hold blanks together, a backslash takes the next letter as it is.
///
/// # Errors
/// If a quote is not closed.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut open) = (String::new(), None, false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match quote {
            Some(end) if letter == end => quote = None,
            Some('\'') => word.push(letter),
            _ if letter == '\\' => {
                open = true;
                word.extend(letters.next());
            }
            Some(_) => word.push(letter),
            None if letter == '"' || letter == '\'' => (quote, open) = (Some(letter), true),
            None if letter.is_whitespace() => {
                if core::mem::take(&mut open) {
                    words.push(core::mem::take(&mut word));
                }
            }
            None => {
                open = true;
                word.push(letter);
            }
        }
    }
    if let Some(quote) = quote {
        return Err(format!("{quote} is not closed"));
    }
    if open {
        words.push(word);
    }
    Ok(words)
}

/// What is wrong with the arguments, and what was perhaps meant, or else where to look.
pub(crate) fn in_a_line(error: &clap::Error, verbs: &Command, where_to_look: &str) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim);
    let line = lines.collect::<Vec<_>>().join(" ");
    let what = line.strip_prefix("error: ").unwrap_or(&line);
    match meant(error, verbs) {
        Some(meant) => format!("{what}; did you mean '{meant}'?"),
        None => format!("{what}; {where_to_look}"),
    }
}

/// What clap finds similar, or the verb of which a word that is none is a misspelling: two slips at most, and fewer
/// than it has letters. Clap is blind to letters of short words that have changed places.
fn meant(error: &clap::Error, verbs: &Command) -> Option<String> {
    let suggested = suggested(error);
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return suggested;
    };
    let verbs = verbs
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned());
    let similar = verbs.filter(|verb| {
        let slips = slips(word, verb);
        // One without a slip is none of the command that it was given to.
        (1..=2).contains(&slips) && slips + 1 < word.len()
    });
    suggested
        .into_iter()
        .chain(similar)
        .min_by_key(|verb| slips(word, verb))
}

/// How many letters are missing, superfluous, wrong, or have changed places.
fn slips(word: &str, meant: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let (word, meant) = (letters(word), letters(meant));
    // For the beginnings of `word`, those two before, the one before and this one, by the length of that of `meant`.
    let mut rows = [
        Vec::new(),
        Vec::new(),
        (0..=meant.len()).collect::<Vec<_>>(),
    ];
    for at in 1..=word.len() {
        rows.rotate_left(1);
        rows[2] = vec![at];
        for of in 1..=meant.len() {
            let differs = usize::from(word[at - 1] != meant[of - 1]);
            let mut least = (rows[1][of - 1] + differs)
                .min(rows[1][of] + 1)
                .min(rows[2][of - 1] + 1);
            let swapped =
                1 < at && 1 < of && word[at - 1] == meant[of - 2] && word[at - 2] == meant[of - 1];
            if swapped {
                least = least.min(rows[0][of - 2] + 1);
            }
            rows[2].push(least);
        }
    }
    rows[2][meant.len()]
}

/// What clap finds similar.
fn suggested(error: &clap::Error) -> Option<String> {
    let kinds = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    match kinds.into_iter().find_map(|kind| error.get(kind))? {
        ContextValue::String(word) => Some(word.clone()),
        // The last one is the most similar.
        ContextValue::Strings(words) => words.last().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{slips, split};

    #[test]
    fn quotes_and_backslashes() {
        let words = |line| split(line).map_err(|_| ());
        let check = |line, expected: &[&str]| {
            let expected = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words(line), Ok(expected), "{line}");
        };
        check("", &[]);
        check("  get   /a ", &["get", "/a"]);
        check(r#"set /a "two words""#, &["set", "/a", "two words"]);
        check(r#"set /a """#, &["set", "/a", ""]);
        check(r#"set /a 'a "b" \c'"#, &["set", "/a", r#"a "b" \c"#]);
        check(r#"set /a "a \"b\"""#, &["set", "/a", r#"a "b""#]);
        check(r"set /a\ b x", &["set", "/a b", "x"]);
        assert_eq!(words("set /a 'x"), Err(()));
    }

    #[test]
    fn slips_are_counted() {
        for (word, meant, number) in [
            ("get", "get", 0),
            ("gte", "get", 1),
            ("GET", "get", 0),
            ("crate", "create", 1),
            ("lss", "ls", 1),
            ("sat", "set", 1),
            ("", "ls", 2),
            ("export", "import", 2),
        ] {
            assert_eq!(slips(word, meant), number, "{word} {meant}");
        }
    }
}
