// What transformers.js says of an export: its own tokenizer, its own generation, the file model.onnx. Greedy tokens, or the
// likeliest token at each place of a masked model.
import { AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer, env } from "@huggingface/transformers";
import { readFileSync } from "node:fs";
import path from "node:path";

const [folder, prompt, most] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = path.dirname(folder);
const name = path.basename(folder);
const masked = JSON.parse(readFileSync(`${folder}/config.json`, "utf8")).architectures[0] === "BertForMaskedLM";
const tokenizer = await AutoTokenizer.from_pretrained(name);
const model = await (masked ? AutoModelForMaskedLM : AutoModelForCausalLM).from_pretrained(name, {
  dtype: "fp32",
  subfolder: "",
});
const inputs = tokenizer(prompt, { add_special_tokens: false });
if (masked) {
  const { logits } = await model(inputs),
    [, n, size] = logits.dims;
  const best = (row) => row.reduce((top, x, i) => (x > row[top] ? i : top), 0);
  console.log(JSON.stringify(Array.from({ length: n }, (_, i) => best(logits.data.slice(i * size, (i + 1) * size)))));
} else {
  const made = await model.generate({
    ...inputs,
    max_new_tokens: Number(most),
    do_sample: false,
    eos_token_id: 1_000_000,
  });
  console.log(JSON.stringify(made.tolist()[0].slice(inputs.input_ids.dims[1]).map(Number)));
}
