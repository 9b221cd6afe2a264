"""The pretend organization: provider keys, destinations of traces, members, directory, presets.

The rule of this file: each function adds the endpoints of one group to a router; the rows that
they keep are those of one emulator.
"""

from __future__ import annotations

import secrets
from typing import Final

from openrouter_async.testing._ledger import WORKSPACE
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._store import (
    Call,
    Router,
    Row,
    Rows,
    filtered,
    made,
    maker,
    now,
    page,
)

__all__ = [
    "ORGANIZATION",
    "PEOPLE",
    "add_byok",
    "add_observability",
    "add_organization",
    "add_presets",
    "add_scim",
]

_PAGE: Final = 50
_NOT_KEPT: Final = frozenset({"messages", "input", "stream", "system", "instructions"})
ORGANIZATION: Final = "org-1"
PEOPLE: Final = {"user-ada": "org:admin", "user-grace": "org:member", "user-edsger": "org:member"}
"""Who belongs to the organization, and as what."""


def add_byok(router: Router) -> None:
    """Add ``/byok``. A provider key is forgotten at once, but for its label."""
    rows = Rows()
    defaults = {
        **dict.fromkeys(("name", "allowed_models", "allowed_user_ids", "allowed_api_key_hashes")),
        **dict.fromkeys(("disabled", "is_fallback", "is_required", "is_byok_only"), False),
        "declared_region": None,
        "declared_zdr": None,
        "workspace_id": WORKSPACE,
    }

    def labelled(body: Row) -> Row:
        key = body.pop("key", None)
        return body if key is None else {**body, "label": f"{key[:4]}...{key[-2:]}"}

    def make(body: Row) -> Row:
        return made(**{**defaults, **labelled(body)}, sort_order=len(rows.all()))

    def update(call: Call) -> Row:
        row = rows.get(call.at[0])
        row.update(labelled(call.body()))
        return {"data": row}

    router.on("GET /byok", filtered(rows, "provider", workspace_id=WORKSPACE), management=True)
    router.on("PATCH /byok/{id}", update, management=True)
    router.keep(
        "/byok", rows, make=make, needed=("provider", "key"), only=("create", "get", "delete")
    )


def add_observability(router: Router) -> None:
    """Add ``/observability``."""
    path, rows = "/observability/destinations", Rows()
    make = maker(
        enabled=True,
        api_key_hashes=None,
        filter_rules=None,
        sampling_rate=1.0,
        privacy_mode=False,
        regions=["global"],
        workspace_id=WORKSPACE,
        broadcast_generation_cost=True,
        broadcast_generation_cost_allocation=False,
        broadcast_generation_identity=False,
        broadcast_generation_request_context=False,
    )
    router.on(f"GET {path}", filtered(rows, workspace_id=WORKSPACE), management=True)
    router.keep(
        path,
        rows,
        make=make,
        needed=("type", "name", "config"),
        only=("create", "get", "update", "delete"),
    )


def add_organization(router: Router) -> None:
    """Add ``/organization``."""
    settings: Row = {"id": ORGANIZATION, "is_filtered_model_catalog_enabled": False}
    people = Rows()
    for id, role in PEOPLE.items():
        name = id.removeprefix("user-")
        person = {"id": id, "email": f"{name}@example.com", "role": role}
        people.add({**person, "first_name": name.title(), "last_name": None})

    def update(call: Call) -> Row:
        settings.update(call.body("is_filtered_model_catalog_enabled"))
        return {"data": settings}

    router.on("GET /organization/members", filtered(people), management=True)
    router.on("GET /organization/settings", lambda call: {"data": settings}, management=True)
    router.on("PATCH /organization/settings", update, management=True)


def add_scim(router: Router) -> None:
    """Add ``/scim``: a directory of two groups."""
    groups, mappings, jobs = Rows(), Rows(), Rows()
    for name in ("engineers", "designers"):
        group = made(display_name=name, external_id=f"ext-{name}", organization_id=ORGANIZATION)
        groups.add(group)

    def delete(call: Call) -> Row:
        if "keep_members" not in call.query:
            raise RefusedError(400, "keep_members: Required")
        mappings.remove(call.at[0])
        return {"deleted": True}

    def sync(call: Call) -> Row:
        unknown: Row = {
            **dict.fromkeys(("started_at", "finished_at", "error_message")),
            **dict.fromkeys(("synced_groups", "deleted_groups")),
        }
        id = f"sync-{secrets.token_hex(6)}"
        return {"data": jobs.add({"id": id, "status": "queued", "created_at": now(), **unknown})}

    def look(call: Call) -> Row:
        """A job gets on each time it is looked at."""
        job = jobs.get(call.at[0])
        if job["status"] == "queued":
            job.update(status="running", started_at=now())
        elif job["status"] == "running":
            synced = len(groups.all())
            job.update(status="succeeded", finished_at=now(), synced_groups=synced)
            job["deleted_groups"] = 0
        return {"data": job}

    def make(body: Row) -> Row:
        group, workspace = groups.get(body["scim_group_id"])["id"], body["workspace_id"]
        if mappings.find(scim_group_id=group, workspace_id=workspace) is not None:
            raise RefusedError(409, "The group leads into this workspace already")
        return made(organization_id=ORGANIZATION, **body)

    path = "/scim/group-mappings"
    router.on(f"DELETE {path}/{{id}}", delete, management=True)
    router.keep(
        path,
        mappings,
        make=make,
        needed=("scim_group_id", "workspace_id", "role"),
        only=("list", "create", "get", "update"),
    )
    by_name = filtered(groups, "display_name", "external_id")
    router.on("GET /scim/groups", by_name, management=True)
    router.on("POST /scim/sync-jobs", sync, status=201, management=True)
    router.on("GET /scim/sync-jobs/{id}", look, management=True)


def add_presets(router: Router) -> None:
    """Add ``/presets``: saving makes a version, and runs no model."""
    presets, versions = Rows("slug"), dict[str, list[Row]]()

    def save(call: Call) -> Row:
        slug, body = call.at[0], call.body()
        told = body.get("messages") or ()
        said = (message["content"] for message in told if message.get("role") == "system")
        of_preset = versions.setdefault(slug, [])
        preset = presets.find(slug=slug)
        if preset is None:
            about = dict.fromkeys(("description", "status_updated_at", "creator_user_id"))
            preset = presets.add(
                made(slug=slug, name=slug, status="active", workspace_id=WORKSPACE, **about)
            )
        version = made(
            preset_id=preset["id"],
            version=len(of_preset) + 1,
            system_prompt=body.get("system") or body.get("instructions") or next(said, None),
            config={name: body[name] for name in body if name not in _NOT_KEPT},
            creator_id="user-ada",
        )
        of_preset.append(version)
        presets.add(presets.remove(slug))
        preset.update(designated_version_id=version["id"], updated_at=now())
        return {"data": {**preset, "designated_version": version}}

    def get(call: Call) -> Row:
        preset = presets.get(call.at[0])
        return {"data": {**preset, "designated_version": versions[call.at[0]][-1]}}

    def one_version(call: Call) -> Row:
        presets.get(call.at[0])
        for version in versions[call.at[0]]:
            if str(version["version"]) == call.at[1]:
                return {"data": version}
        raise RefusedError(404, "Version not found")

    def all_versions(call: Call) -> Row:
        presets.get(call.at[0])
        return page(versions[call.at[0]], call.query, _PAGE)

    def latest_first(call: Call) -> Row:
        return page(presets.all()[::-1], call.query, _PAGE)

    router.on("GET /presets", latest_first)
    router.on("GET /presets/{slug}", get)
    router.on("GET /presets/{slug}/versions", all_versions)
    router.on("GET /presets/{slug}/versions/{version}", one_version)
    for dialect in ("chat/completions", "messages", "responses"):
        router.on(f"POST /presets/{{slug}}/{dialect}", save)
