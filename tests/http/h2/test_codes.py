"""The codes of HTTP/2 equal those of h2."""

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from crawler.http.h2.codes import ErrorCode, Setting


def test_the_error_codes_equal_those_of_h2() -> None:
    assert {code.name: int(code) for code in ErrorCode} == {
        code.name: int(code) for code in ErrorCodes
    }


def test_the_settings_codes_equal_those_of_h2() -> None:
    theirs = {code.name: int(code) for code in SettingCodes}

    for setting in Setting:
        assert theirs[setting.name] == setting
