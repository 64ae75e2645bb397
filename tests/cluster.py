"""Drives real servers through kazoo, an unmodified ZooKeeper client; called by tests/cluster.rs.

    cluster.py basics HOSTS             every kind of request once, with its outcome
    cluster.py access HOSTS             who may do what, by digest, SASL and address; quotas; reconfig
    cluster.py load HOSTS RECORD        writers until standard input ends; each line on it marks a kill
    cluster.py verify HOSTS RECORD      every acknowledged write of RECORD is at every server
    cluster.py locks HOSTS FILE N EACH  N clients, each EACH times: the number in FILE plus one, under a lock

Exit code 0 when all promises held. Knows nothing of how the servers work.
"""

import json
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    AuthFailedError,
    BadArgumentsError,
    BadVersionError,
    ConnectionLoss,
    InvalidACLError,
    KazooException,
    NodeExistsError,
    NoAuthError,
    NoNodeError,
    NotEmptyError,
    OperationTimeoutError,
    QuotaExceededError,
    RolledBackError,
    SessionExpiredError,
)

from kazoo.security import ACL, Id, Permissions, make_acl, make_digest_acl

WRITERS = 6
SESSION_SECONDS = 10
# After a request that got no answer nobody knows its outcome; these say so.
UNKNOWN = (ConnectionLoss, OperationTimeoutError, SessionExpiredError)


def connect(hosts):
    client = KazooClient(hosts=hosts, timeout=SESSION_SECONDS, connection_retry={"max_tries": -1, "delay": 0.05, "max_delay": 0.2})
    client.start(timeout=30)
    return client


def expect(error, action):
    try:
        action()
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")


def within(seconds, condition, what):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"{what}: not within {seconds} s"
        time.sleep(0.01)


def basics(hosts):
    # One client at each server: what one writes, the others see.
    clients = [connect(host) for host in hosts.split(",")]
    first, second, third = clients

    assert first.create("/basics", b"one") == "/basics"
    expect(NodeExistsError, lambda: second.create("/basics", b""))
    second.sync("/basics")
    data, stat = second.get("/basics")
    assert (data, stat.version, stat.dataLength) == (b"one", 0, 3), (data, stat)
    stat = second.set("/basics", b"two", version=0)
    assert stat.version == 1 and stat.czxid < stat.mzxid, stat
    expect(BadVersionError, lambda: third.set("/basics", b"late", version=0))
    expect(NoNodeError, lambda: third.get("/absent"))
    assert third.exists("/absent") is None

    # Watches fire once, at another server than the one that is written to.
    seen = []
    third.sync("/basics")
    assert third.get("/basics", watch=seen.append)[0] == b"two"
    third.get_children("/basics", watch=seen.append)
    third.exists("/basics/child", watch=seen.append)
    first.set("/basics", b"three")
    first.create("/basics/child", b"")
    within(10, lambda: len(seen) == 3, "three watches")
    kinds = sorted((event.type, event.path) for event in seen)
    assert kinds == [("CHANGED", "/basics"), ("CHILD", "/basics"), ("CREATED", "/basics/child")], kinds
    first.set("/basics", b"four")
    expect(NotEmptyError, lambda: first.delete("/basics"))
    first.delete("/basics/child")

    # Sequential znodes count up, whoever makes them.
    names = [client.create("/basics/n-", b"", sequence=True) for client in clients for _ in range(3)]
    assert names == sorted(names) and len(set(names)) == 9, names
    third.sync("/basics")
    assert ["/basics/" + name for name in sorted(third.get_children("/basics"))] == names

    # An ephemeral znode belongs to its session and goes with it.
    owner = connect(hosts)
    owner.create("/basics/alive", b"", ephemeral=True)
    first.sync("/basics")
    assert first.exists("/basics/alive").ephemeralOwner == owner.client_id[0]
    gone = threading.Event()
    second.sync("/basics")
    assert second.exists("/basics/alive", watch=lambda event: gone.set()) is not None
    owner.stop()
    owner.close()
    assert gone.wait(10), "the ephemeral znode outlived its session"

    # A transaction happens as a whole or not at all.
    transaction = first.transaction()
    transaction.create("/basics/t", b"1")
    transaction.set_data("/basics", b"five")
    transaction.check("/basics", 4)
    created, changed, checked = transaction.commit()
    assert created == "/basics/t" and changed.version == 4 and checked is True, (created, changed, checked)
    transaction = first.transaction()
    transaction.delete("/basics/t")
    transaction.check("/basics", 99)
    results = transaction.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], BadVersionError), results
    assert first.exists("/basics/t") is not None

    assert len(seen) == 3, f"a watch fired twice: {seen}"
    for client in clients:
        client.stop()
        client.close()


class Writer(threading.Thread):
    """Writes one after the other and remembers what was acknowledged, and when."""

    def __init__(self, number, hosts):
        super().__init__(daemon=True)
        self.home = f"/load/{number}"
        self.client = connect(hosts)
        self.session = self.client.client_id[0]
        self.lost = False
        self.client.add_listener(self.listen)
        self.client.create(self.home + "-alive", b"", ephemeral=True)
        self.client.create(self.home, b"-1")
        self.acknowledged = []
        self.times = []
        self.value = -1
        self.failure = None
        self.stopping = False

    def listen(self, state):
        if state == KazooState.LOST and not self.stopping:
            self.lost = True

    def run(self):
        number = 0
        while not self.stopping:
            try:
                self.client.create(f"{self.home}/{number:06}", b"%d" % number)
                self.acknowledged.append(number)
                self.times.append(time.monotonic())
                self.client.set(self.home, b"%d" % number)
                self.value = number
                self.times.append(time.monotonic())
            except UNKNOWN:
                time.sleep(0.01)
            except KazooException as error:
                self.failure = repr(error)
                return
            number += 1
            time.sleep(0.001)


def access(hosts):
    here, there, _ = hosts.split(",")
    anyone, otter, root = connect(here), connect(there), connect(here)
    otter.add_auth("digest", "otter:raft")
    root.add_auth("digest", "super:test")

    # What a digest protects, at another server than the one that wrote it.
    otter.create("/mine", b"secret", acl=[make_digest_acl("otter", "raft", all=True)])
    anyone.sync("/mine")
    for refused in (
        lambda: anyone.get("/mine"),
        lambda: anyone.exists("/mine"),
        lambda: anyone.get_children("/mine"),
        lambda: anyone.get_acls("/mine"),
        lambda: anyone.set("/mine", b""),
        lambda: anyone.create("/mine/x", b""),
        lambda: anyone.set_acls("/mine", [make_acl("world", "anyone", all=True)]),
    ):
        expect(NoAuthError, refused)
    assert root.get("/mine")[0] == b"secret"
    assert otter.get("/mine")[0] == b"secret"

    # Masked for those who may only read, versions of its own, and auth stands for whoever asks.
    readable = [make_acl("auth", "", all=True), make_acl("world", "anyone", read=True)]
    stat = otter.set_acls("/mine", readable, version=0)
    assert (stat.aversion, stat.version) == (1, 0), stat
    expect(BadVersionError, lambda: otter.set_acls("/mine", readable, version=0))
    anyone.sync("/mine")
    acls, _ = anyone.get_acls("/mine")
    assert acls[0] == ACL(Permissions.ALL, Id("digest", "otter:x")), acls
    acls, _ = otter.get_acls("/mine")
    assert acls[0].id.id.startswith("otter:") and acls[0].id.id != "otter:x", acls
    for bad in ([make_acl("auth", "", all=True)], [make_acl("ip", "10.0.0.0/40", all=True)], [make_acl("no", "x", all=True)]):
        expect(InvalidACLError, lambda: anyone.create("/bad", b"", acl=bad))

    # By address, and a delete is the parent's affair.
    root.create("/local", b"", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    root.create("/elsewhere", b"", acl=[make_acl("ip", "10.0.0.0/8", all=True)])
    anyone.sync("/")
    anyone.get("/local")
    expect(NoAuthError, lambda: anyone.get("/elsewhere"))
    anyone.delete("/elsewhere")

    # Whoever may not read is told nothing.
    heard = []
    otter.create("/mine/quiet", b"", acl=[make_acl("world", "anyone", all=True)])
    anyone.sync("/mine")
    assert anyone.exists("/mine/quiet", watch=heard.append) is not None
    otter.set_acls("/mine/quiet", [make_digest_acl("otter", "raft", all=True)])
    otter.set("/mine/quiet", b"1")
    otter.set_acls("/mine/quiet", [make_acl("world", "anyone", all=True)])
    anyone.sync("/mine")
    anyone.get("/mine/quiet", watch=heard.append)
    otter.set("/mine/quiet", b"2")
    within(10, lambda: heard, "the second watch")
    time.sleep(0.2)
    assert len(heard) == 1, heard

    # SASL, and what is no proof.
    sasl = {"mechanism": "DIGEST-MD5", "username": "beaver", "password": "dam"}
    beaver = KazooClient(hosts=here, timeout=SESSION_SECONDS, sasl_options=sasl)
    beaver.start(timeout=30)
    beaver.create("/dam", b"", acl=[make_acl("sasl", "beaver", all=True)])
    beaver.set("/dam", b"logs")
    expect(NoAuthError, lambda: otter.get("/dam") if otter.sync("/dam") else None)
    liar = KazooClient(hosts=here, timeout=SESSION_SECONDS, sasl_options=sasl | {"password": "no"}, connection_retry={"max_tries": 1})
    liar.start(timeout=5)
    within(10, lambda: not liar.connected, "the end of whoever cannot prove it")
    expect(AuthFailedError, lambda: connect(here).add_auth("world", "anyone"))

    # Quotas, as zkCli sets them.
    root.create("/zookeeper/quota/small/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3", makepath=True)
    root.create("/zookeeper/quota/small/zookeeper_stats", b"count=0,bytes=0")
    root.create("/small", b"12345")
    root.create("/small/a", b"12345")
    expect(QuotaExceededError, lambda: root.create("/small/b", b"1"))
    expect(QuotaExceededError, lambda: root.set("/small/a", b"123456"))
    root.create("/small/b", b"")
    expect(QuotaExceededError, lambda: root.create("/small/c", b""))
    assert root.get("/zookeeper/quota/small/zookeeper_stats")[0] == b"count=3,bytes=10"
    root.delete("/small/b")
    root.create("/small/c", b"")

    # The members: everybody reads them, and only the superuser changes them.
    text = anyone.get("/zookeeper/config")[0].decode()
    assert text.count("participant") == 3 and "version=" in text, text
    expect(NoAuthError, lambda: anyone.reconfig(joining=None, leaving="3", new_members=None))
    expect(BadVersionError, lambda: root.reconfig(joining=None, leaving="3", new_members=None, from_config=1))
    expect(BadArgumentsError, lambda: root.reconfig(joining="nonsense", leaving=None, new_members=None))
    expect(BadArgumentsError, lambda: root.reconfig(joining=None, leaving="1,2,3", new_members=None))
    data, stat = root.reconfig(joining=None, leaving="3", new_members=None)
    assert data.decode().count("participant") == 2 and stat.version == -1, (data, stat)

    for client in (anyone, otter, root, beaver):
        client.stop()
        client.close()
    print("* access lists, SASL, quotas and reconfig are as kazoo expects them")


def load(hosts, record):
    setup = connect(hosts)
    setup.create("/load", b"")
    writers = [Writer(number, hosts) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    print("running", flush=True)
    kills = []
    for _ in sys.stdin:
        kills.append(time.monotonic())
    for writer in writers:
        writer.stopping = True
    for writer in writers:
        writer.join(30)

    times = sorted(moment for writer in writers for moment in writer.times)
    gaps = []
    for begin, end in zip(kills, kills[1:] + [times[-1]]):
        around = [moment for moment in times if begin - 1 <= moment <= end]
        gaps.append(max(late - early for early, late in zip(around, around[1:]) if begin <= late))
    total = sum(len(writer.times) for writer in writers)
    print(f"* {total} acknowledged writes in {times[-1] - times[0]:.1f} s, {len(kills)} leaders killed")
    print("* longest gap in writes over each kill: " + ", ".join(f"{gap * 1000:.0f} ms" for gap in gaps))

    for writer in writers:
        assert writer.failure is None, writer.failure
        assert not writer.is_alive(), f"{writer.home} hangs"
        assert not writer.lost, f"the session of {writer.home} was lost"
        assert writer.client.client_id[0] == writer.session, f"{writer.home} has another session now"
        alive = writer.client.exists(writer.home + "-alive")
        assert alive is not None and alive.ephemeralOwner == writer.session, f"{writer.home}: {alive}"
    with open(record, "w") as file:
        json.dump([[writer.home, writer.acknowledged, writer.value] for writer in writers], file)
    for client in [setup] + [writer.client for writer in writers]:
        client.stop()
        client.close()


def verify(hosts, record):
    with open(record) as file:
        homes = json.load(file)
    checked = 0
    for host in hosts.split(","):
        client = connect(host)
        for home, acknowledged, value in homes:
            client.sync(home)
            there = set(client.get_children(home))
            missing = [number for number in acknowledged if f"{number:06}" not in there]
            assert not missing, f"{host}: {home} lost {missing[:20]}"
            last = int(client.get(home)[0])
            assert value <= last, f"{host}: {home} is {last}, {value} was acknowledged"
            for number in acknowledged[:: max(1, len(acknowledged) // 20)]:
                data, _ = client.get(f"{home}/{number:06}")
                assert data == b"%d" % number, f"{host}: {home}/{number} holds {data}"
            checked += len(acknowledged)
        client.stop()
        client.close()
    assert checked, "nothing was acknowledged"
    print(f"* {checked} acknowledged writes looked up, each at every server")


def locks(hosts, path, clients, each):
    def count():
        client = connect(hosts)
        for _ in range(int(each)):
            with client.Lock("/mixed", "kazoo"):
                with open(path) as file:
                    number = int(file.read())
                time.sleep(0.02)
                with open(path, "w") as file:
                    file.write(f"{number + 1}\n")
        client.stop()
        client.close()

    failures = []
    threading.excepthook = failures.append
    threads = [threading.Thread(target=count) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


if __name__ == "__main__":
    {"access": access, "basics": basics, "load": load, "verify": verify, "locks": locks}[sys.argv[1]](*sys.argv[2:])
