"""What a node says of its inputs before it runs: a line for each input at fault, none where all is well."""

from motionrag_nodes.errors import PackInvalid
from motionrag_nodes.nodes.checks import chosen, faults, refused


def refuse_odd(number: int) -> None:
    if number % 2:
        raise PackInvalid("Expected an even number,\nreceived an odd one: add one.")


def test_each_input_at_fault_has_a_line_of_its_own() -> None:
    assert faults() is True and faults(pack=True, prompt=True) is True
    assert faults(pack="no such pack", seed=True, prompt="too\nlong") == "pack: no such pack\nprompt: too long"


def test_a_choice_is_one_of_those_offered_or_comes_by_a_connection() -> None:
    assert chosen("kind", "noise", ("noise", "colours")) is True and chosen("kind", None, ()) is True
    assert chosen("kind", "fog", ("noise", "colours")) == "kind is 'fog'; choose one of: noise, colours"


def test_what_an_act_refuses_is_its_own_sentence() -> None:
    assert refused(refuse_odd, 2) is True and refused(refuse_odd, None) is True
    assert refused(refuse_odd, 3) == "Expected an even number,\nreceived an odd one: add one."
