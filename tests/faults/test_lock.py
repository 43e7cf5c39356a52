"""The lock of a run's folder under attack: there is never more than one writer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ganzoo.store import lock

# Processes that are forked when all is imported, start at one moment, and each say whether they got the folder.
MANY = """
import os, sys, time
from pathlib import Path
from ganzoo.errors import UserError
from ganzoo.store import lock
folder, count, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(rounds):
    ready, go = os.pipe(), os.pipe()
    place, inside = folder / str(number), folder / f"inside-{number}"
    for _ in range(count):
        if os.fork() == 0:
            os.write(ready[1], b".")
            os.close(go[1])
            os.read(go[0], 1)  # until the last writer closes it
            try:
                with lock.writing(place):
                    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails where another is inside
                    os.write(1, b"wrote\\n")
                    time.sleep(0.002)
                    os.unlink(inside)
            except UserError as error:
                os.write(1, b"refused\\n" if "is writing to" in str(error) else repr(error).encode())
            except BaseException as error:
                os.write(1, f"two at once: {error!r}\\n".encode())
            os._exit(0)
    for _ in range(count):
        os.read(ready[0], 1)
    os.close(go[0]), os.close(go[1])
    for _ in range(count):
        os.wait()
"""
HOLD = """
import sys, time
from pathlib import Path
from ganzoo.store import lock
with lock.writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
TRY = """
import sys
from pathlib import Path
from ganzoo.errors import UserError
from ganzoo.store import lock
try:
    with lock.writing(Path(sys.argv[1])):
        print("taken")
except UserError as error:
    print(error)
"""
unix = pytest.mark.skipif(sys.platform != "linux", reason="flock and namespaces")


@unix
def test_of_a_hundred_that_start_at_the_same_moment_one_at_a_time_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MANY, str(tmp_path), "100", "3"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 300 and set(said) == {"wrote", "refused"}, set(said)
    assert said.count("wrote") >= 3, "in every round somebody got it"


@unix
def test_one_that_is_killed_while_it_holds_the_folder_lets_go_of_it(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"
            assert json.loads((tmp_path / lock.WRITER).read_text())["pid"] == holder.pid
            os.kill(holder.pid, signal.SIGKILL)
        assert (tmp_path / lock.WRITER).exists(), "it had no time to remove it"
        with lock.writing(tmp_path):
            assert json.loads((tmp_path / lock.WRITER).read_text())["pid"] == os.getpid()


def namespaces() -> bool:
    """Whether this user may make hosts of their own, each with a name and mounts."""
    unshare = shutil.which("unshare")
    return bool(unshare) and not subprocess.run([*HOST, "true"], capture_output=True).returncode


HOST = ["unshare", "--user", "--map-root-user", "--uts", "--mount", "--pid", "--fork", "--kill-child"]


@unix
def test_of_two_hosts_with_one_folder_one_writes(tmp_path: Path) -> None:
    """Each host has a name, processes and mounts of its own; the folder is bound to another place on each."""
    if not namespaces():
        pytest.skip("namespaces are not allowed here")
    folders = [tmp_path / name for name in ("shared", "on_first", "on_second")]
    for folder in folders:
        folder.mkdir()

    def on(host: str, code: str) -> list[str]:
        place = tmp_path / f"on_{host}"
        script = f'hostname {host} && mount --bind {folders[0]} {place} && exec "$0" -c "$1" {place}/run'
        return [*HOST, "sh", "-c", script, sys.executable, textwrap.dedent(code)]

    with subprocess.Popen(on("first", HOLD), stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        refused = subprocess.run(on("second", TRY), capture_output=True, text=True, check=True).stdout
        holder.kill()
    assert " on first is writing to " in refused and str(folders[2]) in refused, refused
    taken = subprocess.run(on("second", TRY), capture_output=True, text=True, check=True).stdout
    assert taken == "taken\n"
