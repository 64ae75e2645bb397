//! Gives the page the name of its core. Links carry it, so that a page can say that it is not the one that made a link.

mod core_hash;

use std::path::Path;

fn main() {
    let name = core_hash::core_hash(Path::new(".."));
    println!("cargo::rustc-env=OTTERKEEPER_CORE={name}");
    println!("cargo::rerun-if-changed=../core/src");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    println!("cargo::rerun-if-changed=../www/i18n");
}
