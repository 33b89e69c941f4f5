"""Which views there are of a model, for the tabs of both pages that look into it."""

from models.hyperparameters import RECURRENT, TRANSFORMERS, WITH_ATTENTION
from playground.runs.folder import RunFolder
from playground.runs.snapshots import steps_of
from playground.ui.frame import presenting
from playground.ui.places import VIEWS
from playground.ui.run_picker import known_runs, speaks


def views_of(run: RunFolder) -> list[str]:
    """The keys of `playground.ui.places.VIEWS` that have something to show of this model; gates and states bring a model
    that has them with them."""
    return [view for view in VIEWS if _serves(view, run)]


def _serves(view: str, run: RunFolder) -> bool:
    if view == "recurrent":
        # Before a room the arrows go through the views: none of them may take the model that is shown away.
        return kind_of(run) in RECURRENT + WITH_ATTENTION or (not presenting() and recurrent_run() is not None)
    if view == "steps":  # queries, keys and values, which additive attention has not
        return kind_of(run) in TRANSFORMERS
    if view == "timeline":
        return len(steps_of(run)) > 1
    return view != "attention" or kind_of(run) not in RECURRENT


def kind_of(run: RunFolder) -> str:
    """The architecture of its model."""
    return run.about()["model"]["architecture"]


def recurrent_run() -> RunFolder | None:
    """The first model that has gates or states: the person's own that is trained to its end, else one that ships with the
    app, else any; of each, those first that read running text, as the person's own sentence says nothing to a task's.
    """
    found = [run for run in known_runs() if speaks(run) and kind_of(run) in RECURRENT]
    found.sort(key=lambda run: run.about().get("data_shape") == "pairs")
    return next((run for run in found if run.status().state == "finished"), found[0] if found else None)
