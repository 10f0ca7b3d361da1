"""Walks a page's tree without recursion, since pages may be nested more deeply than Python's stack."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode


def descendants(root: LexborNode | None) -> Iterator[tuple[LexborNode, bool]]:
    """Each node below `root` in document order: (node, True) before what is in it, and (node, False) after that.

    Nodes without children come once, as (node, True), except for elements.
    """
    node = root.first_child if root is not None else None
    if root is None or node is None:
        return
    top = root.mem_id
    while True:
        yield node, True
        child = node.first_child
        if child is not None:
            node = child
            continue
        if node.is_element_node:
            yield node, False
        while (following := node.next) is None:
            parent = node.parent
            if parent is None or parent.mem_id == top:
                return
            node = parent
            yield node, False
        node = following
