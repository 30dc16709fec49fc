"""T5, by which CogVideoX and Wan read texts, without its weights: for pipelines of published size."""

from __future__ import annotations

from typing import Any


def letter_tokenizer() -> Any:
    """T5's tokenizer with a token for each letter, where only the number of tokens matters."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import T5TokenizerFast

    names = ["<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz"]
    made = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return T5TokenizerFast(tokenizer_object=made, extra_ids=0)


def xxl_text_encoder(model: Any, config: Any, *, vocabulary: int) -> Any:
    """The encoder of T5-XXL v1.1 (or of UMT5-XXL, which has more words), of these classes of transformers."""
    import torch

    sizes = config(
        d_model=4096,
        d_ff=10240,
        d_kv=64,
        num_layers=24,
        num_heads=64,
        vocab_size=vocabulary,
        feed_forward_proj="gated-gelu",
        dense_act_fn="gelu_new",
        is_gated_act=True,
    )
    with torch.device("meta"):
        return model(sizes)
