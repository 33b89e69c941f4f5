"""Names of settings that earlier versions wrote, and what they are called now. Old names are read and never written.

They stand in ``run.json``, in what an export tells of its run, after ``--set`` and in addresses of pages.
"""

from collections.abc import Mapping
from typing import Any

KEYS: dict[str, dict[str, str]] = {
    "model": {"memory_span": "chrono_max_span"},
    "training": {
        "final_lr": "final_lr_fraction",
        "hold": "constant_fraction",
        "accumulate": "gradient_accumulation_steps",
        "early_stop": "patience",
        "sample_tokens": "sample_max_new_tokens",
    },
    "finetune": {"matrices": "target_modules"},
    "labelled": {"share": "train_fraction"},
}
"""Old name → present name, for each group of settings."""

VALUES: dict[tuple[str, str], dict[str, str]] = {("training", "loss_on"): {"answer": "completion"}}
"""Old value → present value, for each (group, present name)."""


def present_name(group: str, name: str) -> str:
    """What a setting is called now; a name that was never changed is returned as it is."""
    return KEYS.get(group, {}).get(name, name)


def present_value(group: str, name: str, value: Any) -> Any:
    """What a value of a setting is called now.

    Args:
        group, name: of the setting, as it is called now.
    """
    renamed = VALUES.get((group, name), {})
    return renamed.get(value, value) if isinstance(value, str) else value


def old_names(group: str) -> dict[str, str]:
    """Present name → old name, of those settings of a group that were renamed."""
    return {new: old for old, new in KEYS.get(group, {}).items()}


def with_present_names(group: str, values: Any) -> Any:
    """The settings of one group under their present names.

    An old name stays as it is where the present one stands beside it, so that the check of the settings refuses it by
    name: nobody could say which of the two counts. What is no mapping (a damaged file) is returned as it is.
    """
    if not isinstance(values, Mapping):
        return values
    found = {}
    for name, value in values.items():
        new = present_name(group, name) if isinstance(name, str) else name
        new = name if new != name and new in values else new
        found[new] = present_value(group, new, value) if isinstance(new, str) else value
    return found


def with_present_groups(about: Mapping[str, Any]) -> dict[str, Any]:
    """``run.json`` with every setting under its present name; all else stays as it is."""
    found = {name: with_present_names(name, value) if name in KEYS else value for name, value in about.items()}
    tuned = found.get("finetune")
    if isinstance(tuned, dict) and "labelled" in tuned:
        found["finetune"] = {**tuned, "labelled": with_present_names("labelled", tuned["labelled"])}
    return found
