"""Run by the benchmark in transformers' own environment; prints tokens a second."""

import json
import sys
import time

import torch
from transformers import GPT2LMHeadModel, LlamaForCausalLM

folder, prompts, most = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
with open(f"{folder}/config.json", encoding="utf-8") as file:
    name = json.load(file)["architectures"][0]
model = (
    {kind.__name__: kind for kind in (LlamaForCausalLM, GPT2LMHeadModel)}[name].from_pretrained(folder).eval()
)
ids = torch.tensor(prompts)
with torch.no_grad():
    began = time.perf_counter()
    model.generate(ids, max_new_tokens=most, do_sample=False, eos_token_id=None, pad_token_id=0)
print(len(prompts) * most / (time.perf_counter() - began))
