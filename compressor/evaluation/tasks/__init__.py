"""The tasks, by name. Each module knows one set of records and what must survive in it."""

from __future__ import annotations

from moosproxy.compressor.evaluation.measures.item import Task
from moosproxy.compressor.evaluation.tasks import (
    agents,
    code,
    deletion,
    documents,
    logs,
    meetings,
    questions,
    reasoning,
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        *questions.TASKS,
        *documents.TASKS,
        *meetings.TASKS,
        *logs.TASKS,
        *agents.TASKS,
        *code.TASKS,
        *reasoning.TASKS,
        *deletion.TASKS,
    )
}
