"""Amazon's DynamoDB Local, fetched by Maven at test time, and a region of ours beside it."""

import filecmp
import http.client
import importlib.util
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / "build" / "dynamodb-local"
MAIN = "software.amazon.dynamodb.services.local.main.ServerRunner"


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


regions = load("tidemark_regions", ROOT / "tests" / "conformance" / "conftest.py")


def fetch():
    """The jar, what it needs, and its native library by the name that it looks for."""
    stamp = HOME / "pom.xml"
    if stamp.exists() and filecmp.cmp(HERE / "pom.xml", stamp, shallow=False):
        return
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    # pom.xml is copied last: it says that the rest is there.
    done = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={HOME}/lib"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode != 0:
        pytest.skip("Maven could not fetch DynamoDB Local: " + done.stdout[-500:])
    (native,) = (HOME / "lib").glob("libsqlite4java-linux-amd64*.so")
    shutil.copy(native, HOME / "libsqlite4java-linux-amd64.so")
    shutil.copy(HERE / "pom.xml", stamp)


@pytest.fixture(scope="session")
def local_port(tmp_path_factory):
    for command in ("java", "mvn"):
        if not shutil.which(command):
            pytest.skip(f"no {command}: DynamoDB Local needs Java 17 and Maven")
    fetch()
    port = regions.free_port()
    log = tmp_path_factory.mktemp("dynamodb-local") / "local.log"
    native = [f"-Djava.library.path={HOME}", f"-Dsqlite4java.library.path={HOME}"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["java", "-Xmx512m", *native, "-cp", f"{HOME}/lib/*", MAIN, "-inMemory", "-disableTelemetry", "-port", str(port)],
            stdout=out,
            stderr=out,
        )

    def answers():
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            return connection.getresponse().read() is not None
        except OSError:
            return False

    try:
        regions.wait_for(answers, "DynamoDB Local answers", 120)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def region(tmp_path_factory):
    region = regions.Region(tmp_path_factory.mktemp("region"), "us-east-1", 1).start()
    yield region
    assert region.stop() == 0
