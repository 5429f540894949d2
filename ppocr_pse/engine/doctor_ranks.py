"""The doctor's exchange of values between ranks, which never waits longer than it was told to.

A rank that does not answer leaves the others inside C++, out of reach of Python. So each rank exchanges in a process of
its own (this module, run with ``-m``), which tells its parent what it is about to do.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ppocr_pse.engine.doctor import GIB, Finding

GRADIENT_NUMBERS = 16 * 2**20
"""Size of the all-reduce that is timed: 64 MiB, about half the gradients of det_r50_vd_pse."""
CURE = (
    "look at the logs of all ranks (LOG_DIR/workerlog.N); check that every host reaches PADDLE_MASTER and the others, "
    "and that all were started with the same number of nodes"
)


def check_ranks(device: str, faults: Sequence[str], rank: int, size: int, timeout: float) -> list[Finding]:
    """Exchange values with the other ranks, check them, and time an all-reduce of the size of gradients.

    Args:
        device: of this rank, as ``paddle.set_device`` takes it.
        faults: what this rank found before; the others learn of it.
        rank: number of this process.
        size: number of processes.
        timeout: seconds that one step of the exchange may take.

    Returns:
        Findings; those about values are the same at every rank.
    """
    command = [sys.executable, "-m", "ppocr_pse.engine.doctor_ranks", device, json.dumps(list(faults))]
    stage = "start"
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            for line in _lines(process, timeout):
                kind, _, rest = line.partition(" ")
                if kind == "result":
                    return [Finding(**finding) for finding in json.loads(rest)]
                if kind == "stage":
                    stage = rest
        except TimeoutError:
            text = f"rank {rank} of {size} waited {timeout:g} s in: {stage}; another rank does not answer"
            return [Finding("collective", "fault", text, CURE)]
        finally:
            process.kill()
            code = process.wait()
        errors.seek(0)
        last = (errors.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1][:300]
    text = f"rank {rank} of {size} failed in: {stage} (code {code}): {last}"
    return [Finding("collective", "fault", text, CURE)]


def _lines(process: subprocess.Popen[bytes], timeout: float) -> Iterator[str]:
    """Lines that a process prints, until it ends.

    Raises:
        TimeoutError: if it prints nothing for ``timeout`` seconds.
    """
    if process.stdout is None:
        return
    pending = b""
    while True:
        if not select.select([process.stdout], [], [], timeout)[0]:
            raise TimeoutError
        chunk = os.read(process.stdout.fileno(), 1 << 16)
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def exchange(device: str, faults: Sequence[str]) -> list[Finding]:
    """Do the exchange; prints a line ``stage ...`` before each step that can wait for another rank."""
    import paddle
    from paddle import distributed

    from ppocr_pse.engine.runtime import use_device

    _at("connecting (init_parallel_env)")
    use_device(device)
    distributed.init_parallel_env()
    rank, size = distributed.get_rank(), distributed.get_world_size()
    _at("all_gather_object")
    ranks: list[dict[str, Any]] = []
    own = {"host": socket.gethostname(), "device": paddle.device.get_device(), "faults": list(faults)}
    distributed.all_gather_object(ranks, own)
    wrong = []

    def expect(what: str, got: list[float], expected: list[float]) -> None:
        if got != expected:
            wrong.append(f"{what} gives {got}, expected {expected}")

    _at("all_reduce")
    total = paddle.to_tensor([float(rank + 1), 1.0])
    distributed.all_reduce(total)
    expect("all_reduce", total.tolist(), [size * (size + 1) / 2, float(size)])
    _at("broadcast")
    told = paddle.to_tensor([7.0 if rank == 0 else -1.0])
    distributed.broadcast(told, src=0)
    expect("broadcast", told.tolist(), [7.0])
    _at("all_gather")
    gathered: list[Any] = []
    distributed.all_gather(gathered, paddle.to_tensor([float(rank)]))
    expect("all_gather", [part.item() for part in gathered], [float(i) for i in range(size)])
    latency = _time_all_reduce(paddle.ones([1]), 20)
    seconds = _time_all_reduce(paddle.ones([GRADIENT_NUMBERS]), 2)
    _at("barrier")
    distributed.barrier()
    findings = describe_ranks(ranks)
    if wrong:
        cure = "update the communication library (NCCL, ixCCL, gloo) and the driver together"
        return [*findings, Finding("collective", "fault", "; ".join(wrong), cure)]
    text = (
        f"all_reduce, broadcast, all_gather and barrier are right over {size} ranks; all_reduce of one number "
        f"{1000 * latency:.2f} ms, of {4 * GRADIENT_NUMBERS / 2**20:.0f} MiB {1000 * seconds:.0f} ms "
        f"({4 * GRADIENT_NUMBERS / seconds / GIB:.2f} GiB/s)"
    )
    return [*findings, Finding("collective", "ok", text)]


def describe_ranks(ranks: Sequence[dict[str, Any]]) -> list[Finding]:
    """Name each rank's host and device.

    Args:
        ranks: a dict with host, device and faults (a list of texts) a rank.
    """
    findings = []
    for i, each in enumerate(ranks):
        text = f"{i} of {len(ranks)}: {each['device']} on {each['host']}"
        if each["faults"]:
            findings.append(Finding("rank", "fault", "; ".join([text, *each["faults"]]), f"see workerlog.{i}"))
        else:
            findings.append(Finding("rank", "ok", text))
    places = [(each["host"], each["device"]) for each in ranks if each["device"] != "cpu"]
    for host, device in sorted({place for place in places if places.count(place) > 1}):
        cure = "start with --gpus or --devices, one number a rank"
        findings.append(Finding("rank", "fault", f"several ranks work on {device} of {host}", cure))
    return findings


def _time_all_reduce(tensor: Any, times: int) -> float:
    """Seconds of one all-reduce, after a first one that is not timed."""
    from paddle import distributed

    _at(f"all_reduce of {4 * tensor.size / 2**20:.0f} MiB")
    distributed.all_reduce(tensor)
    float(tensor[0].item())  # waits for the device
    _at(f"all_reduce of {4 * tensor.size / 2**20:.0f} MiB, timed")
    start = time.perf_counter()
    for _ in range(times):
        distributed.all_reduce(tensor)
    float(tensor[0].item())
    return (time.perf_counter() - start) / times


def _at(stage: str) -> None:
    print("stage", stage, flush=True)


if __name__ == "__main__":
    found = exchange(sys.argv[1], json.loads(sys.argv[2]))
    print("result", json.dumps([asdict(finding) for finding in found]), flush=True)
