//! Files that hold a run: the page's own, and scripts that say every moment by its event. Both are hostile input.

use otterkeeper_core::scenario::Record;

use super::{CORE, Recipe, VERSION};
use crate::state::{Sight, lesson_of, plain_cluster};

impl Recipe {
    /// Bytes of a file.
    pub(crate) const FILE: usize = 4 << 20;

    /// Reads a file: a run as `to_bytes` makes it, or a script.
    ///
    /// # Errors
    /// As `read`.
    pub(crate) fn from_file(bytes: &[u8]) -> Result<Self, &'static str> {
        if Self::FILE < bytes.len() {
            return Err("link-too-long");
        }
        let script = core::str::from_utf8(bytes).ok();
        match script.filter(|text| text.contains("nodes ")) {
            Some(script) => {
                // The exported test has the script inside.
                let script = match script.split_once("r##\"") {
                    Some((_, rest)) => rest.split("\"##").next().unwrap_or_default(),
                    None => script,
                };
                let record = Record::parse(script).map_err(|_| "file-script")?;
                Self::of_record(record).checked()
            }
            None => Self::from_bytes(bytes),
        }
    }

    pub(crate) fn of_record(record: Record) -> Self {
        let start = record.config.start;
        let mut last = (0, start);
        let deeds = record.deeds.into_iter().map(|deed| {
            let step = (
                deed.event - last.0,
                deed.time.since(last.1).0,
                deed.intervention,
            );
            last = (deed.event, deed.time);
            step
        });
        let plain = plain_cluster(record.config.nodes) == record.config;
        let lesson = (!plain).then(|| lesson_of(&record.config, record.seed));
        Self {
            version: VERSION,
            core: CORE.to_owned(),
            nodes: record.config.nodes,
            seed: record.seed,
            lesson,
            deeds: deeds.collect(),
            at_us: record.time.since(start).0,
            event: record.event,
            hash: record.digest,
            sight: Sight::default(),
        }
    }
}
