"""Which build of PyTorch this machine needs, and its installing: standard library alone, run as a script by `make setup`.

    python3 playground/torch_build.py choose auto            # "cpu" or "pypi", and why in one line on the error output
    .venv/bin/python playground/torch_build.py install auto  # into this environment, in the place of another build
    .venv/bin/python playground/torch_build.py again cuda    # "again" where this environment still has to be given that one

PyPI's PyTorch for Linux is the CUDA build and brings several GB of CUDA; the CPU build is 200 MB, from PyTorch's own index.
"""

import ctypes.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILDS = ("auto", "cpu", "cuda")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TRIED = ".torch"  # in the environment: the build that was wanted, and the one that pip found
CUDA_PACKAGES = ("nvidia-", "cuda-")  # what the CUDA build requires
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
        asked: "auto" (or nothing) looks for an NVIDIA driver; "cpu" and "cuda" decide.

    Raises:
        ValueError: for another word.
    """
    asked = asked or "auto"
    if asked not in BUILDS:
        raise ValueError(f"TORCH is one of {', '.join(BUILDS)}, not {asked!r}.")
    if platform == "darwin":
        return "pypi", "PyPI's build, which on a Mac is small and knows Apple's GPU"
    if asked != "auto":
        build, name = ("pypi", "CUDA") if asked == "cuda" else ("cpu", "CPU")
        return build, f"the {name} build, as asked for (TORCH={asked})"
    found = find()
    if found:
        return (
            "pypi",
            f"the CUDA build (several GB), because there is an NVIDIA driver: {found}. TORCH=cpu takes the small one",
        )
    return "cpu", "the CPU build (200 MB), because there is no NVIDIA driver. TORCH=cuda takes the other one"


def installed(path: Sequence[str] | None = None, platform: str = sys.platform) -> str:
    """Which build is there, "cpu" or "pypi", by what pip keeps beside it; "" for none. PyTorch itself is not imported.

    Args:
        path: folders of packages; None: this Python's.
    """
    from importlib import invalidate_caches, metadata

    invalidate_caches()  # pip may just have changed it
    found = next(iter(metadata.distributions(name="torch", path=sys.path if path is None else list(path))), None)
    if found is None:
        return ""
    if platform == "darwin":
        return "pypi"  # there is no other
    has_cuda = any(
        each.startswith(CUDA_PACKAGES) for each in found.requires or ()
    )  # PyPI also has builds without, for ARM
    return "pypi" if has_cuda and "+cpu" not in found.version else "cpu"


def is_settled(build: str, there: str, tried: str) -> bool:
    """Whether there is nothing to install: the build is there, or pip was asked for it and found the one that is there.

    Args:
        tried: what `main` wrote down after installing.
    """
    return bool(there) and (there == build or tried.split() == [build, there])


def install(build: str, pip: Callable[..., bool], find: Callable[[], str] = installed) -> str:
    """Installs a build, in the place of another one.

    Args:
        build: "cpu" or "pypi", see `choose`.
        pip: installs what its arguments say; told ``quiet`` it keeps its errors to itself. Says whether it could.
        find: tells which build is there.

    Returns:
        The build that is there now; "" where pip failed.
    """
    there, torch = find(), _pinned()
    # To pip 2.13.0+cpu is 2.13.0, and the other way round. It takes the old one away when it has the new one.
    change = ["--force-reinstall"] if there and there != build else []
    few = ["--no-deps", "--retries", "1", "--timeout", "20", "--index-url", CPU_INDEX]
    if build == "cpu" and not pip(*few, *change, torch, quiet=True):
        print(f"{CPU_INDEX} cannot be reached: taking PyPI's build, which brings CUDA.", flush=True)
    if build == "pypi" and change and not pip("--no-deps", *change, torch):
        return ""
    if not pip(torch):  # also what it requires
        return ""
    now = find()
    if build == "pypi" and now == "cpu":
        print("PyTorch: pip found a CPU build all the same.", flush=True)
    return now


def _pinned() -> str:
    """As in `constraints.txt`: "torch==2.13.0"."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return next(line for line in lines if line.startswith("torch=="))


def _pip(*arguments: str, quiet: bool = False) -> bool:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--constraint",
        str(ROOT / "constraints.txt"),
    ]
    return subprocess.run([*command, *arguments], stderr=subprocess.DEVNULL if quiet else None).returncode == 0


def main(arguments: list[str]) -> int:
    what, asked = arguments[0], "".join(arguments[1:2])
    kept = Path(sys.prefix) / TRIED
    try:
        build, reason = choose(asked)
    except ValueError as error:
        if what == "again":
            return print("again") or 0  # setting up says what is wrong
        print(error, file=sys.stderr)
        return 2
    if what == "choose":
        print(f"PyTorch: {reason}.", file=sys.stderr)
        print(build)
    elif what == "install":
        there = install(build, _pip)
        kept.write_text(f"{build} {there}\n")
        return 0 if there else 1
    elif not is_settled(build, there := installed(), kept.read_text() if kept.exists() else ""):
        print("again")
    elif there != build:
        print(f"PyTorch: TORCH={asked} found no other build before. To try again: rm {kept}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
