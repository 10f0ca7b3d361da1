"""For the site alone: a link that leads out of docs/ becomes text, since the site does not hold the code."""

import re
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leaves of such a link its text, and the path where the text does not name it."""
    depth = page.file.src_uri.count("/")

    def told(link: re.Match[str]) -> str:
        text, target = link.groups()
        if target.count("../") <= depth:
            return link.group()
        path = target.replace("../", "")
        return text if path in text else f"{text} (`{path}`)"

    return _LINK.sub(told, markdown)
