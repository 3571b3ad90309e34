"""
What must hold of transfers: each is one transaction that moves an amount between two accounts, so whoever looks at all accounts in one transaction finds
that they add up to nothing, in every region, at every moment.

An account belongs to one region: only its clients move from and to it, so no conflict may ever take a part of a transfer. Everybody looks.
"""

import collections


def group(key):
    """TABLE/bank.REGION of an account's key."""
    return key.rpartition(".")[0]


class Bank:
    def __init__(self, ops, resets):
        self.transfers, self.looks = collections.defaultdict(list), []
        for op in ops:
            if op.f == "transfer":
                for key, amount in op.keys.items():
                    self.transfers[f"{op.key.split('/')[0]}/{key}"].append((op, amount))
            elif op.f == "look" and op.outcome == "ok":
                self.looks.append(op)
        self.reset = {region for _, region, _ in resets}

    def check(self, final, entries, bad):
        for op in self.looks:
            self.check_sum(str(op), op.accounts.values(), bad)
            if op.region == op.keys["owner"] and op.region not in self.reset:
                self.check_seen(op, bad)
        for region, items in final.items():
            groups = collections.defaultdict(dict)
            for key, state in items.items():
                if key.split("/", 1)[1].startswith("bank."):
                    groups[group(key)][key] = [state.get("n", 0), state.get("m", 0)]
            for name, accounts in groups.items():
                self.check_sum(f"{region} at the end: {name}", accounts.values(), bad)
                if name.split(".", 1)[1] not in self.reset:
                    self.check_made(region, accounts, bad)
        for entry in entries:
            if entry["key"].startswith("bank."):
                bad("bank", f"{entry['table']}/{entry['key']} is in the conflict log, and only one region writes it")

    def check_sum(self, who, accounts, bad):
        total, moves = (sum(account[i] for account in accounts) for i in (0, 1))
        if total != 0 or moves % 2 != 0:
            bad("bank", f"{who}: half a transfer: the sum is {total}, of {moves} moves: {list(accounts)}")

    def check_seen(self, op, bad):
        """Where the accounts are written nobody sees less than what was acknowledged, nor more than was asked for."""
        table = op.key.split("/")[0]
        for key, (_, moves) in op.accounts.items():
            made = self.transfers[f"{table}/{key}"]
            least = sum(1 for other, _ in made if other.outcome == "ok" and other.end < op.call)
            most = sum(1 for other, _ in made if other.outcome != "fail" and other.call < op.end)
            if not least <= moves <= most:
                bad("bank", f"{op}: {key} shows {moves} moves, of {least} that were acknowledged and {most} that were asked for")

    def check_made(self, region, accounts, bad):
        """Each acknowledged transfer was made once; one without an answer at most once."""
        for key, (balance, moves) in accounts.items():
            sure = [amount for op, amount in self.transfers[key] if op.outcome == "ok"]
            perhaps = [amount for op, amount in self.transfers[key] if op.outcome == "info"]
            low = sum(sure) + sum(amount for amount in perhaps if amount < 0)
            high = sum(sure) + sum(amount for amount in perhaps if amount > 0)
            if not len(sure) <= moves <= len(sure) + len(perhaps) or not low <= balance <= high:
                bad("bank", f"{region} at the end: {key} has {balance} after {moves} moves; {len(sure)} were acknowledged, {len(perhaps)} had no answer")
        for key in self.transfers:
            if group(key) in {group(one) for one in accounts} and key not in accounts:
                if any(op.outcome == "ok" for op, _ in self.transfers[key]):
                    bad("bank", f"{region} at the end: {key} is not there, and transfers to it were acknowledged")
