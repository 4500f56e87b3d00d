"""The tasks, by name. Each module of this folder knows one set of records and what must survive in it.

A module is found by being here: its TASKS are the tasks that it adds.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from moosproxy.compressor.evaluation.measures.item import Task

_MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]

TASKS: dict[str, Task] = {task.name: task for module in _MODULES for task in module.TASKS}
