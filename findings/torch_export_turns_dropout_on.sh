#!/usr/bin/env bash
# torch 2.13.0 (a large download), torch.onnx.export(..., dynamo=False).
# Most expect: an export reads a model and leaves it as it was. The model was put in evaluation mode, so it stays there.
# Seen: the usual small wrapper module (inputs in order, one output picked) is in training mode, as every fresh module
#   is. The exporter remembers the mode of the outermost module alone, switches to evaluation, and restores training
#   mode for everything inside when it is done. The exported file is right; the model in memory drops out from then on,
#   so a check of the file against it fails at random, or the weights are judged worse than they are.
# So: call eval() on the wrapper, too.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q torch==2.13.0 onnx==1.23.2 numpy==2.4.6 || exit 2
cd "$room"
venv/bin/python - <<'PYTHON'
import io
import sys
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")  # the exporter's own, about its age


class Wrapper(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, values):
        return self.model(values)


def after_export(wrapper, model):
    """Whether the model is in training mode, and whether it still answers twice alike."""
    values = torch.ones(1, 64)
    torch.onnx.export(wrapper, (values,), io.BytesIO(), dynamo=False)
    return model.training, torch.equal(model(values), model(values))


model = nn.Sequential(nn.Linear(64, 64), nn.Dropout(0.5)).eval()
fresh = after_export(Wrapper(model), model)
model.eval()
evaluated = after_export(Wrapper(model).eval(), model)
print(f"torch {torch.__version__}, a model in evaluation mode, exported inside a wrapper")
print("expected: the model is in evaluation mode afterwards and answers twice alike")
print(f"seen: fresh wrapper: training mode {fresh[0]}, twice alike {fresh[1]}; "
      f"wrapper.eval(): training mode {evaluated[0]}, twice alike {evaluated[1]}")
if fresh != (True, False) or evaluated != (False, True):
    sys.exit("changed: the wrapper's mode no longer decides")
PYTHON
