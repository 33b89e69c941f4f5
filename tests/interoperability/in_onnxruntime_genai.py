"""What onnxruntime-genai writes with an export, greedily."""

import json
import sys

import onnxruntime_genai as og
from tokenizers import Tokenizer

folder, prompt, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = og.Model(folder)
ids = Tokenizer.from_file(f"{folder}/tokenizer.json").encode(prompt, add_special_tokens=False).ids
options = og.GeneratorParams(model)
options.set_search_options(max_length=len(ids) + most, do_sample=False)
generator = og.Generator(model, options)
generator.append_tokens(ids)
said = []
while not generator.is_done() and len(said) < most:
    generator.generate_next_token()
    said.append(int(generator.get_next_tokens()[0]))
print(json.dumps(said))
