"""The README's tour, run as it stands: its code blocks, with the ports and the folder of this test's regions."""

import os
import pathlib
import re
import subprocess
import sys

from harness import BUILD, ROOT

BLOCK = re.compile(r"<!-- tour -->\n```(sh|python)\n(.*?)```", re.S)


def run(cluster, shell, text):
    environment = dict(os.environ)
    # The clients of the tests' own Python, and nobody's own settings.
    environment["PATH"] = f"{pathlib.Path(sys.executable).parent}:{environment['PATH']}"
    environment["AWS_PAGER"] = ""
    environment["AWS_CONFIG_FILE"] = environment["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent"
    for number, region in enumerate(cluster):
        text = re.sub(rf"\b800{number + 1}\b", str(region.port), text)
    text = text.replace("build/release/", f"{BUILD}/").replace("var/*", f"{cluster.folder}/*").replace("--data var", f"--data {cluster.folder}")
    program = ["bash", "-euo", "pipefail", "-c", text] if shell else [sys.executable, "-c", text]
    result = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, f"{text}\n{result.stdout}{result.stderr}"
    return result.stdout


def test_the_tour_of_the_readme_works(cluster):
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert [kind for kind, _ in blocks] == ["sh", "sh", "sh", "python", "sh"]
    setup, create, change, python, conflict = (text for _, text in blocks)

    created = run(cluster, True, setup + create)
    for name in ("ap-southeast-1", "eu-west-1"):
        assert re.search(rf"{name}\s+ACTIVE", created), created

    changed = run(cluster, True, setup + change)
    assert '"N": "2"' in changed
    assert re.search(r"Feeling Good\s+7\nSinnerman\s+2\n", changed), changed

    answer = run(cluster, False, python)
    assert "it is there already" in answer
    assert "Pata Pata" in answer and "2 songs played often" in answer

    met = run(cluster, True, setup + conflict)
    assert "eu\neu\neu\n" in met, met
    assert re.search(r"kept .*eu-west-1 .*\"eu\"", met) and re.search(r"lost .*us-east-1 .*\"us\"", met), met
    cluster.wait_converged(20)
    cluster.assert_identical("Music")
    cluster.stop_and_check()
