"""
The language of chaos/scenarios/*.chaos (docs/chaos.md): one statement per line, read strictly.

A statement is a word and its arguments; what each takes is in STATEMENTS, which is also what `chaos/run --language` prints. Whatever the table
does not allow is an error that names file and line: a scenario that silently does less than it says would be worse than none.
"""

import collections
import dataclasses
import pathlib
import re

from indexes import INDEXES

REGIONS = ["us-east-1", "eu-west-1", "ap-northeast-1", "sa-east-1", "af-south-1", "ca-central-1", "eu-north-1"]
PROCESSES = ("api", "replicator")
WORKLOADS = ("register", "counter", "set", "append", "race", "hot", "large", "batch", "causal", "ttl", "bank")
SELECTORS = ("all", "any", "same", "others")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class ScenarioError(Exception):
    """What is wrong, and where."""

    def __init__(self, name, line, text):
        self.line = line
        super().__init__(f"{name}:{line}: {text}")


class Bad(ValueError):
    """Wrong within a line; the parser adds where."""


@dataclasses.dataclass
class Statement:
    line: int
    word: str
    arguments: dict
    text: str
    body: list = dataclasses.field(default_factory=list)  # of a `repeat`


@dataclasses.dataclass
class Scenario:
    name: str
    about: str
    regions: int
    statements: list
    settings: list  # (group or None, key, value) of `config`
    disks: int  # bytes of each region's own disk; 0: the folder's
    supervise: bool
    tls: bool = False
    text: str = ""

    def walk(self, statements=None):
        for statement in self.statements if statements is None else statements:
            yield statement
            yield from self.walk(statement.body)


def duration(word):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", word)
    if not match:
        raise Bad(f"'{word}' is not a duration (500ms, 10s, 2m)")
    return float(match[1]) * UNITS[match[2]]


def signed_duration(word):
    if word[:1] not in "+-":
        raise Bad(f"'{word}' needs a sign (+30s, -500ms)")
    return duration(word[1:]) * (-1 if word[0] == "-" else 1)


def percent(word):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", word)
    if not match or float(match[1]) > 100:
        raise Bad(f"'{word}' is not a percentage (0% to 100%)")
    return float(match[1])


def size(word):
    match = re.fullmatch(r"(\d+)([KMG]?)", word)
    if not match:
        raise Bad(f"'{word}' is not a size (600, 64M)")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def rate(word):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(kbit|mbit)", word)
    if not match or float(match[1]) == 0:
        raise Bad(f"'{word}' is not a rate (500kbit, 10mbit)")
    return float(match[1]) * {"kbit": 1, "mbit": 1000}[match[2]]


def count(word):
    if not re.fullmatch(r"\d{1,7}", word) or int(word) == 0:
        raise Bad(f"'{word}' is not a number from 1 to 9999999")
    return int(word)


def number(word):
    if not re.fullmatch(r"\d+(\.\d+)?", word):
        raise Bad(f"'{word}' is not a number")
    return float(word)


def name(word):
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,60}", word):
        raise Bad(f"'{word}' is not a table's name")
    return word


def log_id(word):
    if not re.fullmatch(r"[A-Z][A-Z0-9-]+", word):
        raise Bad(f"'{word}' is not a log line's id")
    return word


def one_of(*words):
    def parse(word):
        if word not in words:
            raise Bad(f"'{word}' is none of: {' '.join(words)}")
        return word

    return parse


process = one_of(*PROCESSES)
ARROWS = {"->": False, "<->": True}
SHAPES = {
    "delay": duration, "jitter": duration, "loss": percent, "duplicate": percent, "reorder": percent, "corrupt": percent, "tamper": percent,
    "rate": rate, "mtu": count,
}  # fmt: skip


class Words:
    """The arguments of one line, taken one after the other."""

    def __init__(self, words, known):
        self.words, self.known, self.at = words, known, 0

    def more(self):
        return self.at < len(self.words)

    def peek(self):
        return self.words[self.at] if self.more() else None

    def take(self, parse=None, what="an argument"):
        if not self.more():
            raise Bad(f"{what} is missing")
        word = self.words[self.at]
        self.at += 1
        return parse(word) if parse else word

    def maybe(self, *words):
        """The next word if it is one of these."""
        return self.take() if self.peek() in words else None

    def region(self):
        word = self.take(what="a region")
        if word not in self.known and word not in SELECTORS:
            raise Bad(f"'{word}' is neither a region of this scenario ({' '.join(self.known)}) nor one of: {' '.join(SELECTORS)}")
        return word

    def regions(self):
        """One or more."""
        found = [self.region()]
        while self.more() and (self.peek() in self.known or self.peek() in SELECTORS):
            found.append(self.region())
        return found

    def options(self, table):
        found = {}
        while self.more():
            word = self.take()
            if word not in table:
                raise Bad(f"'{word}' is none of: {' '.join(table)}")
            if word in found:
                raise Bad(f"'{word}' is there twice")
            found[word] = self.regions() if table[word] is Words.regions else self.take(table[word], f"the value of '{word}'")
        return found


# --- one reader per statement: its first line of documentation is its form ---


def read_table(words):
    """table NAME [at REGION...]"""
    return {"name": words.take(name, "a table's name"), **words.options({"at": Words.regions})}


def read_workload(words):
    """workload KIND [clients N] [keys N] [rate N] [size BYTES] [table NAME] [at REGION...] [scope local|shared|both]"""
    options = {
        "clients": count, "keys": count, "rate": number, "size": size, "table": name, "at": Words.regions,
        "scope": one_of("local", "shared", "both"),
    }  # fmt: skip
    return {"kind": words.take(one_of(*WORKLOADS), "a kind of workload"), **words.options(options)}


def read_during(words):
    """during DURATION"""
    return {"seconds": words.take(duration, "a duration")}


def read_ends(words):
    near = words.regions()
    arrow = words.take(one_of(*ARROWS), "-> or <->")
    return {"from": near, "to": words.regions(), "both": ARROWS[arrow]}


def read_network(words):
    """network REGION... ->|<-> REGION... clear | [delay D] [jitter D] [loss %] [duplicate %] [reorder %] [corrupt %] [tamper %] [rate R] [mtu BYTES]"""
    ends = read_ends(words)
    if words.maybe("clear"):
        return {**ends, "shape": {}}
    shape = words.options(SHAPES)
    if not shape:
        raise Bad("what shall the network do there? (delay, jitter, loss ... or clear)")
    return {**ends, "shape": shape}


def read_partition(words):
    """partition REGION... | REGION... [| REGION...]"""
    groups, seen = [[]], set()
    while words.more():
        if words.maybe("|"):
            groups.append([])
            continue
        region = words.region()
        if region in seen:
            raise Bad(f"{region} is on two sides")
        seen.add(region)
        groups[-1].append(region)
    if len(groups) < 2 or not all(groups):
        raise Bad("a partition has two sides or more, divided by |")
    return {"groups": groups}


def read_cut(words):
    """cut REGION... ->|<-> REGION..."""
    return read_ends(words)


def read_heal(words):
    """heal [REGION... ->|<-> REGION...]"""
    return read_ends(words) if words.more() else {}


def read_forget(words):
    """forget REGION... <-> REGION..."""
    ends = read_ends(words)
    if not ends["both"]:
        raise Bad("connections are forgotten both ways: <->")
    return ends


def read_swizzle(words):
    """swizzle REGION... over DURATION"""
    regions = words.regions()
    words.take(one_of("over"), "over")
    return {"regions": regions, "seconds": words.take(duration, "a duration")}


def read_processes(words):
    """REGION... [api|replicator]"""
    regions = words.regions()
    kind = words.maybe(*PROCESSES)
    return {"regions": regions, "kinds": [kind] if kind else list(PROCESSES)}


def read_crash_loop(words):
    """crash-loop REGION... api|replicator times N every DURATION"""
    found = {"regions": words.regions(), "kinds": [words.take(process, "a process")]}
    options = words.options({"times": count, "every": duration})
    if len(options) != 2:
        raise Bad("crash-loop needs times and every")
    return {**found, **options}


def read_power_cut(words):
    """power-cut REGION..."""
    return {"regions": words.regions()}


def read_wipe(words):
    """wipe REGION..."""
    return {"regions": words.regions()}


def read_clock(words):
    """clock REGION... [api|replicator] true | freeze | +DURATION | -DURATION | rate N | strobe +DURATION every DURATION for DURATION"""
    found = read_processes(words)
    how = words.take(what="what the clock does")
    if how in ("true", "freeze"):
        return {**found, "how": how}
    if how == "rate":
        return {**found, "how": how, "rate": words.take(number, "a rate")}
    if how == "strobe":
        found |= {"how": how, "by": words.take(signed_duration, "by how much")}
        options = words.options({"every": duration, "for": duration})
        if len(options) != 2:
            raise Bad("strobe needs every and for")
        return {**found, **options}
    return {**found, "how": "step", "by": signed_duration(how)}


def read_disk(words):
    """disk REGION... fill | free | well | slow DURATION | fail-fsync N | fail-write N"""
    found = {"regions": words.regions()}
    how = words.take(one_of("fill", "free", "well", "slow", "fail-fsync", "fail-write"), "what the disk does")
    if how == "slow":
        found["seconds"] = words.take(duration, "a duration")
    if how.startswith("fail-"):
        found["times"] = words.take(count, "how often")
    return {**found, "how": how}


def read_files(words):
    """files REGION... [api|replicator] N | normal"""
    found = read_processes(words)
    if words.maybe("normal"):
        return {**found, "limit": None}
    return {**found, "limit": words.take(count, "a number of files, or normal")}


def read_clients(words):
    """clients REGION... cut | heal | quiet | go"""
    return {"regions": words.regions(), "how": words.take(one_of("cut", "heal", "quiet", "go"), "cut, heal, quiet or go")}


def read_replica(words):
    """replica add|remove TABLE REGION [at REGION]"""
    found = {"how": words.take(one_of("add", "remove"), "add or remove"), "table": words.take(name, "a table"), "region": words.region()}
    return {**found, **words.options({"at": Words.regions})}


def read_drop(words):
    """drop TABLE"""
    return {"table": words.take(name, "a table")}


def read_change(words):
    """change TABLE REGION"""
    return {"table": words.take(name, "a table"), "region": words.region()}


def read_index(words):
    """index make|drop TABLE by-write|by-touch|by-number REGION"""
    found = {"how": words.take(one_of("make", "drop"), "make or drop"), "table": words.take(name, "a table")}
    return {**found, "index": words.take(one_of(*INDEXES), "an index"), "region": words.region()}


def read_await(words):
    """await ready|writable|drained REGION... DURATION, await active|gone|loading TABLE REGION... DURATION, await log REGION... PROCESS ID DURATION"""
    what = words.take(one_of("ready", "writable", "drained", "active", "gone", "loading", "log"), "what to wait for")
    found = {"what": what}
    if what in ("active", "gone", "loading"):
        found["table"] = words.take(name, "a table")
    found["regions"] = words.regions()
    if what == "log":
        found |= {"kind": words.take(process, "a process"), "id": words.take(log_id, "an id")}
    return {**found, "seconds": words.take(duration, "a duration")}


def read_expect(words):
    """expect writes|no-writes REGION..., expect log|no-log REGION... PROCESS ID, expect conflicts, expect apart"""
    what = words.take(one_of("writes", "no-writes", "log", "no-log", "conflicts", "apart"), "what to expect")
    if what in ("conflicts", "apart"):
        return {"what": what}
    found = {"what": what, "regions": words.regions()}
    if what in ("log", "no-log"):
        found |= {"kind": words.take(process, "a process"), "id": words.take(log_id, "an id")}
    return found


def read_rejoin(words):
    """rejoin REGION..."""
    return {"regions": words.regions()}


def read_converge(words):
    """converge DURATION"""
    return {"seconds": words.take(duration, "a duration")}


def read_check(words):
    """check"""
    return {}


def read_repeat(words):
    """repeat N ... end"""
    return {"times": words.take(count, "how often")}


def with_word(word, reader):
    """The readers that several statements share have no word of their own in their form."""

    def read(words):
        return reader(words)

    read.__doc__ = f"{word} {reader.__doc__}"
    return read


STATEMENTS = {
    "table": read_table, "workload": read_workload, "during": read_during, "network": read_network, "partition": read_partition,
    "cut": read_cut, "heal": read_heal, "forget": read_forget, "swizzle": read_swizzle,
    **{word: with_word(word, read_processes) for word in ("kill", "start", "stop", "restart", "pause", "resume", "rolling-restart")},
    "crash-loop": read_crash_loop, "power-cut": read_power_cut, "wipe": read_wipe, "clock": read_clock, "disk": read_disk,
    "files": read_files, "clients": read_clients, "replica": read_replica, "drop": read_drop, "change": read_change,
    "index": read_index,
    "await": read_await, "expect": read_expect, "rejoin": read_rejoin, "converge": read_converge, "check": read_check,
    "repeat": read_repeat,
}  # fmt: skip
HEAD = {
    "regions": "regions N", "config": "config [GROUP] KEY VALUE", "disks": "disks SIZE", "supervise": "supervise", "tls": "tls",
}  # fmt: skip


class Parser:
    def __init__(self, text, origin, regions=None):
        self.origin, self.wanted = origin, regions
        self.lines = text.splitlines()
        self.scenario = Scenario(pathlib.Path(origin).stem, "", regions or 3, [], [], 0, False)
        self.known = REGIONS[: self.scenario.regions]
        self.tables, self.started, self.seen = {"chaos"}, False, collections.Counter()

    def fail(self, line, text):
        raise ScenarioError(self.origin, line, text)

    def parse(self):
        blocks = [self.scenario.statements]
        opened = []
        for line, text in enumerate(self.lines, 1):
            about, text = text.strip(), text.split("#", 1)[0].strip()
            if not text:
                if about and not self.started and not self.seen:
                    self.scenario.about = f"{self.scenario.about} {about.lstrip('# ')}".strip()
                continue
            words = text.split()
            if words[0] == "end":
                if len(words) > 1 or not opened:
                    self.fail(line, "'end' ends a repeat, and stands alone")
                blocks.pop()
                opened.pop()
                continue
            try:
                statement = self.head(words) if words[0] in HEAD else self.statement(line, words, text)
            except Bad as error:
                self.fail(line, f"{words[0]}: {error}")
            self.seen[words[0]] += 1
            if statement is None:
                continue
            blocks[-1].append(statement)
            if statement.word == "repeat":
                blocks.append(statement.body)
                opened.append(line)
        if opened:
            self.fail(opened[-1], "this repeat has no end")
        self.whole()
        self.scenario.text = "\n".join(self.lines)
        return self.scenario

    def head(self, words):
        word, rest = words[0], words[1:]
        if self.started:
            raise Bad("stands before the first statement that does something")
        if word != "config" and self.seen[word]:
            raise Bad("is there twice")
        if word == "regions":
            n = count(rest[0]) if len(rest) == 1 else 0
            if not 2 <= n <= len(REGIONS):
                raise Bad(f"takes a number from 2 to {len(REGIONS)}")
            if self.wanted is None:
                self.scenario.regions = n
                self.known = REGIONS[:n]
            elif self.wanted < n:
                raise Bad(f"this scenario needs {n} regions")
        elif word == "config":
            if len(rest) not in (2, 3):
                raise Bad("takes [GROUP] KEY VALUE")
            self.scenario.settings.append((rest[0] if len(rest) == 3 else None, *rest[-2:]))
        elif word == "disks":
            if len(rest) != 1:
                raise Bad("takes one size")
            self.scenario.disks = size(rest[0])
        elif rest:
            raise Bad("takes no argument")
        else:
            setattr(self.scenario, word, True)  # supervise, tls

    def statement(self, line, words, text):
        self.started = True
        word = words[0]
        if word not in STATEMENTS:
            raise Bad("no such statement (chaos/run --language lists them)")
        left = Words(words[1:], self.known)
        arguments = STATEMENTS[word](left)
        if left.more():
            raise Bad(f"'{left.peek()}' is too much")
        if word == "table":
            if arguments["name"] in self.tables - {"chaos"}:
                raise Bad(f"table {arguments['name']} is there twice")
            self.tables.add(arguments["name"])
        elif "table" in arguments and arguments["table"] not in self.tables:
            raise Bad(f"no table {arguments['table']} was made above")
        if word == "disk" and arguments["how"] in ("fill", "free") and not self.scenario.disks:
            raise Bad("needs disks of a known size: 'disks 64M' at the top")
        return Statement(line, word, arguments, text)

    def whole(self):
        last = len(self.lines)
        words = [statement.word for statement in self.scenario.walk()]
        if "workload" not in words:
            self.fail(last, "no workload: nothing would be proved")
        if "check" not in words or self.scenario.statements[-1].word != "check":
            self.fail(last, "a scenario ends with 'check'")
        if "converge" not in words:
            self.fail(last, "no 'converge' before the check")
        if not self.scenario.about:
            self.fail(1, "a scenario begins with a comment that says what happens")


def parse(text, origin="scenario", regions=None):
    return Parser(text, origin, regions).parse()


def load(path, regions=None):
    return parse(pathlib.Path(path).read_text(), str(path), regions)


def language():
    """Every statement's form, for people."""
    forms = [*HEAD.values()] + [form.strip() for reader in STATEMENTS.values() for form in reader.__doc__.split(", ")]
    return "\n".join(forms)
