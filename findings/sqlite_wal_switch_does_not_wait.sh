#!/usr/bin/env bash
# SQLite in apsw 3.54.1.0 (the version of SQLite is printed).
# Most expect: a connection with a busy timeout waits that long for any lock, so several processes may each open a new
#   database and switch it to write-ahead logging as their first statement.
# Seen: every other statement waits. The switch waits for a reader too, but where somebody holds the write lock, as
#   another process does that creates its tables, it fails at once with "database is locked".
# So: whoever opens a database together with others tries the switch again for as long as it would have waited.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q apsw==3.54.1.0 || exit 2
cd "$room"
venv/bin/python - <<'PYTHON'
import sys
import time

import apsw

WAIT_S = 2.0


def connect():
    """A connection that waits for locks."""
    connection = apsw.Connection("shared.db")
    connection.set_busy_timeout(int(1000 * WAIT_S))
    return connection


def refused_after(connection, statement):
    """Seconds until a statement was refused because of a lock."""
    began = time.monotonic()
    try:
        connection.execute(statement).fetchall()
    except apsw.BusyError:
        return time.monotonic() - began
    sys.exit(f"{statement}: was not refused")


first, second = connect(), connect()
first.execute("CREATE TABLE t (x)")
second.execute("SELECT * FROM t").fetchall()

first.execute("BEGIN IMMEDIATE")
insert = refused_after(second, "INSERT INTO t VALUES (1)")
switch = refused_after(second, "PRAGMA journal_mode = WAL")
first.execute("ROLLBACK")

first.execute("BEGIN")
first.execute("SELECT * FROM t").fetchall()
beside_reader = refused_after(second, "PRAGMA journal_mode = WAL")
first.execute("ROLLBACK")

print(f"SQLite {apsw.sqlite_lib_version()}, a busy timeout of {WAIT_S:g} s")
print(f"expected: each of the three is refused after {WAIT_S:g} s")
print(f"seen: INSERT beside a writer after {insert:.1f} s, the switch to WAL beside a reader after {beside_reader:.1f} s,")
print(f"      the switch to WAL beside a writer after {switch:.1f} s")
holds = insert > WAIT_S / 2 and beside_reader > WAIT_S / 2 and switch < WAIT_S / 4
sys.exit(0 if holds else "the switch beside a writer waits now, or the others do not")
PYTHON
