"""Runs as zip files. One may come from anybody: only a run's own files, of bounded size, get in."""

import json
import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from playground.core.atomic import disk_errors, is_damaged_zip, readable_json, write_json
from playground.core.errors import Message, PlaygroundError, UserError
from playground.core.paths import umask
from playground.runs import checkpoints, naming, snapshots
from playground.runs.config import RunConfig, relocated
from playground.runs.folder import RunFolder
from playground.runs.integrity import SHAPES
from playground.runs.status import stored
from playground.text import uploads
from playground.text.byte_alphabet import clean

LIMIT = 16 * 2**30  # bytes that a run may have when unpacked
_RATIO = 200  # no file of a run packs better than this; a zip bomb does
SMALL = 64 * 2**20  # bytes of the largest JSON file
MOST_FILES = 2000

_KNOWN = re.compile(
    r"(run|tokenizer|status|labels)\.json"
    r"|results/(report\.json|test\.safetensors|test\.jsonl)"
    r"|(metrics|samples)\.jsonl"
    r"|examples/(examples\.json|step-\d{8,12}\.safetensors)"
    r"|checkpoint/step-\d{8,12}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}\.(safetensors|json)"
    r"|snapshots/step-\d{8,12}\.safetensors"
    r"|export/([A-Za-z0-9_][A-Za-z0-9_-]{0,40}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}"
    r"\.(onnx|data|onnx_data|json|safetensors|md|txt)"
)
IGNORED = re.compile(r"(.*/)?(__MACOSX/.*|\.DS_Store|Thumbs\.db)")


def pack(run: RunFolder, path: Path, export: bool = True) -> Path:
    """Writes ``run`` to the zip file ``path``, in one step, also while the run is being trained.

    Raises:
        PlaygroundError: when the disk is full.
    """
    with disk_errors(Message("packing {name}", name=run.id)):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            for attempt in range(5):
                try:
                    _write(run, Path(temporary), export)
                    break
                except FileNotFoundError:  # the trainer replaced a checkpoint meanwhile: take the newer one
                    if attempt == 4:
                        raise
            os.chmod(temporary, 0o666 & ~umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return path


def _write(run: RunFolder, path: Path, export: bool) -> None:
    names = ["run.json", "tokenizer.json", "status.json", "labels.json", "metrics.jsonl", "samples.jsonl"]
    names += ["results/", "examples/"]
    names += [f"checkpoint/step-{step:08d}/" for step in run.checkpoints()]
    names += [f"snapshots/{snapshots.path_of(run.path, step).name}" for step in snapshots.steps(run.path)]
    names += ["export/"] if export else []
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            found = sorted((run.path / name).rglob("*")) if name.endswith("/") else [run.path / name]
            for file in found:
                inside = file.relative_to(run.path).as_posix()
                if inside == "run.json":
                    packed.writestr(
                        f"{run.id}/{inside}", readable_json(_portable(run)), compress_type=zipfile.ZIP_DEFLATED
                    )
                elif _KNOWN.fullmatch(inside) and file.is_file():
                    text = file.suffix in (".json", ".jsonl", ".md", ".txt")
                    kind = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
                    packed.write(file, f"{run.id}/{inside}", compress_type=kind)


def _portable(run: RunFolder) -> dict[str, Any]:
    """What run.json says, without places of this machine."""
    config = run.config()
    return {**run.about(), **relocated(config, uploads.portable_path).to_dict(), "data_folder": None}


def export_in(source: Path | str | BinaryIO) -> dict[str, Any] | None:
    """What the export in a packed run was of: ``{"step", "precisions", "attentions"}``; None where there is none.

    Its graphs are never taken: a graph from elsewhere could ask for any time and memory. The export is made anew.
    """
    with zipfile.ZipFile(source) as packed:
        names = [info.filename for info in packed.infolist()]
        reports = [info for info in packed.infolist() if info.filename.endswith("export/report.json")]
        if not reports or reports[0].file_size > 2**20:
            return None
        try:
            report = json.loads(packed.read(reports[0]))
        except (ValueError, RecursionError, zipfile.BadZipFile):
            return None
    if not isinstance(report, dict) or type(report.get("step")) is not int:
        return None
    found = {match[1] for name in names if (match := re.search(r"export/\w+\.(fp16|int8|int4|kv8)\.onnx$", name))}
    return {"step": report["step"], "precisions": sorted(found), "attentions": report.get("attentions") is True}


def unpack(source: Path | str | BinaryIO, root: Path, limit: int = LIMIT) -> RunFolder:
    """Unpacks a zip file into a new run folder under ``root``, all but its export.

    Nothing is visible as a run before all of it has been checked. Called in the gate's child alone: see
    `playground.finetune.sandboxed_import`.

    Raises:
        PlaygroundError: with the reason, when it is no zip file, no run, or is not to be trusted.
    """
    temporary = Path(tempfile.mkdtemp(dir=root, prefix=".import-"))
    try:
        with disk_errors("unpacking the run"):
            try:
                with zipfile.ZipFile(source) as packed:
                    files = {
                        name: info for name, info in _checked(packed, limit).items() if not name.startswith("export/")
                    }
                    extract(packed, files, temporary)
            except (FileNotFoundError, IsADirectoryError) as error:
                raise PlaygroundError("There is no file {source}.", source=source) from error
            except Exception as error:
                if not is_damaged_zip(error):
                    raise
                message = "This is not a whole zip file."
                raise PlaygroundError(message, "Export the run again ({error}).", error=error) from error
            config = _check_contents(temporary)
            return _settle(temporary, root, config)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _checked(packed: zipfile.ZipFile, limit: int) -> dict[str, zipfile.ZipInfo]:
    """The files to unpack by their name inside the run; refuses everything that a run does not have."""
    entries = [info for info in packed.infolist() if not info.is_dir()]
    entries = [info for info in entries if not IGNORED.fullmatch(info.filename)]
    if len(entries) > MOST_FILES:
        raise _refused(Message("it holds {n:,} files", n=len(entries)))
    for info in entries:
        check_entry(info)
    prefix = _common_folder([info.filename for info in entries])
    files: dict[str, zipfile.ZipInfo] = {}
    for info in entries:
        name = info.filename.removeprefix(prefix)
        if not _KNOWN.fullmatch(name):
            raise _refused(Message("it holds {name!r}, which no run has", name=info.filename[:120]))
        if name.lower() in (other.lower() for other in files):
            raise _refused(Message("it holds {name!r} twice", name=name))
        if name.endswith((".json", ".jsonl")) and info.file_size > SMALL * (16 if name.endswith("l") else 1):
            raise _refused(Message("{name} is too large", name=name))
        files[name] = info
    if "run.json" not in files:
        raise PlaygroundError("This zip file is not a run: it has no run.json.", "Export one under Ship.")
    total = sum(info.file_size for info in entries)
    packed_size = packed.fp.seek(0, os.SEEK_END) if packed.fp else 0
    if total > limit or total > max(2**22, _RATIO * packed_size):  # entries may overlap
        raise _refused(Message("it unpacks to {total:.2f} GiB", total=total / 2**30))
    return files


def holds_run(names: Iterable[str]) -> bool:
    """Whether a zip file with these names is a packed run: its run.json lies at the top, or in a folder there."""
    return any(name.rpartition("/")[2] == "run.json" and name.count("/") < 2 for name in names)


def check_entry(info: zipfile.ZipInfo) -> None:
    """Refuses what no honest zip file holds: a path that leads out of it, a link, a secret, a bomb."""
    name = info.filename
    parts = PurePosixPath(name).parts
    bad = "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or ":" in name
    if bad or len(name) > 300:
        raise _refused(Message("it holds the path {path!r}", path=name[:120]))
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _refused(Message("{name!r} is a link or a device, not a file", name=name))
    if info.flag_bits & 1:
        raise _refused("it is encrypted")
    if info.file_size > 2**20 and info.file_size > _RATIO * max(1, info.compress_size):
        raise _refused(
            Message(
                "{name!r} unpacks to {times:,.0f} times its size",
                name=name,
                times=info.file_size / max(1, info.compress_size),
            )
        )


def _common_folder(names: list[str]) -> str:
    """ "my-run-abc/" when all names are in that one folder and run.json is directly in it."""
    first = names[0].partition("/")[0] + "/" if names else ""
    return first if f"{first}run.json" in names and all(name.startswith(first) for name in names) else ""


def extract(packed: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo], target: Path) -> None:
    """Writes checked files into an empty folder, under the names that they are given here."""
    needed = sum(info.file_size for info in files.values())
    if needed > shutil.disk_usage(target).free:
        raise PlaygroundError("The run needs {needed:.1f} GiB, more than the disk has free.", needed=needed / 2**30)
    for name, info in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with packed.open(info) as source, open(path, "xb") as file:
            written = 0
            while chunk := source.read(2**20):
                written += len(chunk)
                if written > info.file_size:
                    raise _refused(Message("{name} is longer than it says", name=name))
                file.write(chunk)


def _check_contents(folder: Path) -> RunConfig:
    about = _read_object(folder / "run.json")
    try:
        config = RunConfig.from_dict(about)
    except UserError as error:
        raise PlaygroundError("The run's settings are not valid: {why}", error.hint, why=error.message) from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise PlaygroundError("The run's settings are not valid: {error}.", error=error) from error
    for path in (folder / "checkpoint").glob("*"):
        if not checkpoints.is_whole(path):
            raise PlaygroundError(
                "The checkpoint {name} in this file is damaged.", "Export the run again.", name=path.name
            )
    for path in (folder / "snapshots").glob("*"):
        if checkpoints.header_of(path) is None:
            raise PlaygroundError(
                "The snapshot {name} in this file is damaged.", "Export the run again.", name=path.name
            )
    return config


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes()) if path.exists() else {}
    except (ValueError, RecursionError) as error:
        raise PlaygroundError("The file {name} in this zip file is damaged.", name=path.name) from error
    if not isinstance(value, dict):
        raise PlaygroundError("The file {name} in this zip file is damaged.", name=path.name)
    return value


def _settle(temporary: Path, root: Path, config: RunConfig) -> RunFolder:
    """Makes the unpacked folder a run of this machine: no process of another machine works on it."""
    said = _read_object(temporary / "status.json")
    (temporary / "status.json").unlink(missing_ok=True)
    arriving = RunFolder(temporary)
    about = arriving.about()
    (temporary / "run.json").unlink()  # what it says besides the config does not get through, but for a little
    arriving.write_config(relocated(config, uploads.local_path), **_checked_about(about), imported=time.time())
    steps = arriving.checkpoints()
    state = said.get("state") if said.get("state") in ("finished", "stopped", "paused") else "paused"
    if steps:
        arriving.update_status(state=state, step=steps[-1], steps=config.training.steps, **_measured(said))
    else:
        write_json(temporary / "status.json", {"state": "created", "steps": config.training.steps})
    while True:
        target = root / naming.new_id(config.name)
        if not target.exists():
            os.rename(temporary, target)
            return RunFolder(target)


def _measured(said: dict[str, Any]) -> dict[str, float | None]:
    """The numbers of status.json that the table of runs shows, where they can be such."""
    try:
        status = stored(said)
    except ValueError:
        return {}
    return {name: getattr(status, name) for name in ("loss", "val_loss", "tokens_per_second")}


def _checked_about(about: dict[str, Any]) -> dict[str, Any]:
    """What run.json may say besides the config: when and with what the run was made, and how its text is shaped."""
    created, versions, info = about.get("created"), about.get("versions"), about.get("data_info")
    told: dict[str, Any] = {
        "created": created if isinstance(created, int | float) and 0 < created < time.time() else time.time(),
        "versions": {str(k)[:40]: str(v)[:40] for k, v in versions.items()} if isinstance(versions, dict) else {},
    }
    if about.get("data_shape") in SHAPES:
        told["data_shape"] = about["data_shape"]
    if isinstance(info, dict):
        texts = {name: info[name] for name in ("provenance", "licence") if isinstance(info.get(name), str)}
        shown = lambda text: clean(text)[:2000]
        told["data_info"] = {
            n: text.mapped(shown) if isinstance(text, Message) else shown(text) for n, text in texts.items()
        }
    return told


def _refused(why: str) -> PlaygroundError:
    return PlaygroundError("This file was not opened: {why}.", "Only import runs that LM Playground exported.", why=why)
