"""onnxruntime-genai's part of the decoding benchmark, in an environment of its own.

Every line of the input is how many tokens to write now; the answer is the seconds that took and the first text's tokens.
"""

import json
import sys
import time

import onnxruntime_genai as og

folder, prompts, most = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
model = og.Model(folder)


def begin() -> og.Generator:
    options = og.GeneratorParams(model)
    options.set_search_options(max_length=len(prompts[0]) + most, do_sample=False, batch_size=len(prompts))
    return og.Generator(model, options)


print("ready", flush=True)
generator, written = None, 0
for line in sys.stdin:
    if generator is None or written >= most:
        generator, written = begin(), 0
    said, began = [], time.perf_counter()
    if written == 0:
        generator.append_tokens(prompts)
    for _ in range(int(line)):
        generator.generate_next_token()
        said.append(int(generator.get_next_tokens()[0]))
    seconds, written = time.perf_counter() - began, written + int(line)
    print(json.dumps([seconds, said]), flush=True)
