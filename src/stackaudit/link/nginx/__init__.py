"""nginx's effective configuration: what each server and location really does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.facts.nginx import Nginx as File
from stackaudit.link.nginx import deploy
from stackaudit.link.nginx.aside import put_aside
from stackaudit.link.nginx.include import Includes
from stackaudit.link.nginx.inline import inside_others
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Location, Server, Target, Upstream, socket_file, target_of
from stackaudit.link.nginx.tree import Builder, is_main
from stackaudit.link.nginx.version import Version, parse
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

__all__ = ["Nginx", "Proxied", "resolve"]


@dataclass(frozen=True)
class Proxied:
    """A location (or an `if` inside one) that hands requests on, and where to."""

    location: Location
    level: Level
    target: Target


@dataclass(frozen=True)
class Nginx:
    """All http levels of the repository, main files first. `units` are the containers that run nginx."""

    https: tuple[Level, ...]
    version: Value[Version]
    units: tuple[deploy.Unit, ...] = field(default_factory=tuple)

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """Every server, in the order of the files."""
        return tuple(Server(level, http, self.version) for http in self.https for level in http.inside("server"))

    @cached_property
    def locations(self) -> tuple[Location, ...]:
        """Every location of every server, nested ones after the one around them."""
        return tuple(location for server in self.servers for location in server.every_location)

    @cached_property
    def upstreams(self) -> dict[str, Upstream]:
        """The upstream blocks by name."""
        result: dict[str, Upstream] = {}
        for http in self.https:
            for level in http.inside("upstream"):
                if level.directive is None or not level.directive.args:
                    continue
                name = level.directive.args[0].text
                lines = level.lines.get("server", [])
                texts = [line.words[0].text for line in lines if line.words]
                addresses = tuple(
                    socket_file(text.removeprefix("unix:")) if text.startswith("unix:") else text for text in texts
                )
                result.setdefault(name, Upstream(name, level, addresses))
        return result

    def addresses(self, target: Target) -> tuple[str, ...]:
        """The servers behind a target: those of its upstream, or its own address."""
        upstream = self.upstreams.get(target.address)
        return upstream.addresses if upstream is not None else (target.address,)

    @cached_property
    def proxied(self) -> tuple[Proxied, ...]:
        """Every place that hands requests on, each once however many servers include it from one file."""
        seen: set[tuple[object, object]] = set()
        result: list[Proxied] = []
        for location in self.locations:
            for level in (location.level, *location.level.inside("if")):
                if level is not location.level and not any(
                    name in level.lines for name in ("proxy_pass", "uwsgi_pass")
                ):
                    continue
                target = target_of(level)
                if isinstance(target, Known):
                    key = (level.place, location.server.level.place)
                    if key not in seen:
                        seen.add(key)
                        result.append(Proxied(location, level, target.value))
        return tuple(result)

    def on_socket(self, server: Server) -> Iterator[Server]:
        """The servers of the same http level that share a TLS socket with `server`, the default one first."""
        sockets = {listen.socket for listen in server.listens if listen.tls and not listen.hole}
        sharing = [
            other
            for other in self.servers
            if other.http is server.http and any(listen.socket in sockets for listen in other.listens)
        ]
        sharing.sort(
            key=lambda other: (
                not any(
                    listen.socket in sockets and listen.options & {"default_server", "default"}
                    for listen in other.listens
                )
            )
        )
        yield from sharing


def resolve(stack: Stack) -> Nginx:
    """The effective configuration of the nginx files of `stack`."""
    files = {item.path: item.facts for item in stack.of_kind("nginx") if isinstance(item.facts, File)}
    units = deploy.units(stack.of_kind("dockerfile"), stack.of_kind("compose"), files)
    aside = deploy.only_for_development(units)
    aside |= put_aside(files, (path for unit in units for path in unit.installed.values()))
    files = {path: file for path, file in files.items() if path not in aside}
    for unit in units:
        unit.installed = {at: path for at, path in unit.installed.items() if path not in aside}
    inline = inside_others(stack.of_kind("dockerfile", "shell", "manifest", "kubernetes"))
    files |= {name: found.file for name, found in inline.items()}
    for unit in units:
        unit.installed |= {
            found.target: name
            for name, found in inline.items()
            if found.lands and stack.files[found.path].kind == "dockerfile" and unit.name == found.path
        }
        unit.brings_main = any(is_main(files[path]) for path in unit.installed.values())
    installed = {found.target: name for name, found in inline.items() if found.lands}
    installed |= {at: path for unit in units for at, path in unit.installed.items()}
    stock = {path for unit in units if unit.has_stock_main for path in unit.installed.values()}
    starts = {name: Place.line(found.path, found.line) for name, found in inline.items()}
    builder = Builder(files, Includes(files, installed), stock, starts)
    return Nginx(tuple(builder.build()), _version(stack, units), tuple(units))


def _version(stack: Stack, units: list[deploy.Unit]) -> Value[Version]:
    wished = stack.config.nginx.version
    if wished is not None:
        known = parse(wished)
        return Known(known, note="[nginx] version") if known else Unknown(f"[nginx] version {wished!r} is no version")
    return deploy.version(units)
