"""The process that waits with torch imported never starts CUDA: its children could not use it any more."""

import os
import subprocess
import sys

import pytest

from playground.runs.submit import SETTINGS

needs_cuda = pytest.mark.gpu
TOUCHY = """
import torch

def touched(name):
    def fail(*_, **__):
        raise SystemExit(f"preload touched CUDA: {name}")
    return fail

# What every way to CUDA goes through, in a build with CUDA (torch takes the first for the sign of one).
NAMES = "_cuda_getDeviceCount _cuda_init _cuda_setDevice _cuda_getDevice _cuda_getCurrentRawStream _cuda_maybeExchangeDevice"
for name in NAMES.split():
    setattr(torch._C, name, touched(name))
for name in ("_lazy_init", "device_count", "current_device", "_device_count_nvml"):
    setattr(torch.cuda, name, touched(f"torch.cuda.{name}"))
"""
PRELOAD = """
from playground.training.dispatcher import preload

preload()
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess:
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    surroundings = {**os.environ, **SETTINGS, "PYTHONPATH": path, **environment}
    surroundings.pop("PLAYGROUND_WORKER", None)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=surroundings, timeout=240)


def test_preloading_asks_nothing_of_cuda():
    result = run(TOUCHY + PRELOAD + "print('ready')")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == "ready\n" and "cannot import" not in result.stderr


def test_the_proof_above_would_notice():
    result = run(TOUCHY + PRELOAD + "torch.cuda.is_available()")
    assert result.returncode == 1 and "preload touched CUDA" in result.stderr


def test_asking_whether_there_is_a_gpu_does_not_start_cuda():
    """Its own test, since a person's environment goes first: the setting that makes torch ask the driver's tool."""
    assert SETTINGS["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"
    import torch.cuda

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        assert torch.cuda._nvml_based_avail()


@needs_cuda
def test_a_fork_of_the_preloaded_process_computes_on_the_gpu():
    result = run(
        PRELOAD
        + """
import os, sys, torch
assert torch.cuda.is_available() and not torch.cuda.is_initialized()
open_files = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{n}")]
assert not any(name.startswith("/dev/nvidia") for name in open_files), open_files
pid = os.fork()
if not pid:
    print(torch.ones(3, device="cuda").sum().item(), flush=True)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    )
    assert result.returncode == 0 and result.stdout == "3.0\n", result.stdout + result.stderr
