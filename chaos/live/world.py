"""A run of one scenario: regions, network, clients; what happened; and the verdict."""

import contextlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

from checker import Checker
from actions import Actions
from history import load
from network import Ports, Spaces, sh, spaces_missing
from region import COMMAND, UNREACHED, WIRE, Failed, Region, die_with_parent, wait_for
from scenario import REGIONS
from timeline import Sampler, Timeline, per_second
from clients import state_of

HERE = pathlib.Path(__file__).resolve().parent
CONFLICTS = "tidemark.conflicts"
SETUP_SECONDS = 90
RESTART_PAUSE = 0.3


def sweep():
    """Namespaces of runs that were killed themselves."""
    listed = sh("ip", "netns", "list", check=False).stdout
    for match in re.finditer(r"^(td(\d+)(?:hub|r\d+))\b", listed, re.M):
        if not pathlib.Path("/proc", match[2]).exists():
            sh("ip", "netns", "del", match[1], check=False)


def free_port():
    from harness import free_port as found

    return found()


class Result:
    """What a run has shown."""

    def __init__(self, scenario, seed, network):
        self.scenario, self.seed, self.network = scenario, seed, network
        self.failure, self.findings, self.left_out = None, [], []
        self.timeline, self.samples, self.rates, self.counts = None, {}, {}, {}
        self.seconds, self.folder, self.why_proxy = 0.0, None, None

    @property
    def passed(self):
        return self.failure is None and not self.findings


class Clients:
    """The program that is one region's clients of some workloads."""

    def __init__(self, world, region, loads, number):
        self.region, self.out = region, world.folder / f"history-{region.name}-{number}.jsonl"
        host, port = world.network.api(region.name)
        options = {"region": region.name, "port": port, "out": str(self.out), "seed": world.seed, "loads": loads}
        self.log = open(world.folder / f"clients-{region.name}-{number}.log", "wb")
        self.process = subprocess.Popen(
            [*world.network.prefix_of(region.name), sys.executable, HERE / "clients.py", json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=die_with_parent,
        )  # fmt: skip
        self.mark = 0

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "ok\n":
            raise Failed(f"{self.region.name}: the clients ended")

    def writes_since(self):
        """Writes acknowledged since mark()."""
        invoked, done = set(), 0
        if not self.out.exists():
            return 0
        with open(self.out) as lines:
            lines.seek(self.mark)
            for text in lines:
                with contextlib.suppress(ValueError):
                    line = json.loads(text)
                    if "o" not in line:
                        invoked.add(line["i"]) if line["f"] != "get" else None
                    elif line["o"] == "ok" and line["i"] in invoked:
                        done += 1
        return done

    def set_mark(self):
        self.mark = self.out.stat().st_size if self.out.exists() else 0
        # A line that is being written belongs to what was before.
        if self.mark:
            with open(self.out, "rb") as file:
                file.seek(self.mark)
                self.mark += len(file.readline()) if file.read(0) else 0

    def end(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class World(Actions):
    def __init__(self, scenario, seed, proxy=False, say=lambda text: None):
        self.scenario, self.seed, self.say = scenario, seed, say
        self.chance = random.Random(seed)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"tidemark-chaos-{scenario.name}-"))
        self.regions, self.network, self.clients, self.samplers = [], None, [], []
        self.tables, self.dropped, self.resets = {}, [], []
        self.indexes = set()  # (table, name)
        self.expiring = set()  # tables that have time to live
        self.quiet, self.drained, self.picked, self.since = set(), set(), None, {}
        self.timeline = Timeline()
        self.forced_proxy = proxy
        self.result = Result(scenario, seed, "")
        self.result.folder, self.result.timeline = self.folder, self.timeline

    # --- a run ---

    def run(self):
        """Never raises for what the scenario shows: it is in the result. Everything is removed again but the folder."""
        self.tidy = contextlib.ExitStack()
        try:
            with self.tidy:
                self.set_up()
                self.execute(self.scenario.statements)
        except Failed as failure:
            self.result.failure = str(failure)
        except UNREACHED as error:
            self.result.failure = f"unexpected: {error!r}"
        self.timeline.close()
        self.result.seconds = self.timeline.now()
        self.summarize()
        return self.result

    def set_up(self):
        sweep()
        names = REGIONS[: self.scenario.regions]
        why = "--proxy was asked for" if self.forced_proxy else spaces_missing(WIRE)
        if why is None:
            self.network = Spaces(names, WIRE, self.seed)
        else:
            self.result.why_proxy = f"no network namespaces ({why}): the proxy stands in for them; packet faults are left out"
            self.say(self.result.why_proxy)
            self.network = Ports(names, free_port)
        self.tidy.callback(self.network.close)
        self.result.network = self.network.kind
        for number, name in enumerate(names, 1):
            region = Region(self.folder, name, number, self.network)
            self.tidy.callback(region.close)
            self.regions.append(region)
            if self.scenario.disks:
                region.mount(self.scenario.disks)
        if self.scenario.tls:
            sh(HERE.parents[1] / "deploy" / "test-ca", self.folder / "certificates", *names)
        for region in self.regions:
            region.configure(self.regions, self.scenario.settings, self.folder / "certificates" if self.scenario.tls else None)
            region.start("api", ready=False)
        for region in self.regions:
            region.wait_ready(SETUP_SECONDS)
            region.start("replicator")
        wait_for("every region may write", lambda: all((r.status() or {}).get("may_write") for r in self.regions), SETUP_SECONDS, self.watch)
        if not any(s.word == "table" and s.arguments["name"] == "chaos" for s in self.scenario.walk()):
            self.make_table("chaos", self.regions)
        for region in self.regions:
            sampler = Sampler(region, self.timeline)
            self.samplers.append(sampler)
            sampler.start()
        self.tidy.callback(self.stop_samplers)
        self.tidy.callback(self.end_clients)

    def stop_samplers(self):
        for sampler in self.samplers:
            sampler.stop()
        for sampler in self.samplers:
            sampler.join(10)
            self.result.samples[sampler.region.name] = sampler.samples

    def end_clients(self):
        for one in self.clients:
            one.end()

    def execute(self, statements):
        at = 0
        while at < len(statements):
            statement = statements[at]
            at += 1
            try:
                if statement.word == "workload":
                    together = [statement]
                    while at < len(statements) and statements[at].word == "workload":
                        together.append(statements[at])
                        at += 1
                    self.start_clients(together)
                elif statement.word == "repeat":
                    for _ in range(statement.arguments["times"]):
                        self.execute(statement.body)
                else:
                    if statement.word != "during":
                        self.say(f"{self.timeline.now():7.1f}  {statement.text}")
                    getattr(self, "do_" + statement.word.replace("-", "_"))(**{
                        {"from": "near", "to": "far", "for": "lasting"}.get(key, key): value for key, value in statement.arguments.items()
                    })
            except Failed as failure:
                if str(failure).startswith("line "):
                    raise
                raise Failed(f"line {statement.line}, '{statement.text}': {failure}") from None

    # --- regions, tables, clients ---

    def pick(self, words):
        """Selectors to regions: `any` is drawn, `same` is what was drawn last, `others` are all but that."""
        found = []
        for word in words:
            if word == "all":
                some = self.regions
            elif word == "any":
                self.picked = self.chance.choice(self.regions)
                some = [self.picked]
            elif word in ("same", "others"):
                if self.picked is None:
                    raise Failed(f"'{word}' without an 'any' before it")
                some = [r for r in self.regions if (r is self.picked) == (word == "same")]
            else:
                some = [region for region in self.regions if region.name == word]
            found += [region for region in some if region not in found]
        return found

    def watch(self):
        """What must be true at any time; a supervised process is started again."""
        for region in self.regions:
            for kind in region.fallen():
                if not self.scenario.supervise:
                    raise Failed(f"{region.name}: {kind} ended by itself with {region.processes[kind].poll()}:\n{region.tail(kind)}")
                self.timeline.mark("process", f"{kind} ended by itself and is started again", region.name)
                time.sleep(RESTART_PAUSE)
                region.start(kind, ready=False)
        for one in self.clients:
            if one.process.poll() is not None:
                raise Failed(f"{one.region.name}: the clients ended: {pathlib.Path(one.log.name).read_text()[-2000:]}")

    def pause(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
            self.watch()

    def state_of_table(self, table, region):
        try:
            return region.call("DescribeTable", TableName=table)["Table"]["TableStatus"]
        except UNREACHED as error:
            if getattr(error, "name", "") == "ResourceNotFoundException":
                return "gone"
            raise

    def wait_table(self, table, region, seconds=SETUP_SECONDS):
        wait_for(
            f"{region.name}: table {table} is ACTIVE", lambda: self.state_of_table(table, region) == "ACTIVE", seconds, self.watch
        )

    def make_table(self, name, regions):
        first = regions[0]
        first.call(
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        self.wait_table(name, first)
        for region in regions[1:]:
            first.call("UpdateTable", TableName=name, ReplicaUpdates=[{"Create": {"RegionName": region.name}}])
            self.wait_table(name, region)
            self.wait_table(name, first)
        self.tables[name] = list(regions)

    def start_clients(self, statements):
        loads = {region: [] for region in self.regions}
        for statement in statements:
            self.say(f"{self.timeline.now():7.1f}  {statement.text}")
            load = {"table": "chaos", **statement.arguments}
            regions = [region for region in self.pick(load.pop("at", ["all"])) if region in self.tables.get(load["table"], ())]
            for region in regions:
                loads[region].append({**load, "at": f"{statement.line}", "regions": [one.name for one in regions]})
        for table in sorted({load["table"] for some in loads.values() for load in some if load["kind"] == "ttl"} - self.expiring):
            region = self.tables[table][0]
            region.call("UpdateTimeToLive", TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "x"})
            self.expiring.add(table)
        for region, some in loads.items():
            if some:
                self.clients.append(Clients(self, region, some, len(self.clients)))

    # --- the verdict ---

    def do_check(self):
        """Everything is collected, the regions end cleanly, their folders are verified, and the checker decides."""
        self.end_clients()
        final, conflicts = {}, {}
        ended = time.monotonic_ns()
        for region in self.regions:
            items = {}
            for table, regions in self.tables.items():
                if region in regions:
                    found = self.scan(region, table)
                    self.check_indexes(region, table, found)
                    items |= {f"{table}/{item['id']['S']}": state_of(item) for item in found}
            final[region.name] = items
            conflicts[region.name] = [entry_of(item) for item in self.scan(region, CONFLICTS)]
        everywhere = [name for name, regions in self.tables.items() if len(regions) == len(self.regions)]
        for region in final:
            final[region] = {k: v for k, v in final[region].items() if k.split("/")[0] in everywhere}
        ops = load([one.out for one in self.clients if one.out.exists()])
        partial = [name for name in self.tables if name not in everywhere]
        checker = Checker(ops, final, conflicts, self.resets, [*self.dropped, *partial])
        checker.lives.ended = ended
        self.result.findings = checker.run()
        for region in self.regions:
            for kind in ("replicator", "api"):
                region.stop(kind)
        for region in self.regions:
            done = subprocess.run([COMMAND, "check", region.data], capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                raise Failed(f"{region.name}: tidemark check: {done.returncode}\n{done.stdout}{done.stderr}")

    def scan(self, region, table):
        client = region.client(60)
        try:
            return client.scan(table)
        finally:
            client.close()

    def summarize(self):
        with contextlib.suppress(ValueError):
            ops = load([one.out for one in self.clients if one.out.exists()])
            self.result.rates = per_second(ops, self.timeline.began_ns, self.result.seconds)
            self.result.counts = {
                "operations": len(ops),
                "acknowledged writes": sum(1 for op in ops if op.outcome == "ok" and op.f != "get"),
                "reads": sum(1 for op in ops if op.outcome == "ok" and op.f == "get"),
                "without an answer": sum(1 for op in ops if op.outcome == "info"),
                "refused or failed": sum(1 for op in ops if op.outcome == "fail" and op.why != "condition"),
                "conflicts": max((s["conflicts"] for some in self.result.samples.values() for s in some if s["up"]), default=0),
            }

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def entry_of(item):
    """An entry of the conflict log as the checker takes it."""
    return {
        "table": item.get("Table", {}).get("S", "?"),
        "key": item["Key"]["M"]["id"]["S"] if "Key" in item else "?",
        "loser": state_of(item["Loser"]["M"]) if "Loser" in item else None,
        "winner": state_of(item["Winner"]["M"]) if "Winner" in item else None,
        "loser_version": item["LoserVersion"]["S"],
        "winner_version": item["WinnerVersion"]["S"],
    }
