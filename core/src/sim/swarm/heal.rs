//! The end of a run: everything is healed, and the cluster must work again, agree, have lost nothing, and rid
//! itself of what should have ended.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::reached::count;
use super::{Failure, Gathered, SLICE, broken};
use crate::id::{NodeId, SessionId};
use crate::raft::note::Role;
use crate::request::{Acl, CreateMode, Error, Identity, Op, Read, ReadKind, Request};
use crate::sim::client::Client;
use crate::sim::linear::Judgement;
use crate::sim::member::Member;
use crate::sim::oracle::{Complaint, Verdict};
use crate::sim::{CallEnd, ClientId, End, Intervention, Invariant, LinkProfile, Sim};
use crate::time::Span;

/// Longest election timeouts that a healed cluster may take until it works again.
const RECOVERY_TIMEOUTS: u64 = 30;
/// The client that asks whether the cluster works again.
const PROBE: ClientId = ClientId(1);
/// What a failure to recover is called.
pub const LIVENESS: &str = "liveness";
/// Clocks that are further apart, and leaders that look more seldom, would keep what is to end for too long
/// to wait for it.
const ENDS_SOON: Span = Span::from_ms(3_000);

/// Heals everything and demands that the cluster works again.
pub fn recover(sim: &mut Sim) -> Option<Failure> {
    heal(sim, &mut Gathered::default())
}

pub(super) fn heal(sim: &mut Sim, gathered: &mut Gathered) -> Option<Failure> {
    for deed in healing(sim) {
        sim.apply(&deed);
    }
    let limit = Span(sim.config().node.election_max().0 * RECOVERY_TIMEOUTS);
    let mut deadline = sim.now() + limit;
    let path = "/probe".into();
    let create = Op::Create {
        path,
        data: None,
        acl: vec![Acl::open()],
        mode: CreateMode::Persistent,
        stat: false,
    };
    let home = sim.leader().unwrap_or(NodeId(1));
    sim.apply(&Intervention::OpenClient {
        client: PROBE,
        node: home,
    });
    sim.apply(&Intervention::Client {
        client: PROBE,
        request: Request::Write(create),
    });
    let (mut quiet, mut ended) = (false, false);
    while sim.now() < deadline {
        sim.run_until(sim.now() + Span::from_ms(20), SLICE);
        count(sim, gathered);
        if !sim.violations().is_empty() {
            return broken(sim);
        }
        let answered = sim.history(PROBE).any(|call| {
            matches!(&call.end, Some(CallEnd::Returned { reply, .. })
                if reply.result != Err(Error::SystemError))
        });
        if !answered {
            // A call whose connection broke may be asked again: it is there or it is not.
            if let Some(call) = sim.history(PROBE).last()
                && matches!(call.end, Some(CallEnd::Unknown { .. }))
            {
                let request = call.request.clone();
                sim.apply(&Intervention::Client {
                    client: PROBE,
                    request,
                });
            }
            continue;
        }
        if !quiet {
            quiet = true;
            sim.apply(&Intervention::Workload { ops_per_second: 0 });
        }
        if agree(sim) {
            if !ended {
                ended = true;
                deadline += await_ends(sim, gathered);
                continue;
            }
            sim.audit();
            if let Judgement::Order { .. } = sim.judge() {
                gathered.reached.orders_found += 1;
            }
            return broken(sim);
        }
    }
    let mut text = format!(
        "no agreement {} ms after everything was healed:",
        limit.as_ms()
    );
    for id in sim.nodes() {
        match sim.node(id) {
            None => text += &format!(" {id} down;"),
            Some(view) => {
                text += &format!(
                    " {id} {:?} term {} last {} commit {} applied {};",
                    view.role(),
                    view.term(),
                    view.last(),
                    view.commit(),
                    view.applied()
                );
            }
        }
    }
    if !quiet {
        text += " and the probe's write has no answer";
    }
    Some(Failure {
        name: LIVENESS,
        event: sim.events(),
        after: sim.now().since(sim.config().start),
        text,
    })
}

/// Waits for what ends by itself, if that is not long, and says how long it took.
fn await_ends(sim: &mut Sim, gathered: &mut Gathered) -> Span {
    let begun = sim.now();
    let apart = sim.clocks.apart(begun);
    let every = sim.config().node.container_check;
    if ENDS_SOON < apart || ENDS_SOON < every {
        return Span(0);
    }
    // The leader looks twice, after the longest time to live; as long again for an election on the way.
    let (ttl, _) = sim.oracle.ending();
    let limit = ttl + apart + every.times(2) + Span(sim.config().node.election_max().0 * 4);
    let limit = limit + Span(limit.0 / 10);
    while let Some(path) = overdue(sim)
        && sim.violations().is_empty()
    {
        if limit <= sim.now().since(begun) {
            let text = format!("{path} is still there after {} ms", limit.as_ms());
            sim.broken(Invariant::Mortals, text);
        }
        sim.run_until(sim.now() + Span::from_ms(50), SLICE);
        count(sim, gathered);
    }
    sim.now().since(begun)
}

/// A znode that should have ended by itself.
fn overdue(sim: &Sim) -> Option<String> {
    let leader = sim.leader().and_then(|leader| sim.node(leader))?;
    let (_, paths) = sim.oracle.ending();
    paths.into_iter().find(|path| {
        let read = Read {
            kind: ReadKind::Exists,
            path: path.clone(),
            watch: false,
        };
        leader.machine().read(SessionId(0), &read, &[]).is_ok()
    })
}

fn healing(sim: &Sim) -> Vec<Intervention> {
    let link = LinkProfile::new(5, 15);
    let mut deeds = vec![
        Intervention::Faults(false),
        Intervention::HealAll,
        Intervention::Loss {
            link: None,
            per_mille: 0,
        },
        Intervention::Duplicate {
            link: None,
            per_mille: 0,
        },
        Intervention::Reorder {
            link: None,
            per_mille: 0,
        },
        Intervention::Delay {
            link: None,
            min: link.delay_min,
            max: link.delay_max,
        },
    ];
    for node in sim.nodes() {
        let (min, max) = (sim.config().disk.min, sim.config().disk.max);
        deeds.push(Intervention::ThawDisk(node));
        deeds.push(Intervention::SlowDisk { node, min, max });
        deeds.push(Intervention::Resume(node));
        deeds.push(Intervention::Restart(node));
    }
    deeds
}

/// Whether one member leads and all have applied the same: all that the cluster counts on, that is. Who
/// was removed, or has lost its disk and was not added again, stands aside.
fn agree(sim: &Sim) -> bool {
    let mut first = None;
    let mut leaders = 0;
    for id in sim.nodes().filter(|id| sim.is_counted_on(*id)) {
        let Some(view) = sim.node(id) else {
            return false;
        };
        leaders += u32::from(view.role() == Role::Leader);
        let state = (view.last(), view.commit(), view.tree_digest());
        if *first.get_or_insert(state) != state || view.commit() != view.last().index {
            return false;
        }
    }
    leaders == 1
}

impl Sim {
    /// Looks at what every member holds as if a client had read it: nothing that was acknowledged may
    /// be missing, and no watch may have missed its change.
    pub fn audit(&mut self) {
        for id in self.nodes() {
            if let Err(Complaint(invariant, text)) = self.audit_member(id) {
                self.broken(invariant, format!("{id}: {text}"));
                return;
            }
        }
    }

    fn audit_member(&mut self, id: NodeId) -> Verdict {
        let Some(view) = self.members.get(id.0 as usize - 1).and_then(Member::view) else {
            return Ok(());
        };
        let zxid = view.applied();
        let anybody = [Identity {
            scheme: "super".into(),
            id: String::new(),
        }];
        for read in crate::sim::oracle::audit_reads() {
            let result = view.machine().read(SessionId(0), &read, &anybody);
            self.oracle.audit(&read, &result, zxid)?;
        }
        // What is under way to a client may be the very event.
        let listens = |client: &&Client| {
            let to = End::Client(client.view().id);
            !self.net.flights().any(|flight| flight.to == to)
        };
        self.clients
            .values()
            .filter(listens)
            .try_for_each(|client| client.audit(id, view))
    }
}
