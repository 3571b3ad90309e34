"""A replicator whose sockets do not connect to an API process that is there starts over in place, under its own id."""

import os
import pathlib
import signal
import socket
import subprocess
import time

BIN = pathlib.Path(os.environ["TIDEMARK_BIN"])


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_replicator_that_cannot_connect_starts_over(tmp_path):
    path = f"/tmp/tidemark-renew-{os.getpid()}.sock"
    config = tmp_path / "tidemark.conf"
    config.write_text(
        f'region = "us-east-1"; number = 1; data = "{tmp_path}/data";\n'
        f'http = {{ listen = "127.0.0.1:{free_port()}"; }};\n'
        f'replication = {{ listen = "tcp://127.0.0.1:{free_port()}"; endpoint = "ipc://{path}"; peers = ( '
        f'{{ region = "eu-west-1"; number = 2; address = "tcp://127.0.0.1:{free_port()}"; }} ); }};\n'
    )
    log = tmp_path / "log"
    # It accepts and never speaks: a connection that does not come about.
    with socket.socket(socket.AF_UNIX) as silent, open(log, "w") as out:
        silent.bind(path)
        silent.listen(64)
        process = subprocess.Popen([BIN / "replicator" / "tidemark-replicator", "--config", config], stderr=out)
        try:
            deadline = time.monotonic() + 60
            while log.read_text().count("REPL-READY") < 2:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            assert "REPL-RENEW" in log.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            os.unlink(path)
