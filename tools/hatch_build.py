"""Compiles the modules that every request runs through, in a wheel that is asked for with KEYSTEAD_COMPILE=1.

The build backend runs this hook; pyproject.toml lists the modules and what compiling them needs. Everything is
made in a directory of its own, so that a work tree which is installed in place never runs compiled code.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WANTED = "KEYSTEAD_COMPILE"
GROUP = "keystead"  # one library holds all modules, so that they call each other without a look-up


class CompileHook(BuildHookInterface[Any]):
    """Adds the compiled modules to a wheel; their sources stay in it, for those who read them."""

    def dependencies(self) -> list[str]:
        return list(self.config["needs"]) if wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not wanted():
            return
        made = Path(tempfile.mkdtemp(prefix="keystead-compiled-"))
        build_data["compiled"] = made
        found = compile_modules(Path(self.root), made, self.config["modules"])
        build_data["force_include"] |= {str(made / name): name for name in found}
        build_data |= {"pure_python": False, "infer_tag": True}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - the hook's form
        if "compiled" in build_data:
            shutil.rmtree(build_data["compiled"])


def wanted() -> bool:
    """Whether the wheel shall hold compiled modules."""
    return os.environ.get(WANTED, "") not in {"", "0"}


def compile_modules(root: Path, made: Path, modules: list[str]) -> list[str]:
    """The libraries' places in the wheel, and below `made`.

    Raises:
        SystemExit: mypy finds a fault, or the C compiler is missing or fails.
    """
    from mypyc.build import mypycify  # noqa: PLC0415 - a plain wheel is built without it
    from setuptools import Distribution  # noqa: PLC0415 - as above

    files = [f"src/{name.replace('.', '/')}.py" for name in modules]
    with _copied(root):
        extensions = mypycify(files, opt_level="2", debug_level="0", multi_file=True, group_name=GROUP)
        build = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        build.build_lib, build.build_temp, build.parallel = str(made), "objects", os.cpu_count()
        build.ensure_finalized()
        build.run()
    return sorted(str(file.relative_to(made)) for file in made.rglob("*") if file.is_file())


@contextlib.contextmanager
def _copied(root: Path) -> Iterator[None]:
    """Work in a copy of the sources: the compiler writes beside what it reads."""
    with tempfile.TemporaryDirectory(prefix="keystead-sources-") as place:
        shutil.copytree(root / "src", Path(place, "src"))
        shutil.copy(root / "pyproject.toml", place)
        with contextlib.chdir(place):
            yield
