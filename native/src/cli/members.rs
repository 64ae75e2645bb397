//! `otterkeeper members`: who is in a group, once or for as long as it runs, as a member or not; in the
//! layout of kazoo's `Party`.

use std::process::ExitCode;

use bytes::Bytes;
use otterkeeper_core::recipe::group::{Called, Member, Membership, Roll};

use crate::client::{ClientError, unique};

use super::lock::place;
use super::remote::{Failure, Remote, stopped};

/// Print the members of a group.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Print them again whenever one comes or goes, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// Be a member meanwhile; the others see this text, for example an address.
    #[arg(long, value_name = "TEXT", requires = "follow")]
    join: Option<String>,
    /// The group: a path, or a name below /groups.
    #[arg(value_name = "NAME", value_parser = |text: &str| place("/groups", text))]
    path: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        remote,
        follow,
        join,
        path,
    } = args;
    remote.run(async |session| {
        let mut roll = session.client.run(Roll::new(&path));
        roll.act(Roll::call);
        let data = Bytes::from(join.clone().unwrap_or_default());
        let mut member = session.client.run(Member::new(&path, unique(), data));
        if join.is_some() {
            member.act(Member::join);
        }
        loop {
            tokio::select! {
                biased;
                told = roll.told() => match told {
                    Some(Called::Present(seats)) => {
                        for seat in &seats {
                            let text = String::from_utf8_lossy(&seat.data);
                            session.say(format_args!("{} {text}", seat.token))?;
                        }
                        if !follow {
                            return Ok(());
                        }
                        session.say(format_args!("-- {} members", seats.len()))?;
                    }
                    Some(Called::Failed(error)) => return Err(Failure::Refused { error, path }),
                    None => return Err(CLOSED.into()),
                },
                told = member.told() => match told {
                    Some(Membership::Failed(error)) => return Err(Failure::Refused { error, path }),
                    Some(Membership::Lost) => eprintln!("the session has ended; joining again"),
                    Some(_) => {}
                    None => return Err(CLOSED.into()),
                },
                event = session.next() => {
                    let event = event?;
                    session.mention(&event);
                }
                () = stopped() => return Ok(()),
            }
        }
    })
}

const CLOSED: ClientError = ClientError::Lost("the client is closed");
