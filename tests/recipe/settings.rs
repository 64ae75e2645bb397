//! Configurations and directories of services under the same mishaps as the other recipes.

use super::weather::{Weather, misfortune};
use super::*;

use otterkeeper_core::recipe::group::Membership;
use otterkeeper_core::recipe::service::Seen;
use otterkeeper_core::recipe::settings::{Settings, Shown, Written};

const PATH: &str = "/config/app";

/// Every update gives both keys the same value, and a third one to every other update: a reader that sees anything
/// else has seen one half of an update.
fn check_whole(settings: &Settings, who: &str) {
    if settings.version == 0 {
        assert!(settings.values.is_empty(), "{who}: {settings:?}");
        return;
    }
    let text = |key: &str| {
        let value = settings.values.get(key)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let (left, right) = (text("left"), text("right"));
    assert!(left.is_some() && left == right, "{who}: {settings:?}");
    let number: u64 = left.and_then(|left| left.parse().ok()).expect("a number");
    let odd = (number % 2 == 1).then(|| number.to_string());
    assert_eq!(text("odd"), odd, "{who}: {settings:?}");
}

fn change(number: u64, version: Option<i32>) -> Wish {
    let value = Some(number.to_string());
    let odd = value.clone().filter(|_| number % 2 == 1);
    Wish::Change {
        path: PATH.into(),
        version,
        values: [("left", value.clone()), ("right", value), ("odd", odd)]
            .map(|(key, value)| (key.into(), value))
            .into(),
    }
}

/// All see all of an update or none of it; of two updates of one version one is made; what is said to have been made
/// was made, once, and in the calm everybody sees the last one. Clients stand still, die and lose their connections.
#[test]
fn nobody_sees_half_of_an_update() {
    let (mut outdated, mut unknown) = (0, 0);
    for seed in 1..=seeds() {
        let mut world = World::new(seed, Some(rough()));
        let read = || Wish::Read { path: PATH.into() };
        let mut number = 0;
        let mut next = |version| {
            number += 1;
            change(number, version)
        };
        for client in world.clients() {
            world.wish(client, read());
            world.wish(client, next(None));
        }
        let mut seen: BTreeMap<ClientId, Settings> = BTreeMap::new();
        // Versions that somebody was told to have written.
        let mut versions: BTreeSet<i32> = BTreeSet::new();
        let mut lost = 0;
        // A process that begins anew draws the same numbers as the one before: it only reads.
        let mut mute: BTreeSet<ClientId> = BTreeSet::new();
        let mut weather = Weather::new(&world, Span::from_ms(30_000), Span::from_ms(15_000));
        while weather.goes_on(&mut world) {
            if weather.strikes(&mut world) {
                let dies = mute.is_empty() && !weather.is_rough_for(&world, Span::from_ms(15_000));
                if let Some(dead) = misfortune(&mut world, Span(TIMEOUT.0 * 2), dies) {
                    mute.insert(dead);
                    seen.remove(&dead);
                    world.wish(dead, read());
                }
            }
            world.step();
            for (client, told) in world.told() {
                let who = format!("seed {seed}: {client:?}");
                match told {
                    Told::Read { told, .. } => {
                        let Shown::Now(settings) = told else {
                            panic!("{who}: {told:?}")
                        };
                        check_whole(&settings, &who);
                        let before = seen.insert(client, settings.clone());
                        let before = before.map_or(Index(0), |before| before.zxid);
                        assert!(before <= settings.zxid, "{who}: back to {settings:?}");
                        continue;
                    }
                    Told::Changed { told, .. } => match told {
                        Written::Done { version } => {
                            assert!(versions.insert(version), "{who}: {version} twice");
                        }
                        Written::Outdated { .. } => outdated += 1,
                        Written::Unknown => lost += 1,
                        Written::Failed(error) => panic!("{who}: {error}"),
                    },
                    other => panic!("{who}: {other:?}"),
                }
                if !weather.is_calm && !mute.contains(&client) {
                    // On the condition that nobody was faster, or on none.
                    let version = seen.get(&client).map(|settings| settings.version);
                    let version = version.filter(|_| world.rng.chance(500));
                    world.wish(client, next(version));
                }
            }
        }
        let last = seen.get(&ClientId(1)).expect("it was told").clone();
        for client in world.clients() {
            assert_eq!(seen.get(&client), Some(&last), "seed {seed}: {client:?}");
        }
        let made = versions.len();
        // A client that died was told nothing of its last one.
        let most = made + lost + mute.len();
        let version = usize::try_from(last.version).expect("it counts");
        assert!(
            (made..=most).contains(&version) && 20 < made,
            "seed {seed}: version {version} after {made} updates, {lost} unknown"
        );
        unknown += lost;
    }
    println!("* {outdated} updates were outdated, {unknown} have no known outcome");
    assert!(
        0 < outdated,
        "nobody was ever too late: the test shows nothing"
    );
}

/// What a directory said, one after the other, is in the calm who serves, though members and sessions came and went
/// and processes died.
#[test]
fn a_directory_agrees_with_those_who_serve() {
    let (mut went, mut deaths) = (0, 0);
    for seed in 1..=seeds() {
        let mut world = World::new(seed, Some(rough()));
        let path = || "/services/mail".to_owned();
        for client in world.clients() {
            world.wish(client, Wish::Join { path: path() });
            world.wish(client, Wish::Look { path: path() });
        }
        let mut seen: BTreeMap<ClientId, BTreeMap<String, (String, Index)>> = BTreeMap::new();
        let mut tokens: BTreeMap<ClientId, Index> = BTreeMap::new();
        // One that begins anew only looks.
        let mut dead: Option<ClientId> = None;
        let mut weather = Weather::new(&world, Span::from_ms(30_000), Span::from_ms(20_000));
        while weather.goes_on(&mut world) {
            if weather.strikes(&mut world) {
                let dies = dead.is_none() && !weather.is_rough_for(&world, Span::from_ms(15_000));
                if let Some(client) = misfortune(&mut world, Span(TIMEOUT.0 * 2), dies) {
                    dead = Some(client);
                    deaths += 1;
                    tokens.remove(&client);
                    seen.remove(&client);
                    world.wish(client, Wish::Look { path: path() });
                }
            }
            world.step();
            for (client, told) in world.told() {
                let who = format!("seed {seed}: {client:?}");
                match told {
                    Told::Member { told, .. } => match told {
                        Membership::Joined { token } => drop(tokens.insert(client, token)),
                        Membership::Failed(error) => panic!("{who}: {error}"),
                        _ => {}
                    },
                    Told::Directory { told, .. } => {
                        let seat = |seat: otterkeeper_core::recipe::group::Seat| {
                            let address = String::from_utf8_lossy(&seat.data).into_owned();
                            (seat.name, (address, seat.token))
                        };
                        match told {
                            Seen::All(seats) => {
                                let all = seats.into_iter().map(seat).collect();
                                assert_eq!(seen.insert(client, all), None, "{who}");
                            }
                            Seen::Came(one) => {
                                let (name, one) = seat(one);
                                let known = seen.get_mut(&client).expect("All was said");
                                assert_eq!(known.insert(name, one), None, "{who}");
                            }
                            Seen::Changed(one) => panic!("{who}: nobody changes {one:?}"),
                            Seen::Went(one) => {
                                went += 1;
                                let (name, one) = seat(one);
                                let known = seen.get_mut(&client).expect("All was said");
                                assert_eq!(known.remove(&name), Some(one), "{who}");
                            }
                            Seen::Failed(error) => panic!("{who}: {error}"),
                        }
                    }
                    other => panic!("{who}: {other:?}"),
                }
            }
        }
        let there: BTreeMap<String, Index> = tokens
            .iter()
            .map(|(client, token)| (format!("client {}", client.0), *token))
            .collect();
        assert_eq!(there.len(), CLIENTS as usize - usize::from(dead.is_some()));
        for client in world.clients() {
            let seen = seen.get(&client).expect("it was told");
            let seen: BTreeMap<String, Index> = seen.values().cloned().collect();
            assert_eq!(seen, there, "seed {seed}: as {client:?} sees it");
        }
    }
    println!("* {went} times somebody was seen to go, {deaths} processes died");
    assert!(0 < went && 0 < deaths, "the test shows nothing");
}
