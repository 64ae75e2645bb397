//! `get`: a znode's data.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use core::fmt::Write;

use otterkeeper_core::request::{ReadKind, Response};

use super::remote::{Failure, Session, znode};

/// Print a znode's data.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the Stat behind it.
    #[arg(short = 's')]
    stat: bool,
    /// Wait for the next change of the data, print what happened, and exit. In the shell: say when it happens.
    #[arg(short = 'w')]
    watch: bool,
    /// Print the data in base64.
    #[arg(short = 'b', conflicts_with_all = ["hex", "raw"])]
    base64: bool,
    /// Print the data as a hex dump.
    #[arg(short = 'x', conflicts_with = "raw")]
    hex: bool,
    /// The data alone, without a line feed behind it.
    #[arg(long, conflicts_with = "stat")]
    raw: bool,
    #[arg(value_parser = znode)]
    path: String,
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let read = session.read(ReadKind::Data, &args.path, args.watch);
    if let Response::Data { data, stat } = read.await? {
        let data = data.as_deref().unwrap_or_default();
        if args.base64 {
            session.say(BASE64.encode(data))?;
        } else if args.hex {
            session.show(dump(data).as_bytes())?;
        } else {
            session.show(data)?;
            if !args.raw {
                session.say("")?;
            }
        }
        if args.stat {
            session.show_stat(&stat)?;
        }
    }
    session.await_watch(args.watch).await
}

/// Sixteen bytes a line: where, what, and the letters among them.
fn dump(data: &[u8]) -> String {
    let mut text = String::new();
    for (number, line) in data.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let letter = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let letters: String = line.iter().map(letter).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:08x}  {:<47}  {letters}",
            number * 16,
            hex.join(" ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::dump;

    #[test]
    fn a_dump_shows_bytes_and_letters() {
        let lines = dump(b"otters sleep in rafts\n");
        let expected = "00000000  6f 74 74 65 72 73 20 73 6c 65 65 70 20 69 6e 20  otters sleep in \n\
                        00000010  72 61 66 74 73 0a                                rafts.\n";
        assert_eq!(lines, expected);
    }
}
