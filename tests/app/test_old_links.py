"""Addresses of the version before names were changed: each opens today what it opened then.

The lists are what the pages of that version read. They are written out here, so that a parameter, a view or a control that
is renamed without an old name beside it is found.
"""

import pytest

from playground.pages.data.page import VIEWS as DATA_VIEWS
from playground.pages.explore import attention, intervene, positions, predictions, recurrent, steps
from playground.pages.export.onnx_views import VIEWS as EXPORT_VIEWS
from playground.pages.finetune.results import VIEWS as FINETUNE_VIEWS
from playground.pages.runs.compare import VIEWS as RUNS_VIEWS
from playground.ui.controls import titled
from playground.ui.places import VIEWS as EXPLORE_VIEWS
from playground.ui.url_state import PAGES, PARAMETERS, parameter

EVERYWHERE = "lang present hide run step"
MODEL = (
    "preset architecture vocab_size d_model n_layers context_length dropout tie_embeddings nonlinearity bidirectional "
    "memory_span n_heads n_kv_heads mlp d_mlp norm norm_position norm_eps bias position rope_theta qk_norm logit_softcap "
    "init_std zero_init embedding_norm head_transform head_activation"
)
TRAINING = (
    "steps batch_size accumulate optimizer lr beta1 beta2 momentum weight_decay schedule warmup_steps hold final_lr grad_clip "
    "mask_rate loss_on eval_every early_stop sample_every sample_prompt device dtype compile threads seed"
)
TEXT = "corpus file encoding column source target tokenizer vocabulary limit options"
READ = {
    "home": "text",
    "build": MODEL,
    "data": f"{TEXT} view",
    "train": f"{MODEL} {TRAINING} {TEXT} keep parent like with",
    "runs": "runs view",
    "generate": "prompt end stop seed t k p m r",
    "finetune": "parent task data file encoding method text cell view",
    "export": "view",
    "explore": "view text target look part layer head place cell n way draw more at with texts then other1 other2 other3 other4 "
    "target1 target2 target3 target4 beside how off places mlps other other_target gate level units on d channels when table "
    "m seed colour near kind signal order unit span untrained example scaling causal query key numbers",
}
"""The parameters of each page."""

VIEWS = {
    "data": (DATA_VIEWS, "sample numbers vocabulary compare"),
    "runs": (RUNS_VIEWS, "curves settings prompt recipe"),
    "finetune": (FINETUNE_VIEWS, "results gained try file"),
    "export": (EXPORT_VIEWS, "proof race sizes graph"),
    "explore": (EXPLORE_VIEWS, "attention steps positions recurrent predictions intervene"),
}
CHOICES = {
    "attention part": (attention.PART_NAMES, "self cross decoder encoder"),
    "attention way": (attention.WAYS, "head mean max rollout"),
    "attention draw": (attention.DRAWINGS, "cells lines"),
    "attention with": (attention.WITH, "none text run step"),
    "steps example": (steps.WHOSE, "0 1"),
    "steps part": (steps.PART_NAMES, "cross decoder encoder"),
    "positions look": (positions.ASPECTS, "sinusoidal learned rotary alibi all shuffle beyond"),
    "positions when": (positions.WHEN, "after before"),
    "predictions look": (predictions.ASPECTS, "surprise lens map weights"),
    "predictions colour": (predictions.COLOURS, "p rank entropy"),
    "recurrent look": (recurrent.ASPECTS, "states find memory gradient"),
    "recurrent signal": (
        recurrent.SIGNALS,
        "hidden cell gates.input gates.forget gates.cell gates.output gates.update gates.reset gates.candidate",
    ),
    "recurrent order": (recurrent.ORDERS, "selectivity spread number"),
    "intervene part": (intervene.PART_NAMES, "cross decoder encoder"),
    "intervene how": ({**intervene.HOW, **intervene.HOW_GATES}, "zero mean patch hold"),
}
HIDDEN = {
    "home": "run ways",
    "build": "preset architecture d_model n_layers n_heads context_length vocab_size mlp norm position unusual train",
    "data": "corpus encoding limit tokenizer view",
    "train": "model text steps lr batch more name steering race compare",
    "runs": "load filter actions",
    "generate": "run step sampling beam stop",
    "finetune": "parent task text method more steps lr batch seed beside shares",
    "explore": "run step text view",
    "export": "run step weights attentions offline zip view",
}


@pytest.mark.parametrize("page", READ)
def test_every_parameter_is_still_read(page):
    there = {name for row in PARAMETERS if page in (row.pages or PAGES) for name in (row.name, *row.old_names)}
    assert set(f"{EVERYWHERE} {READ[page]}".split()) <= there


@pytest.mark.parametrize("page", VIEWS)
def test_every_view_is_still_there(page):
    views, old = VIEWS[page]
    renamed = parameter(page, "view").old_values
    assert {renamed.get(view, view) for view in old.split()} <= set(views)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_of_explore_is_still_there(choice):
    options, old = CHOICES[choice]
    assert set(old.split()) <= set(options)


@pytest.mark.parametrize("page", HIDDEN)
def test_every_control_can_still_be_hidden(page):
    assert page in PAGES and all(titled(f"{page}.{name}") for name in HIDDEN[page].split())


def test_a_plan_opens_with_its_settings(open_page):
    """And the address that the page then has says them by their present names alone."""
    app = open_page(
        "train",
        preset="gpt2-tiny",
        corpus="task-recall",
        hold="0.3",
        final_lr="0.25",
        accumulate="4",
        early_stop="5",
        loss_on="answer",
    )
    address = {name: app.query_params[name] for name in app.query_params}
    address = {name: said[0] if isinstance(said, list) else said for name, said in address.items()}
    assert address == {
        "preset": "gpt2-tiny",
        "corpus": "task-recall",
        "constant_fraction": "0.3",
        "final_lr_fraction": "0.25",
        "gradient_accumulation_steps": "4",
        "patience": "5",
        "loss_on": "completion",
    }


@pytest.mark.parametrize("page", ["build", "train"])
def test_a_model_opens_with_its_memory_span(open_page, page):
    app = open_page(page, preset="gru-tiny", memory_span="12", d_model="64")
    assert app.session_state["build.spec"].chrono_max_span == 12
    assert "memory_span" not in app.query_params and "chrono_max_span" in app.query_params
