"""Remedies that people paste into a shell name nothing but what the hub could have."""

import pytest

from index_builder.model_files.hub_name import how_to_get, is_hub_name


@pytest.mark.parametrize("name", ["facebook/dinov2-large", "gpt2", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "a/b.c_d"])
def test_names_of_the_hub(name: str) -> None:
    assert is_hub_name(name) and how_to_get(name) == f"hf download {name}"


def test_a_revision() -> None:
    assert how_to_get("a/b", "0123abcd") == "hf download a/b --revision 0123abcd"
    assert "$(id)" not in how_to_get("a/b", "$(id)")


@pytest.mark.parametrize(
    "name",
    ["", "x; rm -rf ~", "$(id)", "`id`", "a/b/c", "-rf", "--token", "a b", "a/../b", "../x", "a|b", "a\nb", "é/x",
     "a" * 200, "a/b\x1b[2J", "https://evil/x", None, 7],
)  # fmt: skip
def test_what_no_model_is_called(name: object) -> None:
    assert not is_hub_name(name)
    assert str(name) not in how_to_get(name) or not name
