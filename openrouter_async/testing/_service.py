"""What the emulator says without a script: keys, models, the pretend model's chat, its records.

The rule of this file: a request in, a reply out. It keeps the records of what was answered and
reads the clock; it never waits and never touches a socket.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from openrouter_async.testing._account import add_account, add_generations, add_keys
from openrouter_async.testing._agents import (
    add_containers,
    add_decisions,
    add_server_tools,
    add_vault,
)
from openrouter_async.testing._answer import Answer
from openrouter_async.testing._audio import answer_audio
from openrouter_async.testing._batches import add_batches
from openrouter_async.testing._build import http_error, json_reply, stream_reply
from openrouter_async.testing._desk import BASE_PATH, ReceivedRequest
from openrouter_async.testing._discovery import add_discovery
from openrouter_async.testing._documents import UnreadableError
from openrouter_async.testing._files import add_files
from openrouter_async.testing._images import answer_images
from openrouter_async.testing._ledger import Ledger
from openrouter_async.testing._model import RefusedError, answer_to, read_request
from openrouter_async.testing._organization import (
    add_byok,
    add_observability,
    add_organization,
    add_presets,
    add_scim,
)
from openrouter_async.testing._script import Reply
from openrouter_async.testing._sign_in import add_sign_in
from openrouter_async.testing._store import Router, key_in
from openrouter_async.testing._tenants import add_external_users, add_private_endpoints
from openrouter_async.testing._texts import answers_to, refusal, reply_of
from openrouter_async.testing._vectors import add_vectors
from openrouter_async.testing._video import Videos
from openrouter_async.testing._workspaces import add_guardrails, add_workspaces

__all__ = ["Service"]

_COMMENTS: Final = 2
_RECORDS_MAX: Final = 10_000
_CONTENTS_MAX: Final = 100
_GENERATION_HEADER: Final = "X-Generation-Id"


class Service:
    """Answers as OpenRouter would.

    Args:
        api_key: The only key it accepts; None accepts any key that is not empty.
        pace: Wait between two deltas of the pretend model, in seconds.
        management_key: The only key that management calls accept; None accepts any.
    """

    def __init__(
        self, *, api_key: str | None, pace: float, management_key: str | None = None
    ) -> None:
        self._api_key = api_key
        self._management_key = management_key
        self._pace = pace
        self._records: dict[str, dict[str, Any]] = {}
        self._ledger = Ledger()
        self._videos = Videos()
        self._contents: dict[str, dict[str, Any]] = {}
        self._router = Router(management_key)
        add_account(self._router, self._records)
        add_batches(self._router, self.answer)
        add_byok(self._router)
        add_containers(self._router)
        add_decisions(self._router)
        add_discovery(self._router)
        add_external_users(self._router)
        add_files(self._router)
        add_generations(self._router, self._records, self._contents)
        add_guardrails(self._router, self._ledger)
        add_observability(self._router)
        add_organization(self._router)
        add_presets(self._router)
        add_private_endpoints(self._router)
        add_scim(self._router)
        add_server_tools(self._router)
        add_sign_in(self._router, add_keys(self._router, self._ledger))
        add_vault(self._router)
        add_workspaces(self._router, self._ledger)
        add_vectors(self._router)
        self.parsed: Final[Counter[str]] = Counter()  # how often each document was, by its hash

    def before_script(self, request: ReceivedRequest) -> Reply | None:
        """Give what is answered whatever a script says: to HEAD, and to a wrong key."""
        if request.method == "HEAD":
            return json_reply(b"")
        if self._router.is_public(request):
            return None
        if not request.path.startswith("/api/"):
            return http_error(404, "Not Found")
        scheme, key = request.headers.get("Authorization", "").partition(" ")[0], key_in(request)
        if scheme.lower() != "bearer" or not key:
            return http_error(401, "Missing Authentication header")
        if self._api_key is not None and key not in (self._api_key, self._management_key):
            return http_error(401, "User not found.")
        return None

    def too_large(self, limit: int) -> Reply:
        """Give the answer to a body that is too large; nothing can follow on the connection."""
        reply = http_error(413, f"Request body is larger than {limit} bytes")
        return reply.with_framing("close")

    def answer(self, request: ReceivedRequest) -> Reply:
        """Give the answer to a request that no script covers."""
        path = request.path.removeprefix(BASE_PATH)
        match request.method, path:
            case "POST", "/chat/completions" | "/completions" | "/messages" | "/responses":
                try:
                    self._ledger.refuse_if_spent(key_in(request))
                except RefusedError as refused:
                    return refusal(path, refused.status, refused.message)
                return self._chat(request) if "chat" in path else self._text(request, path)
            case _, path if path == "/images" or path.startswith("/images/"):
                return answer_images(request, pace=self._pace)
            case _, path if path.startswith("/audio/"):
                return answer_audio(request, pace=self._pace)
            case _, path if path == "/videos" or path.startswith("/videos/"):
                return self._videos.answer(request)
            case _:
                return self._router.answer(request) or http_error(404, "Not Found")

    def left(self, reply: Reply) -> None:
        """Note in the record of an answer that its client did not wait for the end."""
        record = self._records.get(reply.header(_GENERATION_HEADER) or "")
        if record is not None:
            record["cancelled"] = True

    def _text(self, received: ReceivedRequest, path: str) -> Reply:
        """Answer one of the text endpoints besides chat."""
        created, id = _named_now()
        try:
            answers, request = answers_to(path, received.body, id=id, created=created)
        except RefusedError as refused:
            return refusal(path, refused.status, refused.message)
        except UnreadableError as unreadable:
            return refusal(path, unreadable.status, str(unreadable))
        before = self._ledger.spent
        for answer in answers:
            self._record(answer, received, request, streamed=request.get("stream") is True)
        self._records[id] |= dict.fromkeys(("usage", "total_cost"), self._ledger.spent - before)
        return reply_of(path, answers, request, self._pace)

    def _chat(self, received: ReceivedRequest) -> Reply:
        now, id = _named_now()
        try:
            request = read_request(received.body)
            answer = answer_to(request, id=id, created=now)
        except RefusedError as refusal:
            return http_error(refusal.status, refusal.message)
        except UnreadableError as unreadable:
            return http_error(unreadable.status, str(unreadable))
        self._count_parsed(answer)
        streamed = request.get("stream") is True
        self._record(answer, received, request, streamed=streamed)
        if streamed:
            return stream_reply(answer, comments_before=_COMMENTS, delay=self._pace)
        return json_reply(answer.completion(), headers={_GENERATION_HEADER: id})

    def _count_parsed(self, answer: Answer) -> None:
        """Count the documents that were parsed for an answer, which are those it tells of."""
        for delta in answer.deltas:
            if not isinstance(delta, bytes):
                self.parsed.update(
                    annotation["file"]["hash"] for annotation in delta.get("annotations", ())
                )

    def _record(
        self,
        answer: Answer,
        received: ReceivedRequest,
        request: Mapping[str, Any],
        *,
        streamed: bool,
    ) -> None:
        self._keep_content(answer, request)
        usage = answer.usage or {}
        details: Mapping[str, Any] = usage["completion_tokens_details"]
        self._ledger.charge(key_in(received), usage["cost"])
        while len(self._records) >= _RECORDS_MAX:
            del self._records[next(iter(self._records))]
        self._records[answer.id] = {
            "id": answer.id,
            "request_id": None,
            "upstream_id": f"chatcmpl-{answer.id[-20:]}",
            "model": answer.model,
            "provider_name": answer.provider,
            "api_type": "completions",
            "created_at": datetime.fromtimestamp(answer.created, UTC).isoformat(),
            "streamed": streamed,
            "cancelled": False,
            "finish_reason": answer.finish_reason,
            "native_finish_reason": answer.native_finish_reason,
            "tokens_prompt": usage["prompt_tokens"],
            "tokens_completion": usage["completion_tokens"],
            "native_tokens_prompt": usage["prompt_tokens"],
            "native_tokens_completion": usage["completion_tokens"],
            "native_tokens_reasoning": details["reasoning_tokens"],
            "native_tokens_cached": 0,
            "native_tokens_completion_images": details["image_tokens"],
            "usage": usage["cost"],
            "total_cost": usage["cost"],
            "upstream_inference_cost": 0,
            "cache_discount": None,
            "is_byok": False,
            "latency": 20,
            "generation_time": 20 + round(self._pace * 1000 * len(answer.deltas)),
            "origin": received.headers.get("HTTP-Referer", ""),
            "http_referer": received.headers.get("HTTP-Referer"),
            "user_agent": received.headers.get("User-Agent"),
            "external_user": request.get("user"),
            "session_id": request.get("session_id"),
        }

    def _keep_content(self, answer: Answer, request: Mapping[str, Any]) -> None:
        """Keep what was said, of the last answers only: prompts can be large."""
        said = [delta for delta in answer.deltas if not isinstance(delta, bytes)]
        while len(self._contents) >= _CONTENTS_MAX:
            del self._contents[next(iter(self._contents))]
        self._contents[answer.id] = {
            "input": {"messages": request.get("messages", [])},
            "output": {
                "completion": "".join(delta.get("content") or "" for delta in said),
                "reasoning": "".join(delta.get("reasoning") or "" for delta in said) or None,
            },
            "error": None,
        }


def _named_now() -> tuple[int, str]:
    """Give the time, in seconds since the epoch, and the id of what is generated now."""
    now = int(time.time())
    return now, f"gen-{now}-{secrets.token_hex(10)}"
