"""``/workspaces``: parts of an account with members, settings and budgets of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Required, TypeAlias

from msgspec import Meta

from ._forms import Text
from ._request import BodyKeywords, Open, QueryKeywords
from ._struct import WireStruct

_Slug: TypeAlias = Annotated[str, Meta(pattern="^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=50)]

BudgetInterval: TypeAlias = Open[Literal["daily", "weekly", "monthly", "lifetime"]]
"""How often a budget begins anew."""


class Workspace(WireStruct):
    """A workspace; everybody in it is under its default guardrail.

    `io_logging_sampling_rate`, from 0 to 1, is which part of prompts and answers is logged; nobody
    can use `disabled_server_tools`; what own provider keys paid for may count for budgets, or not.
    """

    id: str = ""
    name: str | None = None
    slug: str | None = None
    description: str | None = None
    default_guardrail_id: str | None = None
    default_text_model: str | None = None
    default_image_model: str | None = None
    default_provider_sort: str | None = None
    disabled_server_tools: list[str] | None = None
    include_byok_in_budgets: bool | None = None
    io_logging_api_key_ids: list[int] | None = None
    io_logging_sampling_rate: float | None = None
    is_data_discount_logging_enabled: bool | None = None
    is_observability_broadcast_enabled: bool | None = None
    is_observability_io_logging_enabled: bool | None = None
    created_by: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class WorkspaceBudget(WireStruct):
    """What a workspace may spend in an interval, in USD."""

    id: str = ""
    workspace_id: str | None = None
    limit_usd: float | None = None
    reset_interval: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class WorkspaceBudgetAnswer(WireStruct):
    """One budget, and whether what own provider keys paid for counts towards all of them."""

    data: WorkspaceBudget | None = None
    include_byok_in_budgets: bool | None = None


class WorkspaceBudgets(WireStruct):
    """All budgets, and whether what own provider keys paid for counts towards them."""

    data: list[WorkspaceBudget] | None = None
    include_byok_in_budgets: bool | None = None


class WorkspaceMember(WireStruct):
    """Somebody in a workspace, as ``admin`` or ``member``."""

    id: str = ""
    user_id: str | None = None
    workspace_id: str | None = None
    role: str | None = None
    created_at: str | None = None


class AddedMembers(WireStruct):
    """Who is in a workspace now, and how many of them are new."""

    added_count: int = 0
    data: list[WorkspaceMember] | None = None


class RemovedMembers(WireStruct):
    """How many have left a workspace."""

    removed_count: int = 0


class _Settings(BodyKeywords, total=False):
    description: str | None
    default_text_model: str | None
    default_image_model: str | None
    default_provider_sort: str | None
    disabled_server_tools: Sequence[str] | None
    io_logging_api_key_ids: Sequence[int] | None
    io_logging_sampling_rate: Annotated[float, Meta(ge=0, le=1)]
    is_data_discount_logging_enabled: bool
    is_observability_broadcast_enabled: bool
    is_observability_io_logging_enabled: bool


class NewWorkspace(_Settings, total=False):
    """Keywords of `Workspaces.create`."""

    name: Required[Text]
    slug: Required[_Slug]


class WorkspaceChanges(_Settings, total=False):
    """Keywords of `Workspaces.update`."""

    name: Text
    slug: _Slug


class WorkspaceDeletion(QueryKeywords, total=False):
    """Keywords of `Workspaces.delete`."""

    confirm_default_workspace_deletion: bool


class WorkspaceBudgetLimit(BodyKeywords, total=False):
    """Keywords of `Workspaces.set_budget`."""

    limit_usd: Required[Annotated[float, Meta(gt=0)]]
    include_byok_in_budgets: bool


class WorkspacePeople(BodyKeywords, total=False):
    """Keywords of `Workspaces.add_members` and `remove_members`."""

    user_ids: Required[Annotated[Sequence[str], Meta(min_length=1)]]
