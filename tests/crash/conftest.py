import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "replication"))  # dynamo.py

LONG = bool(os.environ.get("TIDEMARK_LONG"))
SEEDS = 400 if LONG else 20


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="one seed, to see a failure again")


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        only = metafunc.config.getoption("--seed")
        metafunc.parametrize("seed", range(1, SEEDS + 1) if only is None else [only])
