"""Definitions: what operators write, checked and compiled."""

from eventdefs.definitions.loader import load_definitions, parse_definitions, shipped_definitions
from eventdefs.definitions.options import Options
from eventdefs.definitions.registry import Definitions

__all__ = ["Definitions", "Options", "load_definitions", "parse_definitions", "shipped_definitions"]
