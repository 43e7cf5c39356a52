"""Runs of several processes with gloo, started by torchrun or by a server that forks, and what they leave."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ganzoo import api
from ganzoo.registry import plugins
from ganzoo.run.start import train
from ganzoo.store import checkpoint

TIMED = ("seconds", "samples_per_second")


def launch(
    folder: Path, processes: int, *command: str, fails: bool = False, torchrun: tuple[str, ...] = (), **more: str
) -> Any:
    """Run ganzoo with `processes` processes, and with `more` in their environment."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *torchrun]
    if processes == 1:
        run = [sys.executable]
    done = subprocess.run(
        [*run, "-m", "ganzoo", *command],
        cwd=folder,
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done


def together(function: Callable[..., Any], *args: Any, processes: int = 2, die: bool = False) -> list[Any]:
    """What a function of a module returns in each of several processes that have joined; torch is imported once.

    Of processes that `die`, nothing is heard: the exit code of each.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "ganzoo.api", "ganzoo.train.loop"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    results = context.Queue()
    started = [
        context.Process(target=_joined, args=(results, rank, processes, port, function, args), daemon=True)
        for rank in range(processes)
    ]
    for process in started:
        process.start()
    try:
        if die:
            for process in started:
                process.join(180)
            return [process.exitcode for process in started]
        got = dict(results.get(timeout=180) for _ in started)
        found = {rank: pickle.loads(said) for rank, said in got.items()}
    finally:
        for process in started:
            process.join(10)
            process.kill()
    for said in found.values():
        if isinstance(said, BaseException):
            raise said
    return [found[rank] for rank in range(processes)]


def trained(model: str | Path, overrides: Mapping[str, Any], out: Path) -> None:
    """What each of several processes does that train together; or one alone."""
    train(api.Model(model, overrides).blueprint, out, plugins.installed(), quiet=True)


def _joined(results: Any, rank: int, processes: int, port: int, function: Callable[..., Any], args: Any) -> None:
    where = {"RANK": rank, "WORLD_SIZE": processes, "LOCAL_RANK": rank, "MASTER_PORT": port}
    os.environ |= {key: str(value) for key, value in where.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    from ganzoo.parallel import distributed

    torch.set_num_threads(1)
    try:
        distributed.start("cpu", 120)
        # as bytes: a tensor itself would be fetched from this process, which may be gone by then
        results.put((rank, pickle.dumps(function(*args))))
        distributed.stop()
    except BaseException as error:
        results.put((rank, pickle.dumps(error)))


def state(run: Path, averages: bool = True) -> dict[str, torch.Tensor]:
    """Every tensor of the last checkpoint's parts, and of G's averages."""
    stored = checkpoint.load(checkpoint.locate(run)).state
    kept = stored["players"]["G"]["ema"]["parts"] if averages else {}
    return {
        f"{kind}.{part}.{key}": value
        for kind, parts in (("live", stored["parts"]), ("average", kept))
        for part, tensors in parts.items()
        for key, value in tensors.items()
    }


def numbers(run: Path) -> list[dict[str, Any]]:
    """What was logged, but for the times."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in record.items() if key not in TIMED} for record in records]
