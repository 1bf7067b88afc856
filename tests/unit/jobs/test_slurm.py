"""Every Slurm job comes to an end in what the executor is told."""

import asyncio

import pytest

from consciousness_cluster.jobs.slurm import with_ends

SQUEUE = "squeue --states=all"


@pytest.fixture
def look():
    """Ask once, of a Slurm that answers with these states."""
    answers = []

    async def query(command, logger):
        return answers[-1], None if answers[-1] is None else 0.1

    asked = with_ends(query)

    def look_once(answer, command=SQUEUE):
        answers.append(answer)
        return asyncio.run(asked(command))[0]

    return look_once


def test_a_preempted_job_that_squeue_shows_has_failed(look):
    assert look({"1": "PREEMPTED", "2": "RUNNING"}) == {"1": "CANCELLED", "2": "RUNNING"}


def test_a_job_that_left_squeue_is_over(look, caplog):
    assert look({"1": "RUNNING", "2": "RUNNING"}) == {"1": "RUNNING", "2": "RUNNING"}
    for _ in range(2):
        assert look({"2": "RUNNING"}) == {"1": "UNKNOWN", "2": "RUNNING"}
    assert [record.message for record in caplog.records] == ["Slurm lost job 1."]


def test_a_job_that_squeue_does_not_show_yet_is_waited_for(look):
    assert look({}) == {}
    assert look({"1": "PENDING"}) == {"1": "PENDING"}


def test_no_answer_is_no_news(look):
    look({"1": "RUNNING"})
    assert look(None) is None
    assert look({"1": "COMPLETED"}) == {"1": "COMPLETED"}


def test_sacct_is_left_as_it_is(look):
    assert look({"1": "PREEMPTED"}, "sacct -X") == {"1": "PREEMPTED"}
    assert look({}, "sacct -X") == {}
