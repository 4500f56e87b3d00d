"""`moos train` and `moos eval` whole: what is for soft compression is a group within each. Needs no torch."""

from moosproxy.compressor.evaluation.cli import evaluate
from moosproxy.compressor.soft.cli import evaluate_soft, train_soft
from moosproxy.compressor.training.cli import train

__all__ = ["evaluate", "train"]

train.add_command(train_soft)
evaluate.add_command(evaluate_soft)
