"""Which card this is and what it can do at most: a large product in bfloat16, a large copy, a large read."""

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata

import torch

from tests.benchmarks.gpu.rows import Row, Setting, attempt
from tests.benchmarks.gpu.timing import median_seconds

NO_GPU = "PyTorch finds no NVIDIA GPU here, so there is nothing to measure; --rehearse tries every part on the CPU."
SHEETS = {  # data sheets: dense bfloat16 TFLOP/s, GB/s of memory; the first name that is part of the card's
    "H200": (989, 4800),
    "H100 PCIe": (756, 2000),
    "H100 NVL": (835, 3900),
    "H100": (989, 3350),
    "A100-SXM4-80GB": (312, 2039),
    "A100-SXM4-40GB": (312, 1555),
    "A100": (312, 1935),
    "L40S": (362, 864),
    "L4": (121, 300),
    "RTX 4090": (165, 1008),
    "RTX 3090": (71, 936),
}
ASKED = ("driver_version", "clocks.sm", "clocks.max.sm", "power.draw", "power.limit", "temperature.gpu")


def measure(setting: Setting) -> Iterator[Row]:
    cuda = setting.device == "cuda"
    if cuda and not (torch.cuda.is_available() and torch.version.cuda):
        yield Row("card", NO_GPU, figures={"gpu": False})
        return
    about = facts(cuda)
    yield Row("card", about["name"], figures=about)
    yield from attempt("peak of bfloat16 products", peak, setting, about)
    yield from attempt("memory bandwidth", bandwidth, setting, about)


def facts(cuda: bool) -> dict:
    """Names and versions, and the data sheet's figures where the card is known."""
    about = {
        "gpu": cuda,
        "name": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "onnxruntime": version_of_onnxruntime(),
    }
    if not cuda:
        return about
    card = torch.cuda.get_device_properties(0)
    about |= {
        "name": card.name,
        "memory": card.total_memory,
        "multiprocessors": card.multi_processor_count,
        "capability": f"{card.major}.{card.minor}",
        "cudnn": torch.backends.cudnn.version(),
    }
    sheet = next((figures for name, figures in SHEETS.items() if name in card.name), None)
    return about | ({"sheet_tflops": sheet[0], "sheet_bandwidth": sheet[1] * 1e9} if sheet else {})


def version_of_onnxruntime() -> str:
    """Of the package that is imported as onnxruntime, read without importing it."""
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{metadata.version(name)} ({name})"
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


def peak(setting: Setting, about: dict) -> Row:
    """TFLOP/s of an 8192³ product on random numbers; the clocks and the power are read while such products run."""
    n = 256 if setting.rehearsal else 8192
    a, b = (torch.randn(n, n, device=setting.device, dtype=torch.bfloat16) for _ in range(2))
    made = torch.empty_like(a)
    product = lambda: torch.matmul(a, b, out=made)
    rate = 2 * n**3 / median_seconds(setting.device, product, times=15) / 1e12
    if setting.device == "cuda":
        for _ in range(1200):  # a second and a half of work, behind which nvidia-smi looks
            product()
    said = nvidia_smi()
    told = f"{rate:,.0f} TFLOP/s ({n}³, random numbers)"
    told += f"; data sheet {about['sheet_tflops']} TFLOP/s" if "sheet_tflops" in about else ""
    if said:
        told += f"; SM clock {said['clocks.sm']} of {said['clocks.max.sm']} MHz, {said['power.draw']} of {said['power.limit']} W"
    return Row("peak of bfloat16 products", told, figures={"bf16_tflops": rate, "nvidia_smi": said})


def bandwidth(setting: Setting, about: dict) -> Row:
    """Bytes a second: of a copy on the card, read and written ones counted, and of a sum; the larger is the limit."""
    size = 2**20 if setting.rehearsal else 2**28  # floats: 1 GiB, twenty times the cache of an H100
    source = torch.randn(size, device=setting.device)
    target = torch.empty_like(source)
    copied = 8 * size / median_seconds(setting.device, lambda: target.copy_(source))
    read = 4 * size / median_seconds(setting.device, source.sum)
    told = f"{copied / 1e9:,.0f} GB/s copied (read + written), {read / 1e9:,.0f} GB/s read"
    told += f"; data sheet {about['sheet_bandwidth'] / 1e9:,.0f} GB/s" if "sheet_bandwidth" in about else ""
    return Row("memory bandwidth", told, figures={"bandwidth": max(copied, read), "copied": copied, "read": read})


def nvidia_smi() -> dict[str, str]:
    """What the driver says of the first card; empty where there is no nvidia-smi or it does not answer."""
    if not shutil.which("nvidia-smi"):
        return {}
    command = ["nvidia-smi", "-i", "0", f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in (said.splitlines() or [""])[0].split(",")]
    return dict(zip(ASKED, values, strict=True)) if len(values) == len(ASKED) else {}
