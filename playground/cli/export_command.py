"""``python -m playground export RUN``: a folder with the run as ONNX, compared with PyTorch before it is offered."""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from playground.cli.checkpoint import TARGET, at_step
from playground.core.errors import PlaygroundError
from playground.core.paths import for_others
from playground.core.terminal import restart_line


def add(commands) -> None:
    parser = commands.add_parser("export", help="write a run as ONNX, prove it, and pack it for other software")
    parser.add_argument("target", metavar="RUN[@STEP]", help=TARGET)
    parser.add_argument("--step", type=int, help="step of the checkpoint (default: the latest)")
    parser.add_argument("--to", metavar="FOLDER", help="output folder (default: the run's own folder)")
    parser.add_argument(
        "--precision",
        default="fp32",
        metavar="P[,P…]",
        help="precisions of the fast graph: fp32, kv8, fp16, int8, int4",
    )
    parser.add_argument("--attentions", action="store_true", help="include the attention weights as outputs")
    parser.add_argument(
        "--offline-demo", action="store_true", help="include ONNX Runtime in demo.html (fetched from npm, 19 MB more)"
    )
    parser.add_argument("--zip", action="store_true", help="also write everything as one .zip file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from playground.inference.session import cuda_mismatch, has_cuda
    from playground.onnx_export import package
    from playground.onnx_export.export import export

    folder, step = at_step(options)
    if options.attentions and not folder.config().model.has_attention:
        raise PlaygroundError(
            f"{folder.name} has no attention whose weights could be given out.", "Leave out --attentions."
        )
    precisions, to = (
        [name.strip() for name in options.precision.split(",") if name.strip()],
        options.to and Path(options.to),
    )
    with for_others() if options.to or options.zip else nullcontext():
        made = export(folder, step, precisions, options.attentions, to, options.offline_demo, _tell)
    report = made.report
    print(file=sys.stderr)
    print(f"Exported to {made.folder} in {report['seconds']:.1f} s.")
    print(f"Compared with PyTorch over {len(report['checks'])} shapes: logits differ by at most {report['worst']:.1e}.")
    if report["greedy"]:
        print(f"The first {report['greedy']} greedy tokens are the same.")
    for precision, size in report["sizes"].items():
        print(f"  {precision}: {size / 1e6:.2f} MB")
    print(f"Known to {report['loaders']}." if report["loaders"] else "A mix of its own: ONNX Runtime runs it.")
    if has_cuda() and (mismatch := cuda_mismatch()):
        print(*mismatch)
    if options.zip:
        with for_others():
            packed = package.zipped(made.folder, made.folder.with_name(f"{made.folder.name}.zip"))
        print(f"One file: {packed} ({packed.stat().st_size / 1e6:.2f} MB)")
    return 0


def _tell(what: str, share: float) -> None:
    """How far it is: on a terminal in place, else a line each."""
    restart_line(sys.stderr)
    print(f"{share:4.0%} {what}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
