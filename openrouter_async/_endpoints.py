"""Where each endpoint group is reached: one property a group, in alphabetical order.

The rule of this file: a group is imported when it is asked for, so that a program that only chats
never loads the types of the rest. What a group does is said in `resources`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._price_list import PriceList
    from ._sender import Sender
    from .budget import Budget
    from .resources.activity import Activity
    from .resources.analytics import Analytics
    from .resources.audio import Audio
    from .resources.auth import Auth
    from .resources.batches import Batches
    from .resources.byok import Byok
    from .resources.completions import Completions
    from .resources.containers import Containers
    from .resources.credits import Credits
    from .resources.datasets import Datasets
    from .resources.decisions import DecisionCalls
    from .resources.embeddings import Embeddings
    from .resources.external_users import ExternalUsers
    from .resources.files import Files
    from .resources.generations import Generations
    from .resources.guardrails import Guardrails
    from .resources.images import Images
    from .resources.keys import Keys
    from .resources.messages import Messages
    from .resources.models import Models
    from .resources.observability import Observability
    from .resources.organization import Organization
    from .resources.presets import Presets
    from .resources.private_endpoints import PrivateEndpoints
    from .resources.providers import Providers
    from .resources.rerank import Rerank
    from .resources.responses import Responses
    from .resources.scim import Scim
    from .resources.server_tools import ServerTools
    from .resources.vault import Vault
    from .resources.videos import Videos
    from .resources.workspaces import Workspaces

__all__ = ["Endpoints"]


class Endpoints:
    """The endpoint groups of a client."""

    _sender: Sender
    _model: str | None
    _budget: Budget | None
    _prices: PriceList

    @property
    def activity(self) -> Activity:
        """What was done with the account, day by day."""
        from .resources.activity import Activity

        return Activity(self._sender)

    @property
    def analytics(self) -> Analytics:
        """Figures of the account, by what one asks for."""
        from .resources.analytics import Analytics

        return Analytics(self._sender)

    @property
    def audio(self) -> Audio:
        """Speech from text, and text from speech."""
        from .resources.audio import Audio

        return Audio(self._sender)

    @property
    def auth(self) -> Auth:
        """Keys of users, who sign in at OpenRouter."""
        from .resources.auth import Auth

        return Auth(self._sender)

    @property
    def batches(self) -> Batches:
        """OpenRouter's own batches: many requests in one, for half the price, within a day."""
        from .resources.batches import Batches

        return Batches(self._sender)

    @property
    def byok(self) -> Byok:
        """Provider keys of the user's own."""
        from .resources.byok import Byok

        return Byok(self._sender)

    @property
    def completions(self) -> Completions:
        """The older text endpoint, where a model goes on with a text."""
        from .resources.completions import Completions

        return Completions(self._sender, self._model, self._budget, self._prices)

    @property
    def containers(self) -> Containers:
        """The files that tools have written where they ran."""
        from .resources.containers import Containers

        return Containers(self._sender)

    @property
    def credits(self) -> Credits:
        """What the account bought and used."""
        from .resources.credits import Credits

        return Credits(self._sender)

    @property
    def datasets(self) -> Datasets:
        """Published figures about models: rankings, benchmarks, tasks."""
        from .resources.datasets import Datasets

        return Datasets(self._sender)

    @property
    def decisions(self) -> DecisionCalls:
        """Questions that are answered with a choice or a number."""
        from .resources.decisions import DecisionCalls

        return DecisionCalls(self._sender)

    @property
    def embeddings(self) -> Embeddings:
        """Vectors of texts, tokens and media."""
        from .resources.embeddings import Embeddings

        return Embeddings(self._sender, self._model, self._budget, self._prices)

    @property
    def external_users(self) -> ExternalUsers:
        """The people behind a service, whom its requests name in ``user``."""
        from .resources.external_users import ExternalUsers

        return ExternalUsers(self._sender)

    @property
    def files(self) -> Files:
        """Files that OpenRouter keeps."""
        from .resources.files import Files

        return Files(self._sender)

    @property
    def generations(self) -> Generations:
        """The records of what was generated, with what it cost."""
        from .resources.generations import Generations

        return Generations(self._sender)

    @property
    def guardrails(self) -> Guardrails:
        """What keys and members may call, spend and say."""
        from .resources.guardrails import Guardrails

        return Guardrails(self._sender)

    @property
    def images(self) -> Images:
        """The endpoint made for drawing, and the models behind it."""
        from .resources.images import Images

        return Images(self._sender, self._model)

    @property
    def keys(self) -> Keys:
        """The account's API keys."""
        from .resources.keys import Keys

        return Keys(self._sender)

    @property
    def messages(self) -> Messages:
        """Answers in Anthropic's dialect."""
        from .resources.messages import Messages

        return Messages(self._sender, self._model, self._budget, self._prices)

    @property
    def models(self) -> Models:
        """The models that the API offers."""
        from .resources.models import Models

        return Models(self._sender)

    @property
    def observability(self) -> Observability:
        """Where OpenRouter sends traces of requests."""
        from .resources.observability import Observability

        return Observability(self._sender)

    @property
    def organization(self) -> Organization:
        """Who belongs to the organization, and its settings."""
        from .resources.organization import Organization

        return Organization(self._sender)

    @property
    def presets(self) -> Presets:
        """Settings of requests, kept under a name."""
        from .resources.presets import Presets

        return Presets(self._sender)

    @property
    def private_endpoints(self) -> PrivateEndpoints:
        """Endpoints of the account's own."""
        from .resources.private_endpoints import PrivateEndpoints

        return PrivateEndpoints(self._sender)

    @property
    def providers(self) -> Providers:
        """The companies that serve models."""
        from .resources.providers import Providers

        return Providers(self._sender)

    @property
    def rerank(self) -> Rerank:
        """Documents in the order of their relevance."""
        from .resources.rerank import Rerank

        return Rerank(self._sender, self._model, self._budget, self._prices)

    @property
    def responses(self) -> Responses:
        """Answers in OpenAI's newer dialect."""
        from .resources.responses import Responses

        return Responses(self._sender, self._model, self._budget, self._prices)

    @property
    def scim(self) -> Scim:
        """Groups of the organization's directory, and where they lead."""
        from .resources.scim import Scim

        return Scim(self._sender)

    @property
    def server_tools(self) -> ServerTools:
        """The catalogue of tools that OpenRouter runs itself."""
        from .resources.server_tools import ServerTools

        return ServerTools(self._sender)

    @property
    def vault(self) -> Vault:
        """Secrets that OpenRouter keeps for agents."""
        from .resources.vault import Vault

        return Vault(self._sender)

    @property
    def videos(self) -> Videos:
        """Videos, and the jobs that make them."""
        from .resources.videos import Videos

        return Videos(self._sender)

    @property
    def workspaces(self) -> Workspaces:
        """Parts of the account, with members and budgets of their own."""
        from .resources.workspaces import Workspaces

        return Workspaces(self._sender)
