"""The user's own mapping files: parameters below the one of the user's rules, each named after its source.

With RulesParameter `/aftersend/rules`, the parameter `/aftersend/rules/acme` holds the mapping of the source `acme`.
Like the rules they are read when a function starts, and a mistake in one stops it, with the name of the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import Struct, json

from aftersend.aws.errors import CallFailed
from aftersend.core.errors import ConfigurationError
from aftersend.storage.user_rules import read_user_rules

if TYPE_CHECKING:
    from aftersend.classify import Classifier
    from aftersend.classify.rules import RuleDocument
    from aftersend.sources.mapping.compiled import SourceMapping


def read_user_mappings(parameter: str, connect: Callable[[str], Any]) -> dict[str, str]:
    """Read the documents, by the names of their parameters; none where no parameter of rules is named.

    Raises ConfigurationError where they cannot be read.
    """
    found: dict[str, str] = {}
    request = {"Path": parameter}
    while parameter:
        try:
            answer = connect("ssm").get_parameters_by_path(**request)
        except CallFailed as failure:
            raise ConfigurationError(f"the mappings below parameter {parameter} cannot be read") from failure
        found |= {each["Name"].rpartition("/")[2]: str(each["Value"]) for each in answer["Parameters"]}
        if not answer.get("NextToken"):
            break
        request = {"Path": parameter, "NextToken": answer["NextToken"]}
    return found


def load_user_mapping(name: str, document: str) -> SourceMapping:
    """Load a mapping that is kept as `name`; raises ConfigurationError that names it and the field."""
    from aftersend.sources.mapping.compiled import load  # noqa: PLC0415  # most stacks have none

    try:
        mapping = load(document)
    except ConfigurationError as error:
        raise ConfigurationError(f"mapping {name}: {error}") from error
    if mapping.source != name:
        raise ConfigurationError(f"mapping {name}: source: {mapping.source!r} is not what its parameter is called")
    return mapping


def add_user_sources(documents: Mapping[str, str]) -> None:
    """Have the sources of these documents be known; raises ConfigurationError where a name is taken."""
    if documents:
        from aftersend.sources import add_mapped_source  # noqa: PLC0415  # most stacks have none

        for name, document in documents.items():
            add_mapped_source(name, document)


def make_user_classifier(rules: str | RuleDocument | None, documents: Mapping[str, str]) -> Classifier:
    """Make the classifier of the user's rules and mappings; raises ConfigurationError where one of them is wrong."""
    from aftersend import classify  # noqa: PLC0415  # a handler of the API needs it seldom

    return classify.load(rules, [load_user_mapping(*each).vocabulary for each in documents.items()])


def load_user_classifier(parameter: str, connect: Callable[[str], Any]) -> Classifier:
    """Load the classifier of the documents in the parameter and below it; raises ConfigurationError."""
    return make_user_classifier(read_user_rules(parameter, connect), read_user_mappings(parameter, connect))


class UserDocuments(Struct, frozen=True):
    """The user's rules and mappings, as they were read at start."""

    rules: str | None = None
    mappings: Mapping[str, str] = {}

    @property
    def digest(self) -> str:
        """Return what two sets of documents have in common only if they are the same."""
        pairs = [("", self.rules or ""), *sorted(self.mappings.items())]
        return blake2b(json.encode(pairs), digest_size=16).hexdigest()

    def load(self) -> Classifier:
        """Load their classifier; raises ConfigurationError where one of them is wrong."""
        return make_user_classifier(self.rules, self.mappings)

    def load_with(self, rules: RuleDocument, *, instead: bool) -> Classifier:
        """Load their classifier with other rules before the user's own, or `instead` of those.

        A rule that has the id of one of the user's own stands for that, too. Raises ConfigurationError.
        """
        from aftersend.classify.rules import put_before, read_rules  # noqa: PLC0415  # as above

        whole = rules if instead else put_before(rules, read_rules(self.rules or ""))
        return make_user_classifier(whole, self.mappings)
