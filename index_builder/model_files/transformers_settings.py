"""What a config.json of transformers may say: the settings of a model class that is chosen here, not in the file.

transformers (https://huggingface.co/docs/transformers) can be led to a repository's own code by `auto_map`, to
kernels of the hub by `attn_implementation`, and to other loaders by `quantization_config`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.settings_file import read_settings, require_keys, require_layers
from index_builder.model_files.tokenizer_patterns import require_known_patterns

SETTINGS_FILE = "config.json"

# What transformers 4 wrote into every config.json; later versions read some of it and ignore the rest.
_COMMON_KEYS = frozenset(
    "_name_or_path architectures model_type transformers_version torch_dtype dtype id2label label2id problem_type "
    "initializer_range initializer_factor is_encoder_decoder return_dict output_attentions output_hidden_states "
    "torchscript use_bfloat16 tf_legacy_loss pruned_heads tie_word_embeddings chunk_size_feed_forward is_decoder "
    "cross_attention_hidden_size add_cross_attention tie_encoder_decoder max_length min_length do_sample "
    "early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p repetition_penalty "
    "length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences "
    "output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values "
    "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens bos_token_id pad_token_id eos_token_id "
    "sep_token_id decoder_start_token_id tokenizer_class prefix finetuning_task task_specific_params use_cache "
    "gradient_checkpointing position_embedding_type classifier_dropout decoder_norm".split()
)
_REFUSED_KEYS = frozenset(
    "auto_map attn_implementation _attn_implementation experts_implementation trust_remote_code quantization_config "
    "custom_pipelines use_kernels base_model_tp_plan".split()
)
_TOKENIZER_KEYS = frozenset(
    "tokenizer_class model_max_length max_length truncation truncation_side padding_side stride pad_to_multiple_of "
    "pad_token_type_id clean_up_tokenization_spaces do_lower_case do_basic_tokenize never_split strip_accents "
    "tokenize_chinese_chars added_tokens_decoder additional_special_tokens extra_special_tokens extra_ids legacy "
    "sp_model_kwargs spaces_between_special_tokens add_prefix_space add_bos_token add_eos_token unk_token bos_token "
    "eos_token sep_token pad_token cls_token mask_token name_or_path processor_class model_input_names errors "
    "special_tokens_map_file is_local local_files_only backend use_fast".split()
)
_TOKENIZER_PARTS = frozenset(
    "version truncation padding added_tokens normalizer pre_tokenizer post_processor decoder model".split()
)
_TOKENIZER_CLASSES = frozenset(
    f"{name}{ending}" for name in ("T5Tokenizer", "BertTokenizer", "CLIPTokenizer") for ending in ("", "Fast")
)
_PROCESSOR_KEYS = frozenset(
    "image_processor_type feature_extractor_type processor_class size crop_size resample do_resize do_center_crop "
    "do_rescale rescale_factor do_normalize image_mean image_std do_convert_rgb do_pad pad_size data_format "
    "input_data_format device return_tensors default_to_square disable_grouping image_seq_length "
    "_valid_processor_keys num_frames".split()
)
_PROCESSOR_CLASSES = frozenset(
    "CLIPImageProcessor CLIPImageProcessorFast CLIPImageProcessorPil CLIPFeatureExtractor".split()
)


def require_model_settings(folder: Path, config_class: Any) -> None:
    """Check a model folder's config.json against the configuration class that will read it.

    Raises ModelFilesRefused: it is of another model type, or holds a key that the class does not have.
    """
    path = folder / SETTINGS_FILE
    values = read_settings(path)
    expected, received = config_class.model_type, values.get("model_type", config_class.model_type)
    if received != expected:
        raise ModelFilesRefused(
            f'Expected "model_type": "{expected}" in {path}, received {str(received)[:60]!r}: choose the model '
            "that the pack names."
        )
    require_keys(path, values, _COMMON_KEYS | config_class().to_dict().keys(), refused=_REFUSED_KEYS)
    require_layers(path, values)


def require_tokenizer_settings(folder: Path) -> None:
    """Check a tokenizer's tokenizer_config.json, special_tokens_map.json and tokenizer.json, where they are.

    Raises ModelFilesRefused: a key or class outside the tables here, or a regular expression that no published one has.
    """
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            _require(folder / name, _TOKENIZER_KEYS, "tokenizer_class", _TOKENIZER_CLASSES)
    if (folder / "tokenizer.json").exists():
        values = read_settings(folder / "tokenizer.json")
        require_keys(folder / "tokenizer.json", values, _TOKENIZER_PARTS)
        require_known_patterns(folder / "tokenizer.json", values)


def require_image_processor_settings(folder: Path) -> None:
    """Check an image processor's preprocessor_config.json. Raises ModelFilesRefused."""
    for key in ("image_processor_type", "feature_extractor_type"):
        _require(folder / "preprocessor_config.json", _PROCESSOR_KEYS, key, _PROCESSOR_CLASSES)


def _require(path: Path, keys: Collection[str], class_key: str, classes: Collection[str]) -> None:
    values = read_settings(path)
    require_keys(path, values, keys)
    received = values.get(class_key)
    if received is not None and received not in classes:
        raise ModelFilesRefused(
            f"Expected {class_key} to be one of {', '.join(sorted(classes))} in {path}, received "
            f"{str(received)[:60]!r}: choose a model of that kind."
        )
