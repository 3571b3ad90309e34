"""
What must hold of a history, of what the regions hold at the end, and of the conflict log. docs/chaos.md says it in words.

Everything is concluded from answers: each names the write that it saw. What the answers leave open is never held against the regions.
"""

import collections

import linear
from bank import Bank
from expiry import Lives
from history import made
from order import Order

SHOWN = 5  # findings of one rule; the rest is counted
FRONTIER_MAX = 6
# Answers that a fault may cause: a table that is not there yet or any more, a replica that takes no writes.
ALLOWED = {"down", "condition"}
ALLOWED_NAMES = {"ResourceNotFoundException", "ResourceInUseException", "ThrottlingException", "LimitExceededException"}


class Findings:
    def __init__(self):
        self.found, self.counts = [], collections.Counter()

    def add(self, rule, text):
        self.counts[rule] += 1
        if self.counts[rule] <= SHOWN:
            self.found.append((rule, text))

    def summary(self):
        more = [(rule, f"and {n - SHOWN} more") for rule, n in self.counts.items() if n > SHOWN]
        return self.found + more


class Checker:
    """
    `ops`: all operations. `final`: {region: {TABLE/KEY: state}}. `conflicts`: {region: [entry]}, an entry is a dict of table, key, loser, winner
    (states, or None for a delete), loser_version, winner_version. `resets`: [(time, region, table or None)], when a region lost what it
    had (a wiped disk, a removed replica): what its clients had seen until then binds it no more. `dropped`: tables that were deleted.
    """

    RULES = {
        "answers": "every answer is one that a fault may cause",
        "invented": "nobody sees what nobody wrote, nor what was refused",
        "whole": "an item is what its writes make of it, everywhere and always",
        "linearizable": "keys that one region writes are linearizable there",
        "order": "no write loses to one that it had seen: versions have an order",
        "causal": "a region's clients never see less than they, or what they saw, had seen",
        "converged": "all regions hold the same items",
        "lost": "every acknowledged write is final, replaced by one that saw it, or in the conflict log",
        "final": "no final item is older than an acknowledged write or delete of it",
        "conflicts": "the conflict log is the same everywhere, and names conflicts only",
        "expired": "nothing is left whose time is long over",
        "batch": "every item of an acknowledged batch is there",
        "bank": "transfers are whole: in every region, at every look, the accounts add up to nothing, and each was made once",
    }

    def __init__(self, ops, final, conflicts, resets=(), dropped=()):
        self.ops = [op for op in ops if op.key.split("/")[0] not in dropped]
        self.final = final
        self.conflicts = conflicts
        self.resets = sorted(resets)
        self.findings = Findings()
        self.by_key = collections.defaultdict(list)
        for op in self.ops:
            if not op.of_many:
                self.by_key[op.key].append(op)
        self.writers = {op.token: op for op in self.ops if op.token is not None and not op.of_many}
        self.items = next(iter(final.values()), {})  # they are compared first
        self.entries = next(iter(conflicts.values()), [])
        self.orders = {}
        self.lives = Lives(self.by_key, self.entries)

    def bad(self, rule, text):
        self.findings.add(rule, text)

    def run(self):
        """All findings: [(rule, text)]; empty: nothing is wrong."""
        self.check_answers()
        self.check_converged()
        self.check_invented()
        self.check_whole()
        self.check_linearizable()
        self.check_order()
        self.check_causal()
        self.check_lost()
        self.check_final()
        self.check_conflicts()
        self.check_expired()
        self.check_batch()
        Bank([op for op in self.ops if op.of_many], self.resets).check(self.final, self.entries, self.bad)
        return self.findings.summary()

    def check_answers(self):
        for op in self.ops:
            if op.outcome == "fail" and op.why not in ALLOWED and op.why.split(" ")[-1] not in ALLOWED_NAMES:
                self.bad("answers", f"{op}: {op.text}")

    def check_converged(self):
        (first, items), *others = self.final.items()
        for region, theirs in others:
            for key in sorted(items.keys() | theirs.keys()):
                if items.get(key) != theirs.get(key):
                    self.bad("converged", f"{key}: {first} holds {items.get(key)}, {region} {theirs.get(key)}")

    def observations(self):
        """Everything that anybody saw: (who, when it was over, key, state)."""
        for op in self.ops:
            if op.outcome == "ok" and op.old is not None:
                yield str(op), op.end, op.key, op.old
        for region, items in self.final.items():
            for key, state in items.items():
                if not key.split("/", 1)[1].startswith(("batch.", "bank.")):
                    yield f"{region} at the end", float("inf"), key, state
        for entry in self.entries:
            for side in ("loser", "winner"):
                if entry[side] is not None and not entry["key"].startswith("bank."):
                    yield f"the conflict log ({side})", float("inf"), f"{entry['table']}/{entry['key']}", entry[side]

    def check_invented(self):
        for who, when, key, state in self.observations():
            op = self.writers.get(state["w"])
            if op is None or op.key != key:
                self.bad("invented", f"{who}: {key} is {state['w']}, which nobody wrote")
            elif op.outcome == "fail":
                self.bad("invented", f"{who}: {key} is {state['w']}, which was refused ({op.why})")
            elif op.call > when:
                self.bad("invented", f"{who}: {key} is {state['w']}, which was written later")

    def check_whole(self):
        """What each write made follows from what it saw; where it got no answer, from who saw it first."""
        made_by = {}
        for op in self.ops:
            if op.token is not None and not op.of_many and op.outcome != "fail" and (op.outcome == "ok" or op.new is not None):
                made_by[op.token] = made(op, op.old)
        for who, _, key, state in self.observations():
            want = made_by.setdefault(state["w"], state)
            if want != state:
                self.bad("whole", f"{who}: {key} is {state}, but {state['w']} made {want}")

    def check_linearizable(self):
        for key, ops in self.by_key.items():
            owner = key.split("/")[1].split(".")[1]
            if owner == "s":
                continue
            if any(op.region != owner for op in ops):
                self.bad("linearizable", f"{key} was written in another region: the workload is wrong")
                continue
            why = linear.check(ops)
            if why is not None:
                self.bad("linearizable", f"{key}: {why}")

    def check_order(self):
        for key, ops in self.by_key.items():
            self.orders[key] = Order(ops)
        for entry in self.entries:
            order = self.orders.get(f"{entry['table']}/{entry['key']}")
            if order is not None and entry["loser"] and entry["winner"]:
                order.conflict(entry["loser"]["w"], entry["winner"]["w"])
        for key, order in self.orders.items():
            circle = order.close()
            if circle:
                self.bad("order", f"{key}: each of these replaced or beat another of them: {', '.join(circle[:8])}")

    def deletes(self, key, until=float("inf")):
        return [op for op in self.by_key[key] if op.f == "delete" and op.outcome != "fail" and op.call < until]

    def explains_none(self, key, known, until):
        """Could the item be gone although `known` was there? Some delete must be above all of it, or its time over."""
        order = self.orders[key]
        if not known or any(all(not order.less(op.token, one) for one in known) for op in self.deletes(key, until)):
            return True
        return self.lives.may_be_gone(key, known, until, order)

    def check_causal(self):
        frontier = collections.defaultdict(dict)  # region -> key -> tokens that its clients have seen
        copies, views, merged = {}, {}, collections.defaultdict(set)
        gone, past = collections.defaultdict(dict), {}  # region -> key -> tokens that were not there any more; op -> those before it
        events = [(op.call, 2, i, op) for i, op in enumerate(self.ops) if not op.of_many]
        events += [(op.end, 1, i, op) for i, op in enumerate(self.ops) if not op.of_many and op.outcome == "ok"]
        events += [(at, 0, i, (region, table)) for i, (at, region, table) in enumerate(self.resets)]
        events.sort(key=lambda event: event[:3])

        def add(region, key, token):
            known, order = frontier[region].get(key, ()), self.orders[key]
            if token in known or token not in order.index or any(order.less(token, one) for one in known):
                return
            frontier[region][key] = (*[one for one in known if not order.less(one, token)], token)[-FRONTIER_MAX:]
            copies.pop(region, None)

        for _, kind, _, op in events:
            if kind == 0:
                region, table = op
                frontier[region] = {k: v for k, v in frontier[region].items() if table is not None and not k.startswith(table + "/")}
                copies.pop(region, None)
                merged[region].clear()
                gone[region].clear()
                continue
            region = op.region
            if kind == 2:
                views[op] = copies.setdefault(region, dict(frontier[region]))
                past[op] = gone[region].get(op.key, frozenset())
                continue
            self._see(op, views[op].get(op.key, ()))
            if op.saw is None:
                gone[region][op.key] = gone[region].get(op.key, frozenset()) | frozenset(views[op].get(op.key, ()))
            elif op.saw in past[op]:
                self.bad("causal", f"{op}: it came back, and had been gone")
            if op.saw is not None:
                add(region, op.key, op.saw)
                writer = self.writers.get(op.saw)
                if writer is not None and op.saw not in merged[region]:
                    merged[region].add(op.saw)
                    for key, tokens in views.get(writer, {}).items():
                        for token in tokens:
                            add(region, key, token)
            if op.token is not None:
                add(region, op.key, op.token)

    def _see(self, op, known):
        """`known`: what the clients of this region had seen, themselves or through others, before `op` began."""
        order = self.orders[op.key]
        if op.saw is None:
            if not self.explains_none(op.key, known, op.end):
                self.bad("causal", f"{op}: no item, though {', '.join(known)} had been seen and no delete came after")
            return
        for one in known:
            if order.less(op.saw, one):
                self.bad("causal", f"{op}: older than {one}, which had been seen")

    def check_lost(self):
        replaced = {op.saw for op in self.ops if op.outcome == "ok"}
        logged = {entry["loser"]["w"] for entry in self.entries if entry["loser"]}
        for key, ops in self.by_key.items():
            final = (self.items.get(key) or {}).get("w")
            missing = [
                op.token for op in ops
                if op.writes and op.f != "delete" and op.outcome == "ok" and op.token != final
                and op.token not in replaced and op.token not in logged and not self.lives.is_over(op, float("inf"))
            ]  # fmt: skip
            # A write without an answer may have replaced one, and told nobody: at most one each.
            unknown = sum(1 for op in ops if op.writes and op.outcome == "info")
            if len(missing) > unknown:
                self.bad("lost", f"{key}: {', '.join(missing[:4])} ({len(missing)} in all, {unknown} could be explained); final is {final}")

    def check_final(self):
        for key, ops in self.by_key.items():
            final = (self.items.get(key) or {}).get("w")
            acknowledged = [op.token for op in ops if op.writes and op.outcome == "ok"]
            if final is None:
                if not self.explains_none(key, [op.token for op in ops if op.writes and op.outcome == "ok"], float("inf")):
                    self.bad("final", f"{key} is gone, and no delete came after {acknowledged[-1]}")
                continue
            newer = [token for token in acknowledged if self.orders[key].less(final, token)]
            if newer:
                self.bad("final", f"{key} is {final}, older than {', '.join(newer[:4])}")

    def check_conflicts(self):
        (first, entries), *others = self.conflicts.items()
        for region, theirs in others:
            here, there = ({_name(entry) for entry in some} for some in (entries, theirs))
            if here != there:
                self.bad("conflicts", f"{first} and {region} have different entries: {sorted(here ^ there)[:3]}")
        for entry in entries:
            key, order = f"{entry['table']}/{entry['key']}", self.orders.get(f"{entry['table']}/{entry['key']}")
            if not entry["loser_version"] < entry["winner_version"]:
                self.bad("conflicts", f"{_name(entry)}: the loser's version is the greater one")
            if order is None:
                continue
            if key.split("/")[1].split(".")[1] != "s":
                self.bad("conflicts", f"{_name(entry)}: only one region writes {key}")
            loser, winner = (entry[side] and entry[side]["w"] for side in ("loser", "winner"))
            if not loser and not winner:
                self.bad("conflicts", f"{_name(entry)}: two deletes, of which nothing is lost")
            if loser and winner and order.seen(loser, winner):
                self.bad("conflicts", f"{_name(entry)}: no conflict: {winner} had seen {loser}")

    def check_expired(self):
        for key, state in self.items.items():
            if self.lives.overdue(self.writers.get(state["w"])):
                self.bad("expired", f"{key} is {state['w']}, whose time is long over")

    def check_batch(self):
        items = {key: state for key, state in self.items.items() if key.split("/", 1)[1].startswith("batch.")}
        wanted, tried = {}, {}
        for op in self.ops:
            if op.f == "batch":
                table = op.key.split("/")[0]
                for key, token in op.keys.items():
                    tried[f"{table}/{key}"] = token
                    if op.outcome == "ok" and key not in op.left:
                        wanted[f"{table}/{key}"] = token
        for key, token in wanted.items():
            if (items.get(key) or {}).get("w") != token:
                self.bad("batch", f"{key}: {token} was acknowledged, there is {items.get(key)}")
        for key, state in items.items():
            if tried.get(key) != state["w"] or state.get("v") != [state["w"], 100]:
                self.bad("batch", f"{key} is {state}, which nobody wrote")


def _name(entry):
    return f"{entry['table']}/{entry['key']} {entry['loser_version']} < {entry['winner_version']}"
