import torch

from models.kv_cache import DecoderState
from models.masks import attention_mask_of, causal_mask, padding_mask_of, resolve_positions
from models.positions import Positions


def test_the_causal_triangle_by_hand():
    assert causal_mask(2, 4).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_padding_and_triangle_together_by_hand():
    padding_mask = torch.tensor([[False, True, True]])
    mask = attention_mask_of(Positions(0, 3, padding_mask=padding_mask), causal=True).mask
    assert mask is not None
    assert mask[0, 0].int().tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 1]]


def test_a_source_is_seen_by_all_queries_but_for_its_padding():
    assert padding_mask_of(None).mask is None
    mask = padding_mask_of(torch.tensor([[True, True, False]])).mask
    assert mask is not None and mask.tolist() == [[[[True, True, False]]]]


def test_positions_count_the_real_tokens():
    ids = torch.zeros(2, 4, dtype=torch.long)
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]])
    found = resolve_positions(ids, mask, None, None, 16)
    assert found.ids is not None and found.ids.tolist() == [[0, 0, 0, 1], [0, 1, 2, 2]]
    assert found.padding_mask is not None and found.padding_mask.int().tolist() == mask.tolist()


def test_a_state_remembers_mask_and_positions():
    state = DecoderState([])
    resolve_positions(torch.zeros(1, 3, dtype=torch.long), torch.tensor([[0, 1, 1]]), None, state, 16)
    state.length = 3
    found = resolve_positions(torch.zeros(1, 2, dtype=torch.long), None, None, state, 16)
    assert found.ids is not None and found.ids.tolist() == [[2, 3]]
    assert found.key_positions is not None and found.key_positions.tolist() == [[0, 0, 1, 2, 3]]
    assert found.padding_mask is not None and found.padding_mask.tolist() == [[False, True, True, True, True]]
