"""The policies of tenacity, with the number of tries that the store keeps."""

from __future__ import annotations

from tenacity import stop_after_attempt, stop_after_delay, wait_fixed

from crawler import FetchError, Reason
from crawler.layers.retry_policy import Retries
from crawler.settings import RetrySettings


def failed(reason: Reason, *, is_lasting: bool = False) -> FetchError:
    return FetchError(reason, "in a test", is_lasting=is_lasting)


def test_the_default_policy_doubles_with_jitter_and_ends_after_its_attempts() -> None:
    retries = Retries(RetrySettings(), None, None)

    pauses = [
        retries.pause(failed(Reason.RESET), attempt, 0) for attempt in range(1, 6)
    ]

    assert pauses[4] is None
    for base, pause in zip((1, 2, 4, 8), pauses[:4], strict=True):
        assert pause is not None
        assert base <= pause <= base + 1


def test_policies_of_the_spider_receive_attempt_and_elapsed_time() -> None:
    stop = stop_after_attempt(3) | stop_after_delay(60)
    retries = Retries(RetrySettings(), stop, wait_fixed(7))

    assert retries.pause(failed(Reason.RESET), 2, 59) == 7
    assert retries.pause(failed(Reason.RESET), 3, 0) is None
    assert retries.pause(failed(Reason.RESET), 1, 61) is None


def test_a_host_name_that_does_not_exist_is_looked_up_twice() -> None:
    retries = Retries(RetrySettings(), None, None)
    missing = FetchError(Reason.DNS_ERROR, "in a test")
    unanswered = FetchError(Reason.DNS_ERROR, "in a test", is_lasting=False)

    assert retries.pause(missing, 1, 0) is not None
    assert retries.pause(missing, 2, 0) is None
    assert retries.pause(unanswered, 4, 0) is not None


def test_a_lasting_failure_is_retried_once() -> None:
    retries = Retries(RetrySettings(), None, None)
    failure = failed(Reason.PROTO_ERROR, is_lasting=True)

    assert retries.pause(failure, 1, 0) is not None
    assert retries.pause(failure, 2, 0) is None
    assert retries.pause(failed(Reason.PROTO_ERROR), 2, 0) is not None


def test_tries_without_a_sent_request_do_not_count_for_a_quarter_of_an_hour() -> None:
    retries = Retries(RetrySettings(), None, None)
    unseen = FetchError(Reason.RESET, "in a test", is_free=True)

    assert not retries.counts(unseen, 0)
    assert retries.pause(unseen, 0, 0) is not None
    assert retries.counts(unseen, 900)
    assert retries.counts(failed(Reason.RESET), 0)
