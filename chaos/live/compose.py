"""Random scenarios for chaos/soak: faults of every kind, overlapping, each taken back; then convergence and the checks."""

from scenario import REGIONS

WORKLOADS = ("register", "counter", "set", "append", "race", "hot", "large", "batch", "causal", "ttl", "bank")


class Fault:
    """One kind: the lines that begin it and those that take it back."""

    def __init__(self, begin, end=()):
        self.begin, self.end = begin, list(end)


def _network(chance, names):
    near, far = chance.sample(names, 2)
    arrow = chance.choice(("->", "<->"))
    shape = chance.choice((
        f"delay {chance.choice((20, 50, 125))}ms jitter {chance.choice((1, 10, 40))}ms", f"loss {chance.choice((1, 5, 20))}%",
        f"duplicate {chance.choice((5, 20))}% reorder {chance.choice((5, 20))}%", f"corrupt {chance.choice((1, 10))}%",
        f"rate {chance.choice((1, 10))}mbit", "mtu 400",
    ))  # fmt: skip
    return Fault([f"network {near} {arrow} {far} {shape}"], [f"network {near} <-> {far} clear"])


def _partition(chance, names):
    mixed = chance.sample(names, len(names))
    at = chance.randrange(1, len(names))
    return Fault([f"partition {' '.join(mixed[:at])} | {' '.join(mixed[at:])}"], ["heal"])


def _cut(chance, names):
    near, far = chance.sample(names, 2)
    return Fault([f"cut {near} {chance.choice(('->', '<->'))} {far}"], ["heal"])


def _flap(chance, names):
    near, far = chance.sample(names, 2)
    return Fault([
        f"repeat {chance.randrange(3, 8)}", f"cut {near} <-> {far}", f"during {chance.randrange(100, 900)}ms", f"heal {near} <-> {far}",
        f"during {chance.randrange(100, 900)}ms", "end",
    ])  # fmt: skip


def _forget(chance, names):
    near, far = chance.sample(names, 2)
    return Fault([f"forget {near} <-> {far}"])


def _kill(chance, names):
    what = f"{chance.choice(names)}{chance.choice(('', ' api', ' replicator'))}"
    return Fault([f"kill {what}"], [f"start {what}"])


def _stop(chance, names):
    what = f"{chance.choice(names)}{chance.choice(('', ' api', ' replicator'))}"
    return Fault([f"stop {what}"], [f"start {what}"])


def _pause(chance, names):
    what = f"{chance.choice(names)} {chance.choice(('api', 'replicator'))}"
    return Fault([f"pause {what}"], [f"resume {what}"])


def _power(chance, names):
    name = chance.choice(names)
    return Fault([f"power-cut {name}"], [f"start {name}"])


def _crash_loop(chance, names):
    what = f"{chance.choice(names)} {chance.choice(('api', 'replicator'))}"
    return Fault([f"crash-loop {what} times {chance.randrange(2, 6)} every {chance.randrange(50, 500)}ms"])


def _clock(chance, names):
    name = chance.choice(names)
    how = chance.choice((
        f"{chance.choice('+-')}{int(1.5 ** chance.randrange(6, 24))}ms", f"rate {chance.choice(('0.98', '1.02', '1.1'))}", "freeze",
        f"strobe +{chance.choice((4, 60, 250))}ms every {chance.choice((1, 20, 300))}ms for 2s",
    ))  # fmt: skip
    return Fault([f"clock {name} {how}"], [f"clock {name} true"])


def _disk(chance, names):
    name = chance.choice(names)
    return Fault([f"disk {name} slow {chance.choice((10, 80, 400))}ms"], [f"disk {name} well"])


KINDS = (_network, _network, _partition, _cut, _flap, _forget, _kill, _stop, _pause, _power, _crash_loop, _clock, _disk)
OF_A_PROCESS = ("kill", "stop", "pause", "power-cut", "crash-loop")


def compose(chance):
    """A scenario's text. The same chance makes the same text."""
    n = chance.choice((2, 3, 3, 3, 4, 5))
    names = REGIONS[:n]
    lines = ["# Composed by chance.", f"regions {n}"]
    kinds = chance.sample(WORKLOADS, chance.randrange(2, 5))
    # What is over by a clock that is wrong, the checker could not tell.
    faults = [kind for kind in KINDS if kind is not _clock or "ttl" not in kinds]
    for kind in kinds:
        lines.append(f"workload {kind} clients {chance.randrange(1, 3)} rate {chance.choice((2, 8)) if kind != 'large' else 1}")
    lines.append("during 2s")
    for _ in range(chance.randrange(2, 5)):
        # Faults of a wave overlap. One region has one fault of its processes at a time: what is dead cannot be paused.
        wave, down = [], set()
        for _ in range(chance.randrange(1, 5)):
            fault = chance.choice(faults)(chance, names)
            words = fault.begin[0].split()
            if words[0] in OF_A_PROCESS:
                if words[1] in down:
                    continue
                down.add(words[1])
            wave.append(fault)
            lines += fault.begin
            lines.append(f"during {chance.randrange(200, 4000)}ms")
        chance.shuffle(wave)
        for fault in wave:
            lines += fault.end
            lines.append(f"during {chance.randrange(100, 1500)}ms")
    # A clock that was minutes ahead is waited for; these are seconds at most.
    return "\n".join([*lines, "during 2s", "converge 120s", "check"]) + "\n"
