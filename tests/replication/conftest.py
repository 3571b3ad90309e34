import os

import pytest

from harness import Cluster

LONG = bool(os.environ.get("TIDEMARK_LONG"))


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="one seed for the fault tests, to see a failure again")


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path) as regions:
        yield regions


@pytest.fixture
def sizes():
    """The sizes of this run: `sizes(normal, long)`."""
    return lambda normal, long: long if LONG else normal
