"""
What is known of the order of one item's versions. A version is named by the token of the write (or delete) that made it.

Two relations. *Seen*: a write was made by a region that had the other one before it. *Less*: also what the conflict log says of winner and loser.
Both follow from answers alone, never from clocks; what they do not say is unknown, and nothing is concluded from it.
"""

import collections


class Order:
    def __init__(self, ops):
        """`ops`: all operations on one key."""
        self.ops = ops
        self.index, self.seen_edges, self.edges = {}, collections.defaultdict(set), collections.defaultdict(set)
        for op in ops:
            if op.token is not None and op.outcome != "fail":
                self._number(op.token)
        for region in {op.region for op in ops}:
            self._of_region([op for op in ops if op.region == region and op.outcome != "fail"])
        self._seen = self._below = None

    def _number(self, token):
        return self.index.setdefault(token, len(self.index))

    def _edge(self, edges, low, high):
        if low in self.index and high in self.index and low != high:
            edges[self.index[high]].add(self.index[low])

    def _of_region(self, ops):
        """A write comes after all that was seen or written in its region by an operation that had ended before it began."""
        events = sorted([(op.call, 1, op) for op in ops] + [(op.end, 0, op) for op in ops if op.outcome == "ok"], key=lambda e: e[:2])
        fresh, at_call = set(), {}
        for _, is_call, op in events:
            if is_call:
                if op.token is not None:
                    for token in fresh:
                        self._edge(self.seen_edges, token, op.token)
                    at_call[op] = frozenset(fresh)
                continue
            if op.saw is not None:
                fresh.add(op.saw)
            if op.token is not None:
                self._edge(self.seen_edges, op.saw, op.token)
                fresh -= at_call[op] | {op.saw}
                fresh.add(op.token)

    def conflict(self, loser, winner):
        self._edge(self.edges, loser, winner)

    def _close(self, *relations):
        """Everything below each, as bits; and those that lie on a circle."""
        below, count = [0] * len(self.index), [0] * len(self.index)
        above = collections.defaultdict(list)
        for relation in relations:
            for high, lows in relation.items():
                for low in lows:
                    above[low].append(high)
                    count[high] += 1
        ready = [i for i, n in enumerate(count) if n == 0]
        done = 0
        while ready:
            low = ready.pop()
            done += 1
            for high in above[low]:
                below[high] |= below[low] | 1 << low
                count[high] -= 1
                if count[high] == 0:
                    ready.append(high)
        circle = [] if done == len(count) else [token for token, i in self.index.items() if count[i] > 0]
        return below, circle

    def close(self):
        """After the last conflict(). The tokens that would have to be before themselves; none in a sound history."""
        self._seen, circle = self._close(self.seen_edges)
        self._below, wider = self._close(self.seen_edges, self.edges)
        return circle or wider

    def _has(self, sets, low, high):
        if low not in self.index or high not in self.index:
            return False
        return bool(sets[self.index[high]] >> self.index[low] & 1)

    def less(self, low, high):
        return self._has(self._below, low, high)

    def seen(self, low, high):
        return self._has(self._seen, low, high)
