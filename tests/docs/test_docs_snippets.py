"""What the documentation shows in a terminal is typed into one, and must answer as shown.

In a `console` block a line after `$ ` is a command (`> ` continues it) and the lines up to the next one are its
output, where `...` stands for anything. No output shown means that none is compared. A command must succeed,
unless it ends in `# fails`. `keystead dev` and `keystead serve` go on running, and the variables that they print
are exported, as the reader is asked to do; `^C` ends them. A `python` block is a program. A page that says
`<!-- server: COMMAND -->` has that server from its start, and a `yaml` block whose first line is `# NAME` is the
file NAME.
"""

import os
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from processes import BRIEF

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]
BLOCK = re.compile(r"^```(console|python|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SERVER = re.compile(r"<!-- server: (.+) -->")
NEEDS = re.compile(r"<!-- needs: (\S+) -->")
SHOWN_PORT = "127.0.0.1:4599"
PATIENCE = 300
MIRRORS = (os.environ.get("KEYSTEAD_TF_PLUGINS", "/opt/tf-plugins"), "/usr/local/share/terraform/plugins")
"""Where Terraform's providers are: a test fetches nothing."""


class Terminal:
    """A shell in an empty directory, and the servers that were started in it."""

    def __init__(self, directory):
        # Bound, so that nobody else is given the port between two servers of the page; who may share it can listen on it.
        self.port = socket.socket()
        self.port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.port.getsockname()[1]}"
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSTEAD_"))
        }
        self.environment = clean | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "KEYSTEAD_LISTEN": self.address,
            "PYTHONWARNINGS": "ignore",
            **BRIEF,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(directory / "terraformrc"),
        }
        self.directory = directory
        self.server = None
        self.shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = _reader(self.shell.stdout)

    def run(self, command):
        """Output and exit status of a command."""
        # In braces, not in a subshell: variables and functions stay.
        self.shell.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n%s\\n' \"end-of-command $?\"\n")
        self.shell.stdin.flush()
        output = []
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if line is None:
                pytest.fail(f"the shell ended at: {command}")
            if line.startswith("end-of-command "):
                said = "".join(output).replace(self.address, SHOWN_PORT)
                return said, int(line.split()[1])
            output.append(line)

    def start(self, command):
        """What a server prints until it is ready; its variables are exported."""
        self.server = subprocess.Popen(
            shlex.split(command),
            executable=shutil.which(command.split()[0], path=self.environment["PATH"]),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = _reader(self.server.stdout)
        output = []
        last = "# try" if " dev" in command else "keystead ready on"
        while not output or not output[-1].startswith(last):
            line = printed.get(timeout=PATIENCE)
            if line is None:
                pytest.fail(f"{command} ended: {''.join(output)}")
            output.append(line)
            if line.startswith("export "):
                self.run(line.strip())
        return "".join(output).replace(self.address, SHOWN_PORT)

    def interrupt(self):
        """Ctrl-C in the server's terminal; it must end well."""
        self.server.send_signal(signal.SIGINT)
        assert self.server.wait(timeout=PATIENCE) == 0
        self.server = None

    def close(self):
        """Nothing is left running."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait(timeout=PATIENCE)
        self.shell.stdin.close()
        self.shell.wait(timeout=PATIENCE)
        self.port.close()


def _reader(stream):
    """A queue of the stream's lines, None at its end; nothing that is written ever blocks its writer."""
    lines = queue.Queue()

    def read():
        for line in stream:
            lines.put(line)
        lines.put(None)
        stream.close()

    threading.Thread(target=read, daemon=True).start()
    return lines


def steps(block):
    """The commands of a `console` block, each with the output that it shows."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line == "^C":
            found.append((["^C"], []))
        elif f"{line} ".startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [("\n".join(command), "\n".join(output)) for command, output in found]


def matches(shown, said):
    """Whether output is as shown, `...` being anything and white space at the ends of lines nothing."""
    pattern = re.escape("\n".join(line.rstrip() for line in shown.strip().splitlines())).replace(
        r"\.\.\.", ".*?"
    )
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in said.strip().splitlines()), re.DOTALL)


def perform(terminal, command, shown):
    if command == "^C":
        terminal.interrupt()
        return
    if re.match(r"keystead (dev|serve)\b", command) and "--help" not in command:
        said, status = terminal.start(command), 0
    else:
        said, status = terminal.run(command)
    assert (status != 0) == command.endswith("# fails"), f"{command}\n{said}"
    assert not shown or matches(shown, said), f"{command}\nshown:\n{shown}\nsaid:\n{said}"


def require(text):
    for tool in {"aws", "openssl", "curl", *NEEDS.findall(text)}:
        if shutil.which(tool, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None:
            pytest.skip(f"{tool} is not installed")


def provide_mirror(directory):
    """Have Terraform take its providers from a mirror on this machine."""
    place = next((place for place in MIRRORS if any(Path(place).glob("*/hashicorp/aws"))), None)
    if place is None:
        pytest.skip(f"no mirror with Terraform's AWS provider in {', '.join(MIRRORS)}")
    block = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{place}"\n  }}\n}}\n'
    (directory / "terraformrc").write_text(block)


def follow(terminal, text):
    """Do what the page says, from its first line to its last."""
    blocks = BLOCK.findall(text)
    for kind, block in blocks:
        if kind == "yaml" and block.startswith("# "):
            (terminal.directory / block.splitlines()[0][2:]).write_text(block)
    for command in SERVER.findall(text):
        terminal.start(command)
    for kind, block in blocks:
        if kind == "console":
            for command, shown in steps(block):
                perform(terminal, command, shown)
        elif kind == "python":
            (terminal.directory / "snippet.py").write_text(block)
            perform(terminal, "python3 snippet.py", "")


def shown_pages():
    """The pages that show commands; what drives Terraform takes a minute."""
    for page in PAGES:
        text = page.read_text()
        if BLOCK.search(text):
            marks = [pytest.mark.client, pytest.mark.slow] if NEEDS.search(text) else []
            yield pytest.param(page, id=page.stem, marks=marks)


@pytest.mark.parametrize("page", list(shown_pages()))
def test_the_page_is_true(page, tmp_path):
    text = page.read_text()
    require(text)
    if "terraform" in NEEDS.findall(text):
        provide_mirror(tmp_path)
    terminal = Terminal(tmp_path)
    try:
        follow(terminal, text)
    finally:
        terminal.close()
