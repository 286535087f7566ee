"""The language server: what an editor is told about definitions while they are written.

`server` speaks the protocol, through pygls; it alone knows it. All else are functions of a text and a position in it.
What stands at a position is found by `tokens`, which reads a text that is no YAML at that moment as well.
"""
