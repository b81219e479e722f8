# SPDX-License-Identifier: Apache-2.0
"""Every class of the error tree crosses the wire as itself."""

import inspect
import re
from pathlib import Path

import pytest
from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from contract.service.rig import assert_same_error
from understudy.codec.errors import error_from_status, error_to_status
from understudy.contracts import errors
from understudy.contracts.errors import BusyError, PlateError, UnavailableError, UnderstudyError

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, UnderstudyError)]


@pytest.mark.parametrize("cls", TREE)
@pytest.mark.parametrize(("where", "fix"), [(None, None), ("plate.1004.exr", None), (None, "do this"), ("é", "日本")])
def test_every_class_comes_back_with_its_facts(cls: type[UnderstudyError], where: str | None, fix: str | None) -> None:
    error = cls("it was wrong", where=where, fix=fix)
    status = error_to_status(error, "id7")
    back = error_from_status(status_pb2.Status.FromString(status.SerializeToString()))
    assert back is not None
    assert_same_error(back, error)
    assert status.code != code_pb2.OK
    assert status.message == str(error)


def test_the_tree_is_whole() -> None:
    assert len(TREE) == 27


def test_the_documented_table_is_the_one_in_the_code() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "concepts" / "service.md"
    documented: dict[str, tuple[str, int]] = {}
    for line in page.read_text().splitlines():
        row = re.fullmatch(r"\| (`\w+`(?:, `\w+`)*) \| `([A-Z_]+)` \| (\d+) \|", line)
        if row:
            documented |= {name.strip("` "): (row[2], int(row[3])) for name in row[1].split(",")}
    coded = {cls.__name__: (code_pb2.Code.Name(error_to_status(cls("x")).code), cls.exit_code) for cls in TREE}
    assert documented == coded


def details(error: UnderstudyError) -> dict[str, object]:
    found: dict[str, object] = {}
    for detail in error_to_status(error, "id7").details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo, error_details_pb2.BadRequest):
            message = kind()
            if detail.Unpack(message):
                found[kind.__name__] = message
    return found


def test_details_are_those_of_google_rpc() -> None:
    found = details(PlateError("too dark", where="plate 'a'"))
    info = found["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("PlateError", "understudy")
    assert dict(info.metadata) == {"problem": "too dark", "where": "plate 'a'", "request_id": "id7"}
    bad = found["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert bad.field_violations[0].field == "plate 'a'"
    assert "RetryInfo" not in found
    assert set(details(UnavailableError("busy"))) == {"ErrorInfo", "RetryInfo"}


@pytest.mark.parametrize("delay_s", [0.0, 0.25, 7.0, 59.5])
def test_a_busy_service_says_when_to_try_again(delay_s: float) -> None:
    status = error_to_status(BusyError("full", retry_after_s=delay_s))
    assert status.code == code_pb2.RESOURCE_EXHAUSTED
    retry = details(BusyError("full", retry_after_s=delay_s))["RetryInfo"]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToTimedelta().total_seconds() == delay_s
    back = error_from_status(status)
    assert isinstance(back, BusyError)
    assert back.retry_after_s == delay_s


def test_an_absurd_delay_is_not_believed() -> None:
    status = error_to_status(BusyError("full"))
    for seconds, want in ((-5, 0.0), (10**9, 3600.0)):
        status.details[1].Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds)))
        back = error_from_status(status)
        assert isinstance(back, BusyError)
        assert back.retry_after_s == want
    del status.details[1]
    back = error_from_status(status)
    assert isinstance(back, BusyError)
    assert back.retry_after_s == 2.0


def test_an_error_of_elsewhere_comes_back_as_its_base() -> None:
    class OwnError(PlateError):
        pass

    class PlateErrorOfAnotherTree(OwnError):
        pass

    for cls in (OwnError, PlateErrorOfAnotherTree):
        back = error_from_status(error_to_status(cls("odd")))
        assert type(back) is PlateError


def test_long_sentences_are_cut_to_what_trailers_hold() -> None:
    error = PlateError("é" * 100_000, where="w" * 10_000, fix="日" * 10_000)
    status = error_to_status(error)
    back = error_from_status(status)
    assert back is not None
    assert back.problem.endswith("…")
    assert back.problem.startswith("é" * 900)
    # what travels: details in base64, the message percent-encoded
    assert len(status.SerializeToString()) * 4 / 3 + 3 * len(status.message.encode()) < 8192


def test_text_that_is_no_unicode_does_not_break_the_error() -> None:
    back = error_from_status(error_to_status(PlateError("caf\udce9", where="\ud800")))
    assert back is not None
    assert (back.problem, back.where) == ("caf?", "?")


@pytest.mark.parametrize("domain", ["", "elsewhere.example"])
def test_a_status_from_elsewhere_is_none_of_ours(domain: str) -> None:
    assert error_from_status(status_pb2.Status(code=3, message="no")) is None
    status = error_to_status(PlateError("x"))
    info = error_details_pb2.ErrorInfo(reason="PlateError", domain=domain, metadata={"problem": "x"})
    status.details[0].Pack(info)
    assert error_from_status(status) is None


def test_a_class_of_a_later_version_keeps_its_sentence() -> None:
    info = error_details_pb2.ErrorInfo(reason="FutureError", domain="understudy", metadata={"problem": "x", "fix": "y"})
    status = status_pb2.Status(code=13)
    status.details.add().Pack(info)
    back = error_from_status(status)
    assert type(back) is UnderstudyError
    assert str(back) == "x; y"
