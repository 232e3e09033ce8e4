"""Every `*.txt` beside this file is a terminal session that is played again, command by command.

    # a remark, at the head of a paragraph
    $ command            run by bash, in a directory of the session's own; variables last
    > its next line
    what it prints       stdout and stderr; `...` stands for any characters of a line
    [exit 2]             unless it ends in 0

`start COMMAND…` runs a server until `stop`, and takes the variables it prints into the session.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SESSIONS = sorted(Path(__file__).parent.glob("*.txt"))

PRELUDE = """
start() {
    exec {from}< <(exec "$@" 2>>server.log)
    server=$!
    while read -r -u $from line; do
        case $line in
            "keystead ready on "*) url=${line##* }; [ "$2" = serve ] && break ;;
            "export "*) eval "$line" ;;
            "# "*) break ;;
        esac
    done
    [ -n "$line" ] || cat server.log
}
stop() { kill $server; wait $server; echo "stopped: $?"; }
trap 'kill $server 2>/dev/null' EXIT
"""
_END = "\x1e"


def commands(text):
    """Commands and the lines that each is to print."""
    found, before = [], ""
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> "):
            found[-1] = (found[-1][0] + "\n" + line[2:], found[-1][1])
        elif line and (before or not line.startswith("# ")):
            found[-1][1].append(line)
        before = line
    return found


def played(session, directory):
    """What each command printed, with `[exit N]` where it failed."""
    script = [PRELUDE]
    for command, _ in session:
        script.append(f"{{ {command}\n}} 2>&1 </dev/null; printf '\\n{_END}%d\\n' $?")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "KEYSTEAD_"))}
    run = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=directory,
        env=clean
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(directory),
            "COLUMNS": "100",
        },
        stdout=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    parts = re.split(f"\n{_END}([0-9]+)\n", run.stdout.decode(errors="replace"))
    outputs = []
    for text, status in zip(parts[::2], parts[1::2], strict=False):
        lines = [line for line in text.splitlines() if line]
        outputs.append(lines if status == "0" else [*lines, f"[exit {status}]"])
    return outputs


def pattern(line):
    return ".*".join(re.escape(part) for part in line.split("..."))


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_session_reads_as_written(path, tmp_path):
    session = commands(path.read_text())
    outputs = played(session, tmp_path)
    assert len(outputs) == len(session)
    for (command, expected), output in zip(session, outputs, strict=True):
        wanted = "\n".join(pattern(line) for line in expected)
        assert re.fullmatch(wanted, "\n".join(output)), "\n".join(
            [f"$ {command}", *output, "", "expected:", *expected]
        )
