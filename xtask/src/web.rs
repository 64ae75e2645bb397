//! Builds the page: compiler, bindings, optimiser, sources of `www/`, all into `target/www`. A build
//! with nothing changed stops after the compiler.

use core::hash::Hasher;
use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use brotli::CompressorWriter;
use wasm_bindgen_cli_support::Bindgen;

use crate::install;
use crate::publish;
use crate::step::{self, Step, say};
use crate::toolchain::{self, Toolchain};

/// What rustc puts into a module and every browser reads. Asked for all features, the optimiser also
/// uses proposals that browsers do not know yet.
const BROWSER_FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The page's script is `otterkeeper.js`; its wasm is `otterkeeper_bg.wasm` beside it.
const NAME: &str = "otterkeeper";

/// What packed files end with.
const GZIP: &str = "gz";
const BROTLI: &str = "br";
const PACKINGS: [&str; 2] = [GZIP, BROTLI];

/// `cargo xtask web`.
pub(crate) fn web(measure: bool, publish: Option<&Path>) -> Result<ExitCode> {
    if measure {
        step::aside();
    }
    if install::can_apt() {
        install::node("to make the page small")?;
    }
    let page = build()?;
    if measure {
        return budgets(&page);
    }
    let total = |suffix: Option<&str>| -> Result<u64> {
        let mut sum = 0;
        for path in files(&page)? {
            let packing = path.extension().and_then(OsStr::to_str);
            if packing.filter(|packing| PACKINGS.contains(packing)) == suffix {
                sum += fs::metadata(path)?.len();
            }
        }
        Ok(sum)
    };
    say(&format!(
        "page in target/www: {} bytes, {} with gzip, {} with brotli",
        total(None)?,
        total(Some(GZIP))?,
        total(Some(BROTLI))?
    ));
    if let Some(folder) = publish {
        publish::publish(&page, folder)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures the page against its budgets; the standard output is one JSON.
fn budgets(page: &Path) -> Result<ExitCode> {
    install::chromium()?;
    let mut command = Command::new("node");
    command
        .arg("tests/browser/measure.mjs")
        .current_dir(crate::root())
        .env("OTTERKEEPER_WWW", page)
        .env("OTTERKEEPER_PLAYWRIGHT", install::playwright()?);
    let mut child = step::spawn(&mut command)?;
    let status = child.wait().context("lost a child process")?;
    step::reaped(&child);
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Builds the page and gives its folder.
pub(crate) fn build() -> Result<PathBuf> {
    let toolchain = Toolchain::find(toolchain::PAGE)?;
    toolchain
        .build(
            "compile the page",
            toolchain::PAGE,
            "std,panic_abort",
            &["-p", "otterkeeper-web", "--profile", "page"],
        )
        .run()?;
    let wasm = toolchain::folder()
        .join(toolchain::PAGE)
        .join("page/otterkeeper-web.wasm");
    let wasm_opt = install::wasm_opt()?;
    let page = crate::target("www");
    let stamp = stamp(&wasm, wasm_opt.is_some())?;
    let stamp_file = crate::target("xtask/page.stamp");
    if page.is_dir() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(page);
    }

    // Built beside the old page and put in its place at the end, so that nobody reads half a page.
    let fresh = crate::target("www.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    copy(&crate::root().join("www"), &fresh)?;
    // The texts are compiled into the page; nobody fetches them.
    fs::remove_dir_all(fresh.join("i18n"))?;
    fs::remove_dir_all(fresh.join("lessons"))?;
    fs::remove_dir_all(fresh.join("rules"))?;
    Bindgen::new()
        .input_path(&wasm)
        .web(true)?
        .typescript(false)
        // The optimiser puts functions of like names beside each other, and takes the names away.
        .demangle(false)
        .remove_name_section(wasm_opt.is_none())
        .remove_producers_section(true)
        .out_name(NAME)
        .generate(&fresh)
        .context("wasm-bindgen refuses the page")?;
    if let Some(program) = wasm_opt {
        let file = fresh.join(format!("{NAME}_bg.wasm"));
        Step::new("optimise the page", program)
            .args(&["-Oz"])
            // Copies of one generic function are alike: beside each other they are within gzip's window of 32 KiB.
            .args(&["--reorder-functions-by-name", "--strip-debug"])
            .args(&BROWSER_FEATURES)
            .args(&[&file])
            .args(&["-o"])
            .args(&[&file])
            .limit(Duration::from_secs(600))
            .run()?;
    }
    keep_offline(&fresh)?;
    pack(&fresh)?;
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    fs::rename(&fresh, &page)?;
    fs::write(stamp_file, stamp)?;
    Ok(page)
}

/// Tells the page's worker which files to keep for when there is no network, and a version of them all.
fn keep_offline(page: &Path) -> Result<()> {
    let worker = page.join("worker.js");
    let mut hasher = DefaultHasher::new();
    // The folder itself is what a browser asks for first.
    let mut names = vec![String::from("./")];
    for path in files(page)? {
        hasher.write(&fs::read(&path)?);
        if path != worker {
            names.push(path.strip_prefix(page)?.display().to_string());
        }
    }
    let text = fs::read_to_string(&worker)?;
    let version = format!("const VERSION = \"{:016x}\";", hasher.finish());
    let kept = format!("const FILES = {names:?};");
    let filled = text
        .replace("const VERSION = \"development\";", &version)
        .replace("const FILES = [];", &kept);
    anyhow::ensure!(
        filled.contains(&version) && filled.contains(&kept),
        "www/worker.js has no place for the files to keep"
    );
    Ok(fs::write(worker, filled)?)
}

/// Writes each file packed beside itself, where web servers look for it (`gzip_static` and `brotli_static` of nginx,
/// `precompressed` of Caddy, and our own server).
fn pack(page: &Path) -> Result<()> {
    files(page)?.iter().try_for_each(|path| pack_file(path))
}

/// Writes one file packed beside itself.
pub(crate) fn pack_file(path: &Path) -> Result<()> {
    let bytes = fs::read(path)?;
    let beside = |suffix: &str| PathBuf::from(format!("{}.{suffix}", path.display()));
    let mut gzip = Vec::new();
    // A module has parts that are nothing like each other, and blocks of its own for each of them save a percent.
    let options = zopfli::Options {
        iteration_count: NonZeroU64::new(5).expect("five is not zero"),
        maximum_block_splits: 100,
        ..zopfli::Options::default()
    };
    zopfli::compress(options, zopfli::Format::Gzip, &*bytes, &mut gzip)?;
    fs::write(beside(GZIP), gzip)?;
    let mut brotli = CompressorWriter::new(Vec::new(), bytes.len().max(1), 11, 24);
    brotli.write_all(&bytes)?;
    Ok(fs::write(beside(BROTLI), brotli.into_inner())?)
}

/// Changes whenever something that the page is made of has changed.
fn stamp(wasm: &Path, optimised: bool) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in files(&crate::root().join("www"))?
        .iter()
        .map(PathBuf::as_path)
        .chain([wasm])
    {
        hasher.write(path.as_os_str().as_encoded_bytes());
        hasher.write(&fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    // The steps below the compiler are part of this program, so a new one builds a new page.
    hasher.write(&fs::read(std::env::current_exe()?)?);
    hasher.write_u8(u8::from(optimised));
    Ok(format!("{:016x}", hasher.finish()))
}

/// Copies all files of a folder into another one.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for path in files(from)? {
        let place = to.join(path.strip_prefix(from)?);
        fs::create_dir_all(place.parent().expect("a file lies in a folder"))?;
        fs::copy(&path, place)?;
    }
    Ok(())
}

/// All files below `folder`, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    Ok(found)
}
