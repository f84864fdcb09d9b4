"""What the template tells the functions that work in legs, and what they read of it."""

from __future__ import annotations

import pytest

from aftersend import settings
from aftersend.core.errors import ConfigurationError
from aftersend.sources import SOURCES
from tests.support.template import FUNCTIONS, MAPPINGS, QUEUES, RESOURCES, TEMPLATE, mentioned, one, variables

IN_LEGS = ["Reevaluate", "Replay"]


@pytest.mark.parametrize("name", IN_LEGS)
def test_a_job_comes_from_the_queue_to_which_the_rest_is_sent(name: str) -> None:
    jobs = settings.load_jobs(variables(name))
    (queue,) = [one(mapping["Queue"]) for function, mapping in MAPPINGS.values() if function == name]
    assert jobs.queue == queue
    assert jobs.dead_letter_queue == one(QUEUES[queue]["RedrivePolicy"]["deadLetterTargetArn"])
    assert {jobs.queue, jobs.dead_letter_queue} <= mentioned(TEMPLATE["Outputs"])


@pytest.mark.parametrize("name", IN_LEGS)
def test_a_function_in_legs_may_go_on_as_often_as_it_must_and_takes_one_job_at_a_time(name: str) -> None:
    """Lambda developer guide, "Use Lambda recursive loop detection": it stops a chain after about 16 rounds."""
    assert FUNCTIONS[name]["RecursiveLoop"] == "Allow"
    assert [mapping["BatchSize"] for function, mapping in MAPPINGS.values() if function == name] == [1]


def test_a_replay_reaches_every_source_that_can_take_one() -> None:
    """A source has a queue …Replay; the function must know it, and may send there."""
    config = settings.load_replay(variables("Replay"))
    queues = {name for name in QUEUES if name.endswith("Replay")}
    assert set(config.queues.values()) == queues
    assert config.queues.keys() <= SOURCES.keys()
    assert queues <= mentioned(RESOURCES[one(FUNCTIONS["Replay"]["Role"])])
    for source, queue in config.queues.items():
        (function,) = [function for function, mapping in MAPPINGS.values() if one(mapping["Queue"]) == queue]
        assert FUNCTIONS[function]["Environment"]["Variables"]["SOURCE"] == source


def test_a_source_that_the_deployment_has_not_is_left_out() -> None:
    config = settings.load_replay({"ARCHIVE_BUCKET": "a", "REPLAY_SES": "https://queue", "REPLAY_REPORT": " "})
    assert config.queues == {"ses": "https://queue"}


@pytest.mark.parametrize("missing", ["JOBS_QUEUE", "DEAD_LETTER_QUEUE"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        settings.load_jobs({"JOBS_QUEUE": "j", "DEAD_LETTER_QUEUE": "d"} | {missing: ""})
    with pytest.raises(ConfigurationError, match="ARCHIVE_BUCKET"):
        settings.load_replay({})


def test_a_re_evaluation_is_given_what_it_reads() -> None:
    config = settings.load_api(variables("Reevaluate"))
    assert (config.outcomes_table, config.suppressions_table) == ("Outcomes", "Suppressions")
