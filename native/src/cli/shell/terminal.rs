//! Lines from a terminal or a pipe, read by a thread of their own, since reading waits. Knows no verbs but their
//! names; what a path can become it asks the shell.

use core::time::Duration;
use std::env;
use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc as channel;
use std::thread;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};
use tokio::sync::mpsc;

/// A completion that takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(1);
/// Lines that are kept from one shell to the next.
const KEPT: usize = 1_000;
const PROMPT: &str = "otterkeeper> ";

/// What comes from whoever types.
pub(super) enum Typed {
    /// A line. The next one is read after `go_on`.
    Line(String),
    /// A line that is no text.
    Garbled,
    /// What can this become?
    Complete {
        word: String,
        answer: channel::Sender<Vec<String>>,
    },
}

type Printer = Box<dyn FnMut(String) + Send>;

/// The shell's end of the thread.
pub(super) struct Terminal {
    typed: mpsc::UnboundedReceiver<Typed>,
    go: channel::Sender<()>,
    /// Prints above the prompt; comes when there is one.
    printers: channel::Receiver<Printer>,
    printer: Option<Printer>,
}

impl Terminal {
    /// Begins to read.
    pub(super) fn open(verbs: Vec<String>) -> Self {
        let (sender, typed) = mpsc::unbounded_channel();
        let (go, going) = channel::channel();
        let (to, printers) = channel::channel();
        thread::spawn(move || {
            if io::stdin().is_terminal() {
                edit(verbs, &sender, &going, &to);
            } else {
                // What cannot be read at all has ended.
                for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
                    let typed = String::from_utf8(line).map_or(Typed::Garbled, Typed::Line);
                    if sender.send(typed).is_err() || going.recv().is_err() {
                        break;
                    }
                }
            }
        });
        Self {
            typed,
            go,
            printers,
            printer: None,
        }
    }

    /// The next; nothing at the end.
    pub(super) async fn typed(&mut self) -> Option<Typed> {
        self.typed.recv().await
    }

    /// The last line has been carried out.
    pub(super) fn go_on(&self) {
        // Whoever typed may have gone.
        let _ = self.go.send(());
    }

    /// Says something while a line may be half typed.
    pub(super) fn print(&mut self, text: String) {
        if let Ok(printer) = self.printers.try_recv() {
            self.printer = Some(printer);
        }
        match &mut self.printer {
            Some(print) => print(format!("{text}\n")),
            None => println!("{text}"),
        }
    }
}

fn edit(
    verbs: Vec<String>,
    to: &mpsc::UnboundedSender<Typed>,
    going: &channel::Receiver<()>,
    printers: &channel::Sender<Printer>,
) {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(KEPT);
    let editor = config
        .map(|config| config.auto_add_history(false).build())
        .and_then(Editor::<Words, FileHistory>::with_config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => return eprintln!("this terminal cannot be used: {error}"),
    };
    editor.set_helper(Some(Words {
        verbs,
        to: to.clone(),
    }));
    if let Ok(mut printer) = editor.create_external_printer() {
        let print: Printer = Box::new(move |text| drop(printer.print(text)));
        let _ = printers.send(print);
    }
    let history = history();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                // Who this client is, nobody should find in a file.
                if !line.trim_start().starts_with("addauth") {
                    let _ = editor.add_history_entry(line.as_str());
                }
                if let Some(file) = &history {
                    let _ = editor.save_history(file);
                }
                if to.send(Typed::Line(line)).is_err() || going.recv().is_err() {
                    return;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(_) => return,
        }
    }
}

/// Where the history is kept; nowhere if there is no home.
fn history() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))?;
    let folder = state.join("otterkeeper");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Completes verbs and paths.
struct Words {
    verbs: Vec<String>,
    to: mpsc::UnboundedSender<Typed>,
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = typed
            .rfind(char::is_whitespace)
            .map_or(0, |blank| blank + 1);
        let word = typed.get(start..).unwrap_or_default();
        if typed.trim_start() == word {
            let of_verbs = self.verbs.iter().filter(|verb| verb.starts_with(word));
            return Ok((start, of_verbs.map(|verb| format!("{verb} ")).collect()));
        }
        if !word.starts_with('/') {
            return Ok((start, Vec::new()));
        }
        let (answer, answered) = channel::channel();
        let word = word.to_owned();
        let asked = self.to.send(Typed::Complete { word, answer });
        let paths = asked
            .ok()
            .and_then(|()| answered.recv_timeout(PATIENCE).ok());
        Ok((start, paths.unwrap_or_default()))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}
