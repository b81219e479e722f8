# SPDX-License-Identifier: Apache-2.0
"""The order of waiting jobs, exact by construction: no threads, no clock."""

import random
from collections.abc import Iterable

import pytest

from understudy.contracts.priority import Priority
from understudy.service.fair_order import FairOrder, Ticket, Waiting

NEVER = 1e9


def job(user: str, cost_s: float = 1.0, priority: Priority = Priority.NORMAL, since: float = 0.0) -> Waiting:
    return Waiting(Ticket(user=user, cost_s=cost_s, priority=priority, measured=True), since)


def filled(jobs: Iterable[Waiting], aging_s: float = NEVER) -> FairOrder:
    order = FairOrder(aging_s)
    for each in jobs:
        order.add(each)
    return order


def users(order: FairOrder, count: int, now: float = 0.0) -> str:
    return "".join(order.pop(now).ticket.user for _ in range(count))


def test_one_job_of_another_user_is_next_whenever_it_comes() -> None:
    for before in range(20):
        order = filled(job("a") for _ in range(500))
        assert users(order, before) == "a" * before
        order.add(job("b", cost_s=100.0))
        assert users(order, 3) == ("baa" if before else "aba")


def test_two_users_with_equal_jobs_take_turns() -> None:
    order = filled([job("a") for _ in range(4)] + [job("b") for _ in range(4)])
    assert users(order, 8) == "abababab"


def test_shares_are_seconds_and_not_jobs() -> None:
    order = filled([job("a", 3.0) for _ in range(4)] + [job("b", 1.0) for _ in range(12)])
    assert users(order, 16) == "abbbabbbabbbabbb"


def test_a_user_s_own_jobs_start_in_the_order_they_came() -> None:
    jobs = [job("a", cost_s=random.Random(7).random()) for _ in range(20)]
    order = filled(jobs)
    assert [order.pop(0) for _ in jobs] == jobs


def test_who_was_idle_saved_up_nothing() -> None:
    order = filled([job("a") for _ in range(10)])
    assert users(order, 6) == "aaaaaa"
    for _ in range(4):
        order.add(job("b"))
    assert users(order, 8) == "babababa"


def test_a_wrong_estimate_is_put_right() -> None:
    first = job("a", cost_s=1.0)
    order = filled([first, *(job("a") for _ in range(5)), *(job("b") for _ in range(9))])
    assert order.pop(0) is first
    order.done(first, 5.0)  # five times as long as was thought
    assert users(order, 6) == "bbbbba"


def test_an_overestimate_gives_no_credit_over_others() -> None:
    jobs = [job("a", cost_s=50.0) for _ in range(6)]
    order = filled(jobs)
    for each in [order.pop(0), order.pop(0)]:
        order.done(each, 0.1)
    order.add(job("b"))
    assert users(order, 2) == "ba"


def test_more_urgent_classes_go_first() -> None:
    order = filled(
        [job("a", priority=Priority.BATCH), job("b", priority=Priority.NORMAL), job("c", priority=Priority.INTERACTIVE)]
    )
    assert users(order, 3) == "cba"


def test_an_overdue_class_gets_one_start_and_then_waits_again() -> None:
    jobs = [job("i", priority=Priority.INTERACTIVE) for _ in range(12)] + [
        job("b", priority=Priority.BATCH) for _ in range(3)
    ]
    order = filled(jobs, aging_s=10)
    # One start a second: batch gets one every ten.
    started = [order.pop(now).ticket.user for now in range(15)]
    assert "".join(started) == "iiiiiiiiiibiibb"


def test_no_class_starves_under_endless_urgent_work() -> None:
    order = FairOrder(aging_s=5)
    for priority in (Priority.BATCH, Priority.NORMAL):
        order.add(job(priority.value, priority=priority))
    started = []
    for now in range(8):
        order.add(job("i", priority=Priority.INTERACTIVE, since=now))
        started.append(order.pop(now).ticket.user)
    assert {"batch", "normal"} <= set(started)


def test_the_caller_tells_shares_apart_and_the_user_where_no_caller_is_known() -> None:
    assert Ticket(caller="studio", user="anything").share == "studio"
    assert Ticket(user="zoe").share == "zoe"


def test_a_removed_job_never_starts_and_is_removed_once() -> None:
    jobs = [job("a") for _ in range(3)]
    order = filled(jobs)
    assert order.remove(jobs[1])
    assert not order.remove(jobs[1])
    assert [order.pop(0), order.pop(0)] == [jobs[0], jobs[2]]
    assert not order.remove(jobs[0])
    with pytest.raises(IndexError):
        order.pop(0)


def test_names_are_not_kept_beyond_their_jobs() -> None:
    order = FairOrder(NEVER)
    held = [job("z") for _ in range(2)]
    for each in held:
        order.add(each)
    for number in range(5000):  # the class is never idle meanwhile
        one = job(f"user{number}")
        order.add(one)
        order.remove(one)
    assert len(order._classes[Priority.NORMAL].shares) <= 1025
    for _ in held:
        order.done(order.pop(0), 1.0)
    assert not order._classes[Priority.NORMAL].shares


def test_the_work_ahead_is_what_really_starts_before() -> None:
    random_ = random.Random(3)
    for _ in range(300):
        order = FairOrder(NEVER)
        running: list[Waiting] = []
        for _ in range(random_.randrange(1, 25)):
            act = random_.random()
            if act < 0.6 or not len(order):
                order.add(job(random_.choice("abc"), random_.uniform(0.5, 7), random_.choice(list(Priority))))
            elif act < 0.85 or not running:
                running.append(order.pop(0))
            else:
                order.done(running.pop(), random_.uniform(0.1, 9))
        new = job(random_.choice("abcd"), 3.0, random_.choice(list(Priority)))
        ahead = order.ahead_s(new.ticket)
        order.add(new)
        before = 0.0
        while (started := order.pop(0)) is not new:
            before += started.ticket.cost_s
        assert ahead == pytest.approx(before)
