"""
A region that dies under load: kill -9, power cuts, SIGTERM. What was acknowledged is there afterwards, once; nothing is half.

One seed again: tests/run's venv, TIDEMARK_BIN=build/release python -m pytest tests/crash --seed 7
"""

import random
import time

from process import Api
from workload import Load, make_table

LOAD_SECONDS = 30


def under_load(api, load, choice):
    """Let the clients get somewhere, then a moment more: the end comes anywhere in a request."""
    load.run(api.port)
    began = time.monotonic()
    writes, deadline = choice.randrange(1, 400), began + LOAD_SECONDS
    # Some lives are long enough for checkpoints and sealed segments.
    least = choice.random() * 1.5 + 0.3 if choice.random() < 0.4 else 0
    while load.acknowledged() < writes or time.monotonic() < began + least:
        assert time.monotonic() < deadline, f"{load.acknowledged()} of {writes} writes in {LOAD_SECONDS} s:\n{api.tail()}"
        assert all(client.failure is None for client in load.clients), [client.failure for client in load.clients]
        time.sleep(0.001)
    time.sleep(choice.random() * 0.01)


def test_what_was_acknowledged_survives(tmp_path, seed):
    choice, api, load = random.Random(seed), Api(tmp_path), Load(seed)
    story = []
    try:
        api.start()
        make_table(api.port)
        for _ in range(3):
            under_load(api, load, choice)
            if choice.random() < 0.25:
                story.append("stopped")
                assert api.stop() == 0, api.tail()
            else:
                story.append("killed")
                api.kill()
            load.join()
            if choice.random() < 0.8:
                story.append(f"store: {api.damage_store(choice)}, journal: {api.damage_journal(choice)}")
            api.start()
            load.verify(api.port)
        assert api.stop() == 0, api.tail()
        assert api.check() == ""
    except BaseException:
        print(f"seed {seed}: {'; '.join(story)}; folder {tmp_path}\n{api.tail()}")
        raise
    finally:
        if api.process is not None:
            api.kill()


def test_a_clean_stop_under_load_loses_nothing_and_recovers_nothing(tmp_path):
    choice, api, load = random.Random(4711), Api(tmp_path), Load(4711)
    try:
        api.start()
        make_table(api.port)
        for _ in range(3):
            under_load(api, load, choice)
            assert api.stop() == 0, api.tail()
            load.join()
            mark = api.log.stat().st_size
            api.start()
            with open(api.log, "rb") as log:
                log.seek(mark)
                assert b" RECOVERED " not in log.read(), "a clean stop leaves nothing to replay"
            load.verify(api.port)
        assert api.stop() == 0
        assert api.check() == ""
    finally:
        if api.process is not None:
            api.kill()
