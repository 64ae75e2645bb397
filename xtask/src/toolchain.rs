//! Which compiler builds for wasm: the installed one when it has the target or can fetch it at once,
//! else Debian's `rustc-web` with a standard library built from source.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::install;
use crate::step::{Step, say};

/// The page's target.
pub(crate) const PAGE: &str = "wasm32-unknown-unknown";
/// A target without a standard library: what builds for it is `no_std`.
pub(crate) const BARE: &str = "wasm32v1-none";

/// Debian's packages, and where they put what we call.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DEBIAN_FILES: [&str; 4] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/lib/rustlib/src/rust/library",
    "/usr/bin/wasm-ld-19",
];
/// "At once" for rustup, which may wait long for a host that it cannot reach.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);
/// Chooses by hand: `rustup` or `debian`.
const CHOICE: &str = "OTTERKEEPER_WASM_TOOLCHAIN";

/// A compiler for the wasm targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that runs this program, with the target installed.
    Installed,
    /// Debian's, which builds the standard library along.
    Debian,
}

impl Toolchain {
    /// Finds or installs a compiler for `target`.
    pub(crate) fn find(target: &str) -> Result<Self> {
        match std::env::var(CHOICE).as_deref() {
            Ok("debian") => return Self::debian(),
            Ok("rustup") | Err(_) => {}
            Ok(other) => bail!("{CHOICE} is `{other}`; it may be `rustup` or `debian`"),
        }
        if has_target(target) {
            return Ok(Self::Installed);
        }
        // Once rustup has refused, asking it again at every build would only cost time.
        let refused = crate::target("xtask/rustup-has-no-target");
        if refused.exists() && debian_is_installed() {
            return Ok(Self::Debian);
        }
        if install::has("rustup") {
            let add = Step::new("rustup target add", "rustup").args(&["target", "add", target]);
            if add.quiet().limit(RUSTUP_LIMIT).attempt()?.status.success() && has_target(target) {
                return Ok(Self::Installed);
            }
            fs::write(refused, target)?;
            say("rustup cannot fetch the target; taking Debian's compiler instead");
        }
        if !debian_is_installed() && !install::can_apt() {
            bail!(
                "no compiler for {target}. Type one of\n  rustup target add {target}\n  \
                 apt-get install {}",
                DEBIAN.join(" ")
            );
        }
        Self::debian()
    }

    /// A step that calls `cargo build` for `target` with `arguments`; what is built lies below
    /// `target/wasm`. `std` are the parts of the standard library to build where none is installed.
    pub(crate) fn build(self, what: &str, target: &str, std: &str, arguments: &[&str]) -> Step {
        let folder = folder();
        let common = ["build", "--target", target, "--target-dir"];
        match self {
            Self::Installed => Step::cargo(what, &common).args(&[folder]).args(arguments),
            Self::Debian => Step::new(what, DEBIAN_FILES[1])
                .without_env("RUSTUP_TOOLCHAIN")
                .without_env("LD_LIBRARY_PATH")
                .without_env("CARGO")
                .env("RUSTC", DEBIAN_FILES[0])
                .env("RUSTC_BOOTSTRAP", "1")
                .env(
                    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
                    DEBIAN_FILES[3],
                )
                .env("CARGO_TARGET_WASM32V1_NONE_LINKER", DEBIAN_FILES[3])
                .args(&common)
                .args(&[folder])
                .args(arguments)
                .args(&[format!("-Zbuild-std={std}")]),
        }
    }

    fn debian() -> Result<Self> {
        if !debian_is_installed() {
            install::debian(&DEBIAN, "to compile for wasm")?;
        }
        Ok(Self::Debian)
    }
}

/// Where wasm builds go: apart from the others, so that neither waits for the other's lock.
pub(crate) fn folder() -> PathBuf {
    crate::target("wasm")
}

fn has_target(target: &str) -> bool {
    let print = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    print.is_ok_and(|output| {
        output.status.success()
            && fs::read_dir(String::from_utf8_lossy(&output.stdout).trim())
                .is_ok_and(|mut files| files.next().is_some())
    })
}

fn debian_is_installed() -> bool {
    DEBIAN_FILES.iter().all(|file| Path::new(file).exists())
}
