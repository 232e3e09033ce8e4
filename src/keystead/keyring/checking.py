"""Imported material, checked without holding up anybody else.

Whether the factors of an RSA key are primes takes OpenSSL up to a third of a second, in which it holds the interpreter, and no
other call of the process goes on. So that is found out in a process of its own, which ends with it. The material goes there and
back through pipes that nobody else has; it is in no argument, no variable and no file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from keystead.crypto.spec import KEY_TYPES
from keystead.errors import BadKeyMaterial
from keystead.hardening import harden
from keystead.settings import without_settings

_REFUSED: Final = 3
"""The exit status for material that is bad; what is written then is the reason."""
_PROGRAM: Final = "import sys; from keystead.keyring.checking import main; sys.exit(main(sys.argv[1]))"


def checked(spec: str, material: bytes) -> bytes:
    """Imported `material` in the form that the key ring stores for `spec`.

    Raises:
        BadKeyMaterial: it is not what the spec requires.
        OSError: no process can be started, or it did not end by itself.
    """
    kind = KEY_TYPES[spec]
    return _beside(spec, material) if kind.long_check else kind.check(material)


def _beside(spec: str, material: bytes) -> bytes:
    done = subprocess.run(  # noqa: S603  this very program
        [sys.executable, "-P", "-c", _PROGRAM, spec],
        env=without_settings(os.environ),
        input=material,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,  # what a terminal sends is meant for the server
        check=False,
    )
    if done.returncode == _REFUSED:
        raise BadKeyMaterial(done.stdout.decode())
    if done.returncode != 0:
        raise OSError(f"the check of key material ended with status {done.returncode}")
    return done.stdout


def main(spec: str) -> int:
    """The process: material comes from stdin; its stored form, or what is wrong with it, goes to stdout."""
    harden()
    try:
        stored = KEY_TYPES[spec].check(sys.stdin.buffer.read())
    except BadKeyMaterial as error:
        sys.stdout.buffer.write(str(error).encode())
        return _REFUSED
    sys.stdout.buffer.write(stored)
    return 0
