"""Opening an ONNX Runtime session: device, number of threads, and errors in plain words."""

import importlib.util
import io
import os
import re
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import onnxruntime as ort

from playground.core.errors import Message, PlaygroundError
from playground.inference.gpu_thread import on_gpu
from playground.torch_build import driver

CUDA = "CUDAExecutionProvider"
NOT_ON_GPU = "it does not run on a GPU"
SMALL = 2_000_000  # bytes; a smaller model runs a single text faster on one thread
ort.set_default_logger_severity(3)


def open_session(
    model: Path | str | bytes | ort.InferenceSession,
    device: str = "auto",
    threads: int = 0,
    batch: int = 1,
    capture: bool = False,
) -> ort.InferenceSession:
    """Opens a session on the GPU if there is one that works, otherwise on the CPU.

    Args:
        model: a file, or its bytes; an open session is returned as it is.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.
        batch: how many texts will be run at once.
        capture: capture runs on CUDA as CUDA graphs and replay them, see :func:`open_capturing`.

    Raises:
        PlaygroundError: when it is no ONNX model, or this ONNX Runtime cannot run it, or there is no such device.
    """
    if isinstance(model, ort.InferenceSession):
        return model
    if not isinstance(model, bytes):
        path = Path(model)
        if not path.is_file():
            raise PlaygroundError("There is no ONNX model at {path}.", "Export the run again.", path=path)
    size = len(model) if isinstance(model, bytes) else path.stat().st_size
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or (1 if size < SMALL and batch == 1 else max(1, (os.cpu_count() or 2)))
    options.inter_op_num_threads = 1
    names = wanted(device)
    providers = [(CUDA, _cuda_options(capture)) if name == CUDA else name for name in names]
    try:
        made = lambda: ort.InferenceSession(
            model if isinstance(model, bytes) else str(path), options, providers=providers
        )
        return on_gpu(made) if CUDA in names else made()
    except Exception as error:  # ONNX Runtime raises its own kinds, and plain RuntimeError
        raise _in_words(error, "this model" if isinstance(model, bytes) else path.name) from error


def open_capturing(
    model: Path | bytes, device: str = "auto", threads: int = 0, batch: int = 1
) -> tuple[ort.InferenceSession, str]:
    """As :func:`open_session`, for a step that is run again and again: on CUDA, as one CUDA graph.

    Returns:
        The session, and why its runs cannot be captured; "" where they can.
    """
    if CUDA not in wanted(device):
        return open_session(model, device, threads, batch), NOT_ON_GPU
    try:
        session = open_session(model, device, threads, batch, capture=True)
    except (
        PlaygroundError
    ) as error:  # the provider refuses, for instance because a node of the graph has no CUDA kernel
        return open_session(model, device, threads, batch), error.message
    return session, "" if running_on(session) == "CUDA" else NOT_ON_GPU


def _cuda_options(capture: bool) -> dict[str, str]:
    """Options for CUDA. Products of 32-bit floats stay so (by default a GPU rounds their factors to TF32's 10 bits)."""
    return {"use_tf32": "0", "enable_cuda_graph": "1" if capture else "0"}


def wanted(device: str) -> list[str]:
    """The ONNX Runtime providers to try, the best first.

    Only ``session.get_providers()`` says what really runs: the list of available providers contains CUDA even where it
    cannot be loaded.

    Raises:
        PlaygroundError: when device is "cuda" and there is no GPU, or its libraries do not fit.
    """
    if device != "cpu" and has_cuda():
        if device == "cuda" and (mismatch := cuda_mismatch()):
            raise PlaygroundError(*mismatch)
        preload()
        return [CUDA, "CPUExecutionProvider"]
    if device == "cuda":
        raise PlaygroundError("There is no CUDA GPU for ONNX Runtime here.", "Choose device 'auto' or 'cpu'.")
    return ["CPUExecutionProvider"]


def has_cuda() -> bool:
    """Whether there is an NVIDIA driver, and an ONNX Runtime built for CUDA."""
    return CUDA in ort.get_available_providers() and bool(_driver())


_driver = cache(driver)


@cache
def preload() -> None:
    """Loads the libraries of CUDA and cuDNN from the wheels of torch or nvidia, wherever they are installed.

    If one is missing, ONNX Runtime logs it and works on the CPU; `running_on` tells.
    """
    if not hasattr(ort, "preload_dlls"):
        return
    wheels = importlib.util.find_spec("nvidia")
    roots = [Path(root) for root in (wheels.submodule_search_locations or ())] if wheels else []
    major = runtime_cuda().split(".")[0]
    for kinds, folder in (
        ({"cuda": True, "cudnn": False}, f"cu{major}/lib"),
        ({"cuda": False, "cudnn": True}, "cudnn/lib"),
    ):
        found = next((str(root / folder) for root in roots if (root / folder).is_dir()), None)
        with redirect_stdout(io.StringIO()):  # it prints every library that it does not find
            ort.preload_dlls(**kinds, msvc=False, directory=found)


def cuda_mismatch() -> tuple[str, str] | None:
    """Why ONNX Runtime cannot use the CUDA libraries of torch's wheels: a message and a hint.

    None if the versions match, or if one of the two has no CUDA.
    """
    ours, theirs = runtime_cuda(), torch_cuda()
    if not ours or not theirs or ours.split(".")[0] == theirs.split(".")[0]:
        return None
    return (
        Message(
            "ONNX Runtime {version} was built for CUDA {ours}, but PyTorch here brings CUDA {theirs}: ONNX Runtime works on the CPU.",
            version=ort.__version__,
            ours=ours,
            theirs=theirs,
        ),
        Message(
            "Install a PyTorch for CUDA {ours}, or the onnxruntime-gpu for CUDA {theirs}.",
            ours=ours.split(".")[0],
            theirs=theirs.split(".")[0],
        ),
    )


def runtime_cuda() -> str:
    """The CUDA version for which ONNX Runtime was built, such as "12.8"; "" for none."""
    try:
        from onnxruntime.capi.build_and_package_info import cuda_version
    except ImportError:  # the package for CPUs alone
        return ""
    return str(cuda_version or "")


def torch_cuda() -> str:
    """The CUDA version of the installed torch, such as "12.8", read without importing it; "" for none."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return ""
    try:
        text = Path(found.submodule_search_locations[0], "version.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    said = re.search(r"^cuda\b[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return said.group(1) if said else ""


def running_on(session: ort.InferenceSession) -> str:
    """The provider that really runs a session: "CUDA" or "CPU"."""
    return session.get_providers()[0].removesuffix("ExecutionProvider")


def _in_words(error: Exception, name: str) -> PlaygroundError:
    text = str(error)
    if "opset" in text.lower() or "ir_version" in text.lower() or "IR version" in text:
        return PlaygroundError(
            "{name} is written in a newer ONNX than this ONNX Runtime {version} reads.",
            "Update onnxruntime, or export with an older opset.",
            name=name,
            version=ort.__version__,
        )
    if "protobuf" in text.lower() or "INVALID_PROTOBUF" in text or "ModelProto" in text:
        return PlaygroundError("{name} is no ONNX model, or it is damaged.", "Export the run again.", name=name)
    return PlaygroundError(
        "{name} cannot be run: {reason}.", "Export the run again.", name=name, reason=text.splitlines()[0][:200]
    )
