"""kazoo's recipes on three real servers, each while the leader is killed. Called by kazoo.rs:

    recipes.py HOSTS

It prints "kill" when a recipe is under way; the caller kills the leader, answers "killed", starts it again and answers
"back". Exit code 0 when every recipe kept its promise. Knows nothing of how the servers work.
"""

import socket
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NoNodeError, OperationTimeoutError, SessionExpiredError
from kazoo.recipe.cache import TreeCache

SESSION_SECONDS = 10
CLIENTS = 4
PATIENCE_SECONDS = 20
# After a request that got no answer nobody knows its outcome; these say so.
UNKNOWN = (ConnectionLoss, OperationTimeoutError, SessionExpiredError)


def connected(hosts, number):
    """A client at the server with this number, if it is there."""
    turned = hosts[number % len(hosts):] + hosts[: number % len(hosts)]
    client = KazooClient(
        hosts=",".join(turned),
        randomize_hosts=False,
        timeout=SESSION_SECONDS,
        connection_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.2},
        command_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.2},
    )
    client.start(timeout=30)
    return client


def word(host, name):
    """What a server answers to a four-letter word."""
    address, port = host.split(":")
    with socket.create_connection((address, int(port)), timeout=PATIENCE_SECONDS) as stream:
        stream.sendall(name)
        return stream.makefile().read()


class Stage:
    """Clients at all servers, and somebody who can kill a leader."""

    def __init__(self, hosts):
        self.hosts = hosts.split(",")
        self.clients = [connected(self.hosts, number) for number in range(CLIENTS)]
        self.sessions = [client.client_id[0] for client in self.clients]

    def kill_leader(self):
        print("kill", flush=True)
        said = sys.stdin.readline().strip()
        assert said == "killed", said

    def until_back(self):
        said = sys.stdin.readline().strip()
        assert said == "back", said

    def followers(self):
        """The servers that follow."""
        return [host for host in self.hosts if "Mode: follower" in word(host, b"srvr")]

    def each(self, action, clients=None):
        """Runs the action with each client in a thread of its own; the first failure is raised."""
        failures = []

        def guarded(client, number):
            try:
                action(client, number)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(client, number), daemon=True) for number, client in enumerate(clients or self.clients)]
        for thread in threads:
            thread.start()

        def join():
            for thread in threads:
                thread.join(3 * PATIENCE_SECONDS)
                assert not thread.is_alive(), "a client hangs"
            if failures:
                raise failures[0]

        return join

    def close(self):
        for client, session in zip(self.clients, self.sessions):
            assert client.client_id[0] == session, "a session was lost"
            client.stop()
            client.close()


def within(condition, what):
    limit = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < limit, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(0.02)


def lock(stage):
    """Whoever holds it reads a number and writes the next one, slowly."""
    count = [0]

    def work(client, number):
        for _ in range(10):
            with client.Lock("/recipe/lock", str(number)):
                seen = count[0]
                time.sleep(0.01)
                count[0] = seen + 1

    join = stage.each(work)
    within(lambda: 10 <= count[0], "ten grants")
    stage.kill_leader()
    join()
    assert count[0] == 10 * CLIENTS, count


def election(stage):
    """Never two leaders, and each leads in the end."""
    leading, terms = [], []

    def lead(number):
        leading.append(number)
        assert leading == [number], f"two lead: {leading}"
        time.sleep(0.05)
        leading.remove(number)
        terms.append(number)

    def work(client, number):
        for _ in range(4):
            client.Election("/recipe/election", str(number)).run(lead, number)

    join = stage.each(work)
    within(lambda: 4 <= len(terms), "four terms")
    stage.kill_leader()
    join()
    assert sorted(terms) == sorted(list(range(CLIENTS)) * 4), terms


def put_all(queue, numbers, acknowledged):
    for number in numbers:
        try:
            queue.put(b"%d" % number)
            acknowledged.append(number)
        except UNKNOWN:
            time.sleep(0.05)


def queue(stage):
    """Nothing is taken twice. kazoo may lose what it was about to take when the answer was lost: one a client."""
    acknowledged, taken, tried = [], [], 200
    done = threading.Event()

    def work(client, number):
        own = client.Queue("/recipe/queue")
        if number == 0:
            put_all(own, range(tried), acknowledged)
            done.set()
            return
        while True:
            finished = done.is_set()
            try:
                item = own.get()
            except UNKNOWN:
                continue
            if item is not None:
                taken.append(int(item))
            elif finished:
                return

    join = stage.each(work)
    within(lambda: 40 <= len(taken), "forty items")
    stage.kill_leader()
    join()
    assert len(set(taken)) == len(taken), "an item was taken twice"
    assert set(taken) <= set(range(tried))
    missing = set(acknowledged) - set(taken)
    assert len(missing) < CLIENTS, f"lost: {missing}"


def locking_queue(stage):
    """Everything that was put is consumed; what is held by a living client is given to nobody else."""
    acknowledged, consumed = [], []
    done = threading.Event()

    def work(client, number):
        own = client.LockingQueue("/recipe/locking")
        if number == 0:
            put_all(own, range(60), acknowledged)
            done.set()
            return
        unsure = False
        while True:
            finished = done.is_set()
            try:
                item = own.get(timeout=1)
                if item is not None and own.consume():
                    consumed.append(int(item))
                unsure = False
            except UNKNOWN:
                unsure = True
                continue
            except NoNodeError:
                # An earlier consume happened although its answer was lost: kazoo has the item still in hand.
                assert unsure, "what a living client holds is gone"
                consumed.append(int(item))
                own, unsure = client.LockingQueue("/recipe/locking"), False
                continue
            if item is None and finished:
                return

    join = stage.each(work)
    within(lambda: 10 <= len(consumed), "ten items")
    stage.kill_leader()
    join()
    assert len(set(consumed)) == len(consumed), "an item was consumed twice"
    missing = set(acknowledged) - set(consumed)
    assert len(missing) < CLIENTS, f"lost: {missing}"


def counter(stage):
    """Every acknowledged step counts. kazoo tries again when an answer was lost, so one a client may count twice."""
    steps = []

    def work(client, number):
        own = client.Counter("/recipe/counter")
        for _ in range(25):
            own += 1
            steps.append(number)

    join = stage.each(work)
    within(lambda: 20 <= len(steps), "twenty steps")
    stage.kill_leader()
    join()
    stage.clients[0].sync("/recipe/counter")
    value = stage.clients[0].Counter("/recipe/counter").value
    assert len(steps) == 25 * CLIENTS and len(steps) <= value <= len(steps) + CLIENTS, (len(steps), value)


def barrier(stage):
    """Nobody passes before it is taken away, and everybody after."""
    gate = stage.clients[0].Barrier("/recipe/barrier")
    gate.create()
    passed = []

    def work(client, number):
        client.sync("/recipe/barrier")
        own = client.Barrier("/recipe/barrier")
        # kazoo forgets its watch when the connection is lost.
        while not own.wait(1):
            pass
        passed.append(number)

    join = stage.each(work)
    time.sleep(0.3)
    stage.kill_leader()
    assert not passed, passed
    within(gate.remove, "the removal")
    join()
    assert sorted(passed) == list(range(CLIENTS)), passed


def double_barrier(stage):
    """All come in together and leave together; the leader dies while the last one is waited for."""
    # A member of kazoo's double barrier whose connection is lost while it waits forgets its watch and waits for ever, so
    # they are where no server dies.
    followers = []

    def all_follow():
        followers[:] = stage.followers()
        return len(followers) == len(stage.hosts) - 1

    within(all_follow, "a leader and its followers")
    clients = [connected(followers, number) for number in range(CLIENTS)]
    waiting, inside, left = threading.Event(), [], []

    def work(client, number):
        own = client.DoubleBarrier("/recipe/double", CLIENTS, str(number))
        if number == 0:
            assert waiting.wait(PATIENCE_SECONDS)
            assert not inside, inside
        own.enter()
        inside.append(number)
        within(lambda: len(inside) == CLIENTS, "all inside")
        own.leave()
        left.append(number)

    join = stage.each(work, clients)
    time.sleep(0.3)
    stage.kill_leader()
    waiting.set()
    join()
    assert len(left) == CLIENTS, left
    for client in clients:
        client.stop()
        client.close()


def party(stage):
    """Whoever joined is seen until it leaves."""
    parties = [client.Party("/recipe/party", str(number)) for number, client in enumerate(stage.clients)]
    for one in parties:
        one.join()
    everybody = {str(number) for number in range(CLIENTS)}
    within(lambda: set(parties[1]) == everybody, "everybody")
    stage.kill_leader()
    parties[0].leave()
    within(lambda: set(parties[1]) == everybody - {"0"}, "everybody but one")
    within(lambda: len(parties[2]) == CLIENTS - 1, "everybody but one, at another server")


def children_watch(stage):
    seen = [None] * CLIENTS
    stage.clients[0].ensure_path("/recipe/children")

    def watch(client, number):
        client.sync("/recipe/children")

        @client.ChildrenWatch("/recipe/children")
        def changed(children):
            seen[number] = sorted(children)

    for number, client in enumerate(stage.clients):
        watch(client, number)
    writer = stage.clients[1]
    names = []

    def all_see():
        return all(view == names for view in seen)

    for number in range(12):
        if number == 4:
            stage.kill_leader()
        name = f"{number:02}"
        writer.retry(writer.ensure_path, f"/recipe/children/{name}")
        names.append(name)
        if number % 4 == 3:
            within(all_see, f"{number + 1} children seen by all")


def data_watch(stage):
    seen = [None] * CLIENTS
    stage.clients[0].ensure_path("/recipe/data")

    def watch(client, number):
        client.sync("/recipe/data")

        @client.DataWatch("/recipe/data")
        def changed(data, stat):
            seen[number] = data

    for number, client in enumerate(stage.clients):
        watch(client, number)
    writer = stage.clients[2]
    for number in range(12):
        if number == 4:
            stage.kill_leader()
        value = b"%d" % number
        writer.retry(writer.set, "/recipe/data", value)
        if number % 4 == 3:
            within(lambda: all(view == value for view in seen), f"{value} seen by all")


def tree_cache(stage):
    writer = stage.clients[3]
    writer.ensure_path("/recipe/tree")
    caches = []
    for client in stage.clients:
        client.sync("/recipe/tree")
        cache = TreeCache(client, "/recipe/tree")
        cache.start()
        caches.append(cache)

    def holds(path, value):
        def check(cache):
            node = cache.get_data(path, None)
            return (node.data if node is not None else None) == value

        return lambda: all(check(cache) for cache in caches)

    def put(path, value):
        writer.retry(writer.ensure_path, path)
        writer.retry(writer.set, path, value)

    put("/recipe/tree/a/b", b"1")
    within(holds("/recipe/tree/a/b", b"1"), "the first value in all caches")
    stage.kill_leader()
    put("/recipe/tree/a/b", b"2")
    put("/recipe/tree/c", b"3")
    within(holds("/recipe/tree/a/b", b"2"), "the second value in all caches")
    within(holds("/recipe/tree/c", b"3"), "a new znode in all caches")
    writer.retry(writer.delete, "/recipe/tree/c")
    within(holds("/recipe/tree/c", None), "a znode gone from all caches")
    for cache in caches:
        cache.close()


RECIPES = [lock, election, queue, locking_queue, counter, barrier, double_barrier, party, children_watch, data_watch, tree_cache]


def main(hosts):
    stage = Stage(hosts)
    stage.clients[0].ensure_path("/recipe")
    for recipe in RECIPES:
        started = time.monotonic()
        recipe(stage)
        stage.until_back()
        print(f"* kazoo's {recipe.__name__} with a leader killed: {time.monotonic() - started:.1f} s", flush=True)
    stage.close()


if __name__ == "__main__":
    main(sys.argv[1])
