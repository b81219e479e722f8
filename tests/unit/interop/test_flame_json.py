# SPDX-License-Identifier: Apache-2.0
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UsageError
from understudy.interop.flame_json import flame_text, parse_flame, read_flame

# As `inference_builder -j` writes it by default.
DEFAULT: dict[str, Any] = {
    "ModelDescription": {
        "MinimumVersion": "2025.1",
        "Name": "MyModel",
        "Description": "",
        "SupportsSceneLinear": False,
        "KeepAspectRatio": False,
        "Padding": 1,
        "Inputs": [{"Name": "inputImage", "Description": "", "Type": "Front", "Gain": 1.0}],
        "Outputs": [
            {"Name": "outputImage", "Description": "", "Type": "Result", "InverseGain": 1.0, "ScalingFactor": 1.0}
        ],
    }
}


def _changed(*path: str | int, to: Any) -> bytes:
    document = copy.deepcopy(DEFAULT)
    part: Any = document["ModelDescription"]
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return json.dumps(document).encode()


def test_the_default_sidecar_is_read_and_written_again() -> None:
    model = parse_flame(json.dumps(DEFAULT).encode(), "m.json")
    assert (model.name, model.inputs[0].type, model.outputs[0].scaling_factor) == ("MyModel", "Front", 1.0)
    assert parse_flame(flame_text(model).encode(), "m.json") == model
    assert list(json.loads(flame_text(model))["ModelDescription"]) == list(DEFAULT["ModelDescription"])


def test_rgba_is_two_inputs_of_one_name() -> None:
    rgb = {"Name": "x", "Description": "", "Type": "Front", "Gain": 1.0, "Channels": "RGB"}
    both = [rgb, {**rgb, "Type": "Matte", "Channels": "A"}]
    document = json.loads(_changed("Inputs", to=both))
    document["ModelDescription"]["MinimumVersion"] = "2025.2"
    assert [part.channels for part in parse_flame(json.dumps(document).encode(), "m.json").inputs] == ["RGB", "A"]
    document["ModelDescription"]["Inputs"] = both[::-1]
    with pytest.raises(UsageError, match="must be two: the colors, and then Channels A"):
        parse_flame(json.dumps(document).encode(), "m.json")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_changed("Padding", to=0), "Padding"),
        (_changed("Padding", to="eight"), "Padding"),
        (_changed("MinimumVersion", to="soon"), "no version of Flame"),
        (_changed("Inputs", to=[]), "Inputs"),
        (_changed("Inputs", 0, "Type", to="Left"), "Type"),
        (_changed("Inputs", 0, "Gain", to=-1), "Gain"),
        (_changed("Inputs", 0, "Channels", to="RGB"), "Channels needs MinimumVersion 2025.2"),
        (_changed("Inputs", 0, "Channels", to="RGBA"), "letters R, G and B"),
        (_changed("Outputs", 0, "Channels", to="RB"), "none of A, RG, GR"),
        (_changed("Outputs", 0, "Type", to="Front"), "Type"),
        (_changed("Outputs", 0, "ScaleFactor", to=2), "ScaleFactor"),
        (_changed("Name", to=""), "Name"),
    ],
)
def test_a_wrong_token_is_named(data: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_flame(data, "m.json")
    assert "m.json" in str(caught.value)


def test_what_is_no_sidecar_says_so(tmp_path: Path) -> None:
    for data in (b"", b"not json", b"[1, 2]", b'{"Model": 1}', b"\xff\xfe", b"[" * 5000):
        with pytest.raises(UnreadableFileError, match=r"is no JSON|no ModelDescription"):
            parse_flame(data, "m.json")
    with pytest.raises(MissingFileError):
        read_flame(tmp_path / "none.json")
