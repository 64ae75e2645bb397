//! What a fresh machine lacks: Debian packages, tools from npm, a Python environment. Everything
//! that does not need root lands below `target/`.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step::{Step, say};

/// The version of npm's `binaryen`, which carries `wasm-opt`.
const BINARYEN: &str = "132.0.0";
/// The version of npm's `playwright-core`, which drives a browser and brings none: the last one that
/// Debian 12's Node (18) can run.
const PLAYWRIGHT: &str = "1.61.0";
/// The version of npm's `axe-core`, which looks for what shuts people out.
const AXE: &str = "4.14.1";

/// The ZooKeeper client that the process tests drive.
const KAZOO: &str = "kazoo==2.11.0";
/// What kazoo needs for SASL.
const PURE_SASL: &str = "pure-sasl==0.6.2";

/// Whether `program` can be started from the search path.
pub(crate) fn has(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Makes sure that Debian's `packages` are installed; `why` ends the sentence "they are needed ...".
pub(crate) fn debian(packages: &[&str], why: &str) -> Result<()> {
    if packages.iter().all(|package| debian_has(package)) {
        return Ok(());
    }
    let list = packages.join(" ");
    if !can_apt() {
        bail!("{list} needed {why}. Install with:\n  apt-get update\n  apt-get install {list}");
    }
    // SAFETY of the machine: nothing is removed, only the named packages and what they need come in.
    let quiet = |step: Step| step.env("DEBIAN_FRONTEND", "noninteractive");
    quiet(Step::new("apt-get update", "apt-get").args(&["update"])).run()?;
    let arguments = ["install", "-y", "--no-install-recommends", "--no-remove"];
    quiet(
        Step::new(&format!("install {list}"), "apt-get")
            .args(&arguments)
            .args(packages),
    )
    .advice(&format!("install {list} by hand, then try again"))
    .run()?;
    Ok(())
}

/// Whether this process may install Debian packages.
pub(crate) fn can_apt() -> bool {
    // SAFETY: geteuid reads nothing and cannot fail.
    has("apt-get") && unsafe { libc::geteuid() } == 0
}

/// Node and npm. Debian's come with some six hundred packages, minutes of unpacking, so that only what
/// cannot do without asks for them.
pub(crate) fn node(why: &str) -> Result<()> {
    if has("npm") {
        return Ok(());
    }
    debian(&["nodejs", "npm"], why)
}

/// `wasm-opt`, or nothing when there is no npm to bring it.
pub(crate) fn wasm_opt() -> Result<Option<PathBuf>> {
    if !has("npm") {
        say("skip wasm-opt: there is no npm to bring it, so the page is larger than it could be");
        return Ok(None);
    }
    npm("binaryen", BINARYEN).map(|folder| Some(folder.join("bin/wasm-opt")))
}

/// What drives the browser.
pub(crate) fn playwright() -> Result<PathBuf> {
    node("for the browser tests")?;
    npm("playwright-core", PLAYWRIGHT)
}

/// What looks for barriers in the page.
pub(crate) fn axe() -> Result<PathBuf> {
    npm("axe-core", AXE)
}

/// Makes sure that headless Chromium and a font with Korean are there.
pub(crate) fn chromium() -> Result<()> {
    if has("chromium") && debian_has("fonts-noto-cjk") {
        return Ok(());
    }
    debian(&["chromium", "fonts-noto-cjk"], "for the browser tests")
}

/// The folder of npm's package `name`. Each has a prefix of its own, because npm removes from a
/// prefix what it was not asked for.
fn npm(name: &str, version: &str) -> Result<PathBuf> {
    let prefix = crate::target("tools").join(name);
    let folder = prefix.join("node_modules").join(name);
    if installed_version(&folder).as_deref() == Some(version) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&prefix)?;
    Step::new(&format!("install {name}"), "npm")
        .args(&[
            "install",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--prefix",
        ])
        .args(&[&prefix])
        .args(&[format!("{name}@{version}")])
        .limit(Duration::from_secs(300))
        .advice("npm must reach its registry")
        .run()?;
    Ok(folder)
}

/// What npm wrote into the package's own description.
fn installed_version(folder: &Path) -> Option<String> {
    let description = std::fs::read(folder.join("package.json")).ok()?;
    let description: serde_json::Value = serde_json::from_slice(&description).ok()?;
    Some(description.get("version")?.as_str()?.to_owned())
}

/// A Python that has kazoo, in an environment below `target/`.
pub(crate) fn python_with_kazoo() -> Result<PathBuf> {
    let folder = crate::target("venv");
    let python = folder.join("bin/python");
    if imports_kazoo(&python) {
        return Ok(python);
    }
    if !has("python3") {
        debian(
            &["python3", "python3-venv"],
            "to drive the servers with a real ZooKeeper client",
        )?;
    }
    let create = |what| {
        Step::new(what, "python3")
            .args(&["-m", "venv", "--clear"])
            .args(&[&folder])
    };
    if create("create a Python environment")
        .attempt()?
        .status
        .success()
    {
        // Nothing to add: it has its own pip.
    } else {
        debian(&["python3-venv"], "to create a Python environment")?;
        create("create a Python environment").run()?;
    }
    Step::new("install kazoo", &python)
        .args(&[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            KAZOO,
            PURE_SASL,
        ])
        .limit(Duration::from_secs(300))
        .advice("pip must reach its registry")
        .run()?;
    Ok(python)
}

fn debian_has(package: &str) -> bool {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output();
    query.is_ok_and(|output| output.stdout == b"installed")
}

fn imports_kazoo(python: &Path) -> bool {
    let quiet = Command::new(python)
        .args(["-c", "import kazoo, puresasl"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}
