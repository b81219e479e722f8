# SPDX-License-Identifier: Apache-2.0
"""Parameters, messages, threads, colors, and plug-ins that break the rules."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import EffectError, UsageError
from understudy.ofx_host import Effect, Footage, Host, Instance, Message, PluginFile, Project
from understudy.ofx_host.suites.memory import bytes_held

Load = Callable[..., Effect]

SOURCE = np.random.default_rng(1).normal(0.5, 2.0, (6, 8, 4)).astype(np.float32)


def reports(instance: Instance) -> list[str]:
    """What a test effect reported."""
    return [message.text for message in instance.messages if message.identifier == "report"]


def facts(text: str) -> dict[str, str]:
    """``a=1 b=2`` as a mapping."""
    return dict(re.findall(r"(\w+)=(\S+)", text))


def test_all_kinds_of_parameters_both_ways(load: Load) -> None:
    with load("kinds").create(project=Project(width=200, height=100)) as instance:
        params = instance.params
        assert params["place"] == (100.0, 25.0)
        assert params["mode"] == 1
        params["Integer"], params["Integer2D"], params["Integer3D"] = -5, (1, 2), (2**31 - 1, -(2**31), 0)
        params["Double"], params["Double2D"], params["Double3D"] = 1e300, (0.5, -0.25), (1, 2, 3)
        params["RGB"] = lambda time: (time, time * 2, -time)
        params["RGBA"], params["Boolean"], params["mode"] = (2.0, 0.5, -1.0, 0.0), True, "high"
        params["String"], params["Custom"] = "ünï", "<x>"
        before = len(reports(instance))
        instance.press("PushButton")
        found = reports(instance)[before:]
        assert found[0] == "changed PushButton by OfxChangeUserEdited"
        assert found[1] == ("-5 1,2 2147483647,-2147483648,0 1e+300 0.5,-0.25 1,2,3 3,6,-3 2,0.5,-1,0 1 2 [ünï] [<x>]")
        assert "changed Integer3D by OfxChangePluginEdited" in found
        assert params["Integer3D"] == (-1, 2, -3)
        assert params["RGBA"] == (0.1, -0.2, 30.0, 0.4)
        assert params["String"] == "set by the plug-in"
        assert params["Boolean"] is False
        keys = facts(next(text for text in found if text.startswith("keys=")))
        assert keys == {
            "keys": "2",
            "time": "20",
            "beyond": "10",
            "next": "1",
            "none": "-1,1",
            "mid": "3",
            "slope": "0.400",
            "area": "30.000",
            "deleted": "0,10",
        }
        assert params.parameter("follower").key_times == (120.0,)
        mode = params.parameter("mode")
        assert (mode.enabled, mode.options, mode.parent) == (False, ("low", "middle", "high", "extreme"), "Group")
        assert "PushButton" not in instance.saved()
        assert instance.saved()["String"] == "set by the plug-in"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Nobody", 1, "has no parameter 'Nobody'"),
        ("Integer", 0.5, "takes a whole number"),
        ("Integer", "1", "takes a number"),
        ("Integer", 2**31, "out of range"),
        ("Double2D", 1.0, "takes 2 values, not 1"),
        ("mode", "loud", "use one of low, middle, high"),
        ("mode", 3, "has no option 3"),
        ("String", 4, "takes a text"),
        ("String", "a\0b", "takes a text"),
        ("Boolean", lambda _: True, "does not animate"),
        ("PushButton", 1, "has no value"),
    ],
)
def test_values_that_do_not_fit(load: Load, name: str, value: Any, words: str) -> None:
    effect = load("kinds")
    with effect.create() as instance, pytest.raises(UsageError, match=words):
        instance.params[name] = value
    with pytest.raises(UsageError, match=words):
        effect.create(values={name: value})


def test_values_given_at_first_are_there_without_a_change(load: Load) -> None:
    with load("kinds").create(values={"Double": 7.5, "mode": "low"}) as instance:
        assert (instance.params["Double"], instance.params["mode"]) == (7.5, 0)
        assert reports(instance) == []
        with pytest.raises(UsageError, match="is a Double, not a button"):
            instance.press("Double")


def test_messages_are_formatted_as_printf_does(load: Load) -> None:
    heard: list[Message] = []
    with load("message").create() as instance:
        instance.on_message = heard.append
        result = instance.render(1, {"Source": SOURCE})
        assert [(one.kind, one.identifier) for one in result.messages] == [("warning", "many")]
        assert result.messages[0].text == (
            "-1 two 3.25 4 5 6000000000 sépt 8.000000e+00 9 10.5 11.5 12.5 13.5 14.5 15.5 16.5 seventeen 18 %"
        )
        assert tuple(heard) == result.messages


def test_a_failure_says_what_the_plug_in_said_and_stands_until_cleared(load: Load) -> None:
    with load("message").create() as instance:
        instance.params["fail"] = True
        with pytest.raises(EffectError, match=r"kOfxStatFailed.*The frame 1004 is broken"):
            instance.render(1, {"Source": SOURCE})
        assert instance.persistent_message is not None
        assert (instance.persistent_message.kind, instance.persistent_message.text) == (
            "error",
            "The frame 1004 is broken",
        )
        instance.params["fail"] = False
        instance.render(1, {"Source": SOURCE})
        assert instance.persistent_message is None


@pytest.mark.parametrize(("answer", "status"), [(None, "1"), (True, "12"), (False, "13")])
def test_questions(load: Load, answer: Any, status: str) -> None:
    asked: list[str] = []

    def reply(text: str) -> bool:
        asked.append(text)
        return bool(answer)

    with load("message").create() as instance:
        if answer is not None:
            instance.on_question = reply
        instance.press("ask")
        assert facts(reports(instance)[-1]) == {"answer": status}
        assert asked == ([] if answer is None else ["Sure about 7?"])


def test_progress_and_the_timeline(load: Load) -> None:
    with load("message").create(project=Project(first=5, last=50)) as instance:
        instance.press("work")
        assert facts(reports(instance)[-1]) == {
            "early": "9",
            "start": "0",
            "steps": "10",
            "last": "0",
            "end": "0",
            "got": "1",
            "level": "0",
            "time": "5",
        }
        assert reports(instance)[-1].endswith("of 5-50")
        assert instance.time == 42
        instance.on_progress = lambda done, label: label == "Working" and done < 0.35
        instance.press("work")
        assert facts(reports(instance)[-1])["steps"] == "5"
        assert facts(reports(instance)[-1])["last"] == "13"


def test_a_button_may_look_at_pictures_before_any_render(load: Load) -> None:
    with load("message").create(project=Project(first=5, last=50)) as instance:
        instance.connect("Source", lambda time: np.full((2, 2, 4), time * 3, np.float32))
        instance.press("work")
        assert facts(reports(instance)[-1]).items() >= {"got": "0", "level": "15"}.items()


def test_every_mistake_gets_its_status_and_is_told(load: Load) -> None:
    effect = load("abuse")
    held = bytes_held()
    with effect.create() as instance:
        footage = Footage(lambda _: SOURCE, first=1, last=9)
        result = instance.render(5, {"Source": footage})
        found = [facts(text) for text in reports(instance)]
        assert found[0] == {
            "unknown": "3",
            "index": "10",
            "negative": "10",
            "kind": "3",
            "count": "10",
            "null": "11",
            "handle": "9",
            "junk": "9",
        }
        assert found[1] == {
            "missing": "1",
            "got": "0",
            "released": "0",
            "twice": "9",
            "late": "9",
            "clip": "3",
            "param": "3",
            "describe": "9",
            "define": "9",
        }
        assert result.leaked == 1
        assert sorted(result.complaints) == [
            "did not release the image Source at 5 before OfxImageEffectActionRender ended",
            "fetched Source at 1e+09 without having asked for temporal access to it",
            "fetched Source at 1e+09, which it had not said it needs",
            "set the parameter plain while it rendered",
            "wrote outside of its output",
        ]
        assert "OfxImageEffectActionRender: OfxPropNobodyKnows" in instance.unknown
    assert "effect descriptor: OfxPropNobodyKnows" in effect.unknown
    assert bytes_held() == held


def test_the_threads_of_the_host(load: Load) -> None:
    with load("threads", Host(threads=3)).create() as instance:
        result = instance.render(1, {"Source": SOURCE})
        np.testing.assert_array_equal(result.array, SOURCE * 2)
        assert facts(reports(instance)[0]) == {
            "ran": "0",
            "cpus": "3",
            "threads": "3",
            "rows": "6",
            "recursion": "6",
            "again": "0",
            "gone": "9",
            "spawned": "0",
            "alloc": "0",
            "free": "0",
            "twice": "9",
            "image": "0",
            "late": "9",
        }


@pytest.mark.parametrize(("name", "safety"), [("gain", "full"), ("mean", "instance"), ("scale", "unsafe")])
def test_renders_from_eight_threads_are_right(load: Load, name: str, safety: str) -> None:
    frames = {float(time): np.full((4, 5, 4), time, np.float32) for time in range(60)}
    effect = load(name)
    assert effect.description.thread_safety == safety
    with effect.create(values={"gain": 2.0} if name == "gain" else {}) as instance:
        instance.connect("Source", Footage(frames.get))

        def right(time: int) -> bool:
            result = instance.render(time)
            wanted = {"gain": 2.0 * time, "mean": (7.0 * time + 3) / 7, "scale": time}[name]
            return bool((result.array == np.float32(wanted)).all()) and result.leaked == 0

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(right, list(range(1, 59)) * 2))


def test_renders_run_at_once_where_the_effect_allows(load: Load) -> None:
    """Each waits inside of its render action until another is in its own."""
    meeting = threading.Barrier(2, timeout=60)

    def fetch(time: float) -> np.ndarray[Any, Any]:
        if time in {10.0, 20.0}:
            meeting.wait()
        return SOURCE

    with load("retimer").create("Retimer") as instance, ThreadPoolExecutor(2) as pool:
        instance.params["SourceTime"] = lambda time: 10.0 * time + 0.5
        list(pool.map(lambda time: instance.render(time, {"Source": fetch}), [1, 2]))
    mean = load("mean")
    with mean.create() as one, mean.create() as other, ThreadPoolExecutor(2) as pool:
        renders = [pool.submit(one.render, 9, {"Source": fetch}), pool.submit(other.render, 19, {"Source": fetch})]
        assert [done.result().leaked for done in renders] == [0, 0]


def test_an_instance_that_is_safe_alone_renders_one_frame_at_a_time(load: Load) -> None:
    inside, most = [0], [0]

    def fetch(time: float) -> np.ndarray[Any, Any]:
        if time != 5.0:  # asked for in the render action, not before it
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.02)
            inside[0] -= 1
        return SOURCE

    with load("mean").create() as instance, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: instance.render(5, {"Source": fetch}), range(6)))
    assert most[0] == 1


def test_an_unsafe_effect_renders_one_frame_at_a_time(load: Load) -> None:
    effect = load("scale")
    running, most = [0], [0]

    class Counted:
        def __enter__(self) -> None:
            effect_lock.acquire()
            running[0] += 1
            most[0] = max(most[0], running[0])

        def __exit__(self, *_: object) -> None:
            running[0] -= 1
            effect_lock.release()

    with effect.create() as first, effect.create() as second:
        assert first.render_lock is second.render_lock
        effect_lock = effect.render_lock
        first.render_lock = second.render_lock = Counted()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one.render(1, {"Source": SOURCE}), [first, second] * 6))
    assert most[0] == 1


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (Host(api_version=(1, 4)), {"host": "absent", "style": "absent", "config": "absent", "space": "absent"}),
        (
            Host(),
            {
                "host": "OfxImageEffectColourManagementNone",
                "style": "OfxImageEffectColourManagementNone",
            },
        ),
        (
            Host(color_management="Core"),
            {
                "host": "OfxImageEffectColourManagementCore",
                "style": "OfxImageEffectColourManagementCore",
                "space": "ACEScg",
            },
        ),
        (
            Host(color_management="OCIO", ocio_config="ocio://default"),
            {
                "host": "OfxImageEffectColourManagementOCIO",
                "style": "OfxImageEffectColourManagementFull",
                "space": "ACEScg",
            },
        ),
    ],
)
def test_color_management_is_the_strongest_that_both_have(load: Load, host: Host, said: dict[str, str]) -> None:
    with load("color", host).create() as instance:
        result = instance.render(1, {"Source": Footage(lambda _: SOURCE, colorspace="ACEScg")})
        assert facts(reports(instance)[-1]).items() >= said.items()
        assert result.colorspace == ("ACEScg" if host.color_management != "None" else "")
        assert result.alpha == "OfxImageAlphaUnPremultiplied"


def test_a_host_without_temporal_access_gives_the_frame_alone(load: Load) -> None:
    with load("mean", Host(temporal_access=False)).create() as instance:
        result = instance.render(3, {"Source": SOURCE})
    np.testing.assert_allclose(result.array, SOURCE, rtol=1e-6)
    assert result.complaints == tuple(f"fetched Source at {time} on a host without temporal access" for time in (2, 4))


def test_a_sequence_is_told_once(load: Load) -> None:
    with load("mean").create() as instance:
        with instance.sequence(1, 3):
            frames = [instance.render(time, {"Source": SOURCE}).array for time in (1, 2, 3)]
        assert len(frames) == 3
        instance.purge()
        with instance.editing():
            assert instance.time_domain() == (1.0, 100.0)


def test_hosts_that_a_plug_in_does_not_want(plugins: dict[str, PluginFile]) -> None:
    picky = plugins["picky"]
    with pytest.raises(EffectError, match=r"kOfxStatErrMissingHostFeature: needs temporal access and any size"):
        Host(temporal_access=False).load(picky)
    with pytest.raises(EffectError, match="no depths in common: the effect has float"):
        Host(depths=("byte",)).load(picky)
    with pytest.raises(EffectError, match="no contexts in common"):
        Host(contexts=("Filter",)).load(picky)
    with pytest.raises(EffectError, match="kOfxStatErrMissingHostFeature"):
        Host(without_suites=frozenset({("OfxMemorySuite", 1)})).load(picky)
    with Host().load(picky) as effect:
        with pytest.raises(EffectError, match="did not define Output in the context General"):
            effect.create()
        with pytest.raises(UsageError, match="does not work in the context Filter"):
            effect.create("Filter")
        with pytest.raises(UsageError, match="loaded already"):
            Host().load(picky)
