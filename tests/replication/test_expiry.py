"""Time to live in two regions that do not hear of each other: each expires what it has, and the ordinary rules decide afterwards."""

import time

import pytest

from harness import Cluster, wait_for

LONG_OVER = 3600  # every region deletes it, and not only the one that wrote it


@pytest.fixture
def pair(tmp_path):
    with Cluster(tmp_path, 2) as regions:
        yield regions


def put(region, key, seconds):
    item = {"id": {"S": key}, "by": {"S": region.name}, "until": {"N": str(int(time.time()) + seconds)}}
    region.client().call("PutItem", TableName="sessions", Item=item)


def switch(region, on):
    specification = {"Enabled": on, "AttributeName": "until"}
    region.client().call("UpdateTimeToLive", TableName="sessions", TimeToLiveSpecification=specification)


def keys(region):
    return {item["id"]["S"] for item in region.client().scan("sessions")}


def test_what_expires_in_both_regions_at_once_is_no_conflict_and_what_was_rewritten_meanwhile_is_one(pair):
    here, there = pair
    pair.create_table("sessions")
    for key in ("both", "overtaken", "rewritten"):
        put(here, key, -LONG_OVER)
    put(here, "kept", LONG_OVER)
    pair.wait_converged(60)
    pair.cut(here, there)

    put(there, "overtaken", LONG_OVER)  # and afterwards it expires here, where nobody knows of that
    switch(here, True)
    wait_for("all that is over has gone here", lambda: keys(here) == {"kept"}, 60)
    assert keys(there) == {"both", "overtaken", "rewritten", "kept"}
    put(there, "rewritten", LONG_OVER)  # after it has expired here
    switch(there, True)
    wait_for("what is over has gone there", lambda: keys(there) == {"overtaken", "rewritten", "kept"}, 60)

    pair.heal(here, there)
    pair.wait_converged(60)
    log = pair.assert_identical("sessions")
    assert keys(here) == {"rewritten", "kept"}
    assert {(entry["Key"]["M"]["id"]["S"], entry["LoserRegion"]["S"], "Loser" in entry, "Winner" in entry) for entry in log} == {
        ("overtaken", there.name, True, False),
        ("rewritten", here.name, False, True),
    }
    pair.stop_and_check()


def test_switching_it_off_keeps_what_is_over(pair):
    here, there = pair
    pair.create_table("sessions")
    switch(here, True)
    put(here, "goes", -LONG_OVER)
    wait_for("it expires", lambda: keys(here) == set(), 60)
    switch(here, False)
    put(here, "stays", -LONG_OVER)
    pair.wait_converged(60)
    # Another table's item shows that rounds go by.
    pair.create_table("marks")
    client = there.client()
    client.call("UpdateTimeToLive", TableName="marks", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
    for n in range(2):
        client.call("PutItem", TableName="marks", Item={"id": {"S": str(n)}, "until": {"N": str(int(time.time()) - 1)}})
        wait_for("a round has passed", lambda: not client.scan("marks"), 60)
    assert keys(here) == keys(there) == {"stays"}
