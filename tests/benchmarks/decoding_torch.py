"""PyTorch's part of the decoding benchmark, in a process of its own, as the foreign tools have theirs.

Every line of the input asks for the next turn; the answer is the seconds that took and the first text's tokens.
"""

import json
import sys

import numpy as np
import torch

from models.presets import PRESETS
from tests.benchmarks.decoding import MODELS, cached, lively, sized, uncached

title, way, prompts, threads = sys.argv[1], sys.argv[2], np.array(json.loads(sys.argv[3])), int(sys.argv[4])
torch.set_num_threads(threads)
model = lively(sized(PRESETS[MODELS[title]].spec))
turns = {"torch, no cache": uncached, "torch, cache": cached}[way](model, prompts)
print("ready", flush=True)
for _ in sys.stdin:
    print(json.dumps(next(turns)), flush=True)
