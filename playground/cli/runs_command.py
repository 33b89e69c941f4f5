"""``python -m playground runs``: list, follow, steer, rename, delete, move between machines."""

import argparse
import time
from pathlib import Path

from playground.core.errors import PlaygroundError
from playground.core.paths import for_others
from playground.core.terminal import in_line
from playground.runs.store import RunStore

SHOWN = 50  # lines at a time of what somebody else's process wrote meanwhile


def add(commands) -> None:
    parser = commands.add_parser("runs", help="list and manage runs")
    parser.set_defaults(run=list_runs)
    actions = parser.add_subparsers(metavar="ACTION")
    _action(actions, "list", list_runs, "all runs, the newest first")
    for verb, help_text in (("pause", "save and pause"), ("stop", "save and stop")):
        _action(actions, verb, steer, help_text, run=True).set_defaults(verb=verb)
    _action(actions, "resume", resume, "go on in the background", run=True)
    _action(actions, "watch", watch, "follow its live line until it ends", run=True)
    _action(actions, "rename", rename, "give it another name", run=True).add_argument("name")
    _action(actions, "duplicate", duplicate, "the same settings, not yet trained", run=True)
    _action(actions, "delete", delete, "move it to the trash", run=True)
    _action(actions, "undelete", undelete, "bring it back from the trash", run=True)
    _action(actions, "pack", pack, "write it to a zip file", run=True).add_argument("path", type=Path)
    shipped = _action(actions, "ship", ship, "put it into this checkout's gallery", run=True)
    shipped.add_argument("name")
    shipped.add_argument("--past", action="store_true", help="with the checkpoints it kept, to look back at")
    shipped.add_argument(
        "--sample", default="", metavar="TEXT", help="open it with this text; ship none of its samples"
    )
    _action(actions, "unpack", unpack, "read it from a zip file").add_argument("path", type=Path)


def _action(actions, name: str, function, help_text: str, run: bool = False) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help_text)
    if run:
        parser.add_argument("target", metavar="RUN", help="a run's id, the beginning of its id, its name, or latest")
    parser.set_defaults(run=function)
    return parser


def list_runs(options: argparse.Namespace) -> None:
    folders, damaged = RunStore().list(), RunStore().damaged()
    if not folders and not damaged:
        print("No runs yet. Start one: python -m playground train --preset modern-tiny --data python-docs")
        return
    print(f"{'run':34} {'state':12} {'step':>8} {'val. loss':>9}  name")
    for folder in folders:
        status = folder.status()
        loss = f"{status.val_loss:.4f}" if status.val_loss is not None else ""
        print(f"{folder.id:34} {status.state:12} {status.step:>8,} {loss:>9}  {folder.name}")
    for each in damaged:
        print(f"{each.run.id:34} {'damaged':12} {'':>8} {'':>9}  {in_line(each.message)}")


def steer(options: argparse.Namespace) -> None:
    from playground.runs.submit import halt

    folder = RunStore().get(options.target)
    state = folder.status().state
    if state not in ("queued", "preparing", "running"):
        raise PlaygroundError(f"{folder.name} is not running; it is {state}.")
    halt(folder, options.verb)
    print(f"Asked {folder.id} to {options.verb}.")


def resume(options: argparse.Namespace) -> None:
    from playground.runs.submit import submit

    folder = RunStore().own(options.target)
    submit(folder)
    print(f"{folder.id} continues in the background; follow it with: python -m playground runs watch {folder.id}")


def watch(options: argparse.Namespace) -> int:
    """Prints what another process writes; Ctrl-C stops watching, not training."""
    from playground.cli.progress import Progress
    from playground.runs.rows import newest_metrics, newest_samples
    from playground.runs.submit import revive

    folder = RunStore().get(options.target)
    progress, measured, written = Progress(folder), folder.path / "metrics.jsonl", folder.path / "samples.jsonl"
    cursor, said = 0, newest_samples(written, 0, SHOWN)[1]
    while True:
        metrics, cursor = newest_metrics(measured, cursor, SHOWN)
        if metrics:
            progress.on_event("metrics", [metric.told() for metric in metrics])
        samples, said = newest_samples(written, said, SHOWN)
        for sample in samples:
            progress.on_event("sample", sample)
        if progress.quiet:  # nobody reads any more
            return 0
        status = folder.status()
        if status.state not in ("queued", "preparing", "running"):
            progress.close(status.state)
            return 0 if status.state in ("finished", "paused", "stopped") else 2
        if status.queue_place:
            revive()
            progress.note(f"Waiting: place {status.queue_place} in the queue.")
        elif status.message:
            progress.on_event("status", {"message": status.message})
        time.sleep(0.3)


def rename(options: argparse.Namespace) -> None:
    store = RunStore()
    store.rename(store.get(options.target).id, options.name)
    print(f"It is called {options.name!r} now.")


def duplicate(options: argparse.Namespace) -> None:
    store = RunStore()
    print(store.duplicate(store.get(options.target).id).id)


def delete(options: argparse.Namespace) -> None:
    store = RunStore()
    damaged = [each.run.id for each in store.damaged()]
    id = options.target if options.target in damaged else store.get(options.target).id
    store.delete(id)
    print(f"{id} is in the trash; bring it back with: python -m playground runs undelete {id}")


def undelete(options: argparse.Namespace) -> None:
    RunStore().undelete(options.target)
    print(f"{options.target} is back.")


def pack(options: argparse.Namespace) -> None:
    store, path = RunStore(), options.path
    run = store.get(options.target)
    if path.is_dir():
        path = path / f"{run.id}.zip"
    if not path.parent.is_dir():
        raise PlaygroundError(f"There is no folder {path.parent}.", "Make it first.")
    with for_others():
        store.export_zip(run.id, path)
    print(f"Written to {path} ({path.stat().st_size / 1e6:.1f} MB).")


def ship(options: argparse.Namespace) -> None:
    from playground.cli import shipping

    path = shipping.ship(RunStore().get(options.target), options.name, past_too=options.past, sample=options.sample)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(f"Written to {path} ({size / 1e6:.1f} MB).")


def unpack(options: argparse.Namespace) -> None:
    from playground.finetune.sandboxed_import import import_sandboxed

    if not options.path.is_file():
        raise PlaygroundError(f"There is no file {options.path}.")
    print(f"The run is {import_sandboxed(options.path).id}.")
