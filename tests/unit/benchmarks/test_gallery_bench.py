"""The benchmark that makes shipped models again: its reading of recipes, and its verdicts, with commands that are pretended."""

import json

import pytest

from playground.cli.main import parser
from playground.runs import gallery
from tests.benchmarks.gallery import main, make, recipe


@pytest.fixture
def shelf(tmp_path):
    """A gallery of one model with a loss of 2, whose recipe has two commands."""
    folder = tmp_path / "gallery" / "reader"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "status.json").write_text(json.dumps({"val_loss": 2.0}))
    (folder / "README.md").write_text(
        "# A reader\n\nMade with:\n\n    python -m playground train --name 'A reader'\n"
        "    python -m playground finetune latest --data more\n\nValidation loss 2.\n"
    )
    return tmp_path / "gallery"


class Pretended:
    """Stands for the commands: each makes a run with the next of these losses."""

    def __init__(self, *losses, code=0, said=""):
        self.losses, self.code, self.said, self.asked = list(losses), code, said, []

    def __call__(self, words, home):
        self.asked.append((words, home))
        if not self.code:
            run = home / "runs" / f"run-{len(self.asked)}"
            run.mkdir(parents=True)
            (run / "status.json").write_text(json.dumps({"val_loss": self.losses.pop(0)}))
            (run / "run.json").write_text("{}")
        return self.code, self.said


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("    python -m playground train --data x\n", [["train", "--data", "x"]]),
        ("```sh\npython -m playground train --data x\n```\n", [["train", "--data", "x"]]),
        (
            "text\n\n    .venv/bin/python -m playground train --name 'a b' \\\n      --steps 3\n",
            [["train", "--name", "a b", "--steps", "3"]],
        ),
        (
            "    # first\n    python -m playground train --data x  # slow\n\nthen\n\n    python -m playground finetune latest\n",
            [["train", "--data", "x"], ["finetune", "latest"]],
        ),
        ("python -m playground runs\n\n    python -m playground train\n", [["train"]]),
    ],
)
def test_recipes(text, commands):
    assert recipe(text) == commands


@pytest.mark.parametrize(
    "text",
    [
        "",
        "python -m playground train\n",
        "    rm -r x\n",
        "    python -m playground runs remove x\n",
        "    python -m playground\n",
        "    python -m playground train; ls 'x\n",
    ],
)
def test_what_is_no_recipe(text):
    with pytest.raises(ValueError):
        recipe(text)


@pytest.mark.parametrize("run", gallery.runs(), ids=lambda run: run.id)
def test_every_shipped_model_has_a_recipe_that_the_command_line_reads(run):
    commands = recipe((run.path / "README.md").read_text())
    assert all(parser().parse_args(words).data for words in commands)
    settings = [each for words in commands for each in words]
    assert "training.threads=1" in settings, "sums are added up in the same order on every machine"


def test_commands_run_one_after_the_other_in_a_home_that_goes(shelf):
    pretended = Pretended(3.0, 2.01)
    made = make(shelf / "reader", pretended)
    assert [words[0] for words, _ in pretended.asked] == ["train", "finetune"]
    (first, second) = (home for _, home in pretended.asked)
    assert first == second and not first.exists()
    assert (made.shipped, made.again, made.met) == (2.0, 2.01, True)
    assert made.size == sum(path.stat().st_size for path in (shelf / "reader").iterdir())


@pytest.mark.parametrize(
    ("shipped", "again", "met"),
    [
        (2.0, 2.039, True),
        (2.0, 1.961, True),
        (2.0, 2.041, False),
        (2.0, 1.95, False),
        (0.0003, 0.0009, True),
        (0.0003, 0.01, False),
    ],
)
def test_a_loss_agrees_within_two_percent_or_near_zero(shelf, shipped, again, met):
    (shelf / "reader" / "status.json").write_text(json.dumps({"val_loss": shipped}))
    assert make(shelf / "reader", Pretended(again, again)).met is met
    assert main([], shelf, Pretended(again, again)) == (0 if met else 1)


def test_a_missing_package_is_told_and_is_no_failure(shelf, capsys):
    said = "error: Reviews come with the package spacy, which is not installed.\nRun: pip install spacy\n"
    assert main(["reader"], shelf, Pretended(code=2, said=said)) == 0
    told = capsys.readouterr().out
    assert "not made" in told and "Run: pip install spacy" in told


def test_a_command_that_fails_is_a_failure(shelf, capsys):
    assert main([], shelf, Pretended(code=2, said="error: There is no preset 'x'.\n")) == 1
    told = capsys.readouterr().out
    assert "MISSED" in told and "no preset" in told


def test_a_model_that_is_not_there(shelf, capsys):
    pretended = Pretended()
    assert main(["writer"], shelf, pretended) == 2 and not pretended.asked
    assert "writer" in capsys.readouterr().err


def test_a_gallery_that_is_too_large(shelf, capsys):
    with open(shelf / "reader" / "weights", "wb") as file:
        file.truncate(20_000_001)
    assert main([], shelf, Pretended(2.0, 2.0)) == 1
    assert "20.0 MB of 20 MB: MISSED" in capsys.readouterr().out
