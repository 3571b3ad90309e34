"""A few minutes of scenarios on real processes, as `chaos/run` runs them; TIDEMARK_LONG runs them all."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest

import scenario
from checker import Checker
from history import load
from world import World

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN, SCENARIOS = ROOT / "chaos" / "run", ROOT / "chaos" / "scenarios"
FEW = ["bridge", "kill-9", "power-cut", "wiped-region", "killed-schema-change", "everything"]
CHOSEN = sorted(path.stem for path in SCENARIOS.glob("*.chaos")) if os.environ.get("TIDEMARK_LONG") else FEW
SHORT = """# Two regions, a cut, and the checks.
regions 2
workload register clients 2 keys 4
workload append clients 1 keys 2
during 1s
partition us-east-1 | eu-west-1
during 2s
heal
converge 60s
check
"""


def run(*arguments):
    return subprocess.run([sys.executable, RUN, *map(str, arguments)], capture_output=True, text=True, timeout=400)


@pytest.mark.parametrize("name", CHOSEN)
def test_scenario(name):
    done = run(name, "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_proxy_stands_in_for_namespaces(tmp_path):
    path, page = tmp_path / "short.chaos", tmp_path / "report.html"
    path.write_text(SHORT.replace("during 2s", "network all <-> all delay 10ms loss 5%\nduring 2s"))
    done = run(path, "--proxy", "--report", page)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the proxy stands in" in done.stdout and "left out: network: loss" in done.stdout
    text = page.read_text()
    assert "Left out" in text and text.count("<svg") == text.count("</svg>") >= 5
    assert not re.search(r"(src|href)\s*=|url\(|@import", text), "the report must stand alone"


def test_what_a_run_recorded_does_not_pass_when_it_is_falsified(monkeypatch):
    """The same history and the same regions, with one acknowledged write taken out of what they hold; with an older read; without a log entry."""
    world = World(scenario.parse(SHORT, "short.chaos"), 7)
    taken = {}

    class Listening(Checker):
        def __init__(self, ops, final, conflicts, resets, dropped):
            taken.update(final=final, conflicts=conflicts)
            super().__init__(ops, final, conflicts, resets, dropped)

    monkeypatch.setattr("world.Checker", Listening)
    result = world.run()
    ops = load([one.out for one in world.clients])
    world.remove()
    assert result.passed, (result.failure, result.findings)
    assert any(op.outcome == "ok" and op.writes for op in ops) and any(taken["conflicts"].values())

    def rules(final=taken["final"], conflicts=taken["conflicts"]):
        return {rule for rule, _ in Checker(ops, final, conflicts).run()}

    assert rules() == set()
    without = {region: [entry for entry in entries if not entry["loser"]] for region, entries in taken["conflicts"].items()}
    assert "lost" in rules(conflicts=without)
    key = next(key for key in taken["final"]["us-east-1"] if ".us-east-1." in key)
    assert rules(final={region: {k: v for k, v in items.items() if k != key} for region, items in taken["final"].items()}) & {"lost", "final"}
    older = next(op for op in ops if op.f == "get" and op.saw and ".us-east-1." in op.key and op.old != taken["final"]["us-east-1"].get(op.key))
    ops.append(type(older)(**{**vars(older), "call": ops[-1].call + 10**9, "end": ops[-1].call + 2 * 10**9}))
    assert {"linearizable", "causal"} <= rules()


def test_an_interrupted_run_leaves_nothing_behind(tmp_path):
    path = tmp_path / "long.chaos"
    path.write_text(SHORT.replace("during 2s", "during 10m"))
    with subprocess.Popen([sys.executable, RUN, path], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        for line in process.stdout:
            if "partition" in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    assert not list(pathlib.Path(tempfile.gettempdir()).glob("tidemark-chaos-long-*"))
    prefix = f"td{process.pid}"
    assert prefix not in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    deadline = time.monotonic() + 20
    while of_session(process.pid):
        assert time.monotonic() < deadline, of_session(process.pid)
        time.sleep(0.05)


def of_session(session):
    """Processes that the run started and that still live."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(entry.parent.name)
    return found


def test_a_wrong_scenario_is_usage(tmp_path):
    path = tmp_path / "wrong.chaos"
    path.write_text("# Nothing.\nexplode\n")
    done = run(path)
    assert done.returncode == 2 and "wrong.chaos:2" in done.stderr
    assert run("no-such-scenario").returncode == 2


def test_soak_composes_sound_scenarios():
    from compose import compose

    seen = set()
    for seed in range(200):
        text = compose(random.Random(seed))
        seen |= {statement.word for statement in scenario.parse(text, f"soak-{seed}").walk()}
        assert compose(random.Random(seed)) == text, "one seed, one scenario"
    assert {"partition", "cut", "network", "kill", "pause", "power-cut", "clock", "disk", "forget", "crash-loop"} <= seen, json.dumps(sorted(seen))
