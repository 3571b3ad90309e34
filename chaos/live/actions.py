"""What each statement of a scenario does to the regions: one do_ method per statement. Part of World."""

import errno
import json
import signal
import subprocess
import time

import indexes
from region import COMMAND, FILES_NORMAL, KINDS, READY_SECONDS, Failed, wait_for

REJOIN_SECONDS = 120


class Actions:
    def names(self, regions):
        return " ".join(region.name for region in regions)

    def pairs(self, near, far, both):
        """Ordered pairs of names between two lists of regions."""
        found = []
        for one in self.pick(near):
            for other in self.pick(far):
                for pair in ((one.name, other.name), (other.name, one.name))[: 2 if both else 1]:
                    if one is not other and pair not in found:
                        found.append(pair)
        return found

    # --- time ---

    def do_during(self, seconds):
        for one in self.clients:
            one.set_mark()
        for region in self.regions:
            self.since[region] = {kind: region.log_size(kind) for kind in KINDS}
        self.pause(seconds)

    # --- the network ---

    def do_network(self, near, far, both, shape):
        left_out = set()
        text = " ".join(f"{key} {_plain(key, value)}" for key, value in shape.items())
        for one, other in self.pairs(near, far, both):
            left_out.update(self.network.shape(one, other, shape))
            name = f"network {one} {other}"
            if shape:
                self.timeline.begin("network", name, f"{one} → {other}: {text}", one)
            else:
                self.timeline.end(name)
        if left_out:
            self.leave_out(f"network: {' '.join(sorted(left_out))}")

    def leave_out(self, text):
        if text not in self.result.left_out:
            self.result.left_out.append(text)
            self.say(f"         left out: {text}")

    def cut_pairs(self, pairs):
        for one, other in pairs:
            self.network.cut(one, other)
            self.timeline.begin("partition", f"cut {one} {other}", f"{one} ⇥ {other} cut", one)

    def heal_pairs(self, pairs):
        for one, other in pairs:
            self.network.heal(one, other)
            self.timeline.end(f"cut {one} {other}")

    def every_pair(self):
        return [(a.name, b.name) for a in self.regions for b in self.regions if a is not b]

    def do_partition(self, groups):
        sides = [self.pick(group) for group in groups]
        pairs = []
        for i, side in enumerate(sides):
            for other in sides[i + 1 :]:
                for a in side:
                    for b in other:
                        if a is b:
                            raise Failed(f"{a.name} is on two sides")
                        pairs += [(a.name, b.name), (b.name, a.name)]
        self.cut_pairs(pairs)

    def do_cut(self, near, far, both):
        self.cut_pairs(self.pairs(near, far, both))

    def do_heal(self, near=None, far=None, both=True):
        self.heal_pairs(self.every_pair() if near is None else self.pairs(near, far, both))

    def do_forget(self, near, far, both):
        for one, other in self.pairs(near, far, True):
            if not self.network.forget(one, other):
                self.leave_out("forget")
                return
        self.timeline.mark("partition", f"connections between {' '.join(near)} and {' '.join(far)} become half-open")

    def do_swizzle(self, regions, seconds):
        """Links are cut one by one, and healed one by one in another order."""
        chosen = {region.name for region in self.pick(regions)}
        pairs = [pair for pair in self.every_pair() if pair[0] in chosen or pair[1] in chosen]
        for act in (self.cut_pairs, self.heal_pairs):
            self.chance.shuffle(pairs)
            for pair in pairs:
                act([pair])
                self.pause(seconds / 2 / len(pairs))

    def do_clients(self, regions, how):
        for region in self.pick(regions):
            if how in ("quiet", "go"):
                for one in self.clients:
                    if one.region is region:
                        one.tell(how)
                (self.quiet.add if how == "quiet" else self.quiet.discard)(region)
                self.drained.discard(region)
                self.timeline.mark("clients", f"clients {how}", region.name)
            elif not self.network.clients(region.name, how == "heal"):
                self.leave_out("clients cut")
            elif how == "cut":
                self.timeline.begin("partition", f"clients {region.name}", f"{region.name}: clients cut off", region.name)
            else:
                self.timeline.end(f"clients {region.name}")

    # --- processes ---

    def do_kill(self, regions, kinds):
        for region in self.pick(regions):
            for kind in reversed(kinds):
                region.kill(kind)
                self.timeline.begin("process", f"down {region.name} {kind}", f"{kind} killed", region.name)

    def do_stop(self, regions, kinds):
        for region in self.pick(regions):
            for kind in reversed(kinds):
                self.timeline.begin("process", f"down {region.name} {kind}", f"{kind} stopped", region.name)
                region.stop(kind)

    def do_start(self, regions, kinds, ready=True):
        chosen = self.pick(regions)
        for region in chosen:
            for kind in kinds:
                if not region.running(kind):
                    region.start(kind, ready=False)
        for region in chosen:
            if "api" in kinds and ready:
                region.wait_ready(READY_SECONDS)
            for kind in kinds:
                self.timeline.end(f"down {region.name} {kind}")

    def do_restart(self, regions, kinds):
        names = [region.name for region in self.pick(regions)]
        self.do_stop(names, kinds)
        self.do_start(names, kinds)

    def do_rolling_restart(self, regions, kinds):
        for region in self.pick(regions):
            for kind in kinds:
                self.do_restart([region.name], [kind])
                self.pause(0.5)

    def do_pause(self, regions, kinds):
        for region in self.pick(regions):
            for kind in kinds:
                region.signal(kind, signal.SIGSTOP)
                self.timeline.begin("process", f"paused {region.name} {kind}", f"{kind} stands still", region.name)

    def do_resume(self, regions, kinds):
        for region in self.pick(regions):
            for kind in kinds:
                if kind in region.paused:
                    region.signal(kind, signal.SIGCONT)
                self.timeline.end(f"paused {region.name} {kind}")

    def do_crash_loop(self, regions, kinds, times, every):
        for region in self.pick(regions):
            for _ in range(times):
                self.do_kill([region.name], kinds)
                # The next one may die before it is ready.
                self.do_start([region.name], kinds, ready=False)
                self.pause(every)
            if "api" in kinds:
                region.wait_ready(READY_SECONDS)

    def do_power_cut(self, regions):
        for region in self.pick(regions):
            self.do_kill([region.name], list(KINDS))
            how = region.damage_unsynced(self.chance.randrange(1 << 30))
            self.timeline.mark("process", f"power cut; what was not synced: {how}", region.name)

    def do_wipe(self, regions):
        for region in self.pick(regions):
            if region not in self.drained or region not in self.quiet:
                raise Failed(f"{region.name}: what only its disk has would be lost: 'clients quiet' and 'await drained' come first")
            self.do_kill([region.name], list(KINDS))
            region.wipe()
            self.resets.append((time.monotonic_ns(), region.name, None))
            self.timeline.mark("membership", "data folder wiped", region.name)

    # --- clock, disk, files ---

    def do_clock(self, regions, kinds, how, by=0.0, rate=1.0, every=0.0, lasting=0.0):
        for region in self.pick(regions):
            name = f"clock {region.name}"
            faults = [region.faults[kind] for kind in kinds]
            before = [one["clock_reads"] for one in faults]
            for one in faults:
                if how == "true":
                    one.true_clock()
                elif how == "freeze":
                    one.freeze()
                elif how == "rate":
                    one.rate(rate)
                elif how == "step":
                    one.step(by)
            if how == "true":
                self.timeline.end(name)
                continue
            text = {"step": f"clock {by:+g} s", "rate": f"clock runs at {rate:g}", "freeze": "clock stands"}.get(how, f"clock ±{by:g} s")
            self.timeline.begin("clock", name, text, region.name)
            if how == "strobe":
                self.strobe(faults, by, every, lasting)
                self.timeline.end(name)
            self.preloaded(region, kinds, "clock_reads", before)

    def strobe(self, faults, by, every, lasting):
        deadline, ahead = time.monotonic() + lasting, False
        while time.monotonic() < deadline:
            ahead = not ahead
            for one in faults:
                one["offset_ns"] = by * 1e9 if ahead else 0
            time.sleep(every)
        for one in faults:
            one["offset_ns"] = 0

    def preloaded(self, region, kinds, field, before):
        """A fault that is not in would prove nothing."""
        for kind, was in zip(kinds, before):
            if region.running(kind) and kind not in region.paused:
                wait_for(f"{region.name}: faults are preloaded into {kind}", lambda: region.faults[kind][field] > was, 20, self.watch)

    def do_disk(self, regions, how, seconds=0.0, times=0):
        for region in self.pick(regions):
            faults, name = region.faults["api"], f"disk {region.name}"
            if how == "fill":
                region.fill()
                self.timeline.begin("disk", name, "disk full", region.name)
            elif how == "free":
                region.free()
                self.timeline.end(name)
            elif how == "slow":
                faults["fsync_us"] = seconds * 1e6
                self.timeline.begin("disk", name, f"fsync takes {seconds * 1000:g} ms", region.name)
            elif how == "fail-fsync":
                faults["fsync_failures"] = times
                self.timeline.mark("disk", f"the next {times} fsyncs fail", region.name)
            elif how == "fail-write":
                faults["write_failures"] = times
                self.timeline.mark("disk", f"the next {times} writes fail", region.name)
            else:
                faults.well()
                self.timeline.end(name)

    def do_files(self, regions, kinds, limit):
        for region in self.pick(regions):
            for kind in kinds:
                if region.running(kind):
                    try:
                        region.limit_files(kind, limit)
                    except PermissionError as error:
                        raise Failed(f"prlimit: {errno.errorcode[error.errno]}") from None
            name = f"files {region.name}"
            if limit is None or limit >= FILES_NORMAL:
                self.timeline.end(name)
            else:
                self.timeline.begin("process", name, f"no more than {limit} files", region.name)

    # --- membership and tables ---

    def do_table(self, name, at=("all",)):
        regions = self.pick(at)
        self.make_table(name, regions)
        self.timeline.mark("membership", f"table {name} made in {self.names(regions)}")

    def do_replica(self, how, table, region, at=None):
        target = self.pick([region])[0]
        asked = self.pick(at)[0] if at else next(r for r in self.tables[table] if r is not target)
        verb = {"add": "Create", "remove": "Delete"}[how]

        def accepted():
            asked.call("UpdateTable", TableName=table, ReplicaUpdates=[{verb: {"RegionName": target.name}}])
            return True

        # One change of a table at a time: DynamoDB refuses the next one while one is under way.
        wait_for(f"{asked.name} takes the request", accepted, 30, self.watch)
        if how == "add":
            self.tables[table].append(target)
        else:
            self.tables[table].remove(target)
            self.resets.append((time.monotonic_ns(), target.name, table))
        self.timeline.mark("membership", f"replica of {table}: {how} {target.name}", target.name)

    def do_drop(self, table):
        """Every replica is removed, the last one with the table."""
        for region in list(self.tables[table]):
            wait_for(f"{region.name} takes the request", lambda: self.dropped_at(table, region), 60, self.watch)
            wait_for(f"{region.name}: {table} is gone", lambda: self.state_of_table(table, region) == "gone", 60, self.watch)
        del self.tables[table]
        self.dropped.append(table)
        self.timeline.mark("membership", f"table {table} dropped")

    def dropped_at(self, table, region):
        if self.state_of_table(table, region) != "gone":
            region.call("DeleteTable", TableName=table)
        return True

    def do_change(self, table, region):
        """The table's description changes: deletion protection, there and back."""
        target = self.pick([region])[0]
        for protected in (True, False):
            wait_for(
                f"{target.name} takes the request",
                lambda: target.call("UpdateTable", TableName=table, DeletionProtectionEnabled=protected) is not None,
                30,
                self.watch,
            )
        self.timeline.mark("membership", f"description of {table} changed twice", target.name)

    def do_index(self, how, table, index, region):
        """Made or dropped in one region; the others follow for themselves."""
        target = self.pick([region])[0]

        def accepted():
            target.call("UpdateTable", **indexes.request(how, table, index))
            return True

        wait_for(f"{target.name} takes the request", accepted, 60, self.watch)
        (self.indexes.add if how == "make" else self.indexes.discard)((table, index))
        self.timeline.mark("membership", f"index {index} of {table}: {how}", target.name)

    def indexes_complete(self, region):
        for table, regions in self.tables.items():
            wanted = {index for name, index in self.indexes if name == table}
            if region in regions and indexes.states(region, table) != dict.fromkeys(wanted, "ACTIVE"):
                return False
        return True

    def check_indexes(self, region, table, items):
        """Each index of the region is the projection of its table."""
        for name, index in sorted(self.indexes):
            if name == table and (text := indexes.wrong(index, items, indexes.scan(region, table, index))):
                raise Failed(f"{region.name}: index {index} of {table} {text}")

    def do_rejoin(self, regions):
        """Every one of these that needs it is told to, and waited for; two that need each other's snapshots come back together."""

        def back(region):
            status = region.status()
            if status is None or status.get("rejoining"):
                return False
            if not status.get("needs_bootstrap"):
                return True
            command = [COMMAND, "region", "--data", self.folder, "rejoin", region.name, "--no-wait"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                raise Failed(f"tidemark region rejoin: {done.returncode}: {done.stdout}{done.stderr}")
            self.timeline.mark("membership", "told to rejoin", region.name)
            return False

        chosen = self.pick(regions)
        wait_for(f"{self.names(chosen)} rejoined", lambda: all([back(region) for region in chosen]), REJOIN_SECONDS, self.watch)

    # --- conditions ---

    def do_await(self, what, regions, seconds, table=None, kind=None, id=None):
        for region in self.pick(regions):
            if what == "ready":
                region.wait_ready(seconds)
            elif what == "writable":
                wait_for(f"{region.name} may write", lambda: (region.status() or {}).get("may_write"), seconds, self.watch)
            elif what == "drained":
                self.await_drained(region, seconds)
                self.drained.add(region)
            elif what == "active":
                self.wait_table(table, region, seconds)
            elif what == "gone":
                wait_for(f"{region.name}: {table} is gone", lambda: self.state_of_table(table, region) == "gone", seconds, self.watch)
            elif what == "loading":
                wait_for(f"{region.name} loads {table}", lambda: self.is_loading(table, region), seconds, self.watch)
            else:
                since = self.since.get(region, {}).get(kind, 0)
                wait_for(f"{region.name}: {kind} logs {id}", lambda: region.logged(kind, id, since), seconds, self.watch)

    def await_drained(self, region, seconds):
        """Until what this region has written up to now is in every other region that has the table."""
        own = wait_for(f"{region.name} answers", region.status, seconds, self.watch)
        wanted = {table["id"]: _written(table, own["journal"]) for table in own["tables"] if table.get("shared")}

        def arrived():
            for other in self.regions:
                if other is region:
                    continue
                status = other.status()
                if status is None:
                    return False
                for table in status["tables"]:
                    if _written(table, own["journal"]) < wanted.get(table["id"], 0):
                        return False
            return True

        wait_for(f"all others have all of {region.name}", arrived, seconds, self.watch)

    def is_loading(self, table, region):
        for one in (region.status() or {}).get("tables", []):
            if one.get("name") == table:
                return one.get("bootstrap", {}).get("items_loaded", 0) > 0 or one["state"] in ("CATCHUP", "ACTIVE")
        return False

    def do_expect(self, what, regions=(), kind=None, id=None):
        if self.result.left_out and what in ("apart", "conflicts", "no-writes", "log"):
            self.leave_out(f"expect {what}")  # the fault that would show is not there
            return
        if what == "apart":
            if self.agree():
                raise Failed("the regions hold the same: the fault does not bite")
        elif what == "conflicts":
            if not any((region.status() or {}).get("conflicts") for region in self.regions):
                raise Failed("no conflict was logged: the scenario does not do what it is for")
        for region in self.pick(regions):
            if what in ("writes", "no-writes"):
                done = sum(one.writes_since() for one in self.clients if one.region is region)
                if (done > 0) != (what == "writes"):
                    raise Failed(f"{region.name}: {done} writes acknowledged meanwhile")
            elif what in ("log", "no-log"):
                if region.logged(kind, id, self.since.get(region, {}).get(kind, 0)) != (what == "log"):
                    raise Failed(f"{region.name}: {kind} {'did not log' if what == 'log' else 'logged'} {id}")

    def agree(self):
        done = subprocess.run([COMMAND, "status", "--data", self.folder, "--json"], capture_output=True, text=True, timeout=60)
        try:
            return json.loads(done.stdout)["converged"]
        except (ValueError, KeyError):
            return False

    def nothing_expires(self, region):
        """No item of the region is over, or soon will be."""
        soon = time.time() + 600
        tables = [table for table in self.expiring if region in self.tables.get(table, ())]
        return not any("x" in item and float(item["x"]["N"]) < soon for table in tables for item in self.scan(region, table))

    def do_converge(self, seconds):
        for region in self.regions:
            self.do_clients([region.name], "quiet")
        deadline, done = time.monotonic() + seconds, None
        for region in self.regions:
            left = max(1, deadline - time.monotonic())
            wait_for(f"{region.name} has nothing left whose time is over", lambda region=region: self.nothing_expires(region), left, self.watch)
            wait_for(f"{region.name} has all indexes, complete", lambda region=region: self.indexes_complete(region), left, self.watch)
        while time.monotonic() < deadline:
            self.watch()
            left = max(1, min(5, int(deadline - time.monotonic())))
            done = subprocess.run(
                [COMMAND, "status", "--data", self.folder, "--wait", str(left)], capture_output=True, text=True, timeout=left + 60
            )
            if done.returncode == 0:
                self.timeline.mark("verdict", "converged")
                return
        raise Failed(f"the regions do not agree within {seconds:g} s:\n{done.stdout[-4000:] if done else ''}")


def _written(table, journal):
    return next((entry["seq"] for entry in table.get("vector", []) if entry["journal"] == journal), 0)


def _plain(key, value):
    if key in ("delay", "jitter"):
        return f"{value * 1000:g} ms"
    return f"{value:g}" + {"rate": " kbit", "mtu": " bytes"}.get(key, " %")
