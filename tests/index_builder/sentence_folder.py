"""A real but tiny sentence encoder with random weights, in sentence-transformers' folder layout."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = "a cat dog ball star jumps runs rolls rises away to the left right red blue".split()


def save_tiny_sentence_encoder(folder: Path, *, width: int = 8) -> None:
    """One layer of BERT over a vocabulary of a few words, mean pooling."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    bert = folder.with_name(folder.name + "-bert")
    bert.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (bert / "vocab.txt").write_text("\n".join(vocabulary))
    sizes = {"hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(vocabulary), **sizes)).save_pretrained(bert)
    BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    words = Transformer(str(bert))
    pooled = Pooling(width, pooling_mode="mean")
    SentenceTransformer(modules=[words, pooled], device="cpu").save(str(folder))
