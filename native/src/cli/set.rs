//! `set`: new data for a znode.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use otterkeeper_core::request::{Op, Response};

use super::remote::{Failure, Session, znode};

/// Replace a znode's data.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the Stat afterwards.
    #[arg(short = 's')]
    stat: bool,
    /// Only if the data has this version.
    #[arg(short = 'v', value_name = "VERSION", default_value_t = -1, allow_negative_numbers = true)]
    version: i32,
    /// The data is given in base64.
    #[arg(short = 'b')]
    base64: bool,
    #[arg(value_parser = znode)]
    path: String,
    /// The new data.
    data: String,
}

impl Args {
    /// The change that is meant, also inside a multi.
    pub(crate) fn op(self) -> Result<Op, Failure> {
        let data: Bytes = if self.base64 {
            let bytes = BASE64.decode(&self.data);
            let refuse = |error| Failure::Usage(format!("the data is no base64: {error}"));
            bytes.map_err(refuse)?.into()
        } else {
            self.data.into()
        };
        Ok(Op::SetData {
            path: self.path,
            data: Some(data),
            version: self.version,
        })
    }
}

pub(crate) async fn run(args: Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let with_stat = args.stat;
    match session.change(args.op()?).await? {
        Response::Stat(stat) if with_stat => session.show_stat(&stat),
        _ => Ok(()),
    }
}
