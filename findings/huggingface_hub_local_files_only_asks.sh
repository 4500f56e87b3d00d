#!/usr/bin/env bash
# huggingface-hub 1.33.0.
# Most expect: hf_hub_download(..., local_files_only=True) asks nothing of the network, as its name says.
# Seen: it reads a file of the cache, and all the same sends GET /api/agent-harnesses to the hub: the headers of the request
#   that is never sent are made, and name the coding agent that runs the process by a list that the hub keeps. Where the list
#   cannot be had, as on a box without a network, each process tries anew.
# So: whoever wants silence sets HF_HUB_DISABLE_TELEMETRY=1 (or HF_HUB_OFFLINE=1) before the package is imported.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q huggingface-hub==1.33.0 || exit 2
cd "$room"
cat > look.py <<'PYTHON'
import hashlib
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = b"weights"
asked = []


class Hub(BaseHTTPRequestHandler):
    """One small file, and nothing else."""

    def do_HEAD(self):
        asked.append(self.path)
        if "/resolve/" not in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(BODY).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        if "/resolve/" in self.path:
            self.wfile.write(BODY)

    def log_message(self, *args):
        """Silent."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
from huggingface_hub import hf_hub_download

if sys.argv[1] == "fetch":
    hf_hub_download("some/model", "model.bin")
else:
    hf_hub_download("some/model", "model.bin", local_files_only=True)
print(" ".join(asked) or "nothing")
PYTHON
unset HF_HUB_DISABLE_TELEMETRY DISABLE_TELEMETRY DO_NOT_TRACK HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
export HF_HOME="$room/hf" HF_HUB_DISABLE_XET=1
venv/bin/python look.py fetch > fetched 2> /dev/null
local=$(venv/bin/python look.py local 2> /dev/null)
silent=$(HF_HUB_DISABLE_TELEMETRY=1 venv/bin/python look.py local 2> /dev/null)
echo "expected: local_files_only asks nothing"
echo "seen: local_files_only asks $local; with HF_HUB_DISABLE_TELEMETRY=1 $silent"
[ "$local" = /api/agent-harnesses ] && [ "$silent" = nothing ]
