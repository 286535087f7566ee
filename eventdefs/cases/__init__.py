"""Tests of definitions: files of cases beside them, each a notification and what is expected of it.

`reading` makes cases of the text of a file, `running` runs them, `comparing` says what differs, `coverage` what no case
reached, `updating` writes expectations anew. `eventdefs test` and the pytest plugin are two faces of this.
"""
