//! Which znodes of a tree are shown: a page at a time, or those whose paths are looked for. Knows nothing of markup.

use otterkeeper_core::tree::{Tree, Znode};

/// Znodes shown at once.
pub(crate) const SHOWN: usize = 100;

/// The rows that are shown, the place of the first, and how many there are: depth first, as people read a tree, or those
/// whose paths have what is looked for, with a star for anything.
pub(crate) fn page<'a>(
    tree: &'a Tree,
    sought: &str,
    from: usize,
) -> (Vec<Znode<'a>>, usize, usize) {
    let mut rows = Vec::new();
    if !sought.is_empty() {
        let found = || tree.iter().filter(|znode| fits(znode.path(), sought));
        let all = found().count();
        let from = from.min(all.saturating_sub(1) / SHOWN * SHOWN);
        rows.extend(found().skip(from).take(SHOWN));
        return (rows, from, all);
    }
    let all = tree.count() as usize;
    let from = from.min(all.saturating_sub(1) / SHOWN * SHOWN);
    let mut next = tree.get("/");
    let mut open = Vec::new();
    let mut row = 0;
    while let Some(znode) = next {
        if from <= row {
            rows.push(znode);
        }
        row += 1;
        if rows.len() == SHOWN {
            break;
        }
        open.push(tree.children(znode.path()));
        next = None;
        while let Some(children) = open.last_mut() {
            next = children.next();
            if next.is_some() {
                break;
            }
            open.pop();
        }
    }
    (rows, from, all)
}

/// Whether a path has the pieces between stars, one behind the other.
fn fits(path: &str, sought: &str) -> bool {
    let mut rest = path;
    sought.split('*').all(|piece| {
        let found = rest.find(piece);
        rest = found.map_or("", |at| &rest[at + piece.len()..]);
        found.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::state::{Action, Model};
    use otterkeeper_core::id::NodeId;
    use otterkeeper_core::time::Span;

    #[test]
    fn a_tree_of_thousands_is_shown_a_page_at_a_time() {
        let mut model = Model::new(3, 42, Lang::En);
        model.seek(Span::from_ms(1_500));
        model.update(Action::Command("create /all 1".to_owned()));
        for number in 0..3_000 {
            let inner = if number % 100 == 7 {
                "/all/in-"
            } else {
                "/all/"
            };
            let path = format!("create {inner}{number:04}");
            model.update(Action::Command(path));
            if number % 500 == 499 {
                model.seek(Span::from_ms(2_000 + number * 3));
            }
        }
        model.seek(Span::from_ms(15_000));
        let view = model.sim().node(NodeId(1)).expect("it is up");
        let tree = view.machine().tree();
        let mut paths = Vec::new();
        loop {
            let (rows, from, all) = page(tree, "", paths.len());
            assert_eq!((from, all), (paths.len(), tree.count() as usize));
            assert!(rows.len() <= SHOWN);
            paths.extend(rows.iter().map(|znode| znode.path().to_owned()));
            if paths.len() == all {
                break;
            }
        }
        assert!(3_000 < paths.len());
        // Each below its parent, and none twice.
        let mut sorted = paths.clone();
        sorted.sort_by_key(|path| path.split('/').map(str::to_owned).collect::<Vec<_>>());
        sorted.dedup();
        assert_eq!(paths[1..], sorted[1..]);
        let (rows, from, all) = page(tree, "all*in-*07", 0);
        assert_eq!((rows.len(), from, all), (30, 0, 30));
        let (rows, from, all) = page(tree, "/all/", 5_000);
        assert_eq!((rows.len(), from, all), (100, 2_900, 3_000));
        assert_eq!(page(tree, "none of them", 0).2, 0);
    }

    #[test]
    fn stars_stand_for_anything() {
        for (sought, fit) in [
            ("a", true),
            ("/a*c", true),
            ("*", true),
            ("c*a", false),
            ("/a/b/c", true),
            ("b*", true),
        ] {
            assert_eq!(fits("/a/b/c", sought), fit, "{sought}");
        }
    }
}
