import torch

from models.kv_cache import DecoderState, LayerCache


def test_a_cache_gives_back_what_was_appended_and_grows():
    cache = LayerCache((2, 1, 3, 4), torch.zeros(()))
    k, v = torch.randn(2, 1, 7, 4), torch.randn(2, 1, 7, 4)
    for start, end in ((0, 2), (2, 3), (3, 7)):
        keys, values = cache.append(k[:, :, start:end], v[:, :, start:end], start)
        assert torch.equal(keys, k[:, :, :end]) and torch.equal(values, v[:, :, :end])


def test_select_reorders_all_that_is_kept():
    cache = LayerCache((2, 1, 3, 4), torch.zeros(()))
    keys, _ = cache.append(torch.randn(2, 1, 3, 4), torch.randn(2, 1, 3, 4), 0)
    before, mask, source = keys.clone(), torch.tensor([[True], [False]]), torch.randn(2, 1, 5, 4)
    state = DecoderState([cache], 3, mask, torch.tensor([[0], [5]]), [(source, source)], mask)
    rows = torch.tensor([1, 0, 1])
    assert state.select(rows) is state
    assert torch.equal(cache.keys, before[rows]) and torch.equal(state.cross_kv[0][0], source[rows])
    for value, first in ((state.padding_mask, mask), (state.source_padding_mask, mask)):
        assert value is not None and torch.equal(value, first[rows])
    assert state.positions is not None and state.positions.flatten().tolist() == [5, 0, 5]
