"""How many requests a server can work on at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from stackaudit.link.caching.memory import Kept, kept_in_memory
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

CONCURRENCY = "WEB_CONCURRENCY"
_VARIABLES = {"gunicorn": CONCURRENCY, "uvicorn": CONCURRENCY, "granian": "GRANIAN_WORKERS"}
"""The environment variable that gives the number of workers where the command line does not."""
_OPTIONS = {"uwsgi": "--processes", "waitress": "--threads", "mod_wsgi": "--processes"}
"""The option of a server that is not `--workers`."""
_FILES = {"gunicorn": "workers", "uwsgi": "processes"}
"""The name of the setting in a server's own file."""
_ARGUMENTS = "GUNICORN_CMD_ARGS"
_SWITCH = re.compile(r"the default of \$(\w+)")


def single_worker(stack: Stack) -> Iterator[Verdict]:
    """A web server works on more than one request at a time, on more than one core.

    Servers whose number one variable decides are one finding, at the container's start where there is one.
    """
    documented = any(
        entry.name == CONCURRENCY
        for item in stack.of_kind("dotenv")
        for entry in item.facts.entries
        if entry.value.strip().isdigit() and int(entry.value) > 1
    )
    servers = [item for item in stack.processes.production_servers if item.kind not in DEVELOPMENT_SERVERS]
    switched: dict[str, list[Fail]] = {}
    for process in sorted(together(servers), key=lambda process: not process.contained):
        verdict = _judged(stack, process, documented)
        switch = _switch(process)
        if isinstance(verdict, Fail) and switch:
            switched.setdefault(switch, []).append(verdict)
        else:
            yield verdict
    for first, *others in switched.values():
        also = tuple(Step(other.site.place, "the same variable decides here") for other in others)
        yield replace(first, related=(*first.related, *also))


def _switch(process: Process) -> str:
    """The variable that decides the number of workers and has a default, "" where there is none."""
    workers = process.setting("workers")
    found = _SWITCH.search(workers.note) if isinstance(workers, Known) else None
    return found[1] if found is not None else ""


def _judged(stack: Stack, process: Process, documented: bool) -> Verdict:
    workers, threads = process.setting("workers"), process.setting("threads")
    site = Site(process.setting_place("workers"), process.name)
    if isinstance(process.replicas, Known) and process.replicas.value > 1:
        return Pass(site)
    if isinstance(workers, Known) and workers.value > 1:
        return Pass(site)
    if isinstance(threads, Known) and threads.value > 1:
        return Pass(site)
    if isinstance(process.replicas, Unknown):
        return Unsure(site, f"the number of replicas is not known: {process.replicas.why}")
    if isinstance(workers, Unknown):
        if documented and CONCURRENCY in workers.why:
            return Pass(site)
        return Unsure(site, f"the number of workers is not known: {workers.why}")
    if process.kind == "gunicorn":
        return _gunicorn(stack, process, site)
    if isinstance(threads, Unknown) and process.interface != "asgi":
        return Unsure(site, f"its threads are not known: {threads.why}")
    if process.interface == "asgi":
        cause = "by-default" if _switch(process) else "one-process"
        return Fail(site, {"kind": process.kind, "switch": _switch(process)}, cause=cause, fix=_fix(stack, process))
    return Fail(site, {"kind": process.kind}, fix=_fix(stack, process))


def _gunicorn(stack: Stack, process: Process, site: Site) -> Verdict:
    worker_class = process.worker_class
    if isinstance(worker_class, Unknown):
        return Unsure(site, f"the worker class is not known: {worker_class.why}")
    kind = f"gunicorn ({worker_class.value})"
    fix = _fix(stack, process)
    if worker_class.value in ("sync", "gthread"):
        return Fail(site, {"kind": kind}, cause="image" if _is_default_of_image(process) else "", fix=fix)
    greenlets = any(word in kind.lower() for word in ("gevent", "eventlet"))
    return Fail(site, {"kind": kind}, cause="greenlets" if greenlets else "one-process", fix=fix)


def _is_default_of_image(process: Process) -> bool:
    """Whether an image that nothing in the repository starts leaves the number to its environment."""
    return process.origin.kind == "dockerfile" and not process.given.get("workers")


def _fix(stack: Stack, process: Process) -> str:
    """How this server answers more requests at once: by processes only where nothing lives in the memory of one."""
    kept = kept_in_memory(stack) if process.kind != "waitress" else None  # it adds threads only
    return _more(stack, process) if kept is None else _kept(stack, process, kept)


def _kept(stack: Stack, process: Process, kept: Kept) -> str:
    """Threads where the server has them, and what has to come before more processes."""
    own = _VARIABLES.get(process.kind, "")
    more = _more(stack, process, is_threaded=False)
    if not (_is_threaded(process) or process.kind in ("uwsgi", "mod_wsgi")):
        first = f"First point CACHES at what all processes share: {kept.told}."
        return f"{first} Then {more[0].lower()}{more[1:]}"
    workers, then = "", f" Then {more[0].lower()}{more[1:]}"
    if _is_default_of_image(process) and own:
        workers, then = f" (`ENV {own}=3`)", ""
    return (
        f"{_threads(process)}: threads share the cache of the process. Workers{workers} only once CACHES is shared by "
        f"all processes: {kept.told}.{then}"
    )


def _threads(process: Process) -> str:
    """Where this server is told to use threads."""
    given = process.given.get("threads", ())
    if given or not _is_default_of_image(process) or process.kind != "gunicorn":
        return f"`threads = 4` in {process.config_path}" if process.config_path and not given else "`--threads 4`"
    if _ARGUMENTS in process.environment:
        return f"`--threads 4` in the {_ARGUMENTS} of {process.origin.path}"
    return f'`ENV {_ARGUMENTS}="--threads 4"` in {process.origin.path}'


def _more(stack: Stack, process: Process, *, is_threaded: bool = True) -> str:
    """How this server gets more workers: by the variable that decides now, else by its own option."""
    workers = process.setting("workers")
    given = process.given.get("workers", ())
    switch = _switch(process)
    own = _VARIABLES.get(process.kind, "")
    cores = " (two for each core and one more)"
    threads = f"{cores}, or `--workers 2 --threads 4`" if is_threaded and _is_threaded(process) else ""
    if switch:
        places = workers.places or (process.place,)
        told = f"`{switch}` decides, and is 1 where nobody sets it: set it, or raise its default in {places[0].path}."
        return f"{told} `{_OPTIONS.get(process.kind, '--workers')}` on the command line would overrule it."
    if given and given[-1].source == _ARGUMENTS:
        return f"`--workers 3` in the GUNICORN_CMD_ARGS of {given[-1].place.path}."
    if given and given[-1].source.isupper():
        return (
            f"Raise `{given[-1].source}` in {given[-1].place.path}: one process for each core, or more where they wait."
        )
    if _is_default_of_image(process) and own:
        told = f"`ENV {own}=3` in {process.origin.path} is a default that whoever starts the image can change;"
        more = " and GUNICORN_CMD_ARGS" if process.kind == "gunicorn" else ""
        return f"{told} `--workers 3` on the command line would overrule their {own}{more}."
    if process.kind == "daphne":
        way = "daphne has no option for it: run several behind the proxy, or uvicorn or gunicorn with `--workers`."
        return way + _replicas(stack, process)
    option = f"`{_OPTIONS.get(process.kind, '--workers')} 3`"
    if process.place.path.endswith(".py"):
        keyword = _OPTIONS.get(process.kind, "--workers").removeprefix("--")
        option = f"`{keyword}=3` in the call in {process.place.path}"
    if process.config_path and process.kind in _FILES:
        option = f"`{_FILES[process.kind]} = 3` in {process.config_path}"
    variable = f", or set {own}" if own and not given else ""
    return f"Give it workers: {option}{threads}{variable}.{_replicas(stack, process)}"


def _is_threaded(process: Process) -> bool:
    """Whether threads are a way to more requests at once."""
    kind = process.worker_class
    return process.kind == "gunicorn" and isinstance(kind, Known) and kind.value in ("sync", "gthread")


def _replicas(stack: Stack, process: Process) -> str:
    """Where the container runs nothing else, several of them do as well; a beat or a worker would run twice."""
    beside = [
        other
        for other in stack.processes.all
        if (other.origin.path, other.origin.service) == (process.origin.path, process.origin.service)
    ]
    alone = all(other.is_server for other in beside) and not process.chores
    return " Replicas of the container do the same." if process.contained and alone else ""
