"""
Disks that fill, fail and lie, under load: a region says so, refuses what it cannot keep, serves what is sound, and comes back by itself.
Whatever is done to it, what was acknowledged is there afterwards, once, and nothing is half: also after a kill at the worst moment.
"""

import errno
import http.client
import time

import pytest

from dynamo import Dynamo, DynamoError
from faults import SYNC_FAILS, SYNC_LOSES, WRITE_FAILS, WRITE_SHORT, Disk
from process import Api
from workload import Load, make_table

SECONDS = 30  # for what takes one or two


@pytest.fixture
def region(tmp_path):
    api = Api(tmp_path)
    api.faults = Disk(tmp_path)
    api.environment = api.faults.environment
    api.start()
    make_table(api.port)
    try:
        yield api
    except BaseException:
        print(api.tail())
        raise
    finally:
        if api.process is not None:
            api.kill()


def load_until(api, load, what, condition):
    """Clients write, over and over where they are refused, until something has happened."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {SECONDS} s:\n{api.tail()}"
        assert api.process.poll() is None, f"the process ended:\n{api.tail()}"
        if not any(client.is_alive() for client in load.clients):
            load.join()
            settle(api, load)
            load.run(api.port)
        time.sleep(0.002)
    end(api, load)


def end(api, load):
    """Clients end at their next answer; the region goes on."""
    load.stop()
    load.join()


def settle(api, load):
    """What has no answer is decided: the region is asked, once it takes writes and so holds all that it ever will."""
    if writes(api):
        load.verify(api.port)
    else:
        load.keep()


def writes(api):
    """Does it take a write now?"""
    client = Dynamo(api.port)
    try:
        client.call("PutItem", TableName="crash", Item={"id": {"S": "probe"}})
        client.call("DeleteItem", TableName="crash", Key={"id": {"S": "probe"}})
        return True
    except (DynamoError, OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def reads(api):
    client = Dynamo(api.port)
    try:
        return client.scan("crash") is not None
    finally:
        client.close()


def healed(api):
    api.wait("write that is taken", lambda: writes(api))
    api.wait("sound disk in its status", lambda: (api.disk() or {}).get("state") == "ok")


def live_and_die(api, load):
    """Under load once more, killed, started: all is there and the folder is whole."""
    load.verify(api.port)
    before = load.acknowledged()
    load.run(api.port)
    api.wait("progress", lambda: load.acknowledged() > before + 50)
    api.kill()
    load.join()
    api.start()
    load.verify(api.port)
    assert api.stop() == 0, api.tail()
    assert api.check() == ""


# --- a disk that has no more room ---

FULL = [
    # what may not be written to any more; after how many bytes; what the region says
    pytest.param("/data/", 30000, ("full", "sealed"), id="everything"),
    pytest.param("/journal/", 30000, ("full",), id="the journal, amid a group"),
    pytest.param("/journal/", 1500000, ("full",), id="the journal, at its second segment"),
    pytest.param("/store/", 100000, ("sealed",), id="the store's log"),
    pytest.param(".ldb", 100, ("sealed",), id="the store's compaction"),
    pytest.param("MANIFEST", 0, ("sealed",), id="the store's manifest"),
]


@pytest.mark.parametrize("match, after, says", FULL)
def test_a_full_disk_is_refused_and_comes_back_by_itself(region, match, after, says):
    load = Load(1)
    load.run(region.port)
    rule = region.faults.rule(WRITE_FAILS, match, errno.ENOSPC, after)
    region.faults.full("disk-probe")
    pid = region.process.pid
    load_until(region, load, "state", lambda: (region.disk() or {}).get("state") in says)
    assert region.faults.struck(rule) > 0
    disk = region.disk()
    assert disk["code"] in ("FULL", "IO", "UNKNOWN") and disk["reason"], disk
    assert disk["writes_refused"] > 0 or "sealed" in says, disk
    assert region.logged("SHARD-FULL") or region.logged("SHARD-SEALED")
    assert not writes(region)
    assert reads(region), "what was published is served"
    if disk["state"] == "sealed":
        region.wait_log("API-SEALED")
        assert not region.logged("API-RENEW"), "the disk is still full"
    region.faults.mend()
    healed(region)
    assert region.process.pid == pid and region.process.poll() is None
    live_and_die(region, load)


def test_a_region_that_is_killed_on_a_full_disk_waits_for_room(region):
    load = Load(2)
    load.run(region.port)
    region.faults.full("/data/")
    load_until(region, load, "full disk", lambda: (region.disk() or {}).get("state") in ("full", "sealed"))
    region.kill()
    mark = region.mark()
    region.start(wait=False)
    region.wait_log("API-WAITS", mark)
    region.faults.mend()
    region.wait_log("API-READY", mark)
    live_and_die(region, load)


def test_a_checkpoint_that_finds_no_room_costs_only_time(region):
    load = Load(3)
    rule = region.faults.rule(WRITE_FAILS, "/checkpoint-", errno.ENOSPC)
    load.run(region.port)
    load_until(region, load, "checkpoint", lambda: region.faults.struck(rule) > 0)
    region.wait("count", lambda: region.disk()["checkpoints_failed"] > 0)
    assert region.logged("MAINTENANCE-FAILED")
    assert writes(region) and region.disk()["state"] == "ok"
    live_and_die(region, load)


def test_short_writes_are_finished(region):
    load = Load(4)
    rule = region.faults.rule(WRITE_SHORT, "/data/", after=20000, times=200)
    load.run(region.port)
    load_until(region, load, "short writes", lambda: region.faults.struck(rule) == 200)
    assert region.disk()["state"] == "ok" and region.disk()["writes_refused"] == 0
    live_and_die(region, load)


# --- a sync that fails once, and then succeeds ---

SYNCS = [
    pytest.param("/journal/", 40, "SHARD-SEALED", id="an append"),
    pytest.param(".tmp", 0, "JOURNAL-INDEX", id="a segment's index"),
    pytest.param(".ldb", 0, "SHARD-SEALED", id="the store's table"),
    pytest.param("MANIFEST", 0, "SHARD-SEALED", id="the store's manifest"),
    pytest.param("/data/store", 20, "SHARD-SEALED", id="the store's folder and files"),
    pytest.param("/checkpoint-", 0, "MAINTENANCE-FAILED", id="a checkpoint"),
]


@pytest.mark.parametrize("match, after, says", SYNCS)
@pytest.mark.parametrize("what", [SYNC_FAILS, SYNC_LOSES], ids=["keeps", "loses"])
@pytest.mark.parametrize("then", ["goes on", "is killed"])
def test_a_sync_that_fails_once_acknowledges_nothing_that_is_not_on_disk(region, match, after, says, what, then):
    """The next sync succeeds, whether the bytes are still there or not."""
    load = Load(5)
    rule = region.faults.rule(what, match, errno.EIO, after, times=1)
    mark, pid = region.mark(), region.process.pid
    load.run(region.port)
    load_until(region, load, says, lambda: region.logged(says, mark))
    assert region.faults.struck(rule) == 1
    if then == "is killed":
        region.kill()
        region.start()
    elif says == "SHARD-SEALED":
        region.wait_log("API-RENEW", mark)
        region.wait("second start", lambda: len(region.logged("API-READY")) == 2)
        assert region.process.pid == pid
    healed(region)
    live_and_die(region, load)


def test_the_sync_of_a_new_folder_s_identity_fails_the_start_and_leaves_nothing_half(tmp_path):
    api, disk = Api(tmp_path), Disk(tmp_path)
    api.environment = disk.environment
    rule = disk.rule(SYNC_FAILS, "/identity", times=1)
    api.start(wait=False)
    assert api.process.wait(SECONDS) == 1, api.tail()
    assert disk.struck(rule) == 1 and "identity" in api.tail()
    api.process = None
    api.start()
    assert api.stop() == 0
    assert api.check() == ""


def test_a_disk_that_goes_on_failing_is_not_asked_all_the_time(region):
    """Each renewal that does not help makes the next wait longer; meanwhile reads are served."""
    load = Load(6)
    region.faults.rule(SYNC_FAILS, "/journal/", after=20)
    load.run(region.port)
    load_until(region, load, "renewal", lambda: len(region.logged("API-RENEW")) >= 1)
    region.wait("trace", lambda: region.logged("API-WAITS") or len(region.logged("API-READY")) > 1)
    region.faults.mend()
    healed(region)
    live_and_die(region, load)


def test_a_write_error_that_passes_refuses_and_goes_on(region):
    load = Load(7)
    rule = region.faults.rule(WRITE_FAILS, "/journal/", errno.EIO, 20000, times=3)
    load.run(region.port)
    load_until(region, load, "error", lambda: region.faults.struck(rule) == 3)
    assert region.logged("SHARD-FAILING") and not region.logged("SHARD-SEALED")
    healed(region)
    assert not region.logged("API-RENEW")
    live_and_die(region, load)


def test_sigterm_amid_a_renewal_ends_the_process(region):
    load = Load(8)
    region.faults.rule(SYNC_FAILS, "/journal/", errno.EIO, 20, times=1)
    load.run(region.port)
    load_until(region, load, "renewal", lambda: region.logged("API-RENEW") or region.logged("SHARD-SEALED"))
    assert region.stop() in (0, -15), region.tail()
    region.start()
    healed(region)
    live_and_die(region, load)
