"""The AWS SDK for JavaScript v3 and the libraries on top of it (ElectroDB, Dynamoose), from npm: js/*.test.js, each by node's own test runner,
against one region."""

import filecmp
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

SOURCE = pathlib.Path(__file__).parent / "js"
WORK = ROOT / "build" / "conformance-js"
NODE_MAJOR_MIN = 20  # what the SDK asks for
FILES = sorted(p.name for p in SOURCE.glob("*.test.js"))


@pytest.fixture(scope="module")
def sdk():
    """A folder with the tests and, beside them, the packages that package-lock.json names."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node or no npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(re.match(r"v(\d+)", version)[1]) < NODE_MAJOR_MIN:
        pytest.skip(f"the SDK needs Node.js {NODE_MAJOR_MIN}, this is {version}")
    WORK.mkdir(parents=True, exist_ok=True)
    stamp = WORK / "node_modules" / "package-lock.json"
    if not stamp.exists() or not filecmp.cmp(SOURCE / "package-lock.json", stamp, shallow=False):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, WORK)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=WORK, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            pytest.skip("npm could not fetch the packages: " + done.stderr[-500:])
        shutil.copy(SOURCE / "package-lock.json", stamp)
    for path in SOURCE.glob("*.js"):
        shutil.copy(path, WORK)
    return WORK


@pytest.mark.parametrize("name", FILES)
def test_sdk_for_javascript(region, sdk, name):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= {"TIDEMARK_ENDPOINT": region.url, "TIDEMARK_REGION": region.name}
    done = subprocess.run(["node", "--test", "--test-reporter=spec", name], cwd=sdk, env=environment, capture_output=True, text=True, timeout=300)
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    assert int(re.search(r"pass (\d+)", done.stdout)[1]) > 0
