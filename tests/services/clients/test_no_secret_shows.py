"""Errors and clients hold no secret: not in their words, their repr, pickled, in a traceback, or with its locals."""

from __future__ import annotations

import base64
import copy
import io
import json
import pickle
import random
import string
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from rich.console import Console

from services.clients.http import HttpClient, UpstreamError
from services.clients.openai import OpenAiClient
from services.clients.railway import RailwayClient
from services.clients.supabase import SupabaseClient
from services.settings import Target
from tests.services.clients.calls import (
    ALL,
    ANON_KEY,
    EMAIL,
    OPENAI_KEY,
    PASSWORD,
    RAILWAY_TOKEN,
    SECRETS,
    SERVICE_KEY,
    Call,
    railway,
    supabase,
)
from tests.services.clients.scripted_server import ScriptedServer, answers, closes, resets

EVERY = pytest.mark.parametrize("call", ALL, ids=str)
FORMATTER = structlog.tracebacks.ExceptionDictTransformer(
    show_locals=True, locals_max_length=1000, locals_max_string=100_000, max_frames=100
)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    one = ScriptedServer()
    yield one
    one.close()


def planted(seed: int) -> list[str]:
    """Secrets and e-mail addresses that nobody knows beforehand, in every shape."""
    chance = random.Random(seed)

    def some(size: int, more: str = "") -> str:
        return "".join(chance.choices(string.ascii_letters + string.digits + more, k=size))

    return [
        f"sk-{some(48)}",
        f"sk-proj-{some(120, '-_')}",
        f"sk-svcacct-{some(90, '-_')}",
        f"sbp_{some(40)}",
        f"sbp_fc{some(40)}",
        f"sb_secret_{some(31)}",
        f"sb_publishable_{some(31)}",
        f"eyJ{some(30)}.eyJ{some(60)}.{some(43)}",
        f"Bearer {some(40)}",
        f"postgresql://u{some(3)}:{some(9)}%40{some(9)}@db.example.com/x",
        f"{some(8)}.{some(5)}@{some(9).lower()}.example.com",
    ]


def core(secret: str) -> str:
    """What of a planted secret must not be seen."""
    if "://" in secret:
        return secret.split(":")[2].rpartition("@")[0]
    return secret.partition("@")[0] if "@" in secret else secret[-24:]


def everything_about(error: BaseException) -> str:
    """All that a log, a crash report or another process may come to see of an error."""
    seen = [
        str(error),
        repr(error),
        repr(vars(error)),
        pickle.dumps(error).decode("latin-1"),
        "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()),
        json.dumps(FORMATTER((type(error), error, error.__traceback__)), default=repr),
        repr(error.__cause__),
        repr(error.__context__),
    ]
    if isinstance(error, UpstreamError):
        seen.append(json.dumps(error.to_json()))
    return "\n".join(seen)


def outcome(call: Call, url: str) -> Any:
    """What the call gives, or its error as it leaves the client: without the frames of the test, which know all."""
    try:
        return call.ask(url)
    except UpstreamError as error:
        frame = error.__traceback__
        while frame is not None and "/tests/" in frame.tb_frame.f_code.co_filename:
            frame = frame.tb_next
        assert frame is not None
        return error.with_traceback(frame)


def raised_by(call: Call, url: str) -> UpstreamError:
    error = outcome(call, url)
    assert isinstance(error, UpstreamError)
    return error


def lost(text: str, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if secret in text]


def bodies(words: str) -> list[Any]:
    """What an upstream may say them in: every place of an error body at once, a list, and a bare text."""
    said = {"message": words, "code": words, "type": words}
    everywhere = {
        **said,
        "error": said,
        "errors": [said],
        "hint": words,
        "detail": words,
        "error_code": words,
        "missing_permissions": [words],
        "data": {"variables": {"A": words}},
    }
    return [everywhere, [everywhere], words]


@EVERY
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_no_secret_that_an_upstream_says_is_seen(server: ScriptedServer, call: Call, status: int) -> None:
    secrets = planted(status)
    words = "it was " + ", then ".join(secrets)
    for body in bodies(words)[: 3 if status == 200 else 1]:
        found = outcome(call, server.does(answers(body, status)))
        if isinstance(found, UpstreamError):
            seen = everything_about(found)
        else:
            # Rows and what a function answers are what was asked for; nothing else shows.
            seen = "" if call.family == "supabase" else repr(found)
        assert not lost(seen, [core(one) for one in secrets])


def forms(secret: str) -> list[str]:
    return [
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("="),
        json.dumps(secret)[1:-1],
    ]


ECHOES = {
    "words": lambda sent: answers({"message": f"bad {sent}", "error": {"message": f"bad {sent}", "code": sent}}, 401),
    "graphql": lambda sent: answers({"errors": [{"message": f"Not Authorized {sent}"}]}),
    "redirect": lambda sent: answers("", 302, headers={"location": f"https://x.example/{sent}"}),
    "page": lambda sent: answers(f"<html>{sent}"),
    "close": lambda _: closes,
    "reset": lambda _: resets,
}


@EVERY
@pytest.mark.parametrize("echo", ECHOES)
def test_no_secret_of_ours_is_seen_though_the_upstream_echoes_it(server: ScriptedServer, call: Call, echo: str) -> None:
    if call.family == "status" or (call.any_json and echo == "graphql"):
        pytest.skip("no key of ours goes there, or the echo is its answer")
    everything = " ".join(form for secret in sent_by(call) for form in forms(secret))
    error = raised_by(call, server.does(ECHOES[echo](everything)))
    assert not lost(everything_about(error), [form for secret in sent_by(call) for form in forms(secret)])


@pytest.mark.parametrize("form", range(4))
def test_a_key_without_any_shape_is_hidden_by_the_client_that_sent_it(server: ScriptedServer, form: int) -> None:
    key = "quite-an-ordinary-looking-text"
    echoed = forms(key)[form]
    said = {"message": f"no {echoed}", "error": {"message": echoed, "code": echoed}, "code": echoed, "hint": echoed}
    url = server.does(answers(said, 401))
    clients = (
        lambda: SupabaseClient(url=url, anon_key=key).rows("notes"),
        lambda: SupabaseClient(url=url, anon_key=key).auth_health(),
        lambda: SupabaseClient(url=None, management_url=url, access_token=key, ref="r").project(),
        lambda: OpenAiClient(url, key).models(),
        lambda: RailwayClient(url, key, "s").scope(),
    )
    for number, ask in enumerate(clients):
        error = raised_by(Call(f"shapeless.{number}", lambda _, ask=ask: ask(), None), url)
        assert echoed not in "\n".join([str(error), error.detail, str(error.code), repr(vars(error))])


def sent_by(call: Call) -> list[str]:
    """What the call sends; of the others, those that tell by their shape that they are secret."""
    shapeless = {RAILWAY_TOKEN: "railway", PASSWORD: "supabase.sign_in", EMAIL: "supabase.sign_in"}
    return [one for one in SECRETS if call.name.startswith(shapeless.get(one, ""))]


@pytest.mark.parametrize(
    "client",
    [
        lambda: supabase("http://127.0.0.1:9"),
        lambda: railway("http://127.0.0.1:9"),
        lambda: OpenAiClient(None, OPENAI_KEY),
        lambda: HttpClient("Thing", "http://u:hunter2hunter2@127.0.0.1:9", headers={"apikey": SERVICE_KEY}),
    ],
    ids=["supabase", "railway", "openai", "http"],
)
def test_a_client_shows_no_key_and_lets_itself_not_be_pickled(client: Any) -> None:
    one = client()
    console = Console(file=io.StringIO(), width=400)
    console.print(one)
    for seen in (repr(one), str(one), f"{one}", console.file.getvalue()):  # type: ignore[attr-defined]
        assert not lost(seen, [*SECRETS, "hunter2"])
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds secrets"):
            attempt(one)


def test_a_target_hands_its_keys_over_unread() -> None:
    target = Target.model_validate(
        {
            "name": "staging",
            "railway_url": "http://127.0.0.1:9",
            "railway_token": RAILWAY_TOKEN,
            "openai_key": OPENAI_KEY,
        }
    )
    for one in (RailwayClient.of(target), OpenAiClient.of(target)):
        assert not lost(repr(vars(one)), [RAILWAY_TOKEN, OPENAI_KEY])


def test_an_error_survives_pickling_whole(server: ScriptedServer) -> None:
    body = {"error": {"message": "no", "code": "insufficient_quota"}}
    for call in (one for one in ALL if one.name in ("openai.models", "railway.scope", "supabase.project")):
        error = raised_by(call, server.does(answers(body, 429, headers={"retry-after": "9"})))
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_sign_in_that_fails_shows_neither_person_nor_password(server: ScriptedServer) -> None:
    call = next(one for one in ALL if one.name == "supabase.sign_in")
    for act in (answers("<html>"), answers({}, 400), closes, answers({"user": None})):
        assert not lost(everything_about(raised_by(call, server.does(act))), [EMAIL, "correct-horse", ANON_KEY])
