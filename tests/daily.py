"""What deployments do with kazoo day by day, on three real servers that nobody disturbs. Called by kazoo.rs:

    daily.py HOSTS

Exit code 0 when all went as with ZooKeeper. Knows nothing of how the servers work.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError,
    InvalidACLError,
    LockTimeout,
    NoAuthError,
    NoNodeError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.security import make_acl, make_digest_acl

PATIENCE_SECONDS = 30
# A process of its own, so that it can be paused: it says what it learns of its session.
PAUSED = """
import sys, time
from kazoo.client import KazooClient
client = KazooClient(hosts=sys.argv[1], timeout=4)
client.add_listener(lambda state: print(state, flush=True))
client.start(timeout=30)
client.create("/daily/paused", ephemeral=True)
print("here", flush=True)
time.sleep(300)
"""


def refused(error, action):
    try:
        action()
    except error:
        return
    raise AssertionError(f"nobody refused with {error.__name__}")


class Day:
    def __init__(self, hosts):
        self.hosts = hosts
        self.clients = []

    def client(self, chroot="", **options):
        client = KazooClient(hosts=self.hosts + chroot, timeout=10, **options)
        client.start(timeout=PATIENCE_SECONDS)
        self.clients.append(client)
        return client

    def close(self):
        for client in self.clients:
            client.stop()
            client.close()
        self.clients = []


def chroot(day):
    outside, inside = day.client(), day.client("/daily/app")
    inside.ensure_path("/")
    inside.create("/x", b"1")
    heard = []
    assert inside.get("/x", watch=heard.append)[0] == b"1"
    outside.set("/daily/app/x", b"2")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not heard and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [event.path for event in heard] == ["/x"], heard
    refused(NoNodeError, lambda: day.client("/daily/nowhere").create("/y"))


def semaphore(day):
    first, second, third = (day.client().Semaphore("/daily/semaphore", name, max_leases=2) for name in "abc")
    assert first.acquire() and second.acquire()
    assert sorted(first.lease_holders()) == ["a", "b"]
    refused(LockTimeout, lambda: third.acquire(timeout=1))
    second.release()
    assert third.acquire(timeout=PATIENCE_SECONDS)
    refused(ValueError, lambda: day.client().Semaphore("/daily/semaphore", "d", max_leases=3).acquire())


def leases(day):
    mine, yours = day.client(), day.client()
    second = timedelta(seconds=2)
    assert mine.NonBlockingLease("/daily/lease", second, identifier="me")
    assert not yours.NonBlockingLease("/daily/lease", second, identifier="you")
    time.sleep(2.2)
    assert yours.NonBlockingLease("/daily/lease", second, identifier="you")


def shared_locks(day):
    readers = [day.client().ReadLock("/daily/shared") for _ in range(2)]
    assert all(reader.acquire(timeout=PATIENCE_SECONDS) for reader in readers)
    writer = day.client().WriteLock("/daily/shared")
    assert not writer.acquire(blocking=False)
    for reader in readers:
        reader.release()
    assert writer.acquire(timeout=PATIENCE_SECONDS)
    assert not day.client().ReadLock("/daily/shared").acquire(blocking=False)


def partitioner(day):
    shares, done = {}, threading.Event()

    def work(name):
        partitioner = day.client().SetPartitioner("/daily/parts", set=range(6), identifier=name, time_boundary=1)
        while not done.wait(0.05):
            if partitioner.release:
                shares.pop(name, None)
                partitioner.release_set()
            elif partitioner.acquired:
                shares[name] = list(partitioner)
            elif partitioner.allocating:
                partitioner.wait_for_acquire(1)
        partitioner.finish()

    workers = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    halves = [[0, 2, 4], [1, 3, 5]]
    while sorted(list(shares.values())) != halves and time.monotonic() < deadline:
        time.sleep(0.05)
    had = sorted(shares.values())
    done.set()
    for worker in workers:
        worker.join()
    assert had == halves, had


def transactions(day):
    client = day.client()
    changes = client.transaction()
    changes.create("/daily/t")
    changes.create("/daily/t/a-", b"v", sequence=True)
    changes.set_data("/daily/t", b"w")
    changes.check("/daily/t", 1)
    changes.delete("/daily/t/a-0000000000")
    made, numbered, stat, checked, deleted = changes.commit()
    assert (made, numbered, stat.version) == ("/daily/t", "/daily/t/a-0000000000", 1)
    assert checked is True and deleted is True
    changes = client.transaction()
    changes.create("/daily/u")
    changes.check("/daily/t", 9)
    changes.delete("/daily/t")
    kinds = [type(result) for result in changes.commit()]
    assert kinds == [RolledBackError, BadVersionError, RuntimeInconsistency], kinds
    assert client.exists("/daily/u") is None
    _, stat = client.get_children("/daily/t", include_data=True)
    assert stat.version == 1


def lists(day):
    everything = make_digest_acl("ann", "secret", all=True)
    owner, stranger = day.client(auth_data=[("digest", "ann:secret")]), day.client()
    owner.create("/daily/own", b"x", acl=[everything])
    for action in (
        lambda: stranger.get("/daily/own"),
        lambda: stranger.set("/daily/own", b""),
        lambda: stranger.exists("/daily/own"),
        lambda: stranger.get_children("/daily/own"),
        lambda: stranger.get_acls("/daily/own"),
        lambda: stranger.create("/daily/own/x"),
    ):
        refused(NoAuthError, action)
    refused(InvalidACLError, lambda: owner.create("/daily/odd", acl=[make_acl("odd", "x", all=True)]))
    stranger.add_auth("digest", "ann:secret")
    assert stranger.get("/daily/own")[0] == b"x"
    assert stranger.get_acls("/daily/own")[0] == [everything]
    # Who it is it says again on another connection.
    stranger.restart()
    assert stranger.get("/daily/own")[0] == b"x"
    heir = day.client(default_acl=[everything], auth_data=[("digest", "ann:secret")])
    heir.create("/daily/deep/below", makepath=True)
    assert owner.get_acls("/daily/deep")[0] == [everything]


def pipelines(day):
    client = day.client()
    client.ensure_path("/daily/many")
    asked = [client.create_async("/daily/many/n-", b"x", sequence=True) for _ in range(2_000)]
    made = [answer.get(timeout=PATIENCE_SECONDS) for answer in asked]
    assert made == sorted(set(made)) and len(made) == 2_000


def a_paused_client(day):
    """It is stopped for longer than its session lives, and hears of that when it goes on."""
    watcher = day.client()
    paused = subprocess.Popen([sys.executable, "-c", PAUSED, day.hosts], stdout=subprocess.PIPE, text=True)
    try:
        assert [paused.stdout.readline().strip() for _ in range(2)] == [KazooState.CONNECTED, "here"]
        os.kill(paused.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        while watcher.exists("/daily/paused"):
            assert time.monotonic() < stopped + PATIENCE_SECONDS, "its ephemeral znode stays"
            time.sleep(0.05)
        # The last sign of life was no more than a third of the timeout before.
        assert 2.5 < time.monotonic() - stopped, "its session was ended too soon"
        os.kill(paused.pid, signal.SIGCONT)
        told = [paused.stdout.readline().strip() for _ in range(3)]
        assert told == [KazooState.SUSPENDED, KazooState.LOST, KazooState.CONNECTED], told
        assert watcher.exists("/daily/paused") is None
    finally:
        paused.kill()
        paused.wait()


TASKS = [chroot, semaphore, leases, shared_locks, partitioner, transactions, lists, pipelines, a_paused_client]


def main(hosts):
    for task in TASKS:
        day = Day(hosts)
        day.client().ensure_path("/daily")
        task(day)
        day.close()
        print(f"* kazoo's {task.__name__}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
