"""tenacity's policies are asked with the attempt that the store keeps."""

from __future__ import annotations

from tenacity import stop_after_attempt, stop_after_delay, wait_fixed

from crawler import Reason
from crawler.layers.retry_policy import Retries
from crawler.settings import RetrySettings


def test_the_default_doubles_with_jitter_and_ends_after_its_attempts() -> None:
    retries = Retries(RetrySettings(), None, None)

    pauses = [retries.pause(Reason.RESET, attempt, 0) for attempt in range(1, 6)]

    assert pauses[4] is None
    for base, pause in zip((1, 2, 4, 8), pauses[:4], strict=True):
        assert pause is not None
        assert base <= pause <= base + 1


def test_a_spiders_own_policies_are_asked_with_attempt_and_elapsed_time() -> None:
    stop = stop_after_attempt(3) | stop_after_delay(60)
    retries = Retries(RetrySettings(), stop, wait_fixed(7))

    assert retries.pause(Reason.RESET, 2, 59) == 7
    assert retries.pause(Reason.RESET, 3, 0) is None
    assert retries.pause(Reason.RESET, 1, 61) is None


def test_a_name_that_does_not_resolve_is_asked_for_twice() -> None:
    retries = Retries(RetrySettings(), None, None)

    assert retries.pause(Reason.DNS_ERROR, 1, 0) is not None
    assert retries.pause(Reason.DNS_ERROR, 2, 0) is None
