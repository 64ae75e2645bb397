//! The name of a core: a hash of its sources and of the lock file, equal on every target. The page's build gives it to the
//! page, and publishing keeps the page under it.

use std::fs;
use std::path::{Path, PathBuf};

/// The twelve digits that name the core of the workspace in a folder.
pub(crate) fn core_hash(root: &Path) -> String {
    let mut files = vec![root.join("Cargo.lock")];
    collect(&root.join("core/src"), &mut files);
    files.sort();
    // FNV-1a over names and contents.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in &files {
        let name = file.strip_prefix(root).unwrap_or(file);
        let name = name.to_string_lossy().replace('\\', "/");
        let content = fs::read(file).unwrap_or_default();
        for byte in name.bytes().chain(content) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{:012x}", hash >> 16)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
