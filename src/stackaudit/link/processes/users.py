"""As which user of the system a process runs, and where that was decided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stackaudit.link.processes.images import Image
from stackaudit.link.processes.launches import Launch
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

By: TypeAlias = Literal["image", "compose", "systemd", "supervisor", "program", "wrapper"]

_DROPS = frozenset({"gosu", "su-exec", "s6-setuidgid", "setuidgid", "runuser", "setpriv", "chpst", "sudo"})
"""Wrappers that start their command as another user."""
_ROOT = re.compile(
    r"(docker\.io/)?(library/)?"
    r"(python|pypy|debian|ubuntu|alpine|node|buildpack-deps|amazonlinux|fedora|rockylinux|almalinux|centos|golang|rust)"
    r"(:.*|@.*)?|(ghcr\.io/)?(astral-sh|astral)/uv(:.*|@.*)?|(docker\.io/)?(continuumio|mambaorg)/miniconda3(:.*)?"
    r"|public\.ecr\.aws/docker/library/.*|mcr\.microsoft\.com/devcontainers/python.*"
)
"""Images that name no user, so that what is built on them is root until USER says otherwise."""
ROOT = ("root", "0", "0:0", "root:root")


@dataclass(frozen=True, slots=True)
class Login:
    """Who a process is (`user`), where that stands, and what decided it."""

    user: Value[str]
    place: Place
    by: By

    @property
    def is_root(self) -> Value[bool]:
        """Whether it may do everything."""
        return self.user if isinstance(self.user, Unknown) else Known(self.user.value in ROOT, self.user.places)


def login(launch: Launch, wrappers: tuple[str, ...], own: AnyValue, word: Place) -> Login | None:
    """The user of a process that `launch` starts through `wrappers`; `own` is what the program changes to by itself.

    None where a platform decides it (a Procfile).
    """
    if any(name in _DROPS for name in wrappers):
        return Login(Known("another"), word, "wrapper")
    if not (isinstance(own, Known) and own.value in (None, "")):
        return Login(Known(str(own.value), own.places) if isinstance(own, Known) else own, word, "program")
    if launch.kind == "systemd":
        return _of_unit(launch, word)
    if launch.kind == "supervisor":
        user = launch.options.get("user")
        return Login(user or Known(""), user.places[0] if user is not None and user.places else word, "supervisor")
    if launch.kind in ("compose", "kubernetes") and (user := launch.options.get("user")) is not None:
        return Login(user, user.places[0] if user.places else word, "compose")
    if launch.kind in ("compose", "dockerfile", "kubernetes"):
        return _of_image(launch.image, launch.image_name, word)
    return None


def _of_unit(launch: Launch, word: Place) -> Login:
    user, dynamic = launch.options.get("Service.User"), launch.options.get("Service.DynamicUser")
    wanted = launch.options.get("Install.WantedBy")
    if isinstance(dynamic, Known) and dynamic.value.lower() in ("yes", "true", "1", "on"):
        return Login(Known("a user of its own"), word, "systemd")
    if user is not None:
        return Login(user, user.places[0] if user.places else word, "systemd")
    if isinstance(wanted, Known) and wanted.value == "default.target":
        return Login(Known("whoever logged in"), word, "systemd")
    return Login(Known("root"), word, "systemd")


def _of_image(image: Image | None, name: str, word: Place) -> Login:
    stages = image.chain() if image is not None else []
    if image is None or not stages:
        base, place = name, word
    else:
        place = Place(image.path, stages[0].image.region)
        if any(stage.user is not None for stage in stages):
            user = image.user()
            return Login(
                Known(user) if user else Unknown("USER is a variable without a value", (place,)), place, "image"
            )
        base = image.text(stages[-1].image, stages[-1]) or ""
    if _ROOT.fullmatch(base):
        return Login(Known("root", (place,)), place, "image")
    return Login(Unknown(f"the image {base or 'it runs'} may name a user of its own", (place,)), place, "image")
