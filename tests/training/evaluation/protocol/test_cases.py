import numpy as np

from training.demo_world.motions import MOTIONS, UNSEEN_MOTIONS
from training.demo_world.world import UNSEEN_OBJECTS
from training.evaluation.protocol.cases import draw_cases


def test_sets_hold_what_their_names_say_with_every_motion_alike() -> None:
    seen, objects, motions = (draw_cases(name, 16) for name in ("seen", "unseen objects", "unseen motions"))
    assert [case.spec.motion for case in seen] == 2 * list(MOTIONS)
    assert not any((case.spec.colour, case.spec.shape) in UNSEEN_OBJECTS for case in seen)
    assert all((case.spec.colour, case.spec.shape) in UNSEEN_OBJECTS for case in objects)
    assert {case.spec.motion for case in motions} == set(UNSEEN_MOTIONS)


def test_cases_do_not_depend_on_how_many_are_drawn() -> None:
    few, many = draw_cases("seen", 3), draw_cases("seen", 9)
    assert list(few) == list(many)[:3]
    assert len({case.seed for case in many}) == 9


def test_picture_is_the_first_frame_at_any_length() -> None:
    case = draw_cases("seen", 1)[0]
    np.testing.assert_array_equal(case.real(size=64, frames=1)[0], case.real(size=64)[0])
    np.testing.assert_array_equal(case.real(size=64, frames=8), case.real(size=64, frames=16)[::2])


def test_backwards_cases_begin_with_their_own_picture_and_run_from_the_end() -> None:
    case = draw_cases("backwards", 8)[3]
    assert case.spec.backwards
    assert (case.spec.motion, case.spec.kind) == ("down", "up")
    assert "up" not in case.prompt.split()  # it is the clips' caption, which are then played backwards
    np.testing.assert_array_equal(case.real(size=64, frames=1)[0], case.real(size=64)[0])
    np.testing.assert_array_equal(case.real(size=64, frames=8), case.real(size=64, frames=16)[::2])
