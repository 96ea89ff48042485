"""Work outside the database that a loop does for each row: a mail, a request, a wait, a picture.

A write beside such work marks how far it got, so it belongs to its row and not into one statement after the loop.
"""

from __future__ import annotations

from stackaudit.link.queries.walk import At, Walk

_OUTSIDE = (
    "aiohttp.", "asyncio.sleep", "boto3.", "botocore.", "django.core.mail.", "feedparser.parse", "ftplib.",
    "http.client.", "httpx.", "imap_tools.", "imapclient.", "imaplib.", "ocrmypdf.", "paramiko.", "pdf2image.",
    "pikepdf.", "PIL.Image.open", "PIL.ImageOps.", "pycurl.", "pysftp.", "requests.", "shutil.", "smtplib.", "socket.",
    "stripe.", "subprocess.", "time.sleep", "urllib.request.", "urllib3.", "weasyprint.", "webdav3.", "xmlrpc.client.",
)  # fmt: skip


_CLIENTS = frozenset({"client", "connector", "http", "session"})
_VERBS = frozenset({"delete", "fetch", "get", "head", "patch", "post", "put", "request", "send"})


def is_request(name: str) -> bool:
    """Whether a dotted name that leads out of what is known reads like a request: `self._client.get`."""
    *holders, verb = name.lower().split(".")
    if not holders or not verb.startswith(tuple(_VERBS)):
        return False
    last = holders[-1].strip("_")
    return (last in _CLIENTS or last.endswith("_client")) and "request" not in holders


def met(walk: Walk, name: str, at: At) -> None:
    """Take note of a call of something outside the repository, by its dotted name."""
    if name.startswith(_OUTSIDE) and not walk.later:
        if isinstance(at, tuple):
            walk.record.outside[at[1]] = name
        done(walk)


def done(walk: Walk) -> None:
    """Every running loop, and every function on the way, works outside the database; what runs later is none of it."""
    if walk.later:
        return
    walk.record.working.update(loop.place for loop in walk.loops if not loop.bounded)
    walk.record.workers.update(frame.node for frame in walk.frames if frame.node is not None)


def again(walk: Walk, node: object) -> None:
    """Take note of a call whose outcome is known already and that is not walked once more."""
    if node in walk.record.workers:
        done(walk)
