//! What befalls the clients of a recipe's test: mishaps for a while, and then calm.

use super::*;

/// Rough at first; then everybody wakes, what is broken is mended, and nothing more happens.
pub(super) struct Weather {
    calm: Time,
    end: Time,
    mishap: Time,
    pub(super) is_calm: bool,
}

impl Weather {
    pub(super) fn new(world: &World, rough: Span, calm: Span) -> Self {
        let now = world.sim.now();
        Self {
            calm: now + rough,
            end: now + rough + calm,
            mishap: now,
            is_calm: false,
        }
    }

    /// Wakes whom it is time to wake. False when all is over.
    pub(super) fn goes_on(&mut self, world: &mut World) -> bool {
        wake(world);
        if !self.is_calm && self.calm <= world.sim.now() {
            self.is_calm = true;
            wake_all(world);
        }
        world.sim.now() < self.end
    }

    /// Whether it is time for a mishap.
    pub(super) fn strikes(&mut self, world: &mut World) -> bool {
        let strikes = !self.is_calm && self.mishap <= world.sim.now();
        if strikes {
            self.mishap = world.sim.now() + Span::from_ms(world.rng.between(300, 2_000));
        }
        strikes
    }

    /// Whether more than this is left until it is calm.
    pub(super) fn is_rough_for(&self, world: &World, span: Span) -> bool {
        world.sim.now() + span < self.calm
    }

    /// Whether it has been calm for so long.
    pub(super) fn is_calm_for(&self, world: &World, span: Span) -> bool {
        self.calm + span <= world.sim.now()
    }
}

/// Pauses a client for up to `longest`, or breaks its connection, or (if it may) lets it die.
pub(super) fn misfortune(world: &mut World, longest: Span, dies: bool) -> Option<ClientId> {
    let client = ClientId(world.rng.between(1, u64::from(CLIENTS)) as u32);
    if world.paused.contains_key(&client) {
        return None;
    }
    match world.rng.below(10) {
        0..4 => {
            let span = world.rng.between(longest.0 / 4, longest.0);
            world.paused.insert(client, world.sim.now() + Span(span));
            world.sim.apply(&Intervention::PauseClient(client));
            None
        }
        4..6 if dies => {
            world.sim.apply(&Intervention::KillClient(client));
            world.open(client);
            Some(client)
        }
        _ => {
            world.sim.apply(&Intervention::DropClient(client));
            None
        }
    }
}

pub(super) fn wake(world: &mut World) {
    let now = world.sim.now();
    let due: Vec<ClientId> = world
        .paused
        .iter()
        .filter(|(_, until)| **until <= now)
        .map(|(client, _)| *client)
        .collect();
    for client in due {
        world.paused.remove(&client);
        world.sim.apply(&Intervention::ResumeClient(client));
    }
}

fn wake_all(world: &mut World) {
    for client in core::mem::take(&mut world.paused).into_keys() {
        world.sim.apply(&Intervention::ResumeClient(client));
    }
    world.sim.apply(&Intervention::Faults(false));
    heal(world);
}
