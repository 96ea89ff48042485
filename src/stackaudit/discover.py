"""The inputs: which files of the repository are read, and as what."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

SNIFFED = 65_536
"""How much of a file is looked at where its name does not tell what it is, in bytes."""

_NEVER = frozenset(
    {".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "virtualenv", "node_modules", "bower_components"}
    | {"site-packages", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".stackaudit_cache", ".eggs"}
    | {".idea", ".vscode"}
)
_TEST_FOLDERS = frozenset({"tests", "test", "testing", "e2e", "cypress", "testdata", "test_data"})
_SETTINGS_FOLDER = re.compile(r"(^|/)settings/")
"""Below it, `third_party` holds the project's own settings for other people's packages."""
_VENDOR_FOLDERS = frozenset({"vendor", "vendored", "_vendor", "third_party", "thirdparty", "external"})
_TEST_FILE = re.compile(r"(test_.*|.*_tests?|tests|conftest|factories)\.py")

_NAMES: tuple[tuple[str, str], ...] = (
    (r"Procfile(\..+)?", "procfile"),
    (r"(.+\.)?(Docker|Container)file(\.(?!dockerignore$).+)?", "dockerfile"),
    (r"(docker-)?compose([._-].+)?\.ya?ml", "compose"),
    (r"fly(\..+)?\.toml|railway(\..+)?\.(toml|json)|nixpacks\.toml", "platform"),
    (r"render\.ya?ml|heroku\.ya?ml|apprunner\.ya?ml|\.platform\.app\.ya?ml", "platform"),
    (r".+\.(service|socket)(\.(j2|jinja2|template|tpl))?", "systemd"),
    (r".+\.(sh|bash)", "shell"),
    (r"(.*[-_.])?cron(tab|file)([-_.](txt|j2|jinja2|template|tpl|dist|sample|example))?|.+\.cron", "crontab"),
    (r"(.*[-_.])?postgres(ql)?([-_.].*)?\.conf(\.(j2|jinja2|template|tpl|dist|sample|example))?", "postgresql"),
    (r"(.*[-_.])?pgbouncer.*\.ini(\.(j2|jinja2|template|tpl|dist|sample|example))?", "pgbouncer"),
    (r"(.*[-_.])?(redis|valkey|keydb)([-_.].*)?\.conf(\.(j2|jinja2|template|tpl|dist|sample|example))?", "redis"),
    (r"(.*[-_.])?gunicorn.*\.conf|gunicorn\.conf", "python"),
    (r"(.*[-_.])?requirements([-_.].*)?\.(txt|in)", "requirements"),
    (r"constraints.*\.txt", "requirements"),
    (r"pyproject\.toml", "pyproject"),
    (r"Pipfile", "pipfile"),
    (r"setup\.cfg", "setupcfg"),
    (r"(poetry|uv|pdm|Pipfile|pylock(\..+)?)\.(lock|toml)", "lock"),
    (r"runtime\.txt|\.python-version|\.tool-versions", "runtime"),
    (r"\.env([._-].+)?|.+\.env(\.(example|sample|template|dist))?|env\.(example|sample|template)", "dotenv"),
    (r".+\.py", "python"),
    (r".+\.(html?|jinja2?|djhtml)", "template"),
)
_KINDS = tuple((re.compile(pattern), kind) for pattern, kind in _NAMES)

_NGINX_NAME = re.compile(r".*nginx.*|.+\.(conf|vhost|nginx)(\.(template|j2|jinja2?|tpl|tmpl|erb|dist|sample|example))?")
_NGINX_FOLDER = re.compile(r"(.*/)?(sites-(available|enabled)|nginx[^/]*|conf\.d)/([^/]+/)*[^/]+")
_NGINX_TEXT = re.compile(
    rb"^[ \t]*((server|http|events)[ \t\r]*(\{|$)|(location|upstream)\s[^;\n]*(\{|$))"
    rb"|^[ \t]*(proxy_\w+|add_header|ssl_\w+|gzip(_\w+)?|server_name|uwsgi_pass|limit_req_zone|log_format)\s[^;]*;"
    rb"|^[ \t]*(server_tokens|sendfile|tcp_nopush|client_max_body_size|real_ip_header|set_real_ip_from)\s[^;\n]*;"
    rb"|^[ \t]*(allow|deny)[ \t]+(all|unix:|[\da-fA-F.:/]+)[ \t]*;"
    rb"|^[ \t]*(types[ \t]*\{|(map|geo)\s[^;{\n]*\$\w+\s*\{)",
    re.MULTILINE,
)
_OTHERS = (".html", ".py", ".service", ".sh", ".md", ".yml", ".yaml")
_BLOCK_TEXT = re.compile(rb"^[ \t-]*[\"']?[\w./-]+[\"']?[ \t]*:[ \t]*\|", re.MULTILINE)
_NGINX_BLOCK = re.compile(rb"^[ \t]+(server|http)[ \t]*\{|^[ \t]+location[ \t][^;\n]*\{", re.MULTILINE)
_SUPERVISOR_TEXT = re.compile(rb"^\[(program|supervisord|group):?", re.MULTILINE)
_UWSGI_TEXT = re.compile(rb"^\[uwsgi\]", re.MULTILINE)
_UWSGI_TREE = re.compile(rb"^uwsgi:\s*(#.*)?$|^[ \t]*<uwsgi>", re.MULTILINE)
_POSTGRES_TEXT = re.compile(
    rb"^[ \t]*(shared_buffers|effective_cache_size|max_wal_size|wal_level|listen_addresses)[ \t]*=", re.MULTILINE
)
_PGBOUNCER_TEXT = re.compile(rb"^\[pgbouncer\]", re.MULTILINE)
_SHELL_TEXT = re.compile(rb"#!\s*\S*/((env|with-contenv)\s+(-S\s+)?(\S*/)?)?(ba|da|a|k|z)?sh\b")
_ENVIRONMENT_NAME = re.compile(r"\.?environment([._-].+)?|.*[._-]?env[._-](prod|production|prd|live|staging)")
_ENVIRONMENT_TEXT = re.compile(rb"([ \t]*(#[^\n]*|(export[ \t]+)?[A-Za-z_]\w*=[^\n]*)?\r?(\n|$))+")
"""Lines of assignments and comments, and nothing else."""
_COMPOSE_TEXT = re.compile(rb"^services:\s*(#.*)?$", re.MULTILINE)
_KUBERNETES_TEXT = re.compile(
    rb"^kind:[ \t]*[\"']?(Deployment|StatefulSet|DaemonSet|ReplicaSet|HorizontalPodAutoscaler|ConfigMap|Kustomization"
    rb"|ReplicationController)\b|^apiVersion:[ \t]*serving\.knative\.dev",
    re.MULTILINE,
)
_APP_TEXT = re.compile(rb"^(runtime:[ \t]*[\"']?python|entrypoint:)|^[ \t-]+run_command:", re.MULTILINE)
_TEXT_TEMPLATE = re.compile(r"(.*/)?(templates|jinja2)/.+\.(txt|xml|md|eml|svg|js|csv|subject|j2|tex)")
_BINARY = re.compile(
    r".+\.(png|jpe?g|gif|ico|webp|svgz?|woff2?|ttf|eot|otf|zip|gz|bz2|xz|zst|tar|pdf|mp[34]|webm|po|mo|map|css|js|jsx"
    r"|tsx?|json|lock|md|rst|csv|sql|pyc|so|whl|sqlite3?|db|scss|less|vue|har|geojson|pem|key|crt)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Input:
    """A file that is read: `path` relative to the root with forward slashes, `kind` names the reader."""

    path: str
    kind: str


@dataclass(frozen=True)
class Inputs:
    """All that is read of `root`; `left_out` counts what was not, by reason."""

    root: Path
    files: tuple[Input, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    @cached_property
    def _resolved(self) -> Path:
        return self.root.resolve()

    def read(self, path: str) -> bytes:
        """The bytes of a file below the root. Raises OSError, also where a link leads out of the root."""
        target = (self.root / path).resolve()
        if not target.is_relative_to(self._resolved):
            raise PermissionError(1, "leads out of the repository", path)
        if not target.is_file():
            raise FileNotFoundError(2, "is not a regular file", path)
        return target.read_bytes()


def discover(root: Path, *, exclude: Sequence[str] = (), include: Sequence[str] = ()) -> Inputs:
    """Everything below `root` that a reader exists for, in a fixed order.

    Left out are what git ignores, dot folders of tools, virtual environments, vendored code, tests and migrations, and
    what `exclude` (gitignore patterns) names; `include` brings back what matches it.
    """
    walk = _Walk(root, GitIgnoreSpec.from_lines(exclude), GitIgnoreSpec.from_lines(include))
    files = sorted(walk.files("", ()), key=lambda item: item.path)
    return Inputs(root, tuple(files), dict(sorted(walk.left_out.items())))


def kind_of(path: str, head: bytes) -> str | None:
    """The kind of the file at `path` whose first bytes are `head`; None where no reader exists for it."""
    name = PurePosixPath(path).name
    if _NGINX_NAME.fullmatch(name) or _NGINX_FOLDER.fullmatch(path):
        if name.endswith(_OTHERS) or re.match(r"(.+\.)?Dockerfile", name):
            pass
        elif _SUPERVISOR_TEXT.search(head):
            return "supervisor"
        elif _NGINX_TEXT.search(head) and not head.startswith(b"#!"):
            return "nginx"
    for pattern, kind in _KINDS:
        if pattern.fullmatch(name):
            return kind
    if _TEXT_TEMPLATE.fullmatch(path):
        return "template"
    if re.search(r"\.service\.d/[^/]+\.conf$", path):
        return "systemd"
    if name.endswith((".conf", ".ini")) and _SUPERVISOR_TEXT.search(head):
        return "supervisor"
    if re.fullmatch(r".+\.ini(\.(j2|jinja2|template|tpl|dist|sample|example))?", name) and _UWSGI_TEXT.search(head):
        return "uwsgi"
    if name.endswith((".yml", ".yaml", ".xml")) and _UWSGI_TREE.search(head):
        return "uwsgi"
    if name.endswith(".ini") and _PGBOUNCER_TEXT.search(head):
        return "pgbouncer"
    if name.endswith(".conf") and _POSTGRES_TEXT.search(head):
        return "postgresql"
    if re.fullmatch(r"app(-.+)?\.ya?ml", name) and _APP_TEXT.search(head):
        return "platform"
    if name.endswith((".yml", ".yaml")) and _KUBERNETES_TEXT.search(head) and b"{{" not in head:
        return "kubernetes"
    if name.endswith((".yml", ".yaml")) and not name.startswith(".") and _COMPOSE_TEXT.search(head):
        return "compose"
    if name.endswith((".yml", ".yaml")) and _BLOCK_TEXT.search(head) and _NGINX_BLOCK.search(head):
        return "manifest"
    if path.rpartition("/")[0].endswith("requirements") and name.endswith((".txt", ".in")):
        return "requirements"
    if re.search(r"(^|/)\.envs?/", path) and name.startswith(".") and not name.startswith(".git"):
        return "dotenv"
    if _ENVIRONMENT_NAME.fullmatch(name) and _ENVIRONMENT_TEXT.fullmatch(head):
        return "dotenv"
    if _SHELL_TEXT.match(head):
        return "shell"
    return None


class _Walk:
    def __init__(self, root: Path, exclude: GitIgnoreSpec, include: GitIgnoreSpec) -> None:
        self.root = root
        self.exclude = exclude
        self.include = include
        self.left_out: Counter[str] = Counter()

    def files(self, folder: str, ignores: tuple[tuple[str, GitIgnoreSpec], ...]) -> Iterator[Input]:
        """The inputs below `folder` ("" or ending with a slash)."""
        try:
            entries = sorted(os.scandir(self.root / folder), key=lambda entry: entry.name)
        except OSError:
            self.left_out["folders that could not be opened"] += 1
            return
        if any(entry.name == ".gitignore" for entry in entries):
            ignores = (*ignores, (folder, _gitignore(self.root / folder / ".gitignore")))
        for entry in entries:
            path = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                reason = self._folder_left_out(path, entry.name, ignores)
                if reason is None:
                    yield from self.files(path + "/", ignores)
                elif reason:
                    self.left_out[reason] += 1
            elif entry.is_symlink():
                self._link(entry)
            elif entry.is_file(follow_symlinks=False):
                found = self._file(path, entry, ignores)
                if found is not None:
                    yield found

    def _folder_left_out(self, path: str, name: str, ignores: tuple[tuple[str, GitIgnoreSpec], ...]) -> str | None:
        if name in _NEVER or (self.root / path / "pyvenv.cfg").exists():
            return ""
        if self.include.match_file(path + "/"):
            return None
        if self.exclude.match_file(path + "/"):
            return "folders excluded by the configuration"
        if name in _TEST_FOLDERS and not _contains_django(self.root / path):
            return "folders of tests"
        if name in _VENDOR_FOLDERS and not _SETTINGS_FOLDER.search(path):
            return "folders of vendored code"
        if name == "migrations" and (self.root / path / "__init__.py").exists():
            return "folders of migrations"
        return "folders that git ignores" if _ignored(path + "/", ignores) else None

    def _file(self, path: str, entry: os.DirEntry[str], ignores: tuple[tuple[str, GitIgnoreSpec], ...]) -> Input | None:
        told = entry.name.endswith(".lock") or entry.name.startswith("railway")
        if _BINARY.fullmatch(entry.name) and not _TEXT_TEMPLATE.fullmatch(path) and not told:
            return None
        kind = kind_of(path, _head(self.root / path) if _wants_head(path) else b"")
        if kind is None:
            return None
        if not self.include.match_file(path):
            if self.exclude.match_file(path):
                self.left_out["files excluded by the configuration"] += 1
                return None
            if kind == "python" and _TEST_FILE.fullmatch(entry.name):
                self.left_out["files of tests"] += 1
                return None
            if _ignored(path, ignores):
                self.left_out["files that git ignores"] += 1
                return None
        return Input(path, kind)

    def _link(self, entry: os.DirEntry[str]) -> None:
        """A link inside the root shows a file that is read where it lies; one that leads out is not followed."""
        target = Path(entry.path).resolve() if not _loops(entry.path) else None
        if target is None:
            self.left_out["links that lead in a circle or nowhere"] += 1
        elif not target.is_relative_to(self.root.resolve()):
            self.left_out["links that lead out of the repository"] += 1


def _loops(path: str) -> bool:
    try:
        Path(path).resolve(strict=True)
    except (OSError, RuntimeError):
        return True
    return False


def _wants_head(path: str) -> bool:
    name = path.rpartition("/")[2]
    if name.endswith(".py"):
        return False
    plain = any(pattern.fullmatch(name) for pattern, _ in _KINDS)
    return not plain or bool(_NGINX_NAME.fullmatch(name) or _NGINX_FOLDER.fullmatch(path))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(SNIFFED)
    except OSError:
        return b""


def _gitignore(path: Path) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except (OSError, ValueError):
        return GitIgnoreSpec.from_lines(())


def _ignored(path: str, ignores: tuple[tuple[str, GitIgnoreSpec], ...]) -> bool:
    """Whether git leaves `path` out: the innermost .gitignore that says anything has the last word."""
    for folder, spec in reversed(ignores):
        verdict = spec.check_file(path[len(folder) :]).include
        if verdict is not None:
            return verdict
    return False


def _contains_django(folder: Path) -> bool:
    """Whether a folder called like tests is an application of the site all the same: it has models, views and urls."""
    return all((folder / name).exists() for name in ("models.py", "views.py", "urls.py"))
