"""The language of scenarios: what it takes, and where it says that something is wrong."""

import pathlib

import pytest

import scenario
from world import World

SCENARIOS = sorted((pathlib.Path(__file__).resolve().parents[2] / "chaos" / "scenarios").glob("*.chaos"))
HEAD = "# What happens.\n"
TAIL = "workload register\nduring 1s\nconverge 10s\ncheck\n"


def parse(text, **more):
    return scenario.parse(HEAD + text, "x.chaos", **more)


def test_every_statement_has_an_action():
    own = {"repeat", "workload"}  # the world runs these itself
    assert not [word for word in scenario.STATEMENTS if word not in own and not hasattr(World, "do_" + word.replace("-", "_"))]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_is_sound(path):
    found = scenario.load(path)
    assert len(found.about) > 20
    assert sum(s.arguments["seconds"] for s in found.walk() if s.word == "during") < 60


def test_there_are_enough_scenarios_and_they_use_the_whole_language():
    assert len(SCENARIOS) >= 15
    used = {statement.word for path in SCENARIOS for statement in scenario.load(path).walk()}
    assert set(scenario.STATEMENTS) - used <= {"rejoin"}, "a statement that no scenario uses is not tried by anything"


def test_statements_are_read():
    found = parse(
        "regions 4\nconfig journal segment_mb 1\ndisks 64M\nsupervise\n"
        "workload register clients 2 keys 7 rate 2.5 at us-east-1 eu-west-1 scope shared\n"
        "network us-east-1 -> eu-west-1 sa-east-1 delay 50ms loss 0.5% rate 2mbit mtu 600\n"
        "partition us-east-1 eu-west-1 | ap-northeast-1 | sa-east-1\nclock any api -1.5s\nrepeat 2\nkill same api  # a remark\nend\n"
        "disk us-east-1 slow 20ms\nconverge 10s\ncheck\n"
    )
    words = [statement.word for statement in found.walk()]
    assert words == ["workload", "network", "partition", "clock", "repeat", "kill", "disk", "converge", "check"]
    workload, network, partition, clock, repeat, disk = (found.statements[i].arguments for i in range(6))
    assert workload == {"kind": "register", "clients": 2, "keys": 7, "rate": 2.5, "at": ["us-east-1", "eu-west-1"], "scope": "shared"}
    assert network["from"] == ["us-east-1"] and network["to"] == ["eu-west-1", "sa-east-1"] and not network["both"]
    assert network["shape"] == {"delay": 0.05, "loss": 0.5, "rate": 2000, "mtu": 600}
    assert partition["groups"] == [["us-east-1", "eu-west-1"], ["ap-northeast-1"], ["sa-east-1"]]
    assert (clock["how"], clock["by"], clock["kinds"]) == ("step", -1.5, ["api"])
    assert found.statements[4].body[0].line == 11
    assert disk == {"regions": ["us-east-1"], "how": "slow", "seconds": 0.02}
    assert (found.regions, found.disks, found.supervise, found.settings) == (4, 64 << 20, True, [("journal", "segment_mb", "1")])


WRONG = [
    # text, line, part of what is said
    ("workload register\nexplode us-east-1\n" + TAIL, 3, "no such statement"),
    ("workload register\nduring 10\n" + TAIL, 3, "is not a duration"),
    ("workload register\nduring\n" + TAIL, 3, "a duration is missing"),
    ("workload register\nduring 10s 20s\n" + TAIL, 3, "'20s' is too much"),
    ("workload mint\n" + TAIL, 2, "'mint' is none of"),
    ("workload register clients 0\n" + TAIL, 2, "is not a number from 1"),
    ("workload register clients 2 clients 3\n" + TAIL, 2, "is there twice"),
    ("workload register table none\n" + TAIL, 2, "no table none"),
    ("kill mars\n" + TAIL, 2, "neither a region of this scenario"),
    ("kill sa-east-1\n" + TAIL, 2, "neither a region of this scenario"),
    ("kill us-east-1 database\n" + TAIL, 2, "'database' is too much"),
    ("partition us-east-1\n" + TAIL, 2, "two sides or more"),
    ("partition us-east-1 | us-east-1\n" + TAIL, 2, "is on two sides"),
    ("cut us-east-1 eu-west-1\n" + TAIL, 2, "-> or <-> is missing"),
    ("network us-east-1 -> eu-west-1\n" + TAIL, 2, "what shall the network do"),
    ("network us-east-1 -> eu-west-1 loss 120%\n" + TAIL, 2, "is not a percentage"),
    ("network us-east-1 -> eu-west-1 speed 1mbit\n" + TAIL, 2, "'speed' is none of"),
    ("forget us-east-1 -> eu-west-1\n" + TAIL, 2, "both ways"),
    ("clock us-east-1 5s\n" + TAIL, 2, "needs a sign"),
    ("clock us-east-1 strobe +5ms every 1ms\n" + TAIL, 2, "strobe needs every and for"),
    ("disk us-east-1 fill\n" + TAIL, 2, "needs disks of a known size"),
    ("disk us-east-1 explode\n" + TAIL, 2, "is none of"),
    ("await dinner us-east-1 5s\n" + TAIL, 2, "'dinner' is none of"),
    ("await log us-east-1 api lower 5s\n" + TAIL, 2, "is not a log line's id"),
    ("workload register\nregions 4\n" + TAIL, 3, "before the first statement"),
    ("regions 3\nregions 3\n" + TAIL, 3, "is there twice"),
    ("regions 1\n" + TAIL, 2, "a number from 2"),
    ("repeat 3\nduring 1s\n" + TAIL, 2, "has no end"),
    ("end\n" + TAIL, 2, "ends a repeat"),
    ("workload register\nconverge 10s\n", 3, "ends with 'check'"),
    ("workload register\ncheck\n", 3, "no 'converge'"),
    ("during 1s\nconverge 10s\ncheck\n", 4, "no workload"),
]


@pytest.mark.parametrize("text, line, says", WRONG, ids=[f"{w[0].splitlines()[0]} - {w[2]}" for w in WRONG])
def test_what_is_wrong_is_refused_with_its_line(text, line, says):
    with pytest.raises(scenario.ScenarioError) as caught:
        parse(text)
    assert caught.value.line == line
    assert says in str(caught.value) and str(caught.value).startswith(f"x.chaos:{line}: ")


def test_a_scenario_without_a_word_of_what_happens_is_refused():
    with pytest.raises(scenario.ScenarioError, match="begins with a comment"):
        scenario.parse(TAIL)


def test_more_regions_may_be_asked_for_and_not_fewer():
    assert parse("regions 3\n" + TAIL, regions=5).regions == 5
    with pytest.raises(scenario.ScenarioError, match="needs 3 regions"):
        parse("regions 3\n" + TAIL, regions=2)


def test_the_language_lists_every_statement():
    forms = scenario.language()
    for word in [*scenario.STATEMENTS, *scenario.HEAD]:
        assert any(line.split()[0] == word for line in forms.splitlines()), word
