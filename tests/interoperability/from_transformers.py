"""Small random models as transformers saves them, each with ids and the logits it gives them: `imported` reads them."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

home, size = Path(sys.argv[1]), 90
shape = {
    "vocab_size": size,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 72,
}
shape["max_position_embeddings"] = 64
gpt2 = {"vocab_size": size, "n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 64}
distilbert = {
    "vocab_size": size,
    "dim": 48,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 72,
    "max_position_embeddings": 64,
}
made = {
    "llama": LlamaForCausalLM(LlamaConfig(**shape, num_key_value_heads=2)),
    "llama-tied-biases": LlamaForCausalLM(
        LlamaConfig(**shape, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)
    ),
    "mistral": MistralForCausalLM(MistralConfig(**shape, num_key_value_heads=1, sliding_window=32)),
    "qwen2": Qwen2ForCausalLM(Qwen2Config(**shape, num_key_value_heads=2)),
    "gpt2": GPT2LMHeadModel(GPT2Config(**gpt2)),
    "bert": BertForMaskedLM(BertConfig(**shape)),
    "bert-relu": BertForMaskedLM(BertConfig(**shape, hidden_act="relu")),
    "bert-untied": BertForMaskedLM(BertConfig(**shape, tie_word_embeddings=False)),
    "distilbert": DistilBertForMaskedLM(DistilBertConfig(**distilbert)),
    "roberta": RobertaForMaskedLM(RobertaConfig(**shape, type_vocab_size=1)),
    "electra": ElectraForMaskedLM(ElectraConfig(**shape, embedding_size=48)),
}
names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
inner = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names.values())}, unk_token="[UNK]"))
inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
for name, model in made.items():
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():  # norms, biases and token types matter
            parameter.add_(0.1 * torch.randn_like(parameter))
        ids = torch.randint(0, size, (3, 20))
        logits = model.eval()(ids).logits
    model.save_pretrained(home / name, max_shard_size="60KB")
    PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(home / name)
    save_file({"ids": ids, "logits": logits}, home / f"{name}.safetensors")
