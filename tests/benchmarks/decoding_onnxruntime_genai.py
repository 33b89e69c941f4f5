"""Run by the benchmark in onnxruntime-genai's own environment; prints tokens a second."""

import json
import sys
import time

import onnxruntime_genai as og

folder, prompts, most = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
model = og.Model(folder)
options = og.GeneratorParams(model)
options.set_search_options(max_length=len(prompts[0]) + most, do_sample=False, batch_size=len(prompts))
generator = og.Generator(model, options)
began = time.perf_counter()
generator.append_tokens(prompts)
written = 0
while written < most and not generator.is_done():  # an <eos> ends it early
    generator.generate_next_token()
    written += 1
print(len(prompts) * written / (time.perf_counter() - began))
