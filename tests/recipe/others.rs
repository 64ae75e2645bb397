//! Queue, group, double barrier, counter and election under the same mishaps as the lock.

use super::weather::{Weather, misfortune, wake};
use super::*;

use otterkeeper_core::recipe::barrier::Told as BarrierTold;
use otterkeeper_core::recipe::counter::Told as CounterTold;
use otterkeeper_core::recipe::election::Told as ElectionTold;
use otterkeeper_core::recipe::group::{Called, Membership};
use otterkeeper_core::recipe::queue::{Put, Take};

/// Client 1 puts; the others take, work for a while and finish. Everything that was stored is worked on to
/// the end, whatever happens to the workers; some of it more than once.
#[test]
fn nothing_that_was_put_is_lost() {
    const ITEMS: u64 = 40;
    let (mut twice, mut lost) = (0, 0);
    for seed in 1..=seeds() {
        let mut world = World::new(seed, Some(rough()));
        let path = || "/queue".to_owned();
        let take = || Wish::Take { path: path() };
        let workers: Vec<ClientId> = world.clients().skip(1).collect();
        for number in 0..ITEMS {
            let value = number.to_string();
            let priority = (number % 3) as u16 * 100;
            let path = path();
            world.wish(
                ClientId(1),
                Wish::Put {
                    path,
                    priority,
                    value,
                },
            );
        }
        for worker in &workers {
            world.wish(*worker, take());
        }
        let mut stored = 0;
        let mut work: BTreeMap<ClientId, (Time, String)> = BTreeMap::new();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        let mut weather = Weather::new(&world, Span::from_ms(40_000), Span::from_ms(40_000));
        while weather.goes_on(&mut world) {
            let now = world.sim.now();
            for worker in &workers {
                let ready = work.get(worker).is_some_and(|(ends, _)| *ends <= now);
                if ready && !world.paused.contains_key(worker) {
                    let (_, value) = work.remove(worker).expect("it is there");
                    *done.entry(value).or_default() += 1;
                    world.wish(*worker, Wish::Finish { path: path() });
                }
            }
            if weather.strikes(&mut world) {
                // The producer lives, so that it is known what was stored.
                let client = misfortune(&mut world, Span(TIMEOUT.0 * 2), false);
                assert_eq!(client, None);
            }
            world.step();
            for (client, told) in world.told() {
                match told {
                    Told::Put {
                        told: Put::Stored { .. },
                        ..
                    } => stored += 1,
                    Told::Take { told, .. } => match told {
                        Take::Taken { value, .. } => {
                            let value = String::from_utf8(value.to_vec()).expect("a number");
                            let span = Span::from_ms(world.rng.between(50, 500));
                            work.insert(client, (now + span, value));
                        }
                        Take::Finished | Take::GivenBack => world.wish(client, take()),
                        Take::Lost => {
                            lost += 1;
                            work.remove(&client);
                            world.wish(client, take());
                        }
                        Take::Doubtful | Take::Confirmed => {}
                        Take::Failed(error) => panic!("seed {seed}: {error}"),
                    },
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
            assert!(
                !world.is_broken(),
                "seed {seed}: {:?}",
                world.sim.violations()
            );
        }
        assert_eq!(stored, ITEMS, "seed {seed}: not all were stored");
        let all: BTreeSet<String> = (0..ITEMS).map(|number| number.to_string()).collect();
        let worked: BTreeSet<String> = done.keys().cloned().collect();
        assert_eq!(worked, all, "seed {seed}: something was lost");
        twice += done.values().filter(|times| 1 < **times).count();
    }
    println!(
        "* of {} entries {twice} were worked on twice or more, {lost} claims lost",
        seeds() * ITEMS
    );
    assert!(
        0 < lost,
        "no worker ever lost its claim: the test shows nothing"
    );
}

/// No two reigns have one number, and in the calm at the end one leads.
#[test]
fn one_leads_for_each_number() {
    let mut deposed = 0;
    for seed in 1..=seeds() {
        let mut world = World::new(seed, Some(rough()));
        let stand = || Wish::Stand {
            path: "/leader".into(),
        };
        for client in world.clients() {
            world.wish(client, stand());
        }
        let mut reigns = BTreeSet::new();
        let mut leader = None;
        let mut weather = Weather::new(&world, Span::from_ms(40_000), Span::from_ms(15_000));
        while weather.goes_on(&mut world) {
            let now = world.sim.now();
            if weather.strikes(&mut world) {
                // Whoever was elected last stands still until its session has ended.
                if let Some(client) = leader.take() {
                    let span = world.rng.between(TIMEOUT.0, TIMEOUT.0 * 2);
                    world.paused.insert(client, now + Span(span));
                    world.sim.apply(&Intervention::PauseClient(client));
                } else if let Some(client) = misfortune(&mut world, Span(TIMEOUT.0 * 2), true) {
                    world.wish(client, stand());
                }
            }
            world.step();
            for (client, told) in world.told() {
                match told {
                    Told::Election { told, .. } => match told {
                        ElectionTold::Elected { token } => {
                            assert!(reigns.insert(token), "seed {seed}: two reigns {token}");
                            leader = Some(client);
                        }
                        ElectionTold::Deposed => {
                            deposed += 1;
                            world.wish(client, stand());
                        }
                        ElectionTold::Failed(error) => panic!("seed {seed}: {error}"),
                        _ => {}
                    },
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
        }
        let leaders = world
            .clients()
            .filter(|client| world.sim.tokens(*client).count() == 1);
        assert_eq!(leaders.count(), 1, "seed {seed}: leaders in the calm");
        assert!(1 < reigns.len(), "seed {seed}: {} reigns", reigns.len());
    }
    println!("* {deposed} leaders learned late that they were deposed");
    assert!(
        0 < deposed,
        "no leader ever lost its session: the test shows nothing"
    );
}

/// What the roll says in the calm is who is in the group, though members and sessions came and went.
#[test]
fn the_roll_agrees_with_the_members() {
    for seed in 1..=seeds() {
        let mut world = World::new(seed, Some(rough()));
        let path = || "/services/mail".to_owned();
        for client in world.clients() {
            world.wish(client, Wish::Join { path: path() });
            world.wish(client, Wish::Call { path: path() });
        }
        let mut seen: BTreeMap<ClientId, BTreeMap<String, Index>> = BTreeMap::new();
        let mut tokens: BTreeMap<ClientId, Index> = BTreeMap::new();
        let mut weather = Weather::new(&world, Span::from_ms(30_000), Span::from_ms(15_000));
        while weather.goes_on(&mut world) {
            if weather.strikes(&mut world) {
                // A process that begins anew draws the same names as the one before; that is for the lock.
                misfortune(&mut world, Span(TIMEOUT.0 * 2), false);
            }
            world.step();
            for (client, told) in world.told() {
                match told {
                    Told::Member { told, .. } => match told {
                        Membership::Joined { token } => drop(tokens.insert(client, token)),
                        Membership::Failed(error) => panic!("seed {seed}: {error}"),
                        _ => {}
                    },
                    Told::Roll {
                        told: Called::Present(seats),
                        ..
                    } => {
                        let name = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
                        let seats = seats.into_iter().map(|seat| (name(&seat.data), seat.token));
                        seen.insert(client, seats.collect());
                    }
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
        }
        let there: BTreeMap<String, Index> = tokens
            .iter()
            .map(|(client, token)| (format!("client {}", client.0), *token))
            .collect();
        assert_eq!(there.len(), CLIENTS as usize, "seed {seed}");
        for client in world.clients() {
            assert_eq!(
                seen.get(&client),
                Some(&there),
                "seed {seed}: as {client:?} sees it"
            );
        }
    }
}

/// Nobody is inside before all are, and nobody is out before all have begun to leave; connections break and
/// processes stand still meanwhile, for less than their sessions live.
#[test]
fn all_enter_before_one_leaves() {
    for seed in 1..=seeds() {
        let mut world = World::new(seed, None);
        let path = || "/barrier".to_owned();
        let parties = CLIENTS;
        for round in 0..5 {
            let mut asked = BTreeSet::new();
            let mut inside = BTreeSet::new();
            let mut leaving = BTreeSet::new();
            let mut left = BTreeSet::new();
            let clients: Vec<ClientId> = world.clients().collect();
            let mut next = world.sim.now();
            let limit = next + Span::from_ms(60_000);
            while left.len() < clients.len() {
                let now = world.sim.now();
                assert!(
                    now < limit,
                    "seed {seed} round {round}: {inside:?} {leaving:?} {left:?}"
                );
                wake(&mut world);
                if next <= now {
                    next = now + Span::from_ms(world.rng.between(50, 400));
                    match clients.iter().find(|client| !asked.contains(*client)) {
                        Some(client) => {
                            asked.insert(*client);
                            let path = path();
                            world.wish(*client, Wish::Enter { path, parties });
                        }
                        None => {
                            misfortune(&mut world, Span(TIMEOUT.0 / 4), false);
                        }
                    }
                }
                world.step();
                for (client, told) in world.told() {
                    let Told::Barrier { told, .. } = told else {
                        panic!("{told:?}")
                    };
                    match told {
                        BarrierTold::Entered => {
                            assert_eq!(
                                asked.len(),
                                clients.len(),
                                "seed {seed}: {client:?} is early"
                            );
                            inside.insert(client);
                            if leaving.insert(client) {
                                world.wish(client, Wish::Exit { path: path() });
                            }
                        }
                        BarrierTold::Left => {
                            assert_eq!(
                                leaving.len(),
                                clients.len(),
                                "seed {seed}: {client:?} has left early"
                            );
                            left.insert(client);
                        }
                        other => panic!("seed {seed}: {other:?}"),
                    }
                }
            }
        }
    }
}

/// Additions that are said to have been made were made, once; those of which nobody knows may have been.
#[test]
fn a_counter_counts_what_it_says() {
    for seed in 1..=seeds() {
        let mut world = World::new(seed, Some(rough()));
        let add = |number| Wish::Add {
            path: "/count".into(),
            number,
        };
        let (mut made, mut unknown, mut last) = (0, 0, 0);
        for client in world.clients() {
            world.wish(client, add(1));
        }
        let mut weather = Weather::new(&world, Span::from_ms(30_000), Span::from_ms(15_000));
        let mut is_read = false;
        while weather.goes_on(&mut world) {
            if !is_read && weather.is_calm_for(&world, Span::from_ms(12_000)) {
                is_read = true;
                world.wish(ClientId(1), add(0));
            }
            if weather.strikes(&mut world) {
                misfortune(&mut world, Span(TIMEOUT.0 * 2), false);
            }
            world.step();
            for (client, told) in world.told() {
                let Told::Counter { told, .. } = told else {
                    panic!("{told:?}")
                };
                match told {
                    CounterTold::Added { value } if is_read => last = value,
                    CounterTold::Added { .. } => made += 1,
                    CounterTold::Unknown => unknown += 1,
                    other => panic!("seed {seed}: {other:?}"),
                }
                if !weather.is_calm {
                    world.wish(client, add(1));
                }
            }
        }
        assert!(
            made <= last && last <= made + unknown,
            "seed {seed}: {made} made, {unknown} unknown, and it says {last}"
        );
        assert!(20 < made, "seed {seed}: {made} made");
    }
}
