//! What a seed is about: its cluster, and which faults befall it. Each kind of fault is left out of half of
//! the runs, so that a run stresses some things and not always all.

use alloc::format;
use alloc::string::String;

use super::Options;
use crate::rng::Rng;
use crate::sim::{Faults, SimConfig, Workload};
use crate::time::Span;

/// Families of faults, by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Each kind of fault is in or out, as the seed says.
    Mixed,
    /// None.
    Calm,
    /// Messages are lost, repeated, late, and held back.
    Lossy,
    /// Groups, bridges, one-way cuts, blind and flapping members, and leaders cut off.
    Partitions,
    /// Clocks go wrong and jump.
    Clocks,
    /// Processes end, alone and together.
    Crashes,
    /// Disks freeze and slow down, processes stand still.
    Stalls,
    /// Small logs, many snapshots, members away for long.
    Snapshots,
    /// Members come and go, listen first, and lose their disks.
    Members,
    /// All of them.
    Storm,
}

impl Profile {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Mixed,
        Self::Calm,
        Self::Lossy,
        Self::Partitions,
        Self::Clocks,
        Self::Crashes,
        Self::Stalls,
        Self::Snapshots,
        Self::Members,
        Self::Storm,
    ];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Calm => "calm",
            Self::Lossy => "lossy",
            Self::Partitions => "partitions",
            Self::Clocks => "clocks",
            Self::Crashes => "crashes",
            Self::Stalls => "stalls",
            Self::Snapshots => "snapshots",
            Self::Members => "members",
            Self::Storm => "storm",
        }
    }
}

/// What a seed is about.
#[must_use]
pub fn plan(seed: u64, options: &Options) -> (SimConfig, String) {
    let mut rng = Rng::stream(seed, 9);
    let nodes = match rng.below(20) {
        0 => 1,
        1 => 2,
        2..9 => 3,
        9 | 10 => 4,
        11..17 => 5,
        17 => 6,
        _ => 7,
    };
    let nodes = options.nodes.unwrap_or(nodes);
    let spares = rng.between(0, 2) as u8;
    let mut config = SimConfig::new(nodes);
    config.checks = options.checks;
    config.record = options.record;
    config.planted = options.planted;
    config.workload = Some(Workload::default());
    let profile = options.profile;
    let mut words = String::new();
    let mut has = |family: Profile| {
        let drawn = rng.chance(500);
        let on = match profile {
            Profile::Mixed => drawn,
            Profile::Storm => true,
            other => other == family,
        };
        if on {
            words += " ";
            words += family.name();
        }
        on
    };
    let [
        lossy,
        partitions,
        clocks,
        crashes,
        stalls,
        snapshots,
        members,
    ] = [
        has(Profile::Lossy),
        has(Profile::Partitions),
        has(Profile::Clocks),
        has(Profile::Crashes),
        has(Profile::Stalls),
        has(Profile::Snapshots),
        has(Profile::Members),
    ];
    if members {
        config.nodes = (nodes + spares).min(9);
        config.voters = Some(nodes);
    }
    if lossy {
        config.link.loss_per_mille = rng.between(1, 300) as u32;
        config.link.duplicate_per_mille = rng.between(0, 100) as u32;
        config.link.reorder_per_mille = rng.between(0, 300) as u32;
        config.link.delay_max = Span::from_ms(rng.between(15, 60));
    }
    if crashes {
        config.disk.max = Span::from_ms(rng.between(3, 40));
    }
    if snapshots {
        config.node.compact_entries = rng.between(20, 150);
        config.node.keep_entries = rng.between(0, 20);
        config.node.snapshot_part_bytes = rng.between(200, 2_000);
    }
    config.node.container_check = Span::from_ms(rng.between(200, 1_500));
    // A lease stands on clocks that run alike: they may drift, within the bound, but not jump.
    let leases = rng.chance(300);
    config.node.lease_reads = leases;
    let weight = |on: bool, weight: u32| if on { weight } else { 0 };
    config.faults = Some(Faults {
        every: Span::from_ms(rng.between(200, 1_500)),
        repair: Span::from_ms(rng.between(200, 2_000)),
        crash: weight(crashes, 6),
        crash_all: weight(crashes, 1),
        pause: weight(stalls, 3),
        halves: weight(partitions, 3),
        bridge: weight(partitions, 2),
        one_way: weight(partitions, 2),
        blind: weight(partitions, 2),
        flap: weight(partitions, 2),
        isolate_leader: weight(partitions, 3),
        clog: weight(lossy, 3),
        detour: weight(lossy, 2),
        drift: weight(clocks, 3),
        jump: weight(clocks && !leases, 3),
        freeze: weight(stalls, 2),
        slow: weight(stalls, 2),
        drop_client: 2,
        snapshot: weight(snapshots, 2),
        campaign: 1,
        transfer: 1,
        members: weight(members, 4),
        least_voters: 3,
        wipe: weight(members, 2),
        bounce: weight(crashes, 3),
    });
    if profile == Profile::Calm {
        config.faults = None;
    }
    let repeat = rng.chance(500);
    // Most services are read far more than written. Who waits for no write asks on, whoever leads.
    let reads = rng.chance(300);
    if let Some(workload) = &mut config.workload {
        workload.repeat = repeat;
        if reads {
            workload.write_per_mille = 100;
        }
    }
    if snapshots {
        config.node.keep_bytes = rng.between(0, 4_000);
    }
    let plan = format!(
        "{nodes} nodes,{}{}{}{}",
        if words.is_empty() { " calm" } else { &words },
        if leases { ", leases" } else { "" },
        if repeat { ", repeats" } else { "" },
        if reads { ", mostly read" } else { "" }
    );
    (config, plan)
}
