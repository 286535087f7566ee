"""Builds eventdefs. What is not code is said in pyproject.toml.

The shipped definitions stand once, at the top of the tree, where operators look for them, and their schema and what
findings mean in the docs; a wheel carries them inside the package.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("event_definitions.yaml", "meters.yaml", "docs/reference/findings.md", "docs/eventdefs.schema.json")


class BuildWithDefinitions(build_py):
    """Copies the shipped definitions into the package that is built."""

    def run(self):
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "eventdefs", "shipped")
            self.mkpath(str(target))
            for name in SHIPPED:
                self.copy_file(name, str(target / Path(name).name))

    def get_outputs(self, include_bytecode=True):
        built = [str(Path(self.build_lib, "eventdefs", "shipped", Path(name).name)) for name in SHIPPED]
        return super().get_outputs(include_bytecode) + built


setup(cmdclass={"build_py": BuildWithDefinitions})
