"""Which build of PyTorch this machine needs, told before anything is installed: standard library alone, run as a script.

    python3 playground/torch_build.py auto     # "cpu" or "pypi", and why in one line on the error output

PyPI's PyTorch for Linux is the CUDA build and brings several GB of CUDA; the CPU build is 200 MB, from PyTorch's own index.
"""

import ctypes.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

BUILDS = ("auto", "cpu", "cuda")
SIGNS = (
    "/proc/driver/nvidia/version",  # the kernel's module is loaded
    "/dev/nvidiactl",  # in a container
    "/usr/lib/wsl/lib/libcuda.so.1",  # Windows' driver, seen from Linux in Windows
)


def driver() -> str:
    """What shows that there is an NVIDIA driver; "" where nothing does."""
    for sign in SIGNS:
        if Path(sign).exists():
            return sign
    if (program := shutil.which("nvidia-smi")) and _runs(program):
        return program
    return ctypes.util.find_library("cuda") or ""


def _runs(program: str) -> bool:
    try:
        return subprocess.run([program, "-L"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def choose(asked: str, platform: str = sys.platform, find: Callable[[], str] = driver) -> tuple[str, str]:
    """Where the build comes from ("cpu": PyTorch's index of CPU builds, "pypi": PyPI) and the reason.

    Args:
        asked: "auto" looks for an NVIDIA driver; "cpu" and "cuda" decide.

    Raises:
        ValueError: for another word.
    """
    if asked not in BUILDS:
        raise ValueError(f"TORCH is one of {', '.join(BUILDS)}, not {asked!r}.")
    if platform == "darwin":
        return "pypi", "PyPI's build, which on a Mac is small and knows Apple's GPU"
    if asked != "auto":
        build, name = ("pypi", "CUDA") if asked == "cuda" else ("cpu", "CPU")
        return build, f"the {name} build, as asked for (TORCH={asked})"
    found = find()
    if found:
        return "pypi", f"the CUDA build (several GB), because there is an NVIDIA driver: {found}. TORCH=cpu takes the small one"
    return "cpu", "the CPU build (200 MB), because there is no NVIDIA driver. TORCH=cuda takes the other one"


def main(arguments: list[str]) -> int:
    try:
        build, reason = choose(*arguments[:1] or ["auto"])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"PyTorch: {reason}.", file=sys.stderr)
    print(build)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
