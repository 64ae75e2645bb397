//! Which znodes of a tree are shown: a page at a time, or those whose paths are looked for; and which have changed, by
//! their own zxids. Knows nothing of markup.

use core::cmp::Ordering;

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

/// How many znodes stand before a path, as people read a tree.
pub(crate) fn place(tree: &Tree, path: &str) -> usize {
    let before = |znode: &Znode<'_>| znode.path().split('/').lt(path.split('/'));
    tree.iter().filter(before).count()
}

/// What differs between two states of a tree: paths, with a plus before those that came, and a minus before those that
/// went.
pub(crate) fn changed(old: &Tree, new: &Tree) -> Vec<String> {
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    let mut changed = Vec::new();
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return changed,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(old), Some(new)) => key(old.path()).cmp(&key(new.path())),
        };
        let was = if order == Ordering::Greater {
            None
        } else {
            olds.next()
        };
        let is = if order == Ordering::Less {
            None
        } else {
            news.next()
        };
        match (was, is) {
            (Some(was), None) => changed.push(format!("-{}", was.path())),
            (None, Some(is)) => changed.push(format!("+{}", is.path())),
            (Some(was), Some(is)) if facts(&was) != facts(&is) => {
                changed.push(is.path().to_owned())
            }
            _ => {}
        }
    }
}

/// The order of a tree's own iterator: by depth and then by path.
fn key(path: &str) -> (usize, &str) {
    (
        if path == "/" {
            0
        } else {
            path.matches('/').count()
        },
        path,
    )
}

/// What changes when a znode itself does, and not only its children.
fn facts(znode: &Znode<'_>) -> (u64, u64, i32) {
    let stat = znode.stat();
    (stat.czxid.0, stat.mzxid.0, stat.aversion)
}

/// The znodes that came, were set or lost children behind a zxid, except those that are shown.
pub(crate) fn since<'a>(tree: &'a Tree, zxid: u64, shown: &[Znode<'_>]) -> Vec<Znode<'a>> {
    let is_new = |znode: &Znode<'_>| {
        let stat = znode.stat();
        // A child that came is told for itself. One that went is only known to its parent.
        let lost = || {
            let mut children = tree.children(znode.path());
            children.all(|child| child.stat().czxid != stat.pzxid)
        };
        zxid < stat.czxid.0.max(stat.mzxid.0) || zxid < stat.pzxid.0 && lost()
    };
    let elsewhere =
        |znode: &Znode<'_>| is_new(znode) && shown.iter().all(|one| one.path() != znode.path());
    tree.iter().filter(elsewhere).collect()
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

    #[test]
    fn changes_are_told_by_the_zxids_of_znodes() {
        let mut model = Model::new(3, 42, Lang::En);
        model.seek(Span::from_ms(1_500));
        for path in ["/a", "/a/b", "/a/d"] {
            model.update(Action::Command(format!("create {path} 1")));
        }
        model.seek(Span::from_ms(2_500));
        let tree = |model: &Model| {
            let view = model.sim().node(NodeId(1)).expect("it is up");
            (view.machine().tree().clone(), view.applied().0)
        };
        let (old, zxid) = tree(&model);
        for line in ["set /a/d 2", "create /c 1", "delete /a/b"] {
            model.update(Action::Command(line.to_owned()));
        }
        model.seek(Span::from_ms(3_500));
        let (new, _) = tree(&model);
        assert_eq!(changed(&old, &new), ["+/c", "-/a/b", "/a/d"]);
        assert_eq!(changed(&new, &old), ["-/c", "+/a/b", "/a/d"]);
        assert!(changed(&new, &new.clone()).is_empty());
        let paths = |shown: &[Znode<'_>], zxid| -> Vec<String> {
            let found = since(&new, zxid, shown);
            found.iter().map(|znode| znode.path().to_owned()).collect()
        };
        // Of the one that went its parent tells; the root only has a child more.
        assert_eq!(paths(&[], zxid), ["/a", "/c", "/a/d"]);
        let (rows, ..) = page(&new, "/c", 0);
        assert_eq!(paths(&rows, zxid), ["/a", "/a/d"]);
        assert!(paths(&[], u64::MAX).is_empty());
        let (rows, ..) = page(&new, "", 0);
        for (row, znode) in rows.iter().enumerate() {
            assert_eq!(place(&new, znode.path()), row);
        }
    }
}
