//! Which znodes are worn out: containers that lost their last child, and those whose time to live is over
//! (protocol section 8). It looks, and removes nothing; whose clock counts, the caller knows.

use alloc::string::String;
use alloc::vec::Vec;

use super::Machine;
use crate::command::Worn;
use crate::id::SessionId;
use crate::map::Key;
use crate::tree::{Life, Znode};

/// Where a walk over containers and znodes with a time to live goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    owner: SessionId,
    path: String,
}

impl Machine {
    /// Looks at `many` containers and znodes with a time to live at most, and gives those that are worn out at
    /// this time, and where to go on; `None` after the last one.
    #[must_use]
    pub fn worn_out(
        &self,
        from: Option<Cursor>,
        many: usize,
        now_ms: u64,
    ) -> (Vec<Worn>, Option<Cursor>) {
        let key = from.as_ref().map_or(
            Key {
                first: 0,
                rest: &[],
            },
            |cursor| Key {
                first: cursor.owner.0,
                rest: cursor.path.as_bytes(),
            },
        );
        let mut mortals = self.tree.mortals(key);
        let seen = mortals.by_ref().take(many);
        let worn = seen
            .filter_map(|owned| worn(self.tree.get(owned.path())?, now_ms))
            .collect();
        let next = mortals.next().map(|owned| Cursor {
            owner: owned.owner(),
            path: owned.path().into(),
        });
        (worn, next)
    }
}

fn worn(znode: Znode<'_>, now_ms: u64) -> Option<Worn> {
    let (facts, _) = znode.open();
    let over = match facts.life() {
        Life::Container => facts.counter != 0,
        Life::Ttl(ms) => ms < now_ms.saturating_sub(facts.mtime_ms),
        Life::Persistent | Life::Ephemeral(_) => false,
    };
    (over && facts.num_children == 0).then(|| Worn {
        path: znode.path().into(),
        czxid: facts.czxid,
        mzxid: facts.mzxid,
    })
}
