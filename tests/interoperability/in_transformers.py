"""What transformers says of an export: greedy tokens, or the likeliest token or tag at each place."""

import json
import sys

import torch
import transformers
from transformers import AutoTokenizer

folder, prompt, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(f"{folder}/config.json", encoding="utf-8") as file:
    name = json.load(file)["architectures"][0]
model, loading = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
model.eval()
ids = torch.tensor([AutoTokenizer.from_pretrained(folder).encode(prompt, add_special_tokens=False)])
with torch.no_grad():
    if name.startswith("Bert"):
        said = model(ids).logits[0].argmax(-1).tolist()
    else:
        said = model.generate(ids, max_new_tokens=most, do_sample=False, eos_token_id=None, pad_token_id=0)[
            0, ids.shape[1] :
        ].tolist()
print(json.dumps(said))
