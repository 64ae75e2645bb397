//! A run as the calls that its nodes got: boots, and `step` with its time and inputs. Outputs are not
//! recorded, they are computed again; a peer's message is an input of its receiver, so one node's
//! calls replay alone. Digests along the way say where a replay differs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::{Bug, Config};
use crate::id::NodeId;
use crate::node::{Boot, Input, Node};
use crate::time::Time;

/// Calls of one node between two digests.
pub const DIGEST_EVERY: u64 = 64;

/// A recorded run of one or several nodes.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// In the order in which they happened.
    pub steps: Vec<Step>,
}

/// One thing that happened to a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// It booted; if it was running before, that process had ended.
    Boot {
        /// Its settings, its number among them.
        config: Box<Config>,
        /// The known bug it has, if any.
        planted: Option<Bug>,
        /// What its disk held.
        boot: Boot,
        /// The chance it got.
        entropy: [u8; 32],
        /// When.
        now: Time,
    },
    /// Its `step` was called.
    Call {
        /// Which node.
        node: NodeId,
        /// When.
        now: Time,
        /// With what.
        inputs: Vec<Input>,
        /// The node's digest afterwards; every so often.
        digest: Option<u64>,
    },
}

/// What a replay came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Calls of `step`.
    pub calls: u64,
    /// Recorded digests that were met.
    pub digests: u64,
    /// Each node's digest at the end.
    pub nodes: BTreeMap<NodeId, u64>,
}

/// Why a replay stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Divergence {
    /// A node would not boot on its recorded image.
    Boot {
        /// Which step of the trace.
        step: usize,
        /// Its sentence.
        why: String,
    },
    /// A node was called that had not booted.
    NotBooted {
        /// Which step of the trace.
        step: usize,
    },
    /// A digest differs.
    Digest {
        /// Which step of the trace.
        step: usize,
        /// What was recorded.
        recorded: u64,
        /// What came out now.
        found: u64,
    },
}

/// Runs the recorded calls again: those of one node, or of all.
///
/// # Errors
/// The first step at which the replay differs from the recording.
pub fn replay(trace: &Trace, only: Option<NodeId>) -> Result<Replayed, Divergence> {
    let mut nodes: BTreeMap<NodeId, Node> = BTreeMap::new();
    let mut out = Vec::new();
    let (mut calls, mut digests) = (0, 0);
    for (step, recorded) in trace.steps.iter().enumerate() {
        match recorded {
            Step::Boot {
                config,
                planted,
                boot,
                entropy,
                now,
            } => {
                if only.is_some_and(|only| only != config.id) {
                    continue;
                }
                let config = with_bug((**config).clone(), *planted);
                let id = config.id;
                let node = Node::boot(config, boot.clone(), *entropy, *now)
                    .map_err(|why| Divergence::Boot { step, why: why.0 })?;
                nodes.insert(id, node);
            }
            Step::Call {
                node: id,
                now,
                inputs,
                digest,
            } => {
                if only.is_some_and(|only| only != *id) {
                    continue;
                }
                let Some(node) = nodes.get_mut(id) else {
                    return Err(Divergence::NotBooted { step });
                };
                node.step(*now, inputs.iter().cloned(), &mut out);
                out.clear();
                calls += 1;
                if let Some(recorded) = *digest {
                    let found = node.digest();
                    digests += 1;
                    if found != recorded {
                        return Err(Divergence::Digest {
                            step,
                            recorded,
                            found,
                        });
                    }
                }
            }
        }
    }
    let nodes = nodes
        .iter()
        .map(|(id, node)| (*id, node.digest()))
        .collect();
    Ok(Replayed {
        calls,
        digests,
        nodes,
    })
}

/// Settings with a bug planted, where this build can have any.
#[must_use]
pub fn with_bug(config: Config, planted: Option<Bug>) -> Config {
    #[cfg(feature = "planted")]
    {
        Config { planted, ..config }
    }
    #[cfg(not(feature = "planted"))]
    {
        let _ = planted;
        config
    }
}
