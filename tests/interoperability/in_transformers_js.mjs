// What transformers.js writes with an export, greedily: its own tokenizer, its own generation, the file model.onnx.
import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers";
import path from "node:path";

const [folder, prompt, most] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = path.dirname(folder);
const name = path.basename(folder);
const tokenizer = await AutoTokenizer.from_pretrained(name);
const model = await AutoModelForCausalLM.from_pretrained(name, { dtype: "fp32", subfolder: "" });
const inputs = tokenizer(prompt, { add_special_tokens: false });
const made = await model.generate({ ...inputs, max_new_tokens: Number(most), do_sample: false, eos_token_id: 1_000_000 });
console.log(JSON.stringify(made.tolist()[0].slice(inputs.input_ids.dims[1]).map(Number)));
