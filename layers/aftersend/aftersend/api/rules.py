"""What would other rules change? At once for texts that no rule knows, and as a job for everything that is stored.

A function of its own answers: its role may read whole tables, and write nothing but how far a job is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct, field

from aftersend.api.classification import RefusalText, make_fact
from aftersend.api.context import ApiContext
from aftersend.api.list_job_schemas import JobView, summarize_job
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import NoParameters
from aftersend.core.errors import ConfigurationError
from aftersend.core.mistake import Mistake
from aftersend.core.model import BY_MAIL, Class, Feedback, Kind, Reason, Verdict
from aftersend.core.outcome import Classify
from aftersend.core.times import UNKNOWN_TIME
from aftersend.lists.job import JobState

if TYPE_CHECKING:
    from aftersend.classify.engine import Classifier
    from aftersend.classify.rules import RuleDocument
    from aftersend.lists.trials import RuleTrials
    from aftersend.storage.unmatched import UnmatchedText

route: Final = Router(tag="What would other rules change?")

MAX_TRIED: Final = 100_000  # characters of rules that a job keeps; a parameter of SSM holds 8 KB


class RulesRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules to try: a document of TOML, or a list of what its [[rule]] tables hold."""

    rules: str | list[dict[str, Any]]
    instead: bool = False  # in the place of the stack's own rules, not before them


class RulesCheckRequest(RulesRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules to check, and a refusal to judge by them."""

    refusal: RefusalText | None = None
    source: Annotated[str, Meta(min_length=1, max_length=64)] = BY_MAIL  # of the refusal
    limit: Annotated[int, Meta(ge=0, le=500, description="The maximum number of texts to return.")] = 20


class RuleVerdict(Struct, frozen=True, kw_only=True):
    """What a refusal means, and the rule that says so."""

    klass: Class = field(name="class")
    reason: Reason
    rule: str


class RefusalChange(Struct, frozen=True, kw_only=True):
    """What a refusal means by the rules of the stack, and what it would mean."""

    before: RuleVerdict
    after: RuleVerdict


class TextChange(RefusalChange, frozen=True, kw_only=True):
    """A text that no rule knew, and would be judged otherwise."""

    source: str
    text: str
    seen: int  # up to a hundred


class RulesCheck(Struct, frozen=True, kw_only=True):
    """What is found at once of rules that load."""

    rules: int
    mistakes: list[Mistake]  # examples of their own that they do not decide as they say
    refusal: RefusalChange | None  # of the request
    texts: int  # that no rule of the stack knew
    complete: bool  # all such texts were looked at; otherwise a part of them that is as good as any
    changed: int  # of these would be judged otherwise
    changes: list[TextChange]  # the most frequent first


_MINE: Final = """\
[[rule]]
id = "riddle"
when.text = ["refused ref"]
then.reason = "policy_rejected"
example = ["554 refused [ref 42-0815]"]
"""


@route(
    "POST",
    "/rules/check",
    needs="ask",
    body=RulesCheckRequest,
    answer=RulesCheck,
    problems=("invalid-rules",),
    examples=(
        Example(name="a-new-rule", body={"rules": _MINE, "refusal": {"text": "554 refused [ref 42-0815]"}}),
        Example(
            name="a-mistake",
            body={
                "rules": [
                    {"id": "riddle", "when": {"text": ["refused"], "code": ["5xx"]}, "then": {"reason": "blocked"}}
                ]
            },
        ),
    ),
)
def check_rules(request: ApiRequest[NoParameters, RulesCheckRequest]) -> ApiResponse:
    """Check rules of your own: do they load, and what would they make of the texts that no rule knows?

    They are judged before the stack's own, as a document that has them first; a rule with the id of one that is there
    stands for that. Nothing is stored.
    """
    trials, body = _find_trials(request.context), request.body
    document, classifier = _load(body, trials)
    return json_response(_check(body, document, classifier, trials))


@route(
    "POST",
    "/rules/trials",
    needs="bulk",
    body=RulesRequest,
    answer=JobView,
    statuses={200: "The job is over.", 202: "The job goes on; ask again at its location."},
    headers={"Location": "Where to ask about the progress of the job."},
    problems=("invalid-rules",),
    examples=(Example(name="a-new-rule", body={"rules": _MINE}),),
)
def try_rules(request: ApiRequest[NoParameters, RulesRequest]) -> ApiResponse:
    """Try rules of your own on everything stored: what would a re-evaluation change?

    Outcomes that would mean something else, suppressions that would begin or cease to hold, over which rules yours
    would take precedence, and examples without names. Nothing is written but how far the job is. What is found is
    compared with what is stored, so what the stack's own rules have not been brought to yet is counted, too.
    """
    from aftersend.lists.try_rules import make_trial  # noqa: PLC0415  # no other function needs it

    trials = _find_trials(request.context)
    document, _ = _load(request.body, trials)
    wanted = make_trial(document, instead=request.body.instead)
    if len(wanted.rules) > MAX_TRIED:
        raise Problem("unprocessable-content", f"rules: more than {MAX_TRIED} characters, without their examples")
    job = trials.service.begin(wanted, request.caller)
    is_over = job.state in (JobState.DONE, JobState.FAILED)
    response = json_response(summarize_job(job), 200 if is_over else 202)
    response.headers["Location"] = f"/jobs/{job.id}"
    return response


def _find_trials(context: ApiContext) -> RuleTrials:
    if context.rule_trials is None:
        raise Problem("not-found", "another function answers this; the routes of API Gateway are wrong")
    return context.rule_trials


def _load(body: RulesRequest, trials: RuleTrials) -> tuple[RuleDocument, Classifier]:
    from aftersend.classify.mistakes import explain_mistake  # noqa: PLC0415  # no other function needs it
    from aftersend.classify.rules import read_rules  # noqa: PLC0415

    try:
        document = read_rules(body.rules)
        return document, trials.documents.load_with(document, instead=body.instead)
    except ConfigurationError as error:
        mistake = explain_mistake(body.rules if isinstance(body.rules, str) else None, error)
        raise Problem("invalid-rules", mistake.message, mistakes=[mistake]) from error


def _check(body: RulesCheckRequest, document: RuleDocument, classifier: Classifier, trials: RuleTrials) -> RulesCheck:
    from aftersend.classify.engine import USER  # noqa: PLC0415
    from aftersend.classify.mistakes import check_examples  # noqa: PLC0415

    given = body.rules if isinstance(body.rules, str) else None
    texts, complete = trials.texts.list_texts()
    before = trials.judge
    changes = [change for each in texts if (change := _compare_text(each, before, classifier))]
    changes.sort(key=lambda each: (-each.seen, each.source, each.text))
    return RulesCheck(
        rules=len(document.rules),
        mistakes=list(check_examples(given, document.rules, classifier, USER)),
        refusal=_compare(make_fact(body.source, body.refusal), before, classifier) if body.refusal else None,
        texts=len(texts),
        complete=complete,
        changed=len(changes),
        changes=changes[: body.limit],
    )


def _compare(fact: Feedback, before: Classify, after: Classify) -> RefusalChange | None:
    old, new = before(fact), after(fact)
    return RefusalChange(before=_show(old), after=_show(new)) if old and new else None


def _compare_text(text: UnmatchedText, before: Classify, after: Classify) -> TextChange | None:
    """Return how a text would be judged otherwise; None where it would not."""
    change = _compare(_make_fact(text), before, after)
    if change is None or change.before == change.after:
        return None
    return TextChange(before=change.before, after=change.after, source=text.source, text=text.example, seen=text.seen)


def _make_fact(text: UnmatchedText) -> Feedback:
    from aftersend.classify import evidence_from  # noqa: PLC0415  # as above

    return Feedback(
        source=text.source,
        kind=Kind.BOUNCED,
        message="rules:",
        recipient="",
        occurred_at=UNKNOWN_TIME,
        evidence=evidence_from(code=text.code, status=text.status, text=text.example),
    )


def _show(verdict: Verdict) -> RuleVerdict:
    return RuleVerdict(klass=verdict.klass, reason=verdict.reason, rule=verdict.rule)
