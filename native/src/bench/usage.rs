//! CPU time of processes, from Linux's `/proc`.

use std::{fs, io};

/// Ticks a second in `/proc/PID/stat`: Linux fixes USER_HZ at 100 on x86 and ARM.
const TICKS: f64 = 100.0;

/// User and system seconds that these processes have used so far, all their threads together.
pub(super) fn cpu_seconds(pids: &[u32]) -> io::Result<f64> {
    let mut ticks = 0;
    for pid in pids {
        ticks += cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
    }
    Ok(ticks as f64 / TICKS)
}

/// The command's name stands in parentheses and may hold anything, so the fields are counted from
/// its end.
fn cpu_ticks(stat: &str) -> io::Result<u64> {
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut times = fields
        .split_ascii_whitespace()
        .skip(11)
        .map_while(|field| field.parse::<u64>().ok());
    match (times.next(), times.next()) {
        (Some(user), Some(system)) => Ok(user + system),
        _ => Err(io::Error::other(
            "/proc/PID/stat has another form than expected",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_do_not_shift_the_fields() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 25 17 0 0 20 0 1 0 5 0 0";
        assert_eq!(cpu_ticks(stat).expect("a sum"), 42);
    }

    #[test]
    fn this_process_has_a_cpu_time() {
        assert!(0.0 <= cpu_seconds(&[std::process::id()]).expect("a time"));
    }
}
