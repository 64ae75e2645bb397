//! The binary `otterkeeper`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    otterkeeper::cli::main()
}
