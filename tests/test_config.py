"""Settings: a bad value is refused where it is given, and a key is never shown."""

from __future__ import annotations

import copy
import pickle
from typing import Any, cast

import pytest

from openrouter_async import Adaptive, Limits, RetryPolicy, Timeouts
from openrouter_async._config import (
    DEFAULT_BASE_URL,
    Secret,
    checked_base_url,
    checked_key,
    from_environment,
)

KEY = "sk-or-v1-0123456789abcdef"

TIMEOUTS = ["connect", "wire_idle", "first_event", "idle", "total", "queue", "drain"]
LIMITS_IN_SECONDS = ["keepalive", "dns_ttl"]
LIMITS_WHOLE = [
    "max_connections",
    "max_event_size",
    "max_error_body",
    "max_body_size",
    "max_choices",
    "max_tool_calls",
    "requests_per_minute",
    "tokens_per_minute",
]
DELAYS = ["first_delay", "max_delay", "max_wait", "total"]
OFF_BY_NONE = {"requests_per_minute", "tokens_per_minute", "total"}
NUMBERS: list[tuple[type[Any], str]] = [
    *((Timeouts, name) for name in TIMEOUTS),
    *((Limits, name) for name in LIMITS_IN_SECONDS),
    *((RetryPolicy, name) for name in DELAYS),
]
WHOLE: list[tuple[type[Any], str]] = [
    *((Limits, name) for name in LIMITS_WHOLE),
    (RetryPolicy, "max_attempts"),
]
ALL = [*NUMBERS, *WHOLE]


def test_every_setting_is_tested_here() -> None:
    """No setting of the three is without a check."""
    tested = {(kind.__name__, name) for kind, name in (*NUMBERS, *WHOLE)}
    kinds: list[type[Any]] = [Timeouts, Limits, RetryPolicy]
    there = {(kind.__name__, name) for kind in kinds for name in kind.__struct_fields__}
    assert there - tested == {("RetryPolicy", "retry_unknown"), ("Limits", "adaptive")}


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
@pytest.mark.parametrize("value", [1, 0.001, 10**9])
def test_good_numbers(kind: type[Any], name: str, value: float) -> None:
    """Any number above 0 will do where seconds are meant."""
    assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize(("kind", "name"), [*NUMBERS, *WHOLE])
@pytest.mark.parametrize("value", ["5", b"5", True, False, [5], {}, 5j])
def test_a_value_of_another_kind_is_refused(kind: type[Any], name: str, value: object) -> None:
    """What is no number is a TypeError that names the setting and the value."""
    with pytest.raises(TypeError) as caught:
        kind(**{name: value})
    assert f"{kind.__name__}.{name} must be a" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), [*NUMBERS, *WHOLE])
@pytest.mark.parametrize("value", [0, -1])
def test_zero_and_less_are_refused(kind: type[Any], name: str, value: int) -> None:
    """What is not above 0 is a ValueError that names the setting and the value."""
    with pytest.raises(ValueError, match=rf"^{kind.__name__}\.{name} must be greater than 0"):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
@pytest.mark.parametrize("value", [float("inf"), float("nan"), float("-inf"), -0.0, -1e-9])
def test_odd_floats_are_refused(kind: type[Any], name: str, value: float) -> None:
    """Not a number, not finite or not above 0: no deadline can be made of it."""
    with pytest.raises(ValueError, match=rf"^{kind.__name__}\.{name} must be greater than 0"):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), WHOLE)
@pytest.mark.parametrize("value", [1.0, 2.5])
def test_a_count_is_a_whole_number(kind: type[Any], name: str, value: float) -> None:
    """A float is no count, not even a whole one."""
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name} must be a whole number"):
        kind(**{name: value})


@pytest.mark.parametrize("name", TIMEOUTS[:-1])
def test_a_deadline_can_be_switched_off(name: str) -> None:
    """None switches a deadline off."""
    values: dict[str, Any] = {name: None}
    assert getattr(Timeouts(**values), name) is None


@pytest.mark.parametrize("setting", [pair for pair in ALL if pair[1] in OFF_BY_NONE])
def test_a_limit_can_be_switched_off(setting: tuple[type[Any], str]) -> None:
    """None is no limit."""
    kind, name = setting
    assert getattr(kind(**{name: None}), name) is None


@pytest.mark.parametrize("value", [True, False, Adaptive(), Adaptive(start=1, least=1, most=1)])
def test_adaptive_is_a_switch_or_its_bounds(value: bool | Adaptive) -> None:
    """The bounds are taken for a switch that is on."""
    assert Limits(adaptive=value).adaptive == value


@pytest.mark.parametrize("value", [1, None, "yes", 60])
def test_adaptive_is_nothing_else(value: Any) -> None:
    """A number would leave open which of the bounds it is."""
    with pytest.raises(TypeError, match=r"^Limits\.adaptive must be a bool or an Adaptive"):
        Limits(adaptive=value)


@pytest.mark.parametrize("name", ["start", "least", "most"])
def test_adaptive_bounds_are_checked(name: str) -> None:
    """Each is a count, and the most is not below the least."""
    values: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=rf"^Adaptive\.{name} must be greater than 0"):
        Adaptive(**values)
    values = {name: 1.5}
    with pytest.raises(TypeError, match=rf"^Adaptive\.{name} must be a whole number"):
        Adaptive(**values)
    with pytest.raises(ValueError, match=r"^Adaptive\.most must not be below Adaptive\.least"):
        Adaptive(least=5, most=4)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Timeouts, "drain"), *(pair for pair in ALL[7:] if pair[1] not in OFF_BY_NONE)],
)
def test_what_cannot_be_switched_off_says_so(kind: type[Any], name: str) -> None:
    """None is refused where there has to be a bound."""
    with pytest.raises(TypeError, match=rf"{kind.__name__}\.{name} must be"):
        kind(**{name: None})


@pytest.mark.parametrize("value", ["no", 1, 0, None])
def test_a_switch_is_a_bool(value: object) -> None:
    """A word is no answer to whether a request may be billed twice."""
    with pytest.raises(TypeError, match=r"^RetryPolicy\.retry_unknown must be a bool"):
        RetryPolicy(retry_unknown=cast("bool", value))


@pytest.mark.parametrize("kind", [Timeouts, Limits, RetryPolicy])
def test_a_misspelt_setting_is_refused(kind: type[Any]) -> None:
    """A name that is no setting, and a value without a name, are TypeErrors."""
    with pytest.raises(TypeError, match="tiemout"):
        kind(tiemout=5)
    with pytest.raises(TypeError):
        kind(5)


@pytest.mark.parametrize("value", [Timeouts(idle=5), Limits(keepalive=3), RetryPolicy()])
def test_settings_are_values(value: Any) -> None:
    """Settings cannot be changed, and equal ones are equal, pickled ones too."""
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], 1)
    for twin in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert twin == value
        assert hash(twin) == hash(value)


def test_every_deadline_but_two_is_finite_by_default() -> None:
    """Nothing waits for ever unless it is told to, but for the whole answer and the queue."""
    timeouts = Timeouts()
    unset = {name for name in TIMEOUTS if getattr(timeouts, name) is None}
    assert unset == {"total", "queue"}


# The key.


def test_a_secret_shows_itself_to_nobody() -> None:
    """Neither repr, str nor format show a key; only reveal gives it."""
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"):
        assert "***" in shown
        assert "0123" not in shown
    assert repr(Secret("")) == "Secret('')"
    assert bool(secret)
    assert not Secret("")
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_never_pickled(protocol: int) -> None:
    """A key does not travel; the error says where the other side finds its own."""
    with pytest.raises(TypeError, match="OPENROUTER_API_KEY") as caught:
        pickle.dumps(Secret(KEY), protocol)
    assert "0123" not in str(caught.value)


@pytest.mark.parametrize("around", ["{}", "{}\n", "{}\r\n", " {}\t", "\n\n{}"])
def test_white_space_around_a_key_is_stripped(around: str) -> None:
    """A key that was read from a file with its line end is a good key."""
    assert checked_key(around.format(KEY)).reveal() == KEY


@pytest.mark.parametrize(
    ("character", "name"),
    [("\n", "U+000A"), ("\r", "U+000D"), (" ", "U+0020"), ("\0", "U+0000"), ("\x7f", "U+007F"),
     ("\u00e9", "U+00E9"), ("\u2026", "U+2026"), ("\U0001f327", "U+1F327")],
)  # fmt: skip
def test_a_key_that_no_header_can_carry_is_refused_unseen(character: str, name: str) -> None:
    """A bad character inside a key is named with its place; the key is not shown."""
    with pytest.raises(ValueError, match=r"^api_key holds a character") as caught:
        checked_key(KEY[:9] + character + KEY[9:])
    assert f"position 9 ({name})" in str(caught.value)
    assert "sk-or" not in str(caught.value)
    assert "0123" not in str(caught.value)


@pytest.mark.parametrize("key", [None, 5, KEY.encode(), ["x"]])
def test_a_key_of_another_kind_is_refused_unseen(key: object) -> None:
    """What is no str is a TypeError that names the type alone."""
    with pytest.raises(TypeError, match=r"^api_key must be a str, got ") as caught:
        checked_key(key)
    assert "0123" not in str(caught.value)


# The base URL.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (DEFAULT_BASE_URL, DEFAULT_BASE_URL),
        ("https://openrouter.ai/api/v1/", DEFAULT_BASE_URL),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080//", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        (" https://a.example/v1\n", "https://a.example/v1"),
        ("HTTPS://A.example/V1", "HTTPS://A.example/V1"),
    ],
)
def test_good_base_urls(url: str, expected: str) -> None:
    """A base URL is taken without the slashes at its end."""
    assert checked_base_url(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must start with http:// or https://"),
        ("openrouter.ai/api/v1", "must start with http:// or https://"),
        ("localhost:8080", "must start with http:// or https://"),
        ("ftp://a.example", "must start with http:// or https://"),
        ("https://", "must start with http:// or https://"),
        ("https:///v1", "must start with http:// or https://"),
        ("https://:8080", "must start with http:// or https://"),
        ("https://a.example:0", "must start with http:// or https://"),
        ("https://a.example:port", "is no URL"),
        ("https://a.example:99999", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://a.example?x=1", "no query and no fragment"),
        ("https://a.example/v1#x", "no query and no fragment"),
        ("https://a example/v1", "no space and no control character"),
        ("https://a.example/v1\r\nX: y", "no space and no control character"),
        ("https://a.exam\tple/v1", "no space and no control character"),
    ],
)
def test_bad_base_urls(url: str, reason: str) -> None:
    """A base URL that cannot work is refused with the reason."""
    with pytest.raises(ValueError, match=r"^base_url ") as caught:
        checked_base_url(url)
    assert reason in str(caught.value)


@pytest.mark.parametrize("url", [f"https://{KEY}@a.example", f"https://user:{KEY}@a.example/v1"])
def test_credentials_in_a_base_url_are_refused_unseen(url: str) -> None:
    """Credentials belong elsewhere, and the error does not repeat them."""
    with pytest.raises(ValueError, match="give the key as api_key") as caught:
        checked_base_url(url)
    assert "0123" not in str(caught.value)


@pytest.mark.parametrize("url", [None, 5, b"https://a.example"])
def test_a_base_url_of_another_kind_is_refused(url: object) -> None:
    """What is no str is a TypeError."""
    with pytest.raises(TypeError, match=r"^base_url must be a str, got "):
        checked_base_url(url)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing is as good as none."""
    monkeypatch.setenv("OPENROUTER_A_TEST", "")
    assert from_environment("OPENROUTER_A_TEST") is None
    monkeypatch.setenv("OPENROUTER_A_TEST", "x")
    assert from_environment("OPENROUTER_A_TEST") == "x"
    monkeypatch.delenv("OPENROUTER_A_TEST")
    assert from_environment("OPENROUTER_A_TEST") is None
