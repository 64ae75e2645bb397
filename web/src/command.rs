//! zkCli's verbs as requests, and what comes back as lines. Knows the words of ZooKeeper's command line,
//! nothing of the page around it.

use bytes::Bytes;
use otterkeeper_core::acl;
use otterkeeper_core::command::{Command, WriteRequest};
use otterkeeper_core::raft::message::{Entry, Payload};
use otterkeeper_core::request::{
    Acl, Change, CreateMode, Error, EventKind, Op, Read, ReadKind, Reply, Request, Response, Stat,
    Subject,
};
use otterkeeper_core::sim::{ClientEvent, ClientId};
use otterkeeper_core::wire;

/// What was typed.
pub(crate) enum Parsed {
    Request(Request),
    /// A znode and all that is below it: as many requests as it takes.
    DeleteAll(String),
    Help,
}

/// Why it made no sense. The page says it in the visitor's language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mistake {
    Unknown(String),
    NoPath,
    BadPath(String),
    NoData,
    BadFlag(String),
    BadVersion(String),
}

/// A line of the command line's log.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Line {
    /// Who; `None` for the page itself.
    pub(crate) client: Option<ClientId>,
    /// Number of the event.
    pub(crate) event: u64,
    pub(crate) body: Body,
    /// How often it is said in a row.
    pub(crate) times: u32,
}

/// What a line says.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Body {
    Typed(String),
    /// ZooKeeper's own words, the same in every language.
    Said(String),
    Failed(Error, Option<String>),
    Watch(String),
    /// Typed, and not understood.
    Mistake(String, Mistake),
    Help(String),
    Event(ClientEvent),
}

impl Line {
    pub(crate) fn help(typed: &str) -> Self {
        Self::of_the_page(Body::Help(typed.to_owned()))
    }

    pub(crate) fn typed(typed: &str) -> Self {
        Self::of_the_page(Body::Typed(typed.to_owned()))
    }

    pub(crate) fn mistake(typed: &str, mistake: Mistake) -> Self {
        Self::of_the_page(Body::Mistake(typed.to_owned(), mistake))
    }

    const fn of_the_page(body: Body) -> Self {
        Self {
            client: None,
            event: 0,
            body,
            times: 1,
        }
    }

    /// Whether this says again what `other` said: a client that looks for a server reports each attempt, whatever
    /// was wrong with it.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        let is_attempt =
            |line: &Self| matches!(line.body, Body::Event(ClientEvent::Disconnected { .. }));
        self.client == other.client && is_attempt(self) && is_attempt(other)
    }
}

/// The usage lines of `help`, in zkCli's form.
pub(crate) const USAGE: &[&str] = &[
    "create [-s] [-e] path [data]",
    "set [-v version] path data",
    "get [-s] [-w] path",
    "ls [-s] [-w] path",
    "stat [-w] path",
    "delete [-v version] path",
    "deleteall path",
    "sync path",
    "close",
    "lock|unlock|stand|withdraw|take|finish|give-back|join|leave|roll path",
    "put path value",
    "kill 1, isolate leader, delay 1->2 50ms..90ms, clock-rate 3 1040, and all else that scenarios say",
];

/// Reads one command.
pub(crate) fn parse(text: &str) -> Result<Parsed, Mistake> {
    let words = split(text);
    let mut words = words.iter().map(String::as_str);
    let verb = words.next().unwrap_or_default();
    let allowed = match verb {
        "help" | "?" => return Ok(Parsed::Help),
        "close" | "quit" => return Ok(Parsed::Request(Request::Close)),
        "create" => "se",
        "set" | "delete" => "v",
        "get" | "ls" => "sw",
        "stat" => "w",
        "sync" | "deleteall" => "",
        other => return Err(Mistake::Unknown(other.to_owned())),
    };
    let (mut sequential, mut ephemeral, mut watch, mut version) = (false, false, false, -1);
    let mut rest = Vec::new();
    while let Some(word) = words.next() {
        let flags = word
            .strip_prefix('-')
            .filter(|flags| rest.is_empty() && !flags.is_empty());
        let Some(flags) = flags else {
            rest.push(word);
            continue;
        };
        for flag in flags.chars() {
            match flag {
                _ if !allowed.contains(flag) => return Err(Mistake::BadFlag(word.to_owned())),
                's' => sequential = true,
                'e' => ephemeral = true,
                'w' => watch = true,
                _ => {
                    let number = words.next().unwrap_or_default();
                    version = number
                        .parse()
                        .map_err(|_| Mistake::BadVersion(number.to_owned()))?;
                }
            }
        }
    }
    let path = (*rest.first().ok_or(Mistake::NoPath)?).to_owned();
    if !path.starts_with('/') || (path.len() > 1 && path.ends_with('/') && !sequential) {
        return Err(Mistake::BadPath(path));
    }
    if verb == "deleteall" {
        return match path.as_str() {
            "/" => Err(Mistake::BadPath(path)),
            _ => Ok(Parsed::DeleteAll(path)),
        };
    }
    let data = rest.get(1..).unwrap_or_default().join(" ");
    Ok(Parsed::Request(match verb {
        "create" => Request::Write(create(
            path,
            &data,
            match (ephemeral, sequential) {
                (false, false) => CreateMode::Persistent,
                (true, false) => CreateMode::Ephemeral,
                (false, true) => CreateMode::PersistentSequential,
                (true, true) => CreateMode::EphemeralSequential,
            },
        )),
        "set" if rest.len() < 2 => return Err(Mistake::NoData),
        "set" => Request::Write(Op::SetData {
            path,
            data: bytes(&data),
            version,
        }),
        "delete" => Request::Write(Op::Delete { path, version }),
        "sync" => Request::Sync { path },
        _ => {
            let kind = match verb {
                "get" => ReadKind::Data,
                "ls" => ReadKind::Children,
                _ => ReadKind::Exists,
            };
            Request::Read(Read { kind, path, watch })
        }
    }))
}

/// A create with an open access control list.
pub(crate) fn create(path: String, data: &str, mode: CreateMode) -> Op {
    Op::Create {
        path,
        data: bytes(data),
        acl: vec![Acl::open()],
        mode,
        stat: false,
    }
}

/// A request as it would have been typed.
pub(crate) fn typed(request: &Request) -> String {
    match request {
        Request::Write(op) => typed_op(op),
        Request::Multi(ops) => format!("multi ({})", ops.len()),
        Request::Read(read) | Request::Latest(read) => {
            let verb = match read.kind {
                ReadKind::Exists => "stat",
                ReadKind::Data => "get",
                ReadKind::Acl => "getAcl",
                ReadKind::Children => "ls",
                ReadKind::Descendants => "getAllChildrenNumber",
                ReadKind::Ephemerals => "getEphemerals",
            };
            format!(
                "{verb} {}{}",
                if read.watch { "-w " } else { "" },
                read.path
            )
        }
        Request::Sync { path } => format!("sync {path}"),
        Request::Auth { scheme, .. } => format!("addauth {scheme}"),
        Request::Reconfig(_) => "reconfig".to_owned(),
        Request::WhoAmI => "whoami".to_owned(),
        Request::Ping => "ping".to_owned(),
        Request::Close => "close".to_owned(),
        Request::Connect(_) => "connect".to_owned(),
        Request::MultiRead(reads) => format!("multiRead ({})", reads.len()),
        Request::List(list) => format!("ls {} ({})", list.path, list.limit),
        Request::AddWatch { path, mode, .. } => format!("addWatch -m {mode:?} {path}"),
        Request::SetWatches(_) => "setWatches".to_owned(),
        Request::CheckWatches { path, kind } => format!("checkWatches {kind:?} {path}"),
        Request::RemoveWatches { path, kind } => format!("removewatches {kind:?} {path}"),
        Request::Once(once) => typed_change(&once.change),
        Request::Explain(Subject::Znode(path)) => format!("explain {path}"),
        Request::Explain(Subject::Session(session)) => format!("explain --session {session}"),
    }
}

/// An entry in a few characters.
pub(crate) fn label(entry: &Entry) -> String {
    match &entry.payload {
        Payload::Blank => "no-op".to_owned(),
        Payload::Command(bytes) => match wire::decode_command(bytes) {
            Ok(command) => command_label(&command),
            Err(_) => "?".to_owned(),
        },
        Payload::Membership(configuration) => {
            let voters: Vec<String> = configuration.voters().map(|id| id.to_string()).collect();
            format!("members {}", voters.join(" "))
        }
    }
}

/// A label in fewer characters, for a box of the log: `+/app`, `/app=1`, `-/app`.
pub(crate) fn short(label: &str) -> String {
    let words: Vec<&str> = label.split(' ').collect();
    match words[..] {
        ["create", ref rest @ ..] => {
            let path = rest.iter().find(|word| word.starts_with('/'));
            format!("+{}", path.copied().unwrap_or_default())
        }
        ["set", path, ..] if path.starts_with('/') => format!("{}={}", path, words[2..].join(" ")),
        ["delete", .., path] => format!("-{path}"),
        ["open", "session"] => "session".to_owned(),
        _ => label.to_owned(),
    }
}

/// What happened at a client, as lines. `calls` gives back what was asked.
pub(crate) fn lines(
    client: ClientId,
    event: u64,
    what: &ClientEvent,
    calls: impl Fn(u64) -> Option<Request>,
) -> Vec<Line> {
    let line = |body| Line {
        client: Some(client),
        event,
        body,
        times: 1,
    };
    match what {
        ClientEvent::Called {
            request: Request::Ping | Request::Connect(_),
            ..
        } => Vec::new(),
        ClientEvent::Called { request, .. } => vec![line(Body::Typed(typed(request)))],
        ClientEvent::Returned { tag, reply } => {
            let request = calls(*tag);
            replied(request.as_ref(), reply)
                .into_iter()
                .map(line)
                .collect()
        }
        ClientEvent::Watch(event) => {
            vec![line(Body::Watch(format!(
                "WATCHER:: {} {}",
                event_name(event.kind),
                event.path
            )))]
        }
        other => vec![line(Body::Event(other.clone()))],
    }
}

/// ZooKeeper's name of an error.
pub(crate) const fn error_name(error: Error) -> &'static str {
    match error {
        Error::Ok => "OK",
        Error::SystemError => "SYSTEMERROR",
        Error::RuntimeInconsistency => "RUNTIMEINCONSISTENCY",
        Error::MarshallingError => "MARSHALLINGERROR",
        Error::Unimplemented => "UNIMPLEMENTED",
        Error::BadArguments => "BADARGUMENTS",
        Error::NewConfigNoQuorum => "NEWCONFIGNOQUORUM",
        Error::ReconfigInProgress => "RECONFIGINPROGRESS",
        Error::NoNode => "NONODE",
        Error::NoAuth => "NOAUTH",
        Error::BadVersion => "BADVERSION",
        Error::NoChildrenForEphemerals => "NOCHILDRENFOREPHEMERALS",
        Error::NodeExists => "NODEEXISTS",
        Error::NotEmpty => "NOTEMPTY",
        Error::SessionExpired => "SESSIONEXPIRED",
        Error::InvalidAcl => "INVALIDACL",
        Error::AuthFailed => "AUTHFAILED",
        Error::SessionMoved => "SESSIONMOVED",
        Error::NotReadOnly => "NOTREADONLY",
        Error::EphemeralOnLocalSession => "EPHEMERALONLOCALSESSION",
        Error::NoWatcher => "NOWATCHER",
        Error::ReconfigDisabled => "RECONFIGDISABLED",
        Error::SessionClosedRequireSaslAuth => "SESSIONCLOSEDREQUIRESASLAUTH",
        Error::QuotaExceeded => "QUOTAEXCEEDED",
        Error::ThrottledOp => "THROTTLEDOP",
        Error::OutcomeUnknown => "OUTCOMEUNKNOWN",
    }
}

/// ZooKeeper's name of what a watch reports.
pub(crate) const fn event_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::NodeCreated => "NodeCreated",
        EventKind::NodeDeleted => "NodeDeleted",
        EventKind::NodeDataChanged => "NodeDataChanged",
        EventKind::NodeChildrenChanged => "NodeChildrenChanged",
    }
}

/// A stat in zkCli's form.
pub(crate) fn stat_lines(stat: &Stat) -> Vec<(&'static str, String)> {
    vec![
        ("cZxid", stat.czxid.to_string()),
        ("ctime", format!("{} ms", stat.ctime_ms)),
        ("mZxid", stat.mzxid.to_string()),
        ("mtime", format!("{} ms", stat.mtime_ms)),
        ("pZxid", stat.pzxid.to_string()),
        ("cversion", stat.cversion.to_string()),
        ("dataVersion", stat.version.to_string()),
        ("aclVersion", stat.aversion.to_string()),
        ("ephemeralOwner", stat.ephemeral_owner.to_string()),
        ("dataLength", stat.data_length.to_string()),
        ("numChildren", stat.num_children.to_string()),
    ]
}

/// Data as people read it.
pub(crate) fn show(data: Option<&[u8]>) -> String {
    match data.map(core::str::from_utf8) {
        None => "null".to_owned(),
        Some(Ok(text)) => text.chars().take(400).collect(),
        Some(Err(_)) => {
            let bytes = data.unwrap_or_default();
            bytes
                .iter()
                .take(64)
                .map(|byte| format!("{byte:02x}"))
                .collect()
        }
    }
}

fn replied(request: Option<&Request>, reply: &Reply) -> Vec<Body> {
    let path = request.and_then(path_of);
    let said = |text: String| vec![Body::Said(text)];
    match &reply.result {
        Err(error) => vec![Body::Failed(*error, path)],
        Ok(response) => match response {
            Response::Created { path, .. } => said(format!("Created {path}")),
            Response::Deleted => said(format!("Deleted {}", path.unwrap_or_default())),
            Response::Data { data, .. } => said(show(data.as_deref())),
            Response::Children { names, .. } => said(format!("[{}]", names.join(", "))),
            Response::Stat(stat) => match request {
                Some(Request::Read(_) | Request::Latest(_)) => said(
                    stat_lines(stat)
                        .into_iter()
                        .map(|(name, value)| format!("{name} = {value}\n"))
                        .collect::<String>()
                        .trim_end()
                        .to_owned(),
                ),
                _ => said(format!("dataVersion = {}", stat.version)),
            },
            Response::Acl { acl, .. } => said(acl::text(acl)),
            Response::Identities(ids) => said(
                ids.iter()
                    .map(|id| format!("{}: {}", id.scheme, id.id))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            Response::Synced { .. } => said("Sync is OK".to_owned()),
            Response::Multi(results) => said(format!("{} results", results.len())),
            Response::Count(count) => said(count.to_string()),
            Response::Paths(paths) => said(format!("[{}]", paths.join(", "))),
            Response::Page { znodes, .. } => {
                let names: Vec<_> = znodes.iter().map(|child| &*child.name).collect();
                said(format!("[{}]", names.join(", ")))
            }
            Response::Watching { .. }
            | Response::WatchesSet { .. }
            | Response::WatchesFound
            | Response::WatchesRemoved => said("OK".to_owned()),
            Response::Explained(explained) => said(format!("{explained:?}")),
            Response::Connected { .. }
            | Response::Expired
            | Response::Authenticated
            | Response::Pong
            | Response::Closed
            | Response::Checked => Vec::new(),
        },
    }
}

fn path_of(request: &Request) -> Option<String> {
    match request {
        Request::Write(op) => Some(op.path().to_owned()),
        Request::Read(read) | Request::Latest(read) => Some(read.path.clone()),
        Request::Sync { path } => Some(path.clone()),
        _ => None,
    }
}

fn typed_change(change: &Change) -> String {
    match change {
        Change::One(op) => typed_op(op),
        Change::All(ops) => format!("multi {}", ops.len()),
    }
}

fn typed_op(op: &Op) -> String {
    match op {
        Op::Create {
            path, data, mode, ..
        } => {
            let flags = match mode {
                CreateMode::Persistent => "",
                CreateMode::Ephemeral => "-e ",
                CreateMode::PersistentSequential => "-s ",
                CreateMode::EphemeralSequential => "-e -s ",
                CreateMode::Container => "-c ",
                CreateMode::Ttl { ms } => &format!("-t {ms} "),
                CreateMode::TtlSequential { ms } => &format!("-s -t {ms} "),
                CreateMode::ContainerSequential => "-c -s ",
            };
            let data = data
                .as_ref()
                .map(|data| format!(" {}", show(Some(data))))
                .unwrap_or_default();
            format!("create {flags}{path}{data}")
        }
        Op::Delete { path, version: -1 } => format!("delete {path}"),
        Op::Delete { path, version } => format!("delete -v {version} {path}"),
        Op::SetData {
            path,
            data,
            version,
        } => {
            let flag = if *version == -1 {
                String::new()
            } else {
                format!("-v {version} ")
            };
            format!("set {flag}{path} {}", show(data.as_deref()))
        }
        Op::SetAcl { path, acl, .. } => format!("setAcl {path} {}", acl::text(acl)),
        Op::Check { path, version } => format!("check {path} {version}"),
    }
}

fn command_label(command: &Command) -> String {
    match command {
        Command::Init { .. } => "init".to_owned(),
        Command::Open { .. } => "open session".to_owned(),
        Command::Attach { session, .. } => format!("attach {session}"),
        Command::Expire { sessions, .. } => format!("expire {}", sessions.len()),
        Command::Reconfigure { .. } => "change members".to_owned(),
        Command::Clean { znodes } => format!("clean {}", znodes.len()),
        Command::Abandon { .. } => "give up change".to_owned(),
        Command::Write { request, .. } => match request {
            WriteRequest::Op(op) => typed_op(op),
            WriteRequest::Multi(ops) => format!("multi {}", ops.len()),
            WriteRequest::Close => "close session".to_owned(),
            WriteRequest::Reconfig(_) => "members".to_owned(),
            WriteRequest::Once(once) => typed_change(&once.change),
        },
    }
}

fn bytes(text: &str) -> Option<Bytes> {
    (!text.is_empty()).then(|| Bytes::copy_from_slice(text.as_bytes()))
}

/// A word as it has to be typed, whatever is in it.
pub(crate) fn quoted(word: &str) -> String {
    match word.contains(|letter: char| letter.is_whitespace() || letter == '"' || letter == '\'') {
        true => format!("\"{}\"", word.replace('"', "\"'\"'\"")),
        false => word.to_owned(),
    }
}

/// Words; quotes hold blanks together.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut open) = (String::new(), None, false);
    for letter in text.chars() {
        match quote {
            Some(end) if letter == end => quote = None,
            None if letter == '"' || letter == '\'' => (quote, open) = (Some(letter), true),
            None if letter.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(core::mem::take(&mut word));
                }
                open = false;
            }
            _ => word.push(letter),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        match parse(text) {
            Ok(Parsed::Request(request)) => request,
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn a_quoted_word_says_what_is_in_it() {
        for word in [
            "plain",
            "two  words",
            "{\"key\": \"it's\"}",
            "'",
            "\"",
            "-v 3",
        ] {
            let typed = format!("set {} {}", quoted("/a path"), quoted(word));
            let set = Op::SetData {
                path: "/a path".to_owned(),
                data: bytes(word),
                version: -1,
            };
            assert_eq!(request(&typed), Request::Write(set), "{typed}");
        }
    }

    #[test]
    fn what_is_typed_comes_back_as_typed() {
        for text in [
            "create /a",
            "create -e -s /lock/a- mine",
            "set /a two words",
            "set -v 3 /a x",
            "delete /a",
            "delete -v 0 /a",
            "get /a",
            "get -w /a",
            "ls -w /",
            "stat /a",
            "sync /",
            "close",
        ] {
            assert_eq!(typed(&request(text)), text);
        }
    }

    #[test]
    fn a_short_label_keeps_the_path_whatever_the_data_says() {
        assert_eq!(short("create /a"), "+/a");
        assert_eq!(short("create -e -s /lock/x client 97"), "+/lock/x");
        assert_eq!(short("set /a two words"), "/a=two words");
        assert_eq!(short("delete -v 3 /a"), "-/a");
    }

    #[test]
    fn mistakes_are_named() {
        let mistake = |text| parse(text).err();
        assert_eq!(
            mistake("mkdir /a"),
            Some(Mistake::Unknown("mkdir".to_owned()))
        );
        assert_eq!(mistake("get"), Some(Mistake::NoPath));
        assert_eq!(mistake("get a"), Some(Mistake::BadPath("a".to_owned())));
        assert_eq!(mistake("set /a"), Some(Mistake::NoData));
        assert_eq!(mistake("ls -x /"), Some(Mistake::BadFlag("-x".to_owned())));
        assert_eq!(
            mistake("delete -v one /a"),
            Some(Mistake::BadVersion("one".to_owned()))
        );
    }
}
