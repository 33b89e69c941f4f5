"""transformers' part of the decoding benchmark, in an environment of its own.

Every line of the input is how many tokens to write now; the answer is the seconds that took and the first text's tokens.
`generate` runs as it is: it is held between its tokens until the next line comes.
"""

import json
import sys
import time

import torch
from transformers import GPT2LMHeadModel, LlamaForCausalLM

folder, prompts, most = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]))
with open(f"{folder}/config.json", encoding="utf-8") as file:
    name = json.load(file)["architectures"][0]
model = {kind.__name__: kind for kind in (LlamaForCausalLM, GPT2LMHeadModel)}[name].from_pretrained(folder).eval()
ids = torch.tensor(prompts)


class Turns:
    """Asked by `generate` after each token whether to stop; holds it when a turn is over."""

    def __init__(self) -> None:
        self.left, self.began, self.said = 0, 0.0, []
        self.wait()

    def wait(self) -> None:
        line = sys.stdin.readline()
        if not line:
            sys.exit()
        self.left, self.began, self.said = int(line), time.perf_counter(), []

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor, **_) -> torch.Tensor:
        self.said.append(ids[0, -1])
        self.left -= 1
        if self.left == 0:
            told = [time.perf_counter() - self.began, [int(token) for token in self.said]]
            print(json.dumps(told), flush=True)
            self.wait()
        return torch.zeros(len(ids), dtype=torch.bool)


print("ready", flush=True)
turns = Turns()
with torch.no_grad():
    while True:
        model.generate(
            ids, max_new_tokens=most, do_sample=False, eos_token_id=None, pad_token_id=0, stopping_criteria=[turns]
        )
