"""
What time to live may do to the items of a history: no client asks for its deletes, and none is told.

A write of the workload `ttl` records when its item's time is over (`over`, on the clock of the history). From then on some region deletes it, and
the delete meets other writes as any delete does: it may win over one that it has not seen, which is then in the conflict log.
"""

import collections
import math

# A region's clock may be so far ahead before it is known to be wrong (max_clock_skew), and a little more.
SLACK = 600_000_000
# A region walks its tables every five seconds; what it is cut off from comes later, but a run ends healed.
OVERDUE = 20_000_000_000


class Lives:
    def __init__(self, by_key, entries):
        self.by_key = by_key
        self.ended = math.inf  # when the regions were read at the end
        self.beaten = collections.defaultdict(set)  # key -> tokens that lost to a delete
        for entry in entries:
            if entry["loser"] and entry["winner"] is None:
                self.beaten[f"{entry['table']}/{entry['key']}"].add(entry["loser"]["w"])

    def is_over(self, op, until):
        return op.over is not None and op.over <= min(until, self.ended) + SLACK

    def overdue(self, op):
        return op is not None and op.over is not None and op.over + OVERDUE < self.ended < math.inf

    def may_be_gone(self, key, known, until, order):
        """Could no item be there by then, although `known` were? Each of them was over, or replaced by what was, or lost to a delete."""
        writes = [op for op in self.by_key[key] if op.token is not None and op.outcome != "fail"]
        ends = [op for op in writes if self.is_over(op, until) or op.token in self.beaten[key]]

        def ended(token):
            return any(end.token == token or order.less(token, end.token) for end in ends)

        def replaced_unseen(token):
            return any(op.outcome == "info" and not order.less(op.token, token) and ended(op.token) for op in writes)

        return any(op.over is not None for op in writes) and all(ended(one) or replaced_unseen(one) for one in known)
