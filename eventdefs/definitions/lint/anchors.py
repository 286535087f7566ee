"""Which definitions lend their traits to others, by an anchor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eventdefs.definitions.source import Mapping, Node
from eventdefs.definitions.source import Sequence as ListNode
from eventdefs.types import Place


def lent_traits(roots: Sequence[Node | None]) -> frozenset[Place]:
    """Return the places of the event definitions of which another takes over the traits, or one of them."""
    lent: set[Place] = set()
    for root in roots:
        if isinstance(root, ListNode):
            uses = _uses(root)
            for item in root.items:
                traits = item.get("traits") if isinstance(item, Mapping) else None
                if traits is not None and any(uses[id(node)] > 1 for node in (traits, *_values(traits))):
                    lent.add(item.place)
    return frozenset(lent)


def _values(node: Node) -> list[Node]:
    return [value for _, value in node.pairs] if isinstance(node, Mapping) else []


def _uses(root: Node) -> Counter[int]:
    """Count in how many places each node stands: once, but for what has an anchor that is used."""
    uses: Counter[int] = Counter()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        below = node.items if isinstance(node, ListNode) else _values(node)
        for one in below:
            uses[id(one)] += 1
            if uses[id(one)] == 1:
                waiting.append(one)
    return uses
