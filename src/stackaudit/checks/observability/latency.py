"""How the access log of each server tells the time of a request."""

from __future__ import annotations

from stackaudit.link.processes.model import Process

_NGINX = (
    'In nginx: `log_format timed \'$remote_addr [$time_local] "$request" $status $body_bytes_sent $request_time'
    " $upstream_response_time';` in the http block, and `access_log /var/log/nginx/access.log timed;`."
)
_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(M)s'
"""gunicorn's default format with the milliseconds behind it (written so by 27.0.1)."""

_ESCAPED = frozenset({"systemd", "supervisor"})
"""Files in which a percent sign begins a specifier (systemd.unit(5); supervisor's `command`)."""


def latency_fix(server: Process, writes: bool, proxied: bool) -> str:
    """What to write in the layer that is there: nginx where it stands before the server, else the server's own log.

    `writes` tells whether the server writes an access log. The options are those of gunicorn 27.0.1, granian 2.8 and
    uWSGI 2.0; uvicorn 0.54 and daphne 4.2 have no field for the time.
    """
    if proxied:
        return _NGINX
    file = server.config_path
    match server.kind:
        case "gunicorn" if file:
            log = "" if writes else '`accesslog = "-"` and '
            return f"{log}`%(M)s` (milliseconds) in `access_log_format`, in {file}."
        case "gunicorn":
            log = "" if writes else "--access-logfile - "
            told = f"`{log}--access-logformat '{_FORMAT}'` on its command line: `%(M)s` are the milliseconds."
            return told + (" There each `%` is written twice." if server.origin.kind in _ESCAPED else "")
        case "granian":
            if writes:
                return "`%(dt_ms).3f` (milliseconds) in `--access-log-fmt` or GRANIAN_LOG_ACCESS_FMT."
            return "`--access-log` (or GRANIAN_LOG_ACCESS_ENABLED=true): the line ends with the milliseconds."
        case "uwsgi":
            log = "" if writes else "Take `disable-logging` out; "
            return f"{log}uWSGI's own format ends with the milliseconds: `%(msecs)` in a `log-format` of your own."
        case _:
            return (
                f"The access log of {server.kind} has no field for it: let the proxy before it write the time"
                " (`$request_time` in nginx), or a middleware that measures around `get_response`."
            )
