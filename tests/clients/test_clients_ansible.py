"""Ansible's kms_key and kms_key_info, from the collection that the `ansible` package brings.

Ansible pins much of what others pin too, so it lives in an environment of its own, made from
`requirements/ansible.txt`; KEYSTEAD_ANSIBLE_PLAYBOOK names its program where that is not on the path.
"""

import os
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.client

ROOT = Path(__file__).parents[2]
BOOK = Path(__file__).with_name("ansible") / "keys.yml"


@pytest.fixture
def ansible_playbook():
    places = (os.environ.get("KEYSTEAD_ANSIBLE_PLAYBOOK"), str(ROOT / ".venv-ansible/bin/ansible-playbook"))
    for place in places:
        if place and Path(place).exists():
            return place
    found = shutil.which("ansible-playbook")
    if found is None:
        pytest.skip("ansible-playbook is not installed; KEYSTEAD_ANSIBLE_PLAYBOOK does not name it")
    return found


def test_a_key_lives_by_a_playbook(run, ansible_playbook, tmp_path):
    python = Path(ansible_playbook).with_name("python")
    done = run(
        ansible_playbook,
        "-i",
        "localhost,",
        str(BOOK),
        ANSIBLE_HOME=str(tmp_path),
        ANSIBLE_PYTHON_INTERPRETER=str(python),
        ANSIBLE_NOCOLOR="1",
        LC_ALL="C.UTF-8",
    )
    assert "failed=0" in done.stdout
    assert "unreachable=0" in done.stdout
