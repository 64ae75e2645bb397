//! Two threads between the node and the files: one for the log, one for snapshots (rule R3). Each takes
//! everything that is queued, makes it durable in one go, and reports the highest number. A failure is
//! reported once and ends the thread: nothing is tried again.

use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use otterkeeper_core::id::{LogId, SaveId, WriteId};
use otterkeeper_core::node::{Records, SavePart};

use crate::driver::{Signals, Storage};
use crate::files::Files;
use crate::snapshots::Snapshots;
use crate::wal::Wal;

/// The handle of the driver to the two threads.
pub struct Disk {
    log: Arc<Queue<(WriteId, Records)>>,
    parts: Arc<Queue<Job>>,
    /// Writes of the step under way.
    staged: Vec<(WriteId, Records)>,
    threads: Vec<JoinHandle<()>>,
}

/// What the snapshot thread does.
enum Job {
    Save(SaveId, SavePart),
    /// This snapshot is durably in force: those before it can go.
    InForce(LogId),
}

impl Disk {
    /// Starts the threads.
    pub fn start<F: Files>(
        wal: Wal<F>,
        snapshots: Snapshots<F>,
        signals: &Arc<Signals>,
    ) -> io::Result<Self> {
        let log = Arc::new(Queue::default());
        let parts = Arc::new(Queue::default());
        let threads = vec![
            {
                let (log, parts) = (Arc::clone(&log), Arc::clone(&parts));
                spawn("log", signals, move |signals| {
                    write_log(wal, &log, &parts, signals)
                })?
            },
            {
                let parts = Arc::clone(&parts);
                spawn("snapshots", signals, move |signals| {
                    write_snapshots(snapshots, &parts, signals)
                })?
            },
        ];
        Ok(Self {
            log,
            parts,
            staged: Vec::new(),
            threads,
        })
    }
}

impl Storage for Disk {
    fn write(&mut self, id: WriteId, records: Records) {
        self.staged.push((id, records));
    }

    fn save(&mut self, id: SaveId, part: SavePart) {
        self.parts.push([Job::Save(id, part)]);
    }

    fn flush(&mut self) {
        if !self.staged.is_empty() {
            self.log.push(self.staged.drain(..));
        }
    }
}

impl Drop for Disk {
    /// What is queued is still written.
    fn drop(&mut self) {
        self.log.close();
        self.parts.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

/// A thread whose end is noticed, whatever it is.
fn spawn(
    name: &'static str,
    signals: &Arc<Signals>,
    work: impl FnOnce(&Signals) -> io::Result<()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let signals = Arc::clone(signals);
    thread::Builder::new().name(name.into()).spawn(move || {
        match catch_unwind(AssertUnwindSafe(|| work(&signals))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => signals.fail(sentence(name, &error)),
            Err(_) => signals.fail(format!(
                "the {name} thread panicked; that is a bug, please report it"
            )),
        }
    })
}

fn write_log<F: Files>(
    mut wal: Wal<F>,
    queue: &Queue<(WriteId, Records)>,
    parts: &Queue<Job>,
    signals: &Signals,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while queue.take(&mut batch) {
        let last = batch.last().map(|(id, _)| *id);
        let in_force = batch
            .iter()
            .rev()
            .find_map(|(_, records)| Some(records.snapshot.as_ref()?.last));
        wal.append(batch.drain(..).map(|(_, records)| records))?;
        if let Some(last) = last {
            signals.written(last);
        }
        if let Some(in_force) = in_force {
            parts.push([Job::InForce(in_force)]);
        }
        wal.prepare(|work| {
            thread::spawn(work);
        });
    }
    wal.seal()
}

fn write_snapshots<F: Files>(
    mut snapshots: Snapshots<F>,
    queue: &Queue<Job>,
    signals: &Signals,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while queue.take(&mut batch) {
        let mut last = None;
        for job in batch.drain(..) {
            match job {
                Job::Save(id, part) => {
                    snapshots.save(&part)?;
                    last = Some(id);
                }
                Job::InForce(last) => snapshots.in_force(last)?,
            }
        }
        snapshots.sync()?;
        if let Some(last) = last {
            signals.saved(last);
        }
    }
    Ok(())
}

fn sentence(what: &str, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that disk and start again"
        }
        _ => "look at the disk and the kernel's log before starting again",
    };
    format!(
        "writing to the {what} failed ({error}); nothing that was acknowledged is lost; {remedy}"
    )
}

/// A queue from the driver to a thread.
struct Queue<T> {
    state: Mutex<(Vec<T>, Closed)>,
    filled: Condvar,
}

type Closed = bool;

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new((Vec::new(), false)),
            filled: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    fn push(&self, items: impl IntoIterator<Item = T>) {
        self.lock().0.extend(items);
        self.filled.notify_one();
    }

    fn close(&self) {
        self.lock().1 = true;
        self.filled.notify_one();
    }

    /// Waits until there is something and takes all of it; false once the queue is closed and empty.
    fn take(&self, batch: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        while state.0.is_empty() && !state.1 {
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        core::mem::swap(&mut state.0, batch);
        !batch.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<T>, Closed)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
