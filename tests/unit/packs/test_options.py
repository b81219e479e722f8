# SPDX-License-Identifier: Apache-2.0
import pytest

from understudy.contracts.errors import UsageError
from understudy.contracts.manifest import OptionSpec, OptionValue, PackManifest
from understudy.packs import settle_options

_OPTIONS: dict[str, OptionSpec] = {
    "steps": OptionSpec(type="int", default=3, minimum=1, maximum=9, unit="iterations", help="How often."),
    "gain": OptionSpec(type="float", default=1.0, minimum=0.0, help="How much."),
    "fast": OptionSpec(type="bool", default=False, help="Hurry."),
    "mode": OptionSpec(type="choice", default="soft", choices=("soft", "sharp"), help="Which."),
}


def _settle(given: dict[str, OptionValue]) -> dict[str, OptionValue]:
    blank = PackManifest.model_construct(None, id="mine", options=_OPTIONS)  # type: ignore[call-arg]
    return settle_options(blank, given)


def test_defaults_fill_in() -> None:
    assert _settle({}) == {"steps": 3, "gain": 1.0, "fast": False, "mode": "soft"}


@pytest.mark.parametrize(
    ("name", "given", "settled"),
    [
        pytest.param("steps", 9, 9, id="int"),
        pytest.param("steps", 4.0, 4, id="whole float"),
        pytest.param("steps", "5", 5, id="int as text"),
        pytest.param("gain", 2, 2.0, id="int for float"),
        pytest.param("gain", "0.5", 0.5, id="float as text"),
        pytest.param("fast", "yes", True, id="bool as text"),
        pytest.param("mode", "sharp", "sharp", id="choice"),
    ],
)
def test_values_are_taken_in_their_type(name: str, given: OptionValue, settled: OptionValue) -> None:
    value = _settle({name: given})[name]
    assert value == settled
    assert type(value) is type(settled)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        pytest.param("step", 1, 'no option "step"; did you mean "steps"?', id="unknown"),
        pytest.param("steps", 10, "options.steps: 10 is out of range; give 1 to 9 iterations", id="over"),
        pytest.param("steps", 1.5, "options.steps: 1.5 is not an int", id="not whole"),
        pytest.param("steps", True, "is not an int", id="bool for int"),
        pytest.param("gain", -0.1, "give 0 or more", id="under"),
        pytest.param("gain", "nan", "is not a float", id="nan"),
        pytest.param("gain", "much", "is not a float", id="word"),
        pytest.param("fast", 1, "is not a bool; give true or false", id="int for bool"),
        pytest.param("mode", "shrap", 'did you mean "sharp"?', id="choice misspelled"),
        pytest.param("mode", 7, "choose one of soft, sharp", id="number for choice"),
    ],
)
def test_bad_values_are_refused(name: str, given: OptionValue, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _settle({name: given})
    assert message in str(caught.value)
