//! How often a second this disk makes 512 bytes durable: the measure that every durable write
//! stands under.

use core::time::Duration;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use hdrhistogram::Histogram;

const BLOCK_BYTES: usize = 512;
/// Length of the file, filled beforehand as the log's segments are.
const FILE_BYTES: usize = 16 << 20;

/// Writes 512 bytes and syncs, over and over, in a scratch file in `directory`. Latencies in ns.
pub(super) fn run(directory: &Path, span: Duration) -> io::Result<(f64, Histogram<u64>)> {
    let path = directory.join(format!("fsync-probe-{}", std::process::id()));
    let figures = measure(&path, span);
    fs::remove_file(&path)?;
    figures
}

fn measure(path: &Path, span: Duration) -> io::Result<(f64, Histogram<u64>)> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all_at(&vec![0; FILE_BYTES], 0)?;
    file.sync_all()?;
    let block = [0x5a; BLOCK_BYTES];
    let mut latencies = super::histogram();
    let start = Instant::now();
    let mut before = start;
    for at in (0..FILE_BYTES).step_by(BLOCK_BYTES).cycle() {
        file.write_all_at(&block, at as u64)?;
        file.sync_data()?;
        let now = Instant::now();
        latencies.saturating_record((now - before).as_nanos() as u64);
        before = now;
        if span <= now - start {
            break;
        }
    }
    Ok((
        latencies.len() as f64 / (before - start).as_secs_f64(),
        latencies,
    ))
}
