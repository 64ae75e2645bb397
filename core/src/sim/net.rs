//! Links between members, one state for each direction, and the messages under way. Messages between
//! members can be lost, repeated, delayed and reordered; on a client connection they keep their order.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::profile::LinkProfile;
use super::{Cargo, End, Flight, FlightId, LinkState};
use crate::id::{ConnId, NodeId};
use crate::rng::Rng;
use crate::time::{Span, Time};

#[derive(Clone)]
struct Link {
    cut: bool,
    /// Whether it holds everything back.
    clogged: bool,
    profile: LinkProfile,
    /// When the last message arrives that keeps the order.
    latest: Time,
}

#[derive(Clone)]
pub(super) struct Net {
    members: usize,
    links: Vec<Link>,
    isolated: Vec<bool>,
    client_link: LinkProfile,
    /// For each open client connection, when the last message in each direction arrives.
    streams: BTreeMap<ConnId, [Time; 2]>,
    flights: BTreeMap<FlightId, Flight>,
    arrivals: BTreeSet<(Time, FlightId)>,
    last_id: u64,
    rng: Rng,
    /// Messages that chance sent twice.
    pub(super) repeated: u64,
    /// Messages that chance let overtake others.
    pub(super) overtook: u64,
}

impl Net {
    pub(super) fn new(members: u8, link: LinkProfile, client_link: LinkProfile, rng: Rng) -> Self {
        let members = usize::from(members);
        Self {
            members,
            links: vec![
                Link {
                    cut: false,
                    clogged: false,
                    profile: link,
                    latest: Time(0)
                };
                members * members
            ],
            isolated: vec![false; members],
            client_link,
            streams: BTreeMap::new(),
            flights: BTreeMap::new(),
            arrivals: BTreeSet::new(),
            last_id: 0,
            rng,
            repeated: 0,
            overtook: 0,
        }
    }

    pub(super) fn link(&self, from: NodeId, to: NodeId) -> LinkState {
        let Some(link) = self.place(from, to).map(|place| &self.links[place]) else {
            return LinkState {
                up: false,
                clogged: false,
                profile: LinkProfile::new(0, 0),
            };
        };
        LinkState {
            up: !link.cut && !self.is_isolated(from) && !self.is_isolated(to),
            clogged: link.clogged,
            profile: link.profile,
        }
    }

    pub(super) fn is_isolated(&self, node: NodeId) -> bool {
        self.isolated
            .get((node.0 as usize).wrapping_sub(1))
            .copied()
            .unwrap_or(false)
    }

    pub(super) fn isolate(&mut self, node: NodeId, isolated: bool) {
        if let Some(place) = self.isolated.get_mut((node.0 as usize).wrapping_sub(1)) {
            *place = isolated;
        }
    }

    pub(super) fn cut(&mut self, from: NodeId, to: NodeId, cut: bool) {
        if let Some(place) = self.place(from, to) {
            self.links[place].cut = cut;
        }
    }

    /// From now on a direction holds back what is under way on it and what is sent, or lets it go in the
    /// order in which it was sent.
    pub(super) fn clog(&mut self, now: Time, from: NodeId, to: NodeId, clogged: bool) {
        let Some(place) = self.place(from, to) else {
            return;
        };
        let link = &mut self.links[place];
        if core::mem::replace(&mut link.clogged, clogged) == clogged {
            return;
        }
        let arrives = if clogged {
            Time::NEVER
        } else {
            now + link.profile.delay_min
        };
        link.latest = now;
        for mut flight in self.take_between(from, to) {
            flight.arrives = arrives;
            self.add(flight);
        }
    }

    pub(super) fn heal_all(&mut self, now: Time) {
        let members = 1..=self.members as u64;
        for (from, to) in members
            .clone()
            .flat_map(|from| members.clone().map(move |to| (from, to)))
        {
            self.clog(now, NodeId(from), NodeId(to), false);
        }
        self.links.iter_mut().for_each(|link| link.cut = false);
        self.isolated.fill(false);
    }

    /// Changes one direction, or all.
    pub(super) fn tune(
        &mut self,
        link: Option<(NodeId, NodeId)>,
        change: impl Fn(&mut LinkProfile),
    ) {
        match link {
            None => self
                .links
                .iter_mut()
                .for_each(|link| change(&mut link.profile)),
            Some((from, to)) => {
                if let Some(place) = self.place(from, to) {
                    change(&mut self.links[place].profile);
                }
            }
        }
    }

    /// Sends from member to member, if they let each other in. What is lost at once comes back.
    pub(super) fn send(
        &mut self,
        now: Time,
        (from, to): (NodeId, NodeId),
        cargo: Cargo,
        admitted: bool,
    ) -> Option<Flight> {
        let place = self.place(from, to)?;
        let profile = self.links[place].profile;
        let up = self.link(from, to).up;
        // Every message draws the same numbers, whatever becomes of it: one fault more or less does
        // not shift the chances of the others.
        let delay = Span(self.rng.between(profile.delay_min.0, profile.delay_max.0));
        let lost = self.rng.chance(profile.loss_per_mille);
        let twice = self.rng.chance(profile.duplicate_per_mille);
        let overtakes = self.rng.chance(profile.reorder_per_mille);
        let again = Span(
            self.rng
                .between(profile.delay_min.0, profile.delay_max.0.saturating_mul(2)),
        );
        let reliable = matches!(cargo, Cargo::PeerLost);
        let mut arrives = now + delay;
        if !overtakes {
            arrives = arrives.max(self.links[place].latest);
        }
        let clogged = self.links[place].clogged;
        if clogged {
            arrives = Time::NEVER;
        }
        let flight = self.make(now, End::Node(from), End::Node(to), arrives, cargo);
        if !up || !admitted || (lost && !reliable) {
            return Some(flight);
        }
        if overtakes {
            self.overtook += 1;
        } else if !clogged {
            self.links[place].latest = arrives;
        }
        if twice && !reliable {
            self.repeated += 1;
            let mut copy = flight.clone();
            copy.id = self.next_id();
            copy.arrives = arrives + again;
            self.add(copy);
        }
        self.add(flight);
        None
    }

    /// Sends on a client connection, in order.
    pub(super) fn stream(&mut self, now: Time, from: End, to: End, conn: ConnId, cargo: Cargo) {
        let delay = Span(
            self.rng
                .between(self.client_link.delay_min.0, self.client_link.delay_max.0),
        );
        let direction = usize::from(matches!(from, End::Node(_)));
        let latest = &mut self.streams.entry(conn).or_default()[direction];
        let arrives = (now + delay).max(*latest);
        *latest = arrives;
        let flight = self.make(now, from, to, arrives, cargo);
        self.add(flight);
    }

    /// Forgets the order of a connection that is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.streams.remove(&conn);
    }

    /// When the next message arrives.
    pub(super) fn deadline(&self) -> Time {
        self.arrivals.first().map_or(Time::NEVER, |(time, _)| *time)
    }

    /// Takes the next message out.
    pub(super) fn arrive(&mut self) -> Option<Flight> {
        let (_, id) = self.arrivals.pop_first()?;
        self.flights.remove(&id)
    }

    pub(super) fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.values()
    }

    pub(super) fn flight(&self, id: FlightId) -> Option<&Flight> {
        self.flights.get(&id)
    }

    pub(super) fn take(&mut self, id: FlightId) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        self.arrivals.remove(&(flight.arrives, id));
        Some(flight)
    }

    /// Takes out what a direction carries.
    pub(super) fn take_between(&mut self, from: NodeId, to: NodeId) -> Vec<Flight> {
        let between =
            |flight: &&Flight| flight.from == End::Node(from) && flight.to == End::Node(to);
        let ids: Vec<FlightId> = self
            .flights
            .values()
            .filter(between)
            .map(|f| f.id)
            .collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Changes when a message arrives, and on a client connection when those that must not come
    /// before it or after it do.
    pub(super) fn reschedule(&mut self, id: FlightId, arrives: Time) {
        let Some(flight) = self.flights.get(&id) else {
            return;
        };
        let stream = flight.cargo.conn().map(|conn| (conn, flight.from));
        let same = |other: &&Flight| match stream {
            None => other.id == id,
            Some((conn, from)) => other.cargo.conn() == Some(conn) && other.from == from,
        };
        let ids: Vec<FlightId> = self.flights.values().filter(same).map(|f| f.id).collect();
        for other in ids {
            let Some(mut flight) = self.take(other) else {
                continue;
            };
            flight.arrives = match other.cmp(&id) {
                core::cmp::Ordering::Less => flight.arrives.min(arrives),
                core::cmp::Ordering::Equal => arrives,
                core::cmp::Ordering::Greater => flight.arrives.max(arrives),
            };
            if let Some((conn, from)) = stream {
                let direction = usize::from(matches!(from, End::Node(_)));
                let latest = &mut self.streams.entry(conn).or_default()[direction];
                *latest = (*latest).max(flight.arrives);
            }
            self.add(flight);
        }
    }

    /// Sends a copy of a message between members.
    pub(super) fn duplicate(&mut self, now: Time, id: FlightId) {
        let Some(flight) = self.flights.get(&id) else {
            return;
        };
        let (End::Node(from), End::Node(to)) = (flight.from, flight.to) else {
            return;
        };
        let Some(place) = self.place(from, to) else {
            return;
        };
        let mut copy = flight.clone();
        let profile = self.links[place].profile;
        copy.id = self.next_id();
        copy.arrives = now + Span(self.rng.between(profile.delay_min.0, profile.delay_max.0));
        self.add(copy);
    }

    fn place(&self, from: NodeId, to: NodeId) -> Option<usize> {
        let from = (from.0 as usize).wrapping_sub(1);
        let to = (to.0 as usize).wrapping_sub(1);
        (from < self.members && to < self.members && from != to).then(|| from * self.members + to)
    }

    fn make(&mut self, now: Time, from: End, to: End, arrives: Time, cargo: Cargo) -> Flight {
        Flight {
            id: self.next_id(),
            from,
            to,
            sent: now,
            arrives,
            cargo,
        }
    }

    fn add(&mut self, flight: Flight) {
        if flight.arrives != Time::NEVER {
            self.arrivals.insert((flight.arrives, flight.id));
        }
        self.flights.insert(flight.id, flight);
    }

    fn next_id(&mut self) -> FlightId {
        self.last_id += 1;
        FlightId(self.last_id)
    }
}

impl Cargo {
    /// The client connection it travels on.
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Peer(_) | Self::PeerLost => None,
            Self::Open { conn }
            | Self::Request { conn, .. }
            | Self::Reply { conn, .. }
            | Self::Watch { conn, .. }
            | Self::End { conn, .. } => Some(*conn),
        }
    }
}
