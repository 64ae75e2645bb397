//! The verbs that ask a cluster, in one grammar for the command line and the shell: zkCli's names and flags, and a
//! few more. Each has a file of its own; nothing here knows what a verb does.

use clap::builder::{Resettable, StyledStr};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::remote::{Failure, Remote, Session};
use super::{
    config, create, delete, ephemerals, explain, export, get, get_acl, import, ls, multi, quota,
    reconfig, set, set_acl, stat, sync, whoami,
};

/// What can be asked. zkCli's names are as it writes them.
#[derive(Subcommand)]
pub(crate) enum Verb {
    Get(get::Args),
    Set(set::Args),
    Create(create::Args),
    Delete(delete::Args),
    Deleteall(delete::AllArgs),
    Ls(ls::Args),
    Stat(stat::Args),
    #[command(name = "getAcl", alias = "getacl")]
    GetAcl(get_acl::Args),
    #[command(name = "setAcl", alias = "setacl")]
    SetAcl(set_acl::Args),
    #[command(name = "getAllChildrenNumber", alias = "getallchildrennumber")]
    GetAllChildrenNumber(ls::CountArgs),
    #[command(name = "getEphemerals", alias = "getephemerals")]
    GetEphemerals(ephemerals::Args),
    Listquota(quota::ListArgs),
    Setquota(quota::SetArgs),
    Delquota(quota::DeleteArgs),
    Config(config::Args),
    Reconfig(reconfig::Args),
    Multi(multi::Args),
    Export(export::Args),
    Import(import::Args),
    Explain(explain::Args),
    Sync(sync::Args),
    Whoami(whoami::Args),
}

impl Verb {
    /// Asks, and prints what comes.
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Get(args) => get::run(args, session).await,
            Self::Set(args) => set::run(args, session).await,
            Self::Create(args) => create::run(args, session).await,
            Self::Delete(args) => delete::run(args, session).await,
            Self::Deleteall(args) => delete::run_all(args, session).await,
            Self::Ls(args) => ls::run(args, session).await,
            Self::Stat(args) => stat::run(args, session).await,
            Self::GetAcl(args) => get_acl::run(args, session).await,
            Self::SetAcl(args) => set_acl::run(args, session).await,
            Self::GetAllChildrenNumber(args) => ls::run_count(args, session).await,
            Self::GetEphemerals(args) => ephemerals::run(args, session).await,
            Self::Listquota(args) => quota::list(args, session).await,
            Self::Setquota(args) => quota::set(args, session).await,
            Self::Delquota(args) => quota::delete(args, session).await,
            Self::Config(args) => config::run(args, session).await,
            Self::Reconfig(args) => reconfig::run(args, session).await,
            Self::Multi(args) => multi::run(args, session).await,
            Self::Export(args) => export::run(args, session).await,
            Self::Import(args) => import::run(args, session).await,
            Self::Explain(args) => explain::run(args, session).await,
            Self::Sync(args) => sync::run(args, session).await,
            Self::Whoami(args) => whoami::run(args, session).await,
        }
    }
}

/// A verb on the command line: it says there which cluster is meant, what the shell knows already.
pub(crate) struct Online {
    /// Where.
    pub(crate) remote: Remote,
    /// What.
    pub(crate) verb: Verb,
}

impl Subcommand for Online {
    fn augment_subcommands(cmd: Command) -> Command {
        let verbs = Verb::augment_subcommands(Command::new("verbs"));
        let online = verbs.get_subcommands().cloned().map(|verb| {
            // What it does is the verb's to say.
            let own = |text: Option<&StyledStr>| match text {
                Some(text) => Resettable::Value(text.clone()),
                None => Resettable::Reset,
            };
            let (short, long) = (own(verb.get_about()), own(verb.get_long_about()));
            Remote::augment_args(verb).about(short).long_about(long)
        });
        cmd.subcommands(online)
    }

    fn augment_subcommands_for_update(cmd: Command) -> Command {
        Self::augment_subcommands(cmd)
    }

    fn has_subcommand(name: &str) -> bool {
        Verb::has_subcommand(name)
    }
}

impl FromArgMatches for Online {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let none = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (_, of_verb) = matches.subcommand().ok_or_else(none)?;
        Ok(Self {
            remote: Remote::from_arg_matches(of_verb)?,
            verb: Verb::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Where the cluster is, and what else is the same for all commands, may be said before the command too, as zkCli has
/// its `-server`. It is parsed behind it.
pub(crate) fn behind_the_command(mut words: Vec<String>, cli: &Command) -> Vec<String> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let (option, has_value) = match word.split_once('=') {
            Some((option, _)) => (option, true),
            None => (word.as_str(), false),
        };
        at += match option {
            "--json" => 1,
            "--server" | "--timeout" | "--auth" | "-server" | "-timeout" => {
                1 + usize::from(!has_value)
            }
            _ => break,
        };
    }
    let mut early: Vec<String> = words.drain(1..at.min(words.len())).collect();
    for word in &mut early {
        if word.starts_with("-server") || word.starts_with("-timeout") {
            word.insert(0, '-');
        }
    }
    // Of `cluster status` it is the second word that takes them.
    let (mut command, mut place) = (cli, 1);
    while let Some(inner) = words
        .get(place)
        .and_then(|word| command.find_subcommand(word))
    {
        (command, place) = (inner, place + 1);
    }
    words.splice(place..place, early);
    words
}

/// zkCli's reconfig has long flags with one dash; here they get the second.
pub(crate) fn with_dashes(mut words: Vec<String>) -> Vec<String> {
    if words.iter().any(|word| word == "reconfig") {
        for word in &mut words {
            if matches!(&**word, "-add" | "-remove" | "-members" | "-file") {
                word.insert(0, '-');
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::behind_the_command;
    use crate::cli::Cli;

    #[test]
    fn options_may_come_first() {
        let cli = Cli::command();
        for (typed, expected) in [
            ("get /a --json", "get /a --json"),
            ("--json get /a", "get --json /a"),
            ("--server a:1 --auth=x:y ls", "ls --server a:1 --auth=x:y"),
            ("-server a:1 ls /", "ls --server a:1 /"),
            (
                "--server a:1 cluster add 4 u",
                "cluster add --server a:1 4 u",
            ),
            ("--timeout 5 lock x -- cat", "lock --timeout 5 x -- cat"),
            ("--server", "--server"),
            ("--bogus get /a", "--bogus get /a"),
            ("", ""),
        ] {
            let words = |line: &str| {
                let words = line.split_whitespace().map(str::to_owned);
                core::iter::once("otterkeeper".to_owned())
                    .chain(words)
                    .collect::<Vec<_>>()
            };
            assert_eq!(behind_the_command(words(typed), &cli), words(expected));
        }
    }
}
