//! The table of what the playground does and which test holds it stays true: each test that it names exists,
//! and each browser test is in it. It reads sources; the tests themselves run elsewhere.

use std::fs;
use std::path::Path;

const TABLE: &str = "tests/browser/README.md";

#[test]
fn the_table_of_the_playground_names_tests_that_exist_and_all_of_the_browser() {
    let table = read(TABLE);
    let mut wrong = Vec::new();
    let mut points = 0;
    let mut named = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [point, tests] = cells[..] else {
            panic!("two cells in {line:?}");
        };
        if point.trim() == "Point" {
            continue;
        }
        points += 1;
        for test in tests.split("<br>") {
            let test = test.trim();
            let (path, name) = (test
                .strip_prefix('`')
                .and_then(|rest| rest.split_once("` ")))
            .unwrap_or_else(|| panic!("a path and a name in {test:?}"));
            if !has(&read(path), name) {
                wrong.push(format!("{path} has no test {name:?}"));
            }
            named.push((path, name));
        }
    }
    assert!(30 < points, "{points} points");
    for path in browser_files() {
        for name in titles(&read(&path)) {
            // Of a name that is put together the first part stands in the table.
            let first = name.split("${").next().unwrap_or_default().trim();
            if !named.contains(&(path.as_str(), first)) {
                wrong.push(format!("{TABLE} does not name {path} {first:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether a file has a test of this name.
fn has(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let function = lines
        .iter()
        .position(|line| line.starts_with(&format!("fn {name}(")));
    let is_test = function.is_some_and(|place| {
        let above = lines[..place].iter().rev();
        let mut attributes = above.take_while(|line| line.starts_with("#["));
        attributes.any(|line| *line == "#[test]")
    });
    let mut titles = titles(source);
    is_test || titles.any(|title| title.split("${").next().map(str::trim) == Some(name))
}

/// The names of the tests of a script.
fn titles(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("test(")?;
        let quote = rest.chars().next().filter(|quote| "\"`".contains(*quote))?;
        rest[1..].split(quote).next()
    })
}

fn browser_files() -> Vec<String> {
    let folder = fs::read_dir(root().join("tests/browser")).expect("a folder of stories");
    let beside = folder.map(|entry| entry.expect("a file").file_name());
    let beside = beside.filter_map(|name| name.into_string().ok());
    let scripts = beside.filter(|name| name.ends_with(".mjs"));
    let mut all: Vec<String> = scripts
        .map(|name| format!("tests/browser/{name}"))
        .collect();
    all.push("tests/browser.mjs".to_owned());
    all
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
}
